package idp

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// routes puts the protocol's endpoints and the pages under Path.
func (p *Provider) routes() (http.Handler, error) {
	origins := http.NewCrossOriginProtection()
	if err := origins.AddTrustedOrigin(p.cfg.PublicURL); err != nil {
		return nil, fmt.Errorf("idp: public URL: %w", err)
	}
	protocol := http.StripPrefix(Path, op.RegisterServer(&server{p: p, client: &client{
		redirectURI: p.cfg.PublicURL + "/auth/callback",
		postLogout:  p.cfg.PublicURL + "/",
		loginURL:    func(id string) string { return p.pageURL("/sign-in", id) },
	}}, endpoints,
		op.WithServerCORSOptions(nil), // no page of another origin has business here
		op.WithFallbackLogger(slog.New(fromWarnings{p.cfg.Logger.Handler()})),
	))
	mux := http.NewServeMux()
	for _, pattern := range []string{
		"GET " + Path + "/.well-known/openid-configuration",
		"GET " + Path + endpoints.JwksURI.Relative(),
		"POST " + Path + endpoints.Token.Relative(),
		"POST " + Path + endpoints.Revocation.Relative(),
		"GET " + Path + endpoints.Userinfo.Relative(),
		"POST " + Path + endpoints.Userinfo.Relative(),
	} {
		mux.Handle(pattern, protocol)
	}
	for _, pattern := range []string{
		"GET " + Path + endpoints.Authorization.Relative(),
		"GET " + Path + endpoints.EndSession.Relative(),
		"POST " + Path + endpoints.EndSession.Relative(),
	} {
		mux.Handle(pattern, p.withBrowser(p.withReadableForm(p.withErrorPages(protocol))))
	}
	for path, page := range map[string]struct{ get, post pageHandler }{
		"/sign-in":    {p.showSignIn, p.signIn},
		"/sign-up":    {p.showSignUp, p.signUp},
		"/confirm":    {p.showConfirm, p.confirm},
		"/forgot":     {p.showForgot, p.forgot},
		"/reset":      {p.showReset, p.reset},
		"/password":   {p.showChange, p.change},
		"/signed-out": {get: p.showSignedOut},
	} {
		mux.Handle("GET "+Path+path, p.withBrowser(p.withReadableForm(p.page(page.get))))
		if page.post != nil {
			mux.Handle("POST "+Path+path, origins.Handler(p.withBrowser(p.withReadableForm(p.page(p.withFormToken(page.post))))))
		}
	}
	mux.HandleFunc("GET "+Path+"/style.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		http.ServeFileFS(w, r, pageFiles, "page/style.css")
	})
	mux.Handle(Path+"/", p.withBrowser(p.page(func(w http.ResponseWriter, r *http.Request) error {
		p.showError(w, r, http.StatusNotFound, "There is no such page.")
		return nil
	})))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' "+
			p.cfg.PublicURL+"; frame-ancestors 'none'; base-uri 'none'")
		// Not no-referrer: it makes browsers send "Origin: null" with forms,
		// which the check of origins must refuse where nothing else tells.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		r.Body = http.MaxBytesReader(w, r.Body, maxRequestBytes)
		mux.ServeHTTP(w, r)
	}), nil
}

// pageURL is a page's path, with the auth request that it belongs to.
func (p *Provider) pageURL(page, request string) string {
	if request == "" {
		return Path + page
	}
	return Path + page + "?" + url.Values{"request": {request}}.Encode()
}

// browserCookie names a browser while somebody signs in. It proves nothing
// but that two requests come from the same one.
const browserCookie = "happening_browser"

type browserKey struct{}

// browser is what its cookie says, and the hash by which it is kept.
type browser struct {
	value string
	hash  []byte
}

func browserFrom(ctx context.Context) []byte {
	b, _ := ctx.Value(browserKey{}).(browser)
	return b.hash
}

// withBrowser gives every browser its cookie and the handler its hash. The
// cookie is Lax and not Strict, as one arrives here from links in mails.
func (p *Provider) withBrowser(next http.Handler) http.Handler {
	name := browserCookie
	if p.secure {
		name = "__Host-" + name
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const length = 43 // 256 bits in base64
		var b browser
		if cookie, err := r.Cookie(name); err == nil && len(cookie.Value) == length {
			b = browser{cookie.Value, hashSecret(cookie.Value)}
		} else {
			b.value, b.hash = newSecret()
			http.SetCookie(w, &http.Cookie{Name: name, Value: b.value, Path: "/",
				HttpOnly: true, Secure: p.secure, SameSite: http.SameSiteLaxMode})
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), browserKey{}, b)))
	})
}

// derive makes a value that nobody without the provider's secret can make.
func (p *Provider) derive(purpose, text string) []byte {
	mac := hmac.New(sha256.New, p.secret)
	mac.Write([]byte(purpose + "\x00" + text))
	return mac.Sum(nil)
}

// formToken is what a form of ours carries: it belongs to one browser, so a
// form made elsewhere can't have it.
func (p *Provider) formToken(ctx context.Context) string {
	b, _ := ctx.Value(browserKey{}).(browser)
	return base64.RawURLEncoding.EncodeToString(p.derive("form token", b.value))
}

// withReadableForm parses what was sent and refuses what no form of ours can
// send and no column can keep.
func (p *Provider) withReadableForm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			p.showError(w, r, http.StatusBadRequest, "This form could not be read.")
			return
		}
		for _, values := range r.Form {
			for _, v := range values {
				switch {
				case len(v) > maxParameterBytes:
					p.showError(w, r, http.StatusBadRequest, "A part of this request is too long.")
					return
				case !utf8.ValidString(v) || strings.ContainsRune(v, 0):
					p.showError(w, r, http.StatusBadRequest, "This request has characters that can't be used.")
					return
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// withFormToken refuses forms that were not shown by us to this browser.
func (p *Provider) withFormToken(next pageHandler) pageHandler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !hmac.Equal([]byte(r.PostForm.Get("form_token")), []byte(p.formToken(r.Context()))) {
			p.showError(w, r, http.StatusForbidden, "This form is no longer valid. Go back, load the page again and make sure that cookies are allowed.")
			return nil
		}
		return next(w, r)
	}
}

// pageHandler answers with a page; an error that it returns is logged whole
// and shown as nothing, save for faults that ask to wait.
type pageHandler func(w http.ResponseWriter, r *http.Request) error

func (p *Provider) page(next pageHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := next(w, r)
		if err == nil {
			return
		}
		if f, ok := faultOf(err); ok && f == errBusy {
			w.Header().Set("Retry-After", "5")
			p.showError(w, r, http.StatusServiceUnavailable, f.Message)
			return
		}
		if r.Context().Err() != nil {
			return // nobody is there to read the answer
		}
		p.cfg.Logger.ErrorContext(r.Context(), "provider's page failed", "path", r.URL.Path, "error", err)
		p.showError(w, r, http.StatusInternalServerError, "Something went wrong on our side. Try again in a moment.")
	})
}

// withErrorPages turns the protocol's refusals, which are JSON, into pages
// where it is a browser that reads them.
func (p *Provider) withErrorPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		held := &heldAnswer{header: w.Header(), status: http.StatusOK}
		next.ServeHTTP(held, r)
		if held.status < http.StatusBadRequest {
			w.WriteHeader(held.status)
			if _, err := io.Copy(w, &held.body); err != nil {
				p.cfg.Logger.DebugContext(r.Context(), "provider: answer not taken", "error", err)
			}
			return
		}
		var said struct {
			Description string `json:"error_description"`
		}
		message := "This sign-in could not be begun."
		if json.Unmarshal(held.body.Bytes(), &said) == nil && said.Description != "" && held.status < http.StatusInternalServerError {
			message = said.Description
		}
		p.showError(w, r, held.status, message)
	})
}

// heldAnswer is an answer that is not yet sent.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldAnswer) Header() http.Header         { return h.header }
func (h *heldAnswer) WriteHeader(status int)      { h.status = status }
func (h *heldAnswer) Write(b []byte) (int, error) { return h.body.Write(b) }

// Transport reaches this provider without a network: requests to its issuer
// are answered by its handler in process, all others go through base (nil:
// the usual transport). The application, in the same process, talks to its
// provider by it before any port is open and whatever stands in front.
func (p *Provider) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{p: p, base: base}
}

type transport struct {
	p    *Provider
	base http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme+"://"+r.URL.Host != t.p.cfg.PublicURL || !strings.HasPrefix(r.URL.Path, Path+"/") {
		return t.base.RoundTrip(r)
	}
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr, in.Host = r.URL.RequestURI(), "127.0.0.1:0", r.URL.Host
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	held := &heldAnswer{header: make(http.Header), status: http.StatusOK}
	t.p.handler.ServeHTTP(held, in)
	return &http.Response{
		Status: http.StatusText(held.status), StatusCode: held.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: held.header, Body: io.NopCloser(&held.body), ContentLength: int64(held.body.Len()), Request: r,
	}, nil
}

// fromWarnings keeps the library's chatter out of the log.
type fromWarnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h fromWarnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h fromWarnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return fromWarnings{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h fromWarnings) WithGroup(name string) slog.Handler {
	return fromWarnings{h.Handler.WithGroup(name)}
}
