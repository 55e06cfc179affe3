package idp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/oauth2"

	"happening/internal/fault"
	"happening/internal/idp"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

const password = "quiet river stones"

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

type house struct {
	t        *testing.T
	db       *testkit.DB
	clock    *clock
	provider *idp.Provider
	url      string
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, db: testkit.NewDB(t), clock: &clock{}}
	var mux http.ServeMux
	server := httptest.NewServer(&mux)
	t.Cleanup(server.Close)
	h.url = server.URL
	h.provider = h.another()
	mux.Handle(idp.Path+"/", h.provider.Handler())
	return h
}

// another is one more process with the same database.
func (h *house) another() *idp.Provider {
	h.t.Helper()
	p, err := idp.New(context.Background(), idp.Config{PublicURL: h.url, Now: h.clock.now,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, postgres.NewProvider(h.db.DB))
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func (h *house) account(email string) {
	h.t.Helper()
	if _, err := h.provider.EnsureAccount(context.Background(), email, "Ada", password); err != nil {
		h.t.Fatal(err)
	}
}

type page struct {
	status int
	body   string
	header http.Header
}

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

// browser follows redirects within the provider and stops where one leads
// away from it.
func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{h, &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.Path, idp.Path) {
			return http.ErrUseLastResponse
		}
		return nil
	}}}
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
	return page{resp.StatusCode, string(body), resp.Header}
}

func (b *browser) get(path string) page {
	b.h.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = b.h.url + path
	}
	return b.read(b.Get(path))
}

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

// authorize is the address of an auth request; more replaces parameters, an
// empty value removes one.
func (h *house) authorize(verifier string, more ...string) string {
	values := url.Values{
		"client_id": {idp.ClientID}, "redirect_uri": {h.url + "/auth/callback"}, "response_type": {"code"},
		"scope": {"openid profile email offline_access"}, "state": {"st"}, "nonce": {"no"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(more); i += 2 {
		values.Set(more[i], more[i+1])
		if more[i+1] == "" {
			values.Del(more[i])
		}
	}
	return idp.Path + "/authorize?" + values.Encode()
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Error   string `json:"error"`
	Seconds int    `json:"expires_in"`
	status  int
}

func (h *house) token(secret string, fields ...string) tokens {
	h.t.Helper()
	values := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	r, err := http.NewRequest(http.MethodPost, h.url+idp.Path+"/oauth/token", strings.NewReader(values.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(idp.ClientID, url.QueryEscape(secret))
	answer := h.browser().read(http.DefaultClient.Do(r))
	var got tokens
	if err := json.Unmarshal([]byte(answer.body), &got); err != nil {
		h.t.Fatalf("token endpoint: %d %s", answer.status, answer.body)
	}
	got.status = answer.status
	return got
}

// code signs in and gives the code that the browser would bring.
func (h *house) code(email, verifier string) string {
	h.t.Helper()
	b := h.browser()
	done := b.submit(b.get(h.authorize(verifier)), "/idp/sign-in", "email", email, "password", password)
	to, err := url.Parse(done.header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" || to.Query().Get("state") != "st" || to.Path != "/auth/callback" {
		h.t.Fatalf("sign-in: %d, to %q", done.status, done.header.Get("Location"))
	}
	return to.Query().Get("code")
}

func TestAuthorizeInsists(t *testing.T) {
	h := open(t)
	for name, change := range map[string][]string{
		"no PKCE":                {"code_challenge", "", "code_challenge_method", ""},
		"plain PKCE":             {"code_challenge_method", "plain"},
		"PKCE without method":    {"code_challenge_method", ""},
		"short challenge":        {"code_challenge", "abc"},
		"foreign redirect":       {"redirect_uri", "https://evil.example/auth/callback"},
		"redirect below ours":    {"redirect_uri", h.url + "/auth/callback/../../x"},
		"redirect with query":    {"redirect_uri", h.url + "/auth/callback?x=y"},
		"escaped redirect":       {"redirect_uri", url.QueryEscape(h.url + "/auth/callback")},
		"no redirect":            {"redirect_uri", ""},
		"redirect with userinfo": {"redirect_uri", strings.Replace(h.url, "http://", "http://evil@", 1) + "/auth/callback"},
		"unknown client":         {"client_id", "other"},
		"implicit flow":          {"response_type", "id_token token"},
		"form post":              {"response_mode", "form_post"},
		"no openid":              {"scope", "profile"},
		"request object":         {"request", "x.y.z"},
	} {
		b := h.browser()
		got := b.get(h.authorize(oauth2.GenerateVerifier(), change...))
		if got.status != http.StatusBadRequest || got.header.Get("Location") != "" {
			t.Errorf("%s: %d, to %q", name, got.status, got.header.Get("Location"))
		}
		if !strings.Contains(got.body, "That did not work") || !strings.Contains(got.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: not a page but %s", name, got.body)
		}
	}
	none := h.browser().get(h.authorize(oauth2.GenerateVerifier(), "prompt", "none"))
	if to := none.header.Get("Location"); !strings.HasPrefix(to, h.url+"/auth/callback?error=login_required") {
		t.Errorf("prompt=none leads to %q", to)
	}
	if up := h.browser().get(h.authorize(oauth2.GenerateVerifier(), "prompt", "create")); !strings.Contains(up.body, "Create an account") {
		t.Errorf("prompt=create: %s", up.body)
	}
}

func TestCodeIsGoodOnceAndOnlyForWhoBegan(t *testing.T) {
	h := open(t)
	h.account("code@example.org")
	secret, callback := h.provider.ClientSecret(), h.url+"/auth/callback"
	exchange := func(secret, code, verifier, redirect string) tokens {
		return h.token(secret, "grant_type", "authorization_code", "code", code, "code_verifier", verifier, "redirect_uri", redirect)
	}
	verifier := oauth2.GenerateVerifier()
	code := h.code("code@example.org", verifier)
	if got := exchange("wrong", code, verifier, callback); got.Error != "invalid_client" || got.status != http.StatusUnauthorized {
		t.Errorf("a wrong secret: %+v", got)
	}
	got := exchange(secret, code, verifier, callback)
	if got.Access == "" || got.ID == "" || got.Refresh == "" || got.Seconds != int(idp.AccessTokenLifetime/time.Second) {
		t.Fatalf("tokens: %+v", got)
	}
	if again := exchange(secret, code, verifier, callback); again.Error != "invalid_grant" {
		t.Errorf("the code twice: %+v", again)
	}
	for name, try := range map[string]func(code string) tokens{
		"another verifier": func(code string) tokens { return exchange(secret, code, oauth2.GenerateVerifier(), callback) },
		"no verifier":      func(code string) tokens { return exchange(secret, code, "", callback) },
		"another redirect": func(code string) tokens { return exchange(secret, code, verifier, h.url+"/other") },
		"too late": func(code string) tokens {
			h.clock.advance(2 * time.Minute)
			return exchange(secret, code, verifier, callback)
		},
	} {
		if got := try(h.code("code@example.org", verifier)); got.Error != "invalid_grant" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// Many at once: one wins.
	code = h.code("code@example.org", verifier)
	var group sync.WaitGroup
	won := make(chan struct{}, 16)
	for range cap(won) {
		group.Go(func() {
			if exchange(secret, code, verifier, callback).Access != "" {
				won <- struct{}{}
			}
		})
	}
	group.Wait()
	if len(won) != 1 {
		t.Errorf("%d took one code", len(won))
	}
}

func TestUserInfoTakesAccessTokensOnly(t *testing.T) {
	h := open(t)
	h.account("info@example.org")
	verifier := oauth2.GenerateVerifier()
	got := h.token(h.provider.ClientSecret(), "grant_type", "authorization_code", "code", h.code("info@example.org", verifier),
		"code_verifier", verifier, "redirect_uri", h.url+"/auth/callback")
	for token, want := range map[string]int{got.Access: http.StatusOK, got.ID: http.StatusUnauthorized, "x": http.StatusUnauthorized} {
		r, _ := http.NewRequest(http.MethodGet, h.url+"/idp/userinfo", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		answer := h.browser().read(http.DefaultClient.Do(r))
		if answer.status != want || (want == http.StatusOK && !strings.Contains(answer.body, `"email":"info@example.org"`)) {
			t.Errorf("user info: %d %s", answer.status, answer.body)
		}
	}
}

func TestRefreshTokensRotateAndReuseEndsThem(t *testing.T) {
	h := open(t)
	h.account("refresh@example.org")
	secret, verifier := h.provider.ClientSecret(), oauth2.GenerateVerifier()
	refresh := func(token string) tokens {
		return h.token(secret, "grant_type", "refresh_token", "refresh_token", token)
	}
	begin := func() string {
		return h.token(secret, "grant_type", "authorization_code", "code", h.code("refresh@example.org", verifier),
			"code_verifier", verifier, "redirect_uri", h.url+"/auth/callback").Refresh
	}
	first := begin()
	second := refresh(first)
	if second.Access == "" || second.Refresh == "" || second.Refresh == first {
		t.Fatalf("refresh: %+v", second)
	}
	other := begin()
	// The answer with the successor may have been lost: asking again is no
	// theft, and voids the successor.
	again := refresh(first)
	if again.Access == "" || again.Refresh == second.Refresh {
		t.Fatalf("the same again: %+v", again)
	}
	if next := refresh(again.Refresh); next.Access == "" {
		t.Fatalf("the successor that arrived: %+v", next)
	}
	if got := refresh(first); got.Error != "invalid_grant" {
		t.Errorf("a token whose successor was used: %+v", got)
	}
	if got := refresh(again.Refresh); got.Error != "invalid_grant" {
		t.Errorf("the family outlives a reuse: %+v", got)
	}
	stolen := begin()
	lost := refresh(stolen)
	if got := refresh(stolen); got.Access == "" {
		t.Fatalf("the same again: %+v", got)
	}
	if got := refresh(lost.Refresh); got.Error != "invalid_grant" {
		t.Errorf("a voided successor: %+v", got)
	}
	third := refresh(other)
	if third.Access == "" {
		t.Fatalf("another family ended, too: %+v", third)
	}
	if got := h.token(secret, "grant_type", "refresh_token", "refresh_token", third.Refresh, "scope", "openid admin"); got.Error != "invalid_scope" {
		t.Errorf("a wider scope: %+v", got)
	}
	// A new password ends what the old one gave.
	fourth := begin()
	b := h.browser()
	changed := b.submit(b.get("/idp/password"), "/idp/password", "email", "refresh@example.org", "password", password, "new_password", "another quiet river")
	if changed.status != http.StatusOK {
		t.Fatalf("change: %d", changed.status)
	}
	if got := refresh(fourth); got.Error != "invalid_grant" {
		t.Errorf("the old password's token: %+v", got)
	}
}

// Many uses of one token and of its successor at once leave one token that is
// good, or none; never two.
func TestRefreshTokensOfOneSignInDoNotMultiply(t *testing.T) {
	h := open(t)
	h.account("many@example.org")
	secret, verifier := h.provider.ClientSecret(), oauth2.GenerateVerifier()
	const rounds, callers = 8, 6
	for range rounds {
		first := h.token(secret, "grant_type", "authorization_code", "code", h.code("many@example.org", verifier),
			"code_verifier", verifier, "redirect_uri", h.url+"/auth/callback").Refresh
		second := h.token(secret, "grant_type", "refresh_token", "refresh_token", first).Refresh
		var group sync.WaitGroup
		for i := range callers {
			group.Go(func() {
				h.token(secret, "grant_type", "refresh_token", "refresh_token", []string{first, second}[i%2])
			})
		}
		group.Wait()
		var live int
		if err := h.db.System.QueryRow(context.Background(), `
			SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM idp_refresh_tokens WHERE used_at IS NULL GROUP BY family) AS of`).Scan(&live); err != nil || live > 1 {
			t.Fatalf("%d tokens of one sign-in are good, %v", live, err)
		}
	}
}

func TestSigningOutEndsOneSignIn(t *testing.T) {
	h := open(t)
	h.account("out@example.org")
	secret, verifier := h.provider.ClientSecret(), oauth2.GenerateVerifier()
	begin := func() tokens {
		return h.token(secret, "grant_type", "authorization_code", "code", h.code("out@example.org", verifier),
			"code_verifier", verifier, "redirect_uri", h.url+"/auth/callback")
	}
	one, other := begin(), begin()
	h.browser().get("/idp/end_session?id_token_hint=" + one.ID)
	if got := h.token(secret, "grant_type", "refresh_token", "refresh_token", one.Refresh); got.Error != "invalid_grant" {
		t.Errorf("the sign-in that ended: %+v", got)
	}
	if got := h.token(secret, "grant_type", "refresh_token", "refresh_token", other.Refresh); got.Access == "" {
		t.Errorf("another browser's sign-in ended, too: %+v", got)
	}
}

func TestKeysOutliveTheProcess(t *testing.T) {
	h := open(t)
	again := h.another()
	if again.ClientSecret() != h.provider.ClientSecret() {
		t.Error("the client secret is another one")
	}
	keys := func(p *idp.Provider) string {
		answer := httptest.NewRecorder()
		p.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/idp/keys", nil))
		return answer.Body.String()
	}
	if a, b := keys(h.provider), keys(again); a != b || !strings.Contains(a, `"alg":"RS256"`) || strings.Contains(a, `"d":`) {
		t.Errorf("keys %s and %s", a, b)
	}
	if _, err := h.db.App.Exec(context.Background(), `SELECT * FROM idp_keys`); err == nil {
		t.Error("requests' role reads the keys")
	}
	if _, err := h.db.App.Exec(context.Background(), `SELECT * FROM idp_accounts`); err == nil {
		t.Error("requests' role reads the accounts")
	}
}

func (h *house) facts(kind string) []uuid.UUID {
	h.t.Helper()
	rows, err := h.db.System.Query(context.Background(),
		`SELECT (payload ->> 'account_id')::uuid FROM outbox WHERE kind = $1 AND user_id IS NULL ORDER BY id`, "account."+kind)
	if err != nil {
		h.t.Fatal(err)
	}
	defer rows.Close()
	var ids []uuid.UUID
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			h.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func (h *house) link(kind string, id uuid.UUID) string {
	h.t.Helper()
	_, _, link, err := h.provider.MintLink(context.Background(), kind, id)
	if err != nil {
		h.t.Fatal(err)
	}
	return link
}

func (b *browser) signUp(email, password string) page {
	b.h.t.Helper()
	return b.submit(b.get("/idp/sign-up"), "/idp/sign-up", "name", "Ada", "email", email, "password", password)
}

func TestSignUpTellsNothingAboutOthers(t *testing.T) {
	h := open(t)
	h.account("taken@example.org")
	known := h.browser().signUp("Taken@example.org", password)
	fresh := h.browser().signUp("fresh@example.org", password)
	same := strings.NewReplacer("Taken@example.org", "X", "fresh@example.org", "X")
	if known.status != fresh.status || same.Replace(known.body) != same.Replace(fresh.body) {
		t.Error("sign-up tells whether there is an account")
	}
	if n := len(h.facts(idp.MailAlreadyRegistered)); n != 1 {
		t.Errorf("%d mails to the owner", n)
	}
	var hashes int
	if err := h.db.System.QueryRow(context.Background(), `SELECT count(*) FROM idp_accounts WHERE lower(email) = 'taken@example.org'`).Scan(&hashes); err != nil || hashes != 1 {
		t.Errorf("%d accounts, %v", hashes, err)
	}
	// Wrong password and unknown address look the same, too.
	signIn := func(email string) page {
		b := h.browser()
		return b.submit(b.get(h.authorize(oauth2.GenerateVerifier())), "/idp/sign-in", "email", email, "password", "not the password")
	}
	a, b := signIn("taken@example.org"), signIn("nobody@example.org")
	if a.status != http.StatusUnauthorized || b.status != http.StatusUnauthorized || !strings.Contains(b.body, "Email address or password is not right") {
		t.Errorf("sign-in tells apart: %d, %d", a.status, b.status)
	}
}

// A stranger signs up with somebody's address, before or after its owner does.
// Whatever the owner clicks, the stranger's password never opens the account.
func TestNobodyLeavesAPasswordBehind(t *testing.T) {
	h := open(t)
	ctx := context.Background()
	const email, stolen = "victim@example.org", "the stranger's words"
	h.browser().signUp(email, stolen)
	owner := h.browser()
	owner.signUp(email, password)
	h.browser().signUp(email, stolen)
	waiting := h.facts(idp.MailConfirmAddress)
	if len(waiting) != idp.MaxOpenSignUps {
		t.Fatalf("%d sign-ups wait", len(waiting))
	}
	// The owner opens a stranger's link: not the browser that signed up, so
	// the password is asked for, and the owner's is not the stranger's.
	form := owner.get(h.link(idp.MailConfirmAddress, waiting[0]))
	if !strings.Contains(form.body, `name="password"`) {
		t.Fatal("another browser is not asked for the password")
	}
	if got := owner.submit(form, "/idp/confirm", "password", password); got.status != http.StatusUnauthorized {
		t.Errorf("a stranger's sign-up is confirmed: %d", got.status)
	}
	if got := owner.submit(form, "/idp/confirm"); got.status != http.StatusUnauthorized {
		t.Errorf("without a password: %d", got.status)
	}
	late := h.link(idp.MailConfirmAddress, waiting[2])
	own := owner.get(h.link(idp.MailConfirmAddress, waiting[1]))
	if strings.Contains(own.body, `name="password"`) {
		t.Error("the browser that signed up is asked for the password")
	}
	if got := owner.submit(own, "/idp/confirm"); got.status != http.StatusOK || !strings.Contains(got.body, "is confirmed") {
		t.Fatalf("confirm: %d %s", got.status, got.body)
	}
	if got := h.browser().get(late); got.status != http.StatusBadRequest {
		t.Errorf("the other sign-ups are still there: %d", got.status)
	}
	b := h.browser()
	if got := b.submit(b.get(h.authorize(oauth2.GenerateVerifier())), "/idp/sign-in", "email", email, "password", stolen); got.status != http.StatusUnauthorized {
		t.Errorf("the stranger signs in: %d", got.status)
	}
	h.code(email, oauth2.GenerateVerifier())
	if _, _, _, err := h.provider.MintLink(ctx, "account.confirm_address", waiting[1]); err == nil {
		t.Error("a link to confirm what is confirmed")
	}
}

// A stranger keeps nobody from signing up by taking all the places that an
// address has, and floods nobody by taking them again and again.
func TestTheNewestSignUpsCount(t *testing.T) {
	h := open(t)
	const email = "crowded@example.org"
	for range idp.MaxOpenSignUps {
		h.browser().signUp(email, "the stranger's words")
	}
	first := h.facts(idp.MailConfirmAddress)
	if len(first) != idp.MaxOpenSignUps {
		t.Fatalf("%d mails", len(first))
	}
	for range 5 {
		h.browser().signUp(email, "the stranger's words")
	}
	if n := len(h.facts(idp.MailConfirmAddress)); n != idp.MaxOpenSignUps {
		t.Errorf("%d mails within a pause", n)
	}
	h.clock.advance(idp.MailPause)
	owner := h.browser()
	owner.signUp(strings.ToUpper(email), password)
	asked := h.facts(idp.MailConfirmAddress)
	if len(asked) != idp.MaxOpenSignUps+1 {
		t.Fatalf("%d mails after the pause", len(asked))
	}
	var open int
	if err := h.db.System.QueryRow(context.Background(), `SELECT count(*) FROM idp_accounts WHERE lower(email) = $1`, email).Scan(&open); err != nil || open != idp.MaxOpenSignUps {
		t.Errorf("%d sign-ups wait, %v", open, err)
	}
	if _, _, _, err := h.provider.MintLink(context.Background(), idp.MailConfirmAddress, first[0]); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a mail for a sign-up that was replaced: %v", err)
	}
	own := owner.get(h.link(idp.MailConfirmAddress, asked[len(asked)-1]))
	if got := owner.submit(own, "/idp/confirm"); got.status != http.StatusOK {
		t.Fatalf("the owner confirms: %d", got.status)
	}
	h.code(email, oauth2.GenerateVerifier())
}

// Who is being confirmed at this moment is not dropped to make room.
func TestConfirmingWinsOverMakingRoom(t *testing.T) {
	h := open(t)
	ctx := context.Background()
	for round := range 20 {
		email := fmt.Sprintf("race%d@example.org", round)
		seen := len(h.facts(idp.MailConfirmAddress))
		owner := h.browser()
		owner.signUp(email, password)
		form := owner.get(h.link(idp.MailConfirmAddress, h.facts(idp.MailConfirmAddress)[seen]))
		store, confirmed := postgres.NewProvider(h.db.DB), 0
		var group sync.WaitGroup
		group.Go(func() { confirmed = owner.submit(form, "/idp/confirm").status })
		for range idp.MaxOpenSignUps {
			group.Go(func() {
				if err := store.SignUp(ctx, idp.Account{ID: uuid.New(), Name: "X", Email: email}, h.clock.now()); err != nil {
					t.Errorf("sign up: %v", err)
				}
			})
		}
		group.Wait()
		account, err := store.AccountByEmail(ctx, email)
		if err != nil || account.EmailVerified != (confirmed == http.StatusOK) {
			t.Fatalf("confirming answered %d, the account is %+v, %v", confirmed, account, err)
		}
	}
}

func TestNobodyHoldsUpAnothersReset(t *testing.T) {
	h := open(t)
	const email = "forgetful@example.org"
	h.account(email)
	h.browser().signUp(email, "the stranger's words") // mails the owner
	if n := len(h.facts(idp.MailAlreadyRegistered)); n != 1 {
		t.Fatalf("%d mails of the sign-up", n)
	}
	ask := func() int {
		b := h.browser()
		if got := b.submit(b.get("/idp/forgot"), "/idp/forgot", "email", email); got.status != http.StatusOK {
			t.Errorf("forgot: %d", got.status)
		}
		return len(h.facts(idp.MailResetPassword))
	}
	if n := ask(); n != 1 {
		t.Errorf("a sign-up holds the reset up: %d mails", n)
	}
	if n := ask(); n != 1 {
		t.Errorf("%d mails of one kind within the pause", n)
	}
	h.clock.advance(idp.MailPause)
	if n := ask(); n != 2 {
		t.Errorf("%d mails after the pause", n)
	}
}

func TestLinksAreGoodOnceAndForAWhile(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.signUp("links@example.org", password)
	id := h.facts(idp.MailConfirmAddress)[0]
	old, link := h.link(idp.MailConfirmAddress, id), h.link(idp.MailConfirmAddress, id)
	u, _ := url.Parse(link)
	if token := u.Query().Get("token"); len(token) < 22 {
		t.Errorf("only %d characters of secret", len(token))
	}
	var kept int
	if err := h.db.System.QueryRow(context.Background(), `SELECT count(*) FROM idp_mail_tokens WHERE encode(token_hash, 'escape') LIKE '%'||$1||'%'`,
		u.Query().Get("token")).Scan(&kept); err != nil || kept != 0 {
		t.Errorf("the secret is kept: %d, %v", kept, err)
	}
	form := b.get(link)
	h.clock.advance(idp.ConfirmLinkLifetime)
	if got := b.submit(form, "/idp/confirm"); got.status != http.StatusBadRequest {
		t.Errorf("a link that is over: %d", got.status)
	}
	_ = old
	fresh := b.get(h.link(idp.MailConfirmAddress, id))
	var group sync.WaitGroup
	ok := make(chan struct{}, 8)
	for range cap(ok) {
		group.Go(func() {
			if b.submit(fresh, "/idp/confirm").status == http.StatusOK {
				ok <- struct{}{}
			}
		})
	}
	group.Wait()
	if len(ok) != 1 {
		t.Errorf("a link confirmed %d times", len(ok))
	}
	h.clock.advance(365 * 24 * time.Hour)
	if err := h.provider.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"idp_mail_tokens", "idp_auth_requests", "idp_refresh_tokens"} {
		var n int
		if err := h.db.System.QueryRow(context.Background(), "SELECT count(*) FROM "+table).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d left in %s, %v", n, table, err)
		}
	}
}

// What no column can keep is bad input, and not a failure of ours.
func TestUnreadableInputIsRefused(t *testing.T) {
	h := open(t)
	h.account("input@example.org")
	b := h.browser()
	form := b.get(h.authorize(oauth2.GenerateVerifier()))
	long := strings.Repeat("x", 5_000)
	refused := func(what string, got page) {
		t.Helper()
		if got.status != http.StatusBadRequest || got.header.Get("Location") != "" || !strings.Contains(got.body, "That did not work") {
			t.Errorf("%s: %d, to %q", what, got.status, got.header.Get("Location"))
		}
	}
	for _, bad := range []string{"a\x00b", "a\xffb", "\xc3", long} {
		for path, field := range map[string]string{
			"/idp/sign-in": "email", "/idp/sign-up": "name", "/idp/forgot": "email", "/idp/password": "new_password",
			"/idp/confirm": "token", "/idp/reset": "token",
		} {
			refused(fmt.Sprintf("%s with %.10q", path, bad), b.submit(form, path, field, bad))
		}
		refused(fmt.Sprintf("a request %.10q", bad), b.submit(form, "/idp/sign-in", "request", bad, "email", "input@example.org", "password", password))
		for _, path := range []string{"/idp/sign-in?request=", "/idp/confirm?token=", "/idp/reset?token=", "/idp/end_session?state="} {
			refused(fmt.Sprintf("%s%.10q", path, bad), b.get(path+url.QueryEscape(bad)))
		}
		for _, parameter := range []string{"state", "nonce", "login_hint", "scope", "code_challenge", "prompt", "redirect_uri", "ui_locales", "none"} {
			value := bad
			if parameter == "scope" {
				value = "openid " + bad
			}
			refused(fmt.Sprintf("%s=%.10q", parameter, value), b.get(h.authorize(oauth2.GenerateVerifier(), parameter, value)))
		}
	}
	for _, parameter := range []string{"state", "nonce", "login_hint"} {
		refused(parameter, b.get(h.authorize(oauth2.GenerateVerifier(), parameter, strings.Repeat("x", 1_001))))
	}
	refused("a challenge that is no sum", b.get(h.authorize(oauth2.GenerateVerifier(), "code_challenge", strings.Repeat("=", 43))))
	refused("a broken query", b.get("/idp/sign-in?request=%zz"))

	many := "openid email openid admin " + strings.Repeat("a ", 1_000) + "events:write"
	if got := b.get(h.authorize(oauth2.GenerateVerifier(), "scope", many)); got.status != http.StatusOK {
		t.Fatalf("unknown scopes: %d", got.status)
	}
	var kept []string
	if err := h.db.System.QueryRow(context.Background(), `SELECT scopes FROM idp_auth_requests ORDER BY created_at DESC LIMIT 1`).Scan(&kept); err != nil || !slices.Equal(kept, []string{"openid", "email"}) {
		t.Errorf("kept scopes %q, %v", kept, err)
	}
}

// What PostgreSQL takes for another's address when case is ignored doesn't
// reach it: neither to have the address, nor to try its password uncounted.
func TestLookAlikeAddressesAreNobodys(t *testing.T) {
	h := open(t)
	h.account("kim@example.org")
	for _, email := range []string{"\u212aim@example.org", "k\u0130m@example.org", "kim\u200b@example.org"} {
		b := h.browser()
		if got := b.signUp(email, password); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%q signs up: %d", email, got.status)
		}
		if got := b.submit(b.get("/idp/forgot"), "/idp/forgot", "email", email); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%q has forgotten: %d", email, got.status)
		}
		if got := b.submit(b.get(h.authorize(oauth2.GenerateVerifier())), "/idp/sign-in", "email", email, "password", password); got.status != http.StatusUnauthorized {
			t.Errorf("%q signs in: %d", email, got.status)
		}
		if _, err := h.provider.IssueTokens(context.Background(), []string{email}, time.Hour); err == nil {
			t.Errorf("%q gets a token", email)
		}
	}
	if n := len(h.facts(idp.MailAlreadyRegistered)) + len(h.facts(idp.MailResetPassword)); n != 0 {
		t.Errorf("%d mails to the owner", n)
	}
}

func TestSignUpNamesCanBeSeen(t *testing.T) {
	h := open(t)
	for _, name := range []string{"", " ", "\u200d", "\u3164", "a\u0085b", "a\u2028b", "a\u202eb", "a\u200bb", strings.Repeat("x", 101)} {
		b := h.browser()
		got := b.submit(b.get("/idp/sign-up"), "/idp/sign-up", "name", name, "email", "name@example.org", "password", password)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "name-error") {
			t.Errorf("%q: %d", name, got.status)
		}
	}
}

func TestFormsOfOthersAreRefused(t *testing.T) {
	h := open(t)
	h.account("form@example.org")
	b := h.browser()
	form := b.get(h.authorize(oauth2.GenerateVerifier()))
	other := h.browser().get(h.authorize(oauth2.GenerateVerifier()))
	if got := b.submit(form, "/idp/sign-in", "form_token", "", "email", "form@example.org", "password", password); got.status != http.StatusForbidden {
		t.Errorf("without form token: %d", got.status)
	}
	if got := b.submit(form, "/idp/sign-in", "form_token", other.hidden("form_token"), "email", "form@example.org", "password", password); got.status != http.StatusForbidden {
		t.Errorf("another browser's form token: %d", got.status)
	}
	values := url.Values{"form_token": {form.hidden("form_token")}, "request": {form.hidden("request")}, "email": {"form@example.org"}, "password": {password}}
	r, _ := http.NewRequest(http.MethodPost, h.url+"/idp/sign-in", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://evil.example")
	if got := b.read(b.Do(r)); got.status != http.StatusForbidden {
		t.Errorf("a foreign page's form: %d", got.status)
	}
	huge := b.submit(form, "/idp/sign-in", "email", strings.Repeat("x", 1<<20), "password", password)
	if huge.status != http.StatusBadRequest {
		t.Errorf("a megabyte: %d", huge.status)
	}
}

func TestSignInIsThrottled(t *testing.T) {
	h := open(t)
	const email = "slow@example.org"
	h.account(email)
	b := h.browser()
	form := b.get(h.authorize(oauth2.GenerateVerifier()))
	try := func(password string) page {
		return b.submit(form, "/idp/sign-in", "email", email, "password", password)
	}
	for i := range 5 {
		if got := try("not the password"); got.status != http.StatusUnauthorized {
			t.Fatalf("try %d: %d", i+1, got.status)
		}
	}
	got := try(password)
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "Wait") {
		t.Fatalf("the sixth try: %d %q", got.status, got.header.Get("Retry-After"))
	}
	h.clock.advance(3 * time.Second)
	if got := try(password); got.status != http.StatusSeeOther {
		t.Fatalf("the right password after the wait: %d", got.status)
	}
	form = b.get(h.authorize(oauth2.GenerateVerifier()))
	for i := range 5 {
		if got := try("not the password"); got.status != http.StatusUnauthorized {
			t.Fatalf("after a success, try %d: %d", i+1, got.status)
		}
	}
}

func TestEndSessionLeadsNowhereElse(t *testing.T) {
	h := open(t)
	if got := h.browser().get("/idp/end_session"); got.status != http.StatusOK || !strings.Contains(got.body, "You are signed out") {
		t.Errorf("plain: %d", got.status)
	}
	home := h.browser().get("/idp/end_session?post_logout_redirect_uri=" + url.QueryEscape(h.url+"/"))
	if home.header.Get("Location") != h.url+"/" {
		t.Errorf("home: %d %q", home.status, home.header.Get("Location"))
	}
	for _, path := range []string{
		"/idp/end_session?post_logout_redirect_uri=https://evil.example/",
		"/idp/end_session?post_logout_redirect_uri=//evil.example",
		"/idp/end_session?id_token_hint=x.y.z&post_logout_redirect_uri=" + url.QueryEscape(h.url+"/"),
	} {
		if got := h.browser().get(path); got.status != http.StatusBadRequest || got.header.Get("Location") != "" {
			t.Errorf("%s: %d %q", path, got.status, got.header.Get("Location"))
		}
	}
}

func TestIssueTokensInBulk(t *testing.T) {
	h := open(t)
	ctx := context.Background()
	h.account("load2@example.org")
	emails := make([]string, 50)
	for i := range emails {
		emails[i] = fmt.Sprintf("load%d@example.org", i+1)
	}
	emails = append(emails, "LOAD1@example.org")
	first, err := h.provider.IssueTokens(ctx, emails, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 { // and again, at once
		group.Go(func() {
			again, err := h.provider.IssueTokens(ctx, emails, time.Hour)
			if err != nil {
				t.Errorf("again: %v", err)
				return
			}
			for i := range again {
				if again[i].UserID != first[i].UserID {
					t.Errorf("%s is another person", emails[i])
				}
			}
		})
	}
	group.Wait()
	if first[0].UserID != first[50].UserID || first[0].UserID == first[1].UserID {
		t.Error("people and addresses don't match")
	}
	var people, verified int
	if err := h.db.System.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE email_verified) FROM users`).Scan(&people, &verified); err != nil || people != 50 || verified != 50 {
		t.Errorf("%d people, %d verified, %v", people, verified, err)
	}
	for _, bad := range [][]string{{"no address"}, {""}, {"a@b.c\r\nBcc: x@y.z"}} {
		if _, err := h.provider.IssueTokens(ctx, bad, time.Hour); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := h.provider.IssueTokens(ctx, emails, 0); err == nil {
		t.Error("a token that lives for nothing")
	}
}

func TestPagesCarryNoScriptAndNoInlineStyle(t *testing.T) {
	h := open(t)
	b := h.browser()
	for _, path := range []string{h.authorize(oauth2.GenerateVerifier()), "/idp/sign-up", "/idp/forgot", "/idp/password", "/idp/signed-out", "/idp/confirm", "/idp/nowhere"} {
		got := b.get(path)
		csp := got.header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: CSP %q", path, csp)
		}
		if strings.Contains(got.body, "<script") || strings.Contains(got.body, "style=") || strings.Contains(got.body, "<style") || strings.Contains(got.body, "ZgotmplZ") {
			t.Errorf("%s carries script or style", path)
		}
		if got.header.Get("Cache-Control") != "no-store" || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, got.header)
		}
		// Without it browsers ask for an icon where the policy forbids it.
		if !strings.Contains(got.body, `rel="icon" href="/favicon.ico"`) || !strings.Contains(csp, "img-src 'self'") {
			t.Errorf("%s names no icon", path)
		}
	}
	if css := b.get("/idp/style.css"); css.status != http.StatusOK || !strings.HasPrefix(css.header.Get("Content-Type"), "text/css") {
		t.Errorf("style: %d %s", css.status, css.header.Get("Content-Type"))
	}
}
