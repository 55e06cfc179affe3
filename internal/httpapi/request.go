package httpapi

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/klauspost/compress/gzhttp"

	"happening/internal/access"
	"happening/internal/fault"
)

// Limits of a request.
const (
	// minCompressed is from which size on an answer is worth compressing.
	minCompressed = 1 << 10 // bytes
	// addressBits6 is how much of an IPv6 address names a household; the rest
	// changes at will.
	addressBits6 = 64
)

// call is what is known of one request while it is answered. It is also the
// request's response writer, so that one allocation serves for both.
type call struct {
	http.ResponseWriter
	id     uint64 // shown in hexadecimal
	status int    // 0: not written yet
	who    access.Principal
	body   []byte
	again  readAgain // the body, for who reads it from the request
	sender string    // of the body, where it is counted
	kept   int64     // bytes, 0: not counted
	server *Server
}

type callKey struct{}

// noCall stands in where a context comes from no request.
var noCall = &call{server: &Server{deps: Deps{Log: slog.Default()}}}

func callFrom(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return noCall
}

// principal tells who asks.
func principal(ctx context.Context) access.Principal { return callFrom(ctx).who }

// WriteHeader notes the status for metrics and log.
func (c *call) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (c *call) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	return c.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (c *call) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *call) requestID() string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], c.id)
	return hex.EncodeToString(b[:])
}

func (c *call) isAway(err error) bool {
	return c.server.deps.Away != nil && c.server.deps.Away(err)
}

func (c *call) logError(ctx context.Context, message string, err error) {
	c.server.deps.Log.ErrorContext(ctx, message, "request_id", c.requestID(), "error", err)
}

// Headers that answers carry. The values are shared and never appended to.
var (
	apiPolicy    = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}
	noSniff      = []string{"nosniff"}
	sameOrigin   = []string{"same-origin"}
	noStore      = []string{"no-store"}
	noPermission = []string{"camera=(), geolocation=(), microphone=(), payment=(), usb=()"}
	oneYearTLS   = []string{"max-age=31536000"}
)

// secure sets the headers that keep a browser from doing what nobody asked
// for, whatever an answer is. A handler may set stricter or wider ones after it.
// They are few for a reason: a booking's answer has eight with its own, and a
// ninth would have Go's maps of them grow twice over; see
// docs/adr/0026-server-time.md.
func (s *Server) secure(h http.Header, policy []string) {
	h["Content-Security-Policy"] = policy
	h["X-Content-Type-Options"] = noSniff
	h["Referrer-Policy"] = sameOrigin
	h["Cross-Origin-Resource-Policy"] = sameOrigin
	if strings.HasPrefix(s.deps.PublicURL, "https:") {
		h["Strict-Transport-Security"] = oneYearTLS
	}
}

// securePage sets what secure does, and what says something of pages only: an
// answer of JSON opens no camera and no window.
func (s *Server) securePage(h http.Header, policy []string) {
	s.secure(h, policy)
	forPages(h)
}

func forPages(h http.Header) {
	h["Permissions-Policy"] = noPermission
	h["Cross-Origin-Opener-Policy"] = sameOrigin
}

// compressed compresses answers to GET for those who take it; what is written
// is small, and the booking path pays nothing for it.
func compressed(h http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(minCompressed))
	if err != nil {
		panic(err) // only for options that contradict each other
	}
	gz := wrap(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			gz.ServeHTTP(w, r)
		} else {
			h.ServeHTTP(w, r)
		}
	})
}

// handleAPI is the way of every request to the API, as doc.go draws it.
func (s *Server) handleAPI(routes http.Handler) http.Handler {
	signIn := s.pages(s.deps.SignIn)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == socketPath && s.deps.Socket != nil:
			s.secure(w.Header(), apiPolicy)
			if err := s.count(r); err != nil {
				writeProblem(w, r, err)
				return
			}
			// An upgrade needs the connection itself, unwrapped.
			s.deps.Socket.ServeHTTP(w, r)
			return
		case strings.HasPrefix(r.URL.Path, "/auth/") && s.deps.SignIn != nil:
			signIn.ServeHTTP(w, r)
			return
		}
		start := time.Now()
		if s.turnsAway(w, r, start) {
			return
		}
		c := &call{ResponseWriter: w, id: rand.Uint64(), server: s}
		r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
		h := w.Header()
		s.secure(h, apiPolicy)
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			h["Cache-Control"] = noStore // other answers are kept by nobody (RFC 9110, section 9.3)
		}
		h["X-Request-Id"] = []string{c.requestID()}
		defer func() {
			c.giveBody()
			if reason := recover(); reason != nil {
				c.recovered(r, reason)
			}
			s.metrics.answered(r, c.status, time.Since(start))
		}()
		if err := s.admit(c, r); err != nil {
			writeProblem(c, r, err)
			return
		}
		routes.ServeHTTP(c, r)
	})
}

// backChannelPath is where an outside provider says who signed out there. All
// its words come from one address, and one that is refused is a sign-out that
// is lost; each costs a look at a signature.
const backChannelPath = "/auth/backchannel-logout"

// pages leads to the pages of a room that answers people in their browsers
// itself. Their stylesheets are static files and not counted, and neither is
// what the provider says.
func (s *Server) pages(room http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.securePage(w.Header(), apiPolicy)
		if path.Ext(r.URL.Path) != ".css" && r.URL.Path != backChannelPath {
			if err := s.count(r); err != nil {
				p := problemOf(r.Context(), err)
				maps.Copy(w.Header(), p.header)
				w.Header()["Cache-Control"] = noStore
				plain(w, p.Status, p.Detail)
				return
			}
		}
		room.ServeHTTP(w, r)
	})
}

// count counts a request that leaves before the routes. A credential that is
// not valid is no reason to refuse it there, since people come to sign in with
// a session that is over; it counts as a visitor's.
func (s *Server) count(r *http.Request) error {
	who, err := s.authenticate(r)
	if err != nil {
		who = access.Principal{}
	}
	return s.limit(who, r)
}

// recovered answers for a handler that panicked, as far as it still can.
func (c *call) recovered(r *http.Request, reason any) {
	if reason == http.ErrAbortHandler || r.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
	c.logError(r.Context(), "handler panicked", fmt.Errorf("%v\n%s", reason, debug.Stack()))
	if c.status != 0 {
		// Half of an answer is out; cutting the connection tells so.
		panic(http.ErrAbortHandler)
	}
	writeProblem(c, r, &Problem{
		Status: http.StatusInternalServerError, Title: http.StatusText(http.StatusInternalServerError),
		Detail: errInternal.Message, Code: errInternal.Code,
	})
}

// admit finds out who asks, and refuses what must not get to the routes.
func (s *Server) admit(c *call, r *http.Request) error {
	health := r.URL.Path == "/healthz" || r.URL.Path == "/readyz"
	who, err := s.authenticate(r)
	switch {
	case err == nil:
	case errors.Is(err, fault.ErrUnauthenticated):
		if r.Header.Get("Authorization") == "" {
			s.deps.Auth.DropSessionCookie(c)
		}
		if err := s.limit(access.Principal{}, r); err != nil {
			return err
		}
		return fault.ErrUnauthenticated
	case health:
		// Whether this process lives doesn't depend on who can be recognized.
	default:
		return err
	}
	c.who = who
	if who.SessionID != "" {
		if err := s.origins.Check(r); err != nil {
			return errCrossOrigin.Because(err)
		}
	}
	if !health {
		if err := s.limit(who, r); err != nil {
			return err
		}
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	return c.readBody(r)
}

// limit counts the request against the person, or without sign-in against the
// address.
func (s *Server) limit(who access.Principal, r *http.Request) error {
	limiter, key := s.deps.PersonLimit, ""
	if who.SignedIn() {
		key = who.UserID.String()
	} else {
		limiter, key = s.deps.AddressLimit, s.address(r)
	}
	if limiter == nil {
		return nil
	}
	if ok, retryAfter := limiter.Allow(key); !ok {
		return errTooMany.After(max(retryAfter, time.Second))
	}
	return nil
}

// ClientAddress tells where requests come from, for counting: the nearest
// address that is no trusted proxy. An IPv6 address stands for its network.
func ClientAddress(trusted []netip.Prefix) func(*http.Request) string {
	ours := func(addr netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
	}
	return func(r *http.Request) string { return clientAddress(r, ours) }
}

func clientAddress(r *http.Request, trusted func(netip.Addr) bool) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	addr := peer.Addr().Unmap()
	if trusted(addr) {
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for _, hop := range slices.Backward(hops) {
			next, err := netip.ParseAddr(strings.TrimSpace(hop))
			if err != nil {
				break
			}
			addr = next.Unmap().WithZone("")
			if !trusted(addr) {
				break
			}
		}
	}
	if addr.Is6() {
		if network, err := addr.Prefix(addressBits6); err == nil {
			addr = network.Addr()
		}
	}
	return addr.String()
}

// visitorRefusal is what a visitor gets at a route whatever it is about, nil
// where that depends on the thing: what one may only know signed in is not
// there, and what is about oneself asks to sign in.
func visitorRefusal(rt route) error {
	err := access.Decide(rt.action, access.Principal{}, access.NoRole, access.Thing{})
	switch {
	case rt.action == access.SignedIn && strings.Contains(rt.path, "{"):
		return fault.ErrNotFound
	case rt.action == access.SignedIn, errors.Is(err, fault.ErrNotFound):
		return err
	}
	return nil
}

// refuseVisitors answers for a route that has nothing for visitors.
func refuseVisitors(refusal error) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if principal(ctx.Context()).SignedIn() {
			next(ctx)
			return
		}
		p := problemOf(ctx.Context(), refusal)
		for name, values := range p.header {
			ctx.SetHeader(name, values[0])
		}
		ctx.SetHeader("Content-Type", problemType)
		ctx.SetStatus(p.Status)
		_ = jsonFormat.Marshal(ctx.BodyWriter(), p)
	}
}
