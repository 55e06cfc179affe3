package signin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/idp"
	"happening/internal/postgres"
	"happening/internal/signin"
	"happening/internal/testkit"
	"happening/internal/user"
)

// clock is a time that tests move. It follows the real one, as tokens carry
// times that libraries compare with it.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// house is provider, application and database in one server.
type house struct {
	t        testing.TB
	db       *testkit.DB
	clock    *clock
	provider *idp.Provider
	auth     *signin.Authenticator
	people   *user.Service
	url      string
	client   *http.Client // reaches the provider in process
}

func open(t testing.TB) *house {
	t.Helper()
	return openOn(t, testkit.NewDB(t), &clock{})
}

// openOn is one more installation on the same data, at another address.
func openOn(t testing.TB, db *testkit.DB, clock *clock) *house {
	t.Helper()
	h := &house{t: t, db: db, clock: clock}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	var mux http.ServeMux
	server := httptest.NewServer(&mux)
	t.Cleanup(server.Close)
	h.url = server.URL
	var err error
	h.provider, err = idp.New(context.Background(), idp.Config{
		PublicURL: h.url, Now: h.clock.now, Logger: quiet,
		PasswordChanged: func(ctx context.Context, issuer, subject string) error {
			return h.auth.EndSubject(ctx, issuer, subject)
		},
	}, postgres.NewProvider(h.db.DB))
	if err != nil {
		t.Fatal(err)
	}
	h.client = &http.Client{Transport: h.provider.Transport(nil)}
	h.people = user.NewService(postgres.NewUsers(h.db.DB), h.clock.now)
	h.auth, err = signin.New(signin.Config{
		Issuer: h.provider.Issuer(), IdentityKey: idp.IdentityKey, ClientID: idp.ClientID, ClientSecret: h.provider.ClientSecret(),
		PublicURL: h.url, HTTPClient: h.client, Now: h.clock.now, Logger: quiet,
	}, postgres.NewSessions(h.db.DB), h.people)
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle(idp.Path+"/", h.provider.Handler())
	mux.Handle("/auth/", h.auth.Handler())
	mux.HandleFunc("/", h.whoami)
	return h
}

// whoami stands for the application: it answers with who asks.
func (h *house) whoami(w http.ResponseWriter, r *http.Request) {
	p, err := h.auth.Authenticate(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	if !p.SignedIn() {
		http.Error(w, "visitor", http.StatusForbidden)
		return
	}
	person, _, err := h.people.Me(r.Context(), p)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	json.NewEncoder(w).Encode(person)
}

// page is what a browser shows.
type page struct {
	status int
	url    *url.URL
	body   string
	header http.Header
}

// hidden gives a hidden field of the page's form.
func (p page) hidden(name string) string {
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(p.body)
	if found == nil {
		return ""
	}
	return found[1]
}

type browser struct {
	h *house
	*http.Client
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{h, &http.Client{Jar: jar}}
}

func (b *browser) read(resp *http.Response, err error) page {
	b.h.t.Helper()
	if err != nil {
		b.h.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.h.t.Fatal(err)
	}
	return page{resp.StatusCode, resp.Request.URL, string(body), resp.Header}
}

func (b *browser) get(path string) page {
	b.h.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = b.h.url + path
	}
	return b.read(b.Get(path))
}

// submit sends a form of ours with what it carries hidden.
func (b *browser) submit(form page, path string, fields ...string) page {
	b.h.t.Helper()
	values := url.Values{}
	for _, name := range []string{"form_token", "request", "token"} {
		values.Set(name, form.hidden(name))
	}
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	return b.read(b.PostForm(b.h.url+path, values))
}

// mail takes the oldest fact of a kind out of the outbox and mints its link.
func (h *house) mail(kind string) (email, link string) {
	h.t.Helper()
	ctx := context.Background()
	var id uuid.UUID
	err := h.db.System.QueryRow(ctx, `
		DELETE FROM outbox WHERE id = (SELECT id FROM outbox WHERE kind = $1 ORDER BY id LIMIT 1)
		RETURNING (payload ->> 'account_id')::uuid`, "account."+kind).Scan(&id)
	if err != nil {
		h.t.Fatalf("no mail %s: %v", kind, err)
	}
	email, _, link, err = h.provider.MintLink(ctx, "account."+kind, id)
	if err != nil {
		h.t.Fatal(err)
	}
	return email, link
}

func (h *house) mails(kind string) int {
	h.t.Helper()
	var n int
	if err := h.db.System.QueryRow(context.Background(), `SELECT count(*) FROM outbox WHERE kind = $1`, "account."+kind).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}

const password = "quiet river stones"

// signedUp gives a browser with a session of somebody new.
func (h *house) signedUp(email string) *browser {
	h.t.Helper()
	b := h.browser()
	form := b.get("/auth/login?return_to=/&intent=signup")
	b.submit(form, "/idp/sign-up", "name", "Ada Example", "email", email, "password", password)
	_, link := h.mail(idp.MailConfirmAddress)
	if done := b.submit(b.get(link), "/idp/confirm"); done.status != http.StatusOK {
		h.t.Fatalf("confirm: %d %s", done.status, done.body)
	}
	return b
}

func (h *house) signIn(b *browser, email, password string) page {
	h.t.Helper()
	form := b.get("/auth/login?return_to=/events/1")
	return b.submit(form, "/idp/sign-in", "email", email, "password", password)
}

func TestSignUpConfirmSignInAndOut(t *testing.T) {
	h := open(t)
	b := h.browser()
	form := b.get("/auth/login?return_to=/events/1%3Fseat%3D2")
	if form.status != http.StatusOK || form.url.Path != "/idp/sign-in" || !strings.Contains(form.body, "Welcome back") {
		t.Fatalf("sign-in page: %d %s", form.status, form.url)
	}
	signUp := b.get("/idp/sign-up?request=" + form.hidden("request"))
	sent := b.submit(signUp, "/idp/sign-up", "name", "Ada", "email", "Ada@Example.org", "password", password)
	if sent.status != http.StatusOK || !strings.Contains(sent.body, "Check your mail") {
		t.Fatalf("sign-up: %d %s", sent.status, sent.body)
	}
	if got := h.signIn(b, "ada@example.org", password); got.status != http.StatusForbidden || !strings.Contains(got.body, "Confirm your email address first") {
		t.Errorf("an unconfirmed address signs in: %d", got.status)
	}
	email, link := h.mail(idp.MailConfirmAddress)
	if email != "Ada@Example.org" {
		t.Errorf("mail goes to %q", email)
	}
	if scanner := h.browser().get(link); scanner.status != http.StatusOK {
		t.Errorf("a link that is only opened: %d", scanner.status)
	}
	done := b.submit(b.get(link), "/idp/confirm")
	var me user.Person
	if err := json.Unmarshal([]byte(done.body), &me); err != nil || done.url.Path != "/events/1" {
		t.Fatalf("after confirming: %d %s %s", done.status, done.url, done.body)
	}
	if me.Name != "Ada" || me.Email != "Ada@Example.org" || !me.EmailVerified {
		t.Errorf("me = %+v", me)
	}
	if again := b.get(link); again.status != http.StatusBadRequest {
		t.Errorf("a used link opens: %d", again.status)
	}

	ended := make(chan uuid.UUID, 1)
	h.auth.OnSignOut(func(_ string, id uuid.UUID) { ended <- id })
	before := cookies(b, h.url)
	out := b.read(b.PostForm(h.url+"/auth/logout", nil))
	if out.status != http.StatusForbidden || out.url.Path != "/" {
		t.Errorf("after signing out: %d %s", out.status, out.url)
	}
	if id := <-ended; id != me.ID {
		t.Errorf("sign-out of %s was told, not of %s", id, me.ID)
	}
	stale := request(t, h.url+"/", "Cookie", before)
	if stale.StatusCode != http.StatusUnauthorized {
		t.Errorf("the old cookie after signing out: %d", stale.StatusCode)
	}

	// The same person again, from another browser.
	other := h.signIn(h.browser(), " ada@example.ORG ", password)
	var same user.Person
	if err := json.Unmarshal([]byte(other.body), &same); err != nil || same.ID != me.ID {
		t.Errorf("another browser: %d %s", other.status, other.body)
	}
}

func cookies(b *browser, address string) string {
	u, _ := url.Parse(address)
	var all []string
	for _, c := range b.Jar.Cookies(u) {
		all = append(all, c.Name+"="+c.Value)
	}
	return strings.Join(all, "; ")
}

func request(t *testing.T, address string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

func TestSignOutForScriptsKeepsTheTokenFromThem(t *testing.T) {
	h := open(t)
	b := h.signedUp("json@example.org")
	r, _ := http.NewRequest(http.MethodPost, h.url+"/auth/logout", nil)
	r.Header.Set("Accept", "application/json")
	answer := b.read(b.Do(r))
	if answer.body != `{"redirect":"/auth/logout/continue"}`+"\n" {
		t.Errorf("answer = %s", answer.body)
	}
	if end := b.get("/auth/logout/continue"); end.url.Path != "/" {
		t.Errorf("continue leads to %s", end.url)
	}
	foreign, _ := http.NewRequest(http.MethodPost, h.url+"/auth/logout", nil)
	foreign.Header.Set("Origin", "https://evil.example")
	if got := b.read(b.Do(foreign)); got.status != http.StatusForbidden {
		t.Errorf("a foreign page signs out: %d", got.status)
	}
}

func TestReturnAddressStaysHere(t *testing.T) {
	h := open(t)
	email := "return@example.org"
	h.signedUp(email)
	for _, to := range []string{
		"https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
		"/%0d%0aLocation:x", "evil.example", "/\tevil", "////evil.example", "http:evil", "/auth/login", "/x/../auth/logout/continue", "/./idp/sign-in", "",
	} {
		b := h.browser()
		form := b.get("/auth/login?" + url.Values{"return_to": {to}}.Encode())
		done := b.submit(form, "/idp/sign-in", "email", email, "password", password)
		if done.url.Scheme+"://"+done.url.Host != h.url {
			t.Errorf("return_to %q leads to %s", to, done.url)
		}
		if to != "/%0d%0aLocation:x" && done.url.Path != "/" {
			t.Errorf("return_to %q leads to %s", to, done.url)
		}
	}
}

func TestCallbackRefusesWhatItDidNotBegin(t *testing.T) {
	h := open(t)
	email := "callback@example.org"
	h.signedUp(email)
	attacker := h.browser()
	attacker.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/auth/callback" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	form := attacker.get("/auth/login")
	stopped := attacker.submit(form, "/idp/sign-in", "email", email, "password", password)
	callback := stopped.header.Get("Location")
	if !strings.Contains(callback, "code=") {
		t.Fatalf("no code in %q", callback)
	}
	victim := h.browser()
	if got := victim.get(callback); got.status != http.StatusBadRequest || strings.Contains(cookies(victim, h.url), "happening_session") {
		t.Errorf("another browser's callback: %d", got.status)
	}
	if got := victim.get("/auth/callback?state=x&code=y"); got.status != http.StatusBadRequest {
		t.Errorf("an invented callback: %d", got.status)
	}
	// A state that only begins like one's own, in the right browser.
	u, _ := url.Parse(callback)
	query := u.Query()
	query.Set("state", query.Get("state")[:8]+"another")
	if got := attacker.get("/auth/callback?" + query.Encode()); got.status != http.StatusBadRequest {
		t.Errorf("another state: %d", got.status)
	}
	// The one who began may go on, once.
	if got := attacker.get(callback); got.status != http.StatusSeeOther && got.status != http.StatusOK {
		t.Errorf("own callback: %d", got.status)
	}
	if got := request(t, callback); got.StatusCode != http.StatusBadRequest {
		t.Errorf("replayed callback: %d", got.StatusCode)
	}
}

func TestNobodyFinishesWhatAnotherBrowserBegan(t *testing.T) {
	h := open(t)
	email := "phished@example.org"
	h.signedUp(email)
	attacker, victim := h.browser(), h.browser()
	form := attacker.get("/auth/login")
	lure := "/idp/sign-in?request=" + form.hidden("request")
	if got := victim.get(lure); got.status != http.StatusBadRequest {
		t.Fatalf("another browser's request opens: %d", got.status)
	}
	own := victim.get("/auth/login")
	own.body = strings.ReplaceAll(own.body, own.hidden("request"), form.hidden("request"))
	if got := victim.submit(own, "/idp/sign-in", "email", email, "password", password); got.status != http.StatusBadRequest {
		t.Errorf("another browser's request is finished: %d", got.status)
	}
}

func TestBearerTokens(t *testing.T) {
	h := open(t)
	ctx := context.Background()
	issued, err := h.provider.IssueTokens(ctx, []string{"api@example.org"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.auth.Token(ctx, issued[0].AccessToken)
	if err != nil || p != (access.Principal{UserID: issued[0].UserID}) {
		t.Fatalf("token: %+v %v", p, err)
	}
	if got := request(t, h.url+"/", "Authorization", "Bearer "+issued[0].AccessToken); got.StatusCode != http.StatusOK {
		t.Errorf("bearer: %d", got.StatusCode)
	}
	if got := request(t, h.url+"/"); got.StatusCode != http.StatusForbidden {
		t.Errorf("visitor: %d", got.StatusCode)
	}

	b := h.signedUp("id-token@example.org")
	_ = b
	var idToken string
	if err := h.db.System.QueryRow(ctx, `SELECT id_token FROM sessions`).Scan(&idToken); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(issued[0].AccessToken, ".")
	for name, header := range map[string]string{
		"ID token":         "Bearer " + idToken,
		"basic":            "Basic eDp5",
		"garbage":          "Bearer x.y.z",
		"empty":            "Bearer ",
		"no signature":     "Bearer " + parts[0] + "." + parts[1] + ".",
		"other's payload":  "Bearer " + parts[0] + "." + strings.Split(idToken, ".")[1] + "." + parts[2],
		"algorithm none":   "Bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + parts[1] + ".",
		"far too long":     "Bearer " + strings.Repeat("a", 9_000),
		"session as token": "Bearer " + cookies(b, h.url),
	} {
		if got := request(t, h.url+"/", "Authorization", header); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
	}
	if got := request(t, h.url+"/", "Cookie", "happening_session=invented"); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("invented session: %d", got.StatusCode)
	}

	h.clock.advance(time.Hour - time.Second)
	if _, err := h.auth.Token(ctx, issued[0].AccessToken); err != nil {
		t.Errorf("a second before it is over: %v", err)
	}
	h.clock.advance(7 * time.Second) // beyond the leeway, well within the memory of verified tokens
	if _, err := h.auth.Token(ctx, issued[0].AccessToken); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("after its end: %v", err)
	}
}

func TestSignOutEmptiesWhatIsRemembered(t *testing.T) {
	h := open(t)
	ctx := context.Background()
	b := h.signedUp("cached@example.org")
	token := ""
	u, _ := url.Parse(h.url)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == h.auth.SessionCookieName() {
			token = c.Value
		}
	}
	p, err := h.auth.Session(ctx, token)
	if err != nil || p.SessionID == "" {
		t.Fatalf("session: %+v %v", p, err)
	}
	// Taken away behind the application's back, it is still remembered …
	if _, err := h.db.System.Exec(ctx, `UPDATE sessions SET expires_at = created_at`); err != nil {
		t.Fatal(err)
	}
	if _, err := h.auth.Session(ctx, token); err != nil {
		t.Errorf("not remembered: %v", err)
	}
	// … for two seconds,
	h.clock.advance(3 * time.Second)
	if _, err := h.auth.Session(ctx, token); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("remembered for too long: %v", err)
	}
	// and not at all once it ended by hand.
	if _, err := h.db.System.Exec(ctx, `UPDATE sessions SET expires_at = created_at + interval '1 day'`); err != nil {
		t.Fatal(err)
	}
	if _, err := h.auth.Session(ctx, token); err != nil {
		t.Fatal(err)
	}
	if err := h.auth.EndUser(ctx, p.UserID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.auth.Session(ctx, token); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("remembered after the end: %v", err)
	}
}

func TestSessionsEndByThemselves(t *testing.T) {
	h := open(t)
	ctx := context.Background()
	b := h.signedUp("idle@example.org")
	for range 3 {
		h.clock.advance(29 * 24 * time.Hour)
		if got := b.get("/"); got.status != http.StatusOK {
			t.Fatalf("a session in use ended: %d", got.status)
		}
	}
	if err := h.auth.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(4 * 24 * time.Hour) // beyond the 90 days, used or not
	if got := b.get("/"); got.status != http.StatusUnauthorized && got.status != http.StatusForbidden {
		t.Errorf("a session outlives its end: %d", got.status)
	}
	if err := h.auth.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := h.db.System.QueryRow(ctx, `SELECT count(*) FROM sessions`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d sessions left, %v", left, err)
	}
}

func TestResetSignsOutEverywhere(t *testing.T) {
	h := open(t)
	email := "reset@example.org"
	b := h.signedUp(email)
	h.clock.advance(2 * time.Minute)
	fresh := h.browser()
	for _, who := range []string{email, "nobody@example.org"} {
		sent := fresh.submit(fresh.get("/idp/forgot"), "/idp/forgot", "email", who)
		if sent.status != http.StatusOK || !strings.Contains(sent.body, "Check your mail") {
			t.Errorf("forgotten, %s: %d", who, sent.status)
		}
	}
	if n := h.mails(idp.MailResetPassword); n != 1 {
		t.Fatalf("%d mails", n)
	}
	_, link := h.mail(idp.MailResetPassword)
	form := fresh.get(link)
	if weak := fresh.submit(form, "/idp/reset", "password", "password1234"); weak.status != http.StatusUnprocessableEntity {
		t.Errorf("a weak password: %d", weak.status)
	}
	if done := fresh.submit(form, "/idp/reset", "password", "another quiet river"); done.status != http.StatusOK {
		t.Fatalf("reset: %d %s", done.status, done.body)
	}
	if got := b.get("/"); got.status != http.StatusUnauthorized {
		t.Errorf("the old session after a reset: %d", got.status)
	}
	if got := h.signIn(h.browser(), email, password); got.status != http.StatusUnauthorized {
		t.Errorf("the old password: %d", got.status)
	}
	if got := h.signIn(h.browser(), email, "another quiet river"); got.status != http.StatusOK {
		t.Errorf("the new password: %d %s", got.status, got.body)
	}
	if again := fresh.submit(form, "/idp/reset", "password", "a third quiet river"); again.status != http.StatusBadRequest {
		t.Errorf("the link twice: %d", again.status)
	}

	changed := fresh.submit(fresh.get("/idp/password"), "/idp/password",
		"email", email, "password", "another quiet river", "new_password", "the last quiet river")
	if changed.status != http.StatusOK {
		t.Fatalf("change: %d %s", changed.status, changed.body)
	}
	if got := h.signIn(h.browser(), email, "the last quiet river"); got.status != http.StatusOK {
		t.Errorf("the changed password: %d", got.status)
	}
}

func TestProviderAwayIsSaidAndForgotten(t *testing.T) {
	db := testkit.NewDB(t)
	clock := &clock{}
	var away atomic.Bool
	away.Store(true)
	var real http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		real.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	ctx := context.Background()
	provider, err := idp.New(ctx, idp.Config{PublicURL: server.URL, Now: clock.now}, postgres.NewProvider(db.DB))
	if err != nil {
		t.Fatal(err)
	}
	real = provider.Handler()
	people := user.NewService(postgres.NewUsers(db.DB), clock.now)
	auth, err := signin.New(signin.Config{Issuer: provider.Issuer(), IdentityKey: idp.IdentityKey, ClientID: idp.ClientID, ClientSecret: provider.ClientSecret(),
		PublicURL: server.URL, Now: clock.now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, postgres.NewSessions(db.DB), people)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := provider.IssueTokens(ctx, []string{"away@example.org"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := auth.Token(ctx, issued[0].AccessToken); !errors.Is(err, signin.ErrProviderAway) {
		t.Errorf("provider away: %v", err)
	}
	answer := httptest.NewRecorder()
	auth.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, server.URL+"/auth/login", nil))
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" {
		t.Errorf("login: %d", answer.Code)
	}
	away.Store(false)
	clock.advance(5 * time.Second)
	if _, err := auth.Token(ctx, issued[0].AccessToken); err != nil {
		t.Errorf("provider back: %v", err)
	}
}

// The address under which the installation is reached is part of the issuer in
// tokens, and must not be part of who somebody is.
func TestPeopleOutliveAnotherPublicURL(t *testing.T) {
	before := open(t)
	ctx := context.Background()
	const email = "moved@example.org"
	old := before.signedUp(email)
	var me user.Person
	if err := json.Unmarshal([]byte(old.get("/").body), &me); err != nil {
		t.Fatal(err)
	}
	var idToken string
	if err := before.db.System.QueryRow(ctx, `SELECT id_token FROM sessions`).Scan(&idToken); err != nil {
		t.Fatal(err)
	}
	after := openOn(t, before.db, before.clock)
	if after.provider.Issuer() == before.provider.Issuer() {
		t.Fatal("the issuer is the same")
	}
	var same user.Person
	if got := after.signIn(after.browser(), email, password); json.Unmarshal([]byte(got.body), &same) != nil || same != me {
		t.Errorf("after the move: %d %s, want %+v", got.status, got.body, me)
	}
	issued, err := after.provider.IssueTokens(ctx, []string{email}, time.Hour)
	if err != nil || issued[0].UserID != me.ID {
		t.Errorf("a token for %+v, %v", issued, err)
	}
	if p, err := after.auth.Token(ctx, issued[0].AccessToken); err != nil || p.UserID != me.ID {
		t.Errorf("the token is %+v's, %v", p, err)
	}
	if _, err := before.auth.Token(ctx, issued[0].AccessToken); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("the token at another issuer: %v", err)
	}
	if out := after.browser().get("/idp/end_session?id_token_hint=" + idToken); out.status != http.StatusOK {
		t.Errorf("signing out of a session from before: %d", out.status)
	}
	b := after.browser()
	if changed := b.submit(b.get("/idp/password"), "/idp/password",
		"email", email, "password", password, "new_password", "another quiet river"); changed.status != http.StatusOK {
		t.Fatalf("change: %d", changed.status)
	}
	before.clock.advance(3 * time.Second) // beyond what another process remembers
	if got := old.get("/"); got.status != http.StatusUnauthorized {
		t.Errorf("a session from before outlives a new password: %d", got.status)
	}
}

// swapTokens is a provider that answers with an ID token of the test's making.
type swapTokens struct {
	base http.RoundTripper
	swap func(idToken string) string
}

func (s swapTokens) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.base.RoundTrip(r)
	if err != nil || r.URL.Path != idp.Path+"/oauth/token" {
		return resp, err
	}
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	answer["id_token"] = s.swap(answer["id_token"].(string))
	body, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}

func TestAnotherSignInsIDTokenIsRefused(t *testing.T) {
	h := open(t)
	const email = "nonce@example.org"
	h.signedUp(email)
	earlier := ""
	h.client.Transport = swapTokens{h.client.Transport, func(idToken string) string {
		if earlier == "" {
			earlier = idToken
		}
		return earlier
	}}
	if got := h.signIn(h.browser(), email, password); got.status != http.StatusOK {
		t.Fatalf("the token's own sign-in: %d", got.status)
	}
	b := h.browser()
	if got := h.signIn(b, email, password); got.status != http.StatusBadRequest || strings.Contains(cookies(b, h.url), "happening_session") {
		t.Errorf("an ID token with another nonce: %d", got.status)
	}
}
