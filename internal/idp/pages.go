package idp

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"happening/internal/fault"
	"happening/internal/user"
)

//go:embed page
var pageFiles embed.FS

// pages are the templates by name, each within the common layout.
var pages = func() map[string]*template.Template {
	set := make(map[string]*template.Template)
	for _, name := range []string{"sign-in", "sign-up", "check-mail", "confirm", "confirmed", "forgot", "reset", "change", "changed", "signed-out", "error"} {
		set[name] = template.Must(template.ParseFS(pageFiles, "page/layout.html", "page/"+name+".html"))
	}
	return set
}()

const maxNameLength = 100

// view is what the pages are filled with.
type view struct {
	FormToken string
	Request   string // the auth request that the page belongs to, if any
	Token     string // the secret of a mailed link
	Name      string
	Email     string
	// AskPassword says that the mailed link alone is not enough: it was
	// opened in another browser than the one that signed up.
	AskPassword bool
	Alert       string            // what went wrong with the whole
	Errors      map[string]string // what is wrong with a field
	Home        string            // where signing in begins anew
}

func (p *Provider) show(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	v.FormToken = p.formToken(r.Context())
	v.Home = p.cfg.PublicURL + "/auth/login"
	var page bytes.Buffer
	if err := pages[name].ExecuteTemplate(&page, "layout", v); err != nil {
		p.cfg.Logger.ErrorContext(r.Context(), "provider's page can't be made", "page", name, "error", err)
		http.Error(w, "Something went wrong on our side.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Del("Content-Length")
	w.WriteHeader(status)
	if _, err := w.Write(page.Bytes()); err != nil {
		p.cfg.Logger.DebugContext(r.Context(), "provider: page not taken", "error", err)
	}
}

func (p *Provider) showError(w http.ResponseWriter, r *http.Request, status int, message string) {
	p.show(w, r, status, "error", view{Alert: message})
}

// showTooMany shows the form again and says how long to wait.
func (p *Provider) showTooMany(w http.ResponseWriter, r *http.Request, page string, v view, err error) bool {
	f, ok := faultOf(err)
	if !ok || f.Kind != fault.TooMany {
		return false
	}
	seconds := int((f.RetryAfter + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	wait := fmt.Sprintf("%d seconds", seconds)
	if seconds == 1 {
		wait = "a second"
	} else if minutes := (seconds + 59) / 60; minutes > 1 {
		wait = fmt.Sprintf("%d minutes", minutes)
	}
	v.Alert = "Too many attempts. Wait " + wait + " and try again."
	p.show(w, r, http.StatusTooManyRequests, page, v)
	return true
}

// request gives the live auth request that a page was opened for; none is
// fault.ErrNotFound.
func (p *Provider) request(r *http.Request, id string) (AuthRequest, error) {
	const maxID = 64
	if id == "" || len(id) > maxID {
		return AuthRequest{}, fault.ErrNotFound
	}
	return p.store.AuthRequest(r.Context(), id, browserFrom(r.Context()), p.cfg.Now())
}

// resume gives the id of what this browser began and did not finish; empty:
// nothing.
func (p *Provider) resume(r *http.Request) (string, error) {
	request, err := p.store.LatestAuthRequest(r.Context(), browserFrom(r.Context()), p.cfg.Now())
	if isNotFound(err) {
		return "", nil
	}
	return request.ID, err
}

const requestGone = "This sign-in took too long or was begun in another browser. Begin again."

func (p *Provider) showSignIn(w http.ResponseWriter, r *http.Request) error {
	id := r.URL.Query().Get("request")
	if id == "" {
		// Whoever came by a bookmark begins where signing in begins.
		http.Redirect(w, r, p.cfg.PublicURL+"/auth/login", http.StatusSeeOther)
		return nil
	}
	request, err := p.request(r, id)
	if isNotFound(err) {
		p.showError(w, r, http.StatusBadRequest, requestGone)
		return nil
	}
	if err != nil {
		return err
	}
	p.show(w, r, http.StatusOK, "sign-in", view{Request: request.ID, Email: request.LoginHint})
	return nil
}

func (p *Provider) signIn(w http.ResponseWriter, r *http.Request) error {
	email, password := strings.TrimSpace(r.PostForm.Get("email")), r.PostForm.Get("password")
	v := view{Request: r.PostForm.Get("request"), Email: email}
	if _, err := p.request(r, v.Request); isNotFound(err) {
		p.showError(w, r, http.StatusBadRequest, requestGone)
		return nil
	} else if err != nil {
		return err
	}
	account, err := p.authenticate(r, email, password)
	switch {
	case p.showTooMany(w, r, "sign-in", v, err):
		return nil
	case errors.Is(err, errWrongPassword):
		v.Alert = errWrongPassword.Message
		p.show(w, r, http.StatusUnauthorized, "sign-in", v)
		return nil
	case err != nil:
		return err
	}
	if !account.EmailVerified {
		if err := p.store.AskMail(r.Context(), account.ID, MailConfirmAddress, p.cfg.Now()); err != nil {
			return err
		}
		p.show(w, r, http.StatusForbidden, "check-mail", view{Request: v.Request, Email: account.Email,
			Alert: "Confirm your email address first."})
		return nil
	}
	return p.finish(w, r, v.Request, account.ID)
}

// finish gives the auth request its code and sends the browser back to the
// application.
func (p *Provider) finish(w http.ResponseWriter, r *http.Request, request string, accountID uuid.UUID) error {
	code, hash := newSecret()
	now := p.cfg.Now()
	finished, err := p.store.FinishAuthRequest(r.Context(), request, browserFrom(r.Context()), accountID, hash, now, now.Add(codeLifetime))
	if isNotFound(err) {
		p.showError(w, r, http.StatusBadRequest, requestGone)
		return nil
	}
	if err != nil {
		return err
	}
	values := url.Values{"code": {code}, "iss": {p.issuer}}
	if finished.State != "" {
		values.Set("state", finished.State)
	}
	http.Redirect(w, r, withQuery(finished.RedirectURI, values), http.StatusSeeOther)
	return nil
}

var errWrongPassword = fault.New(fault.Unauthenticated, "wrong_password", "Email address or password is not right.")

// authenticate checks address and password. It takes the same time and says
// the same whether or not there is such an account.
func (p *Provider) authenticate(r *http.Request, email, password string) (Account, error) {
	ctx := r.Context()
	// An address that can't have an account isn't looked up, and spellings
	// that the database takes for one another are not counted apart.
	email, err := parseEmail(email)
	if err != nil || utf8.RuneCountInString(password) > MaxPasswordLength {
		return Account{}, errWrongPassword
	}
	byAccount, byAddress := perAccount(strings.ToLower(email)), perAddress(p.cfg.ClientAddr(r))
	if err := p.throttle.begin(byAccount, byAddress); err != nil {
		return Account{}, err
	}
	account, err := p.store.AccountByEmail(ctx, email)
	if err != nil && !isNotFound(err) {
		return Account{}, err
	}
	right, err := p.password.verify(ctx, account.PasswordHash, password)
	if err != nil {
		return Account{}, err
	}
	if !right {
		return Account{}, errWrongPassword
	}
	p.throttle.succeeded(byAccount, byAddress)
	return account, nil
}

func (p *Provider) showSignUp(w http.ResponseWriter, r *http.Request) error {
	p.show(w, r, http.StatusOK, "sign-up", view{Request: r.URL.Query().Get("request")})
	return nil
}

// signUp notes somebody who is to confirm the address. It answers the same
// whether or not there is an account with it already; the mail differs.
func (p *Provider) signUp(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	name, password := strings.TrimSpace(r.PostForm.Get("name")), r.PostForm.Get("password")
	v := view{Request: r.PostForm.Get("request"), Name: name, Email: strings.TrimSpace(r.PostForm.Get("email")), Errors: map[string]string{}}
	email, err := parseEmail(v.Email)
	if err != nil {
		v.Errors["email"] = "Enter an email address such as name@example.org."
	}
	if utf8.RuneCountInString(name) > maxNameLength || !user.ShowableName(name) {
		v.Errors["name"] = "Enter the name by which others shall see you."
	}
	if text := passwordFault(password, email, name); text != "" {
		v.Errors["password"] = text
	}
	if len(v.Errors) > 0 {
		p.show(w, r, http.StatusUnprocessableEntity, "sign-up", v)
		return nil
	}
	if err := p.throttle.begin(mailsPerAddress(p.cfg.ClientAddr(r))); p.showTooMany(w, r, "sign-up", v, err) {
		return nil
	}
	hash, err := p.password.hash(ctx, password)
	if err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("idp: new id: %w", err)
	}
	if err := p.store.SignUp(ctx, Account{ID: id, Name: name, Email: email, PasswordHash: hash, BrowserHash: browserFrom(ctx)}, p.cfg.Now()); err != nil {
		return err
	}
	p.show(w, r, http.StatusOK, "check-mail", view{Request: v.Request, Email: email})
	return nil
}

const linkGone = "This link was used already or is too old. Ask for a new one."

// showConfirm only looks: programs that check mails open links, too.
func (p *Provider) showConfirm(w http.ResponseWriter, r *http.Request) error {
	token := r.URL.Query().Get("token")
	account, err := p.store.AccountByMailToken(r.Context(), hashSecret(token), MailConfirmAddress, p.cfg.Now())
	if isNotFound(err) {
		p.showError(w, r, http.StatusBadRequest, linkGone)
		return nil
	}
	if err != nil {
		return err
	}
	p.show(w, r, http.StatusOK, "confirm", view{Token: token, Email: account.Email, AskPassword: !p.sameBrowser(r, account)})
	return nil
}

// sameBrowser says whether the account was signed up for with this browser.
func (p *Provider) sameBrowser(r *http.Request, a Account) bool {
	return len(a.BrowserHash) > 0 && bytes.Equal(a.BrowserHash, browserFrom(r.Context()))
}

// confirm verifies the address. In the browser that signed up, whose person
// chose the password, the mailed link is enough, and what was begun there is
// finished. In another one the password is asked for as well: the link may
// have come from a stranger's sign-up, and a click must not make the
// stranger's password good for one's address.
func (p *Provider) confirm(w http.ResponseWriter, r *http.Request) error {
	ctx, token, now := r.Context(), r.PostForm.Get("token"), p.cfg.Now()
	hash := hashSecret(token)
	account, err := p.store.AccountByMailToken(ctx, hash, MailConfirmAddress, now)
	if isNotFound(err) {
		p.showError(w, r, http.StatusBadRequest, linkGone)
		return nil
	}
	if err != nil {
		return err
	}
	if !p.sameBrowser(r, account) {
		v := view{Token: token, Email: account.Email, AskPassword: true}
		right, err := p.rightPassword(r, account, r.PostForm.Get("password"))
		if p.showTooMany(w, r, "confirm", v, err) {
			return nil
		}
		if err != nil {
			return err
		}
		if !right {
			v.Errors = map[string]string{"password": "This is not the password that you chose when you signed up."}
			p.show(w, r, http.StatusUnauthorized, "confirm", v)
			return nil
		}
	}
	confirmed, err := p.store.ConfirmAddress(ctx, hash, now)
	switch {
	case isNotFound(err):
		p.showError(w, r, http.StatusBadRequest, linkGone)
		return nil
	case errors.Is(err, ErrAddressTaken):
		p.showError(w, r, http.StatusConflict, ErrAddressTaken.Message)
		return nil
	case err != nil:
		return err
	}
	request, err := p.resume(r)
	if err != nil {
		return err
	}
	if request != "" {
		return p.finish(w, r, request, confirmed.ID)
	}
	p.show(w, r, http.StatusOK, "confirmed", view{})
	return nil
}

// rightPassword checks a password against one account, throttled.
func (p *Provider) rightPassword(r *http.Request, a Account, password string) (bool, error) {
	byAccount, byAddress := perAccount("id "+a.ID.String()), perAddress(p.cfg.ClientAddr(r))
	if utf8.RuneCountInString(password) > MaxPasswordLength {
		return false, nil
	}
	if err := p.throttle.begin(byAccount, byAddress); err != nil {
		return false, err
	}
	right, err := p.password.verify(r.Context(), a.PasswordHash, password)
	if right {
		p.throttle.succeeded(byAccount, byAddress)
	}
	return right, err
}

func (p *Provider) showForgot(w http.ResponseWriter, r *http.Request) error {
	p.show(w, r, http.StatusOK, "forgot", view{Request: r.URL.Query().Get("request")})
	return nil
}

// forgot answers the same whether or not there is such an account.
func (p *Provider) forgot(w http.ResponseWriter, r *http.Request) error {
	v := view{Request: r.PostForm.Get("request"), Email: strings.TrimSpace(r.PostForm.Get("email")), Errors: map[string]string{}}
	email, err := parseEmail(v.Email)
	if err != nil {
		v.Errors["email"] = "Enter an email address such as name@example.org."
		p.show(w, r, http.StatusUnprocessableEntity, "forgot", v)
		return nil
	}
	if err := p.throttle.begin(mailsPerAddress(p.cfg.ClientAddr(r))); p.showTooMany(w, r, "forgot", v, err) {
		return nil
	}
	account, err := p.store.AccountByEmail(r.Context(), email)
	if err == nil && account.EmailVerified {
		err = p.store.AskMail(r.Context(), account.ID, MailResetPassword, p.cfg.Now())
	}
	if err != nil && !isNotFound(err) {
		return err
	}
	p.show(w, r, http.StatusOK, "check-mail", view{Request: v.Request, Email: email})
	return nil
}

func (p *Provider) showReset(w http.ResponseWriter, r *http.Request) error {
	token := r.URL.Query().Get("token")
	account, err := p.store.AccountByMailToken(r.Context(), hashSecret(token), MailResetPassword, p.cfg.Now())
	if isNotFound(err) {
		p.showError(w, r, http.StatusBadRequest, linkGone)
		return nil
	}
	if err != nil {
		return err
	}
	p.show(w, r, http.StatusOK, "reset", view{Token: token, Email: account.Email})
	return nil
}

func (p *Provider) reset(w http.ResponseWriter, r *http.Request) error {
	ctx, token, now := r.Context(), r.PostForm.Get("token"), p.cfg.Now()
	account, err := p.store.AccountByMailToken(ctx, hashSecret(token), MailResetPassword, now)
	if isNotFound(err) {
		p.showError(w, r, http.StatusBadRequest, linkGone)
		return nil
	}
	if err != nil {
		return err
	}
	password := r.PostForm.Get("password")
	if text := passwordFault(password, account.Email, account.Name); text != "" {
		p.show(w, r, http.StatusUnprocessableEntity, "reset", view{Token: token, Email: account.Email, Errors: map[string]string{"password": text}})
		return nil
	}
	hash, err := p.password.hash(ctx, password)
	if err != nil {
		return err
	}
	if _, err := p.store.ResetPassword(ctx, hashSecret(token), hash, now); isNotFound(err) {
		p.showError(w, r, http.StatusBadRequest, linkGone)
		return nil
	} else if err != nil {
		return err
	}
	return p.showChanged(w, r, account)
}

func (p *Provider) showChanged(w http.ResponseWriter, r *http.Request, account Account) error {
	p.throttle.forget(perAccount(strings.ToLower(account.Email)))
	if err := p.passwordChanged(r.Context(), account.ID); err != nil {
		return err
	}
	request, err := p.resume(r)
	if err != nil {
		return err
	}
	p.show(w, r, http.StatusOK, "changed", view{Request: request})
	return nil
}

func (p *Provider) showChange(w http.ResponseWriter, r *http.Request) error {
	p.show(w, r, http.StatusOK, "change", view{})
	return nil
}

// change sets a new password for whoever knows the current one.
func (p *Provider) change(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	v := view{Email: strings.TrimSpace(r.PostForm.Get("email"))}
	account, err := p.authenticate(r, v.Email, r.PostForm.Get("password"))
	switch {
	case p.showTooMany(w, r, "change", v, err):
		return nil
	case errors.Is(err, errWrongPassword) || (err == nil && !account.EmailVerified):
		v.Alert = errWrongPassword.Message
		p.show(w, r, http.StatusUnauthorized, "change", v)
		return nil
	case err != nil:
		return err
	}
	password := r.PostForm.Get("new_password")
	text := passwordFault(password, account.Email, account.Name)
	if text == "" && password == r.PostForm.Get("password") {
		text = "This is the password that you have now."
	}
	if text != "" {
		v.Errors = map[string]string{"new_password": text}
		p.show(w, r, http.StatusUnprocessableEntity, "change", v)
		return nil
	}
	hash, err := p.password.hash(ctx, password)
	if err != nil {
		return err
	}
	if err := p.store.ChangePassword(ctx, account.ID, hash, p.cfg.Now()); err != nil {
		return err
	}
	return p.showChanged(w, r, account)
}

func (p *Provider) showSignedOut(w http.ResponseWriter, r *http.Request) error {
	p.show(w, r, http.StatusOK, "signed-out", view{})
	return nil
}
