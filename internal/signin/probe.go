package signin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Limits of the probe.
const (
	probeTimeout = 10 * time.Second // for all of its questions
	// maxClockDifference is from where on the provider's clock is spoken of:
	// beyond it, fresh tokens look over or not begun.
	maxClockDifference = time.Minute
)

// Probe looks at the provider before it is needed. faults says what is set
// wrong, each fault a line that names the setting and how to mend it; with one,
// nobody could sign in. warning says in the same way what does not keep the
// application from starting: a provider that is away now, as sessions go on
// and it is asked again with the next sign-in, or one that lacks something.
func (a *Authenticator) Probe(ctx context.Context) (warning, faults error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	p := &probe{a: a}
	p.discovery(ctx)
	if p.found {
		p.metadata()
		p.client(ctx)
		p.redirect(ctx)
	}
	return errors.Join(p.warnings...), errors.Join(p.faults...)
}

type probe struct {
	a        *Authenticator
	found    bool
	said     metadata
	auth     string
	token    string
	warnings []error
	faults   []error
}

func (p *probe) warn(format string, args ...any) {
	p.warnings = append(p.warnings, oneLine(format, args...))
}

func (p *probe) fault(format string, args ...any) {
	p.faults = append(p.faults, oneLine(format, args...))
}

// oneLine keeps what others say from breaking the line or filling the screen.
func oneLine(format string, args ...any) error {
	const longest = 600 // characters
	line := []rune(strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " "))
	if len(line) > longest {
		line = append(line[:longest], '…')
	}
	return errors.New(string(line))
}

// discovery fetches what the provider says of itself, by our own hand: the
// library hides which issuer it claims to be.
func (p *probe) discovery(ctx context.Context) {
	issuer := p.a.cfg.Issuer
	resp, body, err := p.get(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		p.away(err)
		return
	}
	var said struct {
		metadata
		Issuer string `json:"issuer"`
		Auth   string `json:"authorization_endpoint"`
		Token  string `json:"token_endpoint"`
	}
	switch {
	case resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusTooManyRequests:
		p.away(errors.New(resp.Status))
	case resp.StatusCode != http.StatusOK:
		p.fault("OIDC_ISSUER_URL: %s answers %s where an OpenID provider describes itself; check the address, with Keycloak https://HOST/realms/REALM", issuer, resp.Status)
	case json.Unmarshal(body, &said) != nil:
		p.fault("OIDC_ISSUER_URL: what answers at %s is no OpenID provider; check the address, with Keycloak https://HOST/realms/REALM", issuer)
	case said.Issuer != issuer:
		p.fault("OIDC_ISSUER_URL: the provider at %s says that it is %q; set exactly that, or the provider's own public address (with Keycloak: KC_HOSTNAME)", issuer, said.Issuer)
	default:
		p.found, p.said, p.auth, p.token = true, said.metadata, said.Auth, said.Token
		p.clock(resp.Header.Get("Date"))
	}
}

func (p *probe) away(cause error) {
	p.warn("OIDC_ISSUER_URL: the provider at %s does not answer (%v); nobody can sign in until it does, sessions go on", p.a.cfg.Issuer, cause)
}

func (p *probe) clock(date string) {
	theirs, err := http.ParseTime(date)
	if err != nil {
		return
	}
	if apart := p.a.cfg.Now().Sub(theirs); apart.Abs() > maxClockDifference {
		p.warn("OIDC_ISSUER_URL: the provider's clock and ours are %s apart, so that its tokens may not count; set the clocks of both machines by NTP", apart.Abs().Round(time.Second))
	}
}

func (p *probe) metadata() {
	if !slices.Contains(p.said.ResponseTypes, "code") {
		p.fault("OIDC_ISSUER_URL: %s does not offer the authorization code flow (response type code); allow it there", p.a.cfg.Issuer)
	}
	switch {
	case len(p.said.ChallengeMethod) == 0:
		p.warn("OIDC_ISSUER_URL: %s does not say that it knows PKCE; make sure that it takes the method S256", p.a.cfg.Issuer)
	case !slices.Contains(p.said.ChallengeMethod, "S256"):
		p.fault("OIDC_ISSUER_URL: %s does not offer PKCE with S256; allow it there", p.a.cfg.Issuer)
	}
	for _, need := range [][2]string{{p.auth, "authorization_endpoint"}, {p.token, "token_endpoint"}, {p.said.JWKS, "jwks_uri"}} {
		if need[0] == "" {
			p.fault("OIDC_ISSUER_URL: %s names no %s; check the provider", p.a.cfg.Issuer, need[1])
		}
	}
	if p.said.EndSession == "" {
		p.warn("OIDC_ISSUER_URL: %s names no end_session_endpoint; who signs out here stays signed in there", p.a.cfg.Issuer)
	}
}

// client asks for tokens with a code that was never given. A provider that
// refuses the code knows the client; one that doesn't, refuses the client.
func (p *probe) client(ctx context.Context) {
	if p.token == "" {
		return
	}
	config := oauth2.Config{
		ClientID: p.a.cfg.ClientID, ClientSecret: p.a.cfg.ClientSecret, RedirectURL: p.a.cfg.PublicURL + "/auth/callback",
		Endpoint: oauth2.Endpoint{TokenURL: p.token, AuthStyle: p.said.authStyle()},
	}
	_, err := config.Exchange(p.a.provider.clientContext(ctx), "probe-"+rand.Text(), oauth2.VerifierOption(oauth2.GenerateVerifier()))
	var said *oauth2.RetrieveError
	switch {
	case !errors.As(err, &said):
		p.warn("OIDC_CLIENT_ID: whether %s takes the client's secret could not be found out (%v)", p.a.cfg.Issuer, err)
	case said.ErrorCode == "invalid_grant":
	case said.ErrorCode == "invalid_client" || said.ErrorCode == "unauthorized_client" || said.Response.StatusCode == http.StatusUnauthorized:
		p.fault("OIDC_CLIENT_ID, OIDC_CLIENT_SECRET: %s does not accept the client %q with this secret (%s: %s); set both as they are there, for a confidential client with the standard flow",
			p.a.cfg.Issuer, p.a.cfg.ClientID, said.ErrorCode, said.ErrorDescription)
	default:
		p.warn("OIDC_CLIENT_ID: %s answers a test of the client %q with %s (%s: %s)", p.a.cfg.Issuer, p.a.cfg.ClientID, said.Response.Status, said.ErrorCode, said.ErrorDescription)
	}
}

// redirect begins a sign-in that may ask nobody for anything. A provider that
// lets people return to us says there that somebody must sign in.
func (p *probe) redirect(ctx context.Context) {
	if p.auth == "" {
		return
	}
	callback := p.a.cfg.PublicURL + "/auth/callback"
	config := oauth2.Config{ClientID: p.a.cfg.ClientID, RedirectURL: callback, Endpoint: oauth2.Endpoint{AuthURL: p.auth}, Scopes: []string{"openid", "profile", "email"}}
	resp, _, err := p.get(ctx, config.AuthCodeURL(rand.Text(),
		oauth2.S256ChallengeOption(oauth2.GenerateVerifier()), oauth2.SetAuthURLParam("nonce", rand.Text()), oauth2.SetAuthURLParam("prompt", "none")))
	if err != nil {
		p.warn("OIDC_ISSUER_URL: the page to sign in at %s does not answer (%v)", p.auth, err)
		return
	}
	to, locationErr := resp.Location()
	switch {
	case resp.StatusCode >= http.StatusInternalServerError:
		p.warn("OIDC_ISSUER_URL: the page to sign in at %s answers %s", p.auth, resp.Status)
	case resp.StatusCode >= http.StatusBadRequest:
		p.fault("OIDC_CLIENT_ID: the provider refuses sign-ins of the client %q that return to %s; add this address to the client's valid redirect addresses, or mend HAPPENING_PUBLIC_URL", p.a.cfg.ClientID, callback)
	case locationErr == nil && strings.HasPrefix(to.String(), callback) && !needsPerson(to.Query().Get("error")):
		p.fault("OIDC_CLIENT_ID: the provider refuses sign-ins of the client %q (%s: %s); mend the client there", p.a.cfg.ClientID, to.Query().Get("error"), to.Query().Get("error_description"))
	}
}

// needsPerson says whether the answer is the one to a sign-in that may ask
// nobody.
func needsPerson(code string) bool {
	return slices.Contains([]string{"", "login_required", "interaction_required", "consent_required", "account_selection_required"}, code)
}

// get asks without following redirects.
func (p *probe) get(ctx context.Context, address string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	client := *p.a.cfg.HTTPClient
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxProviderBytes))
	return resp, text, err
}
