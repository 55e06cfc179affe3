//go:build engines

package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Keycloak is a realm of a test's own at a real Keycloak, made of the file that
// installations import, with other addresses.
type Keycloak struct {
	t            testing.TB
	base, realm  string
	ClientSecret string
}

// KeycloakClientID is the application's name in the realm.
const KeycloakClientID = "happening"

// keycloakSecret is the application's secret in tests' realms.
const keycloakSecret = "a secret of a test's realm"

// keycloakTimeout bounds a question to Keycloak, which hashes passwords and
// makes keys meanwhile.
const keycloakTimeout = time.Minute

var keycloakHTTP = &http.Client{Timeout: keycloakTimeout}

// NewKeycloak makes a realm for an application at publicURL and drops it at
// the end.
func NewKeycloak(t testing.TB, publicURL string) *Keycloak {
	t.Helper()
	base := os.Getenv("KEYCLOAK_ADMIN_URL")
	if base == "" {
		t.Fatal("testkit: no Keycloak to test on: run make engines-up, which fetches org.keycloak:keycloak-quarkus-dist, and source build/engines/env")
	}
	k := &Keycloak{t: t, base: base, realm: "test-" + uuid.NewString(), ClientSecret: keycloakSecret}
	for attempt := 1; ; attempt++ {
		err := k.importRealm(publicURL)
		if err == nil {
			break
		}
		// Two realms that are made at once can lock each other out.
		const attempts = 3
		if attempt == attempts {
			t.Fatalf("testkit: make a realm: %v", err)
		}
	}
	t.Cleanup(func() { k.Admin(http.MethodDelete, "", nil, nil) })
	k.Admin(http.MethodPost, "/clients", readDeploy(t, "keycloak/test-client.json"), nil)
	return k
}

// In is the same realm, failing another test.
func (k *Keycloak) In(t testing.TB) *Keycloak {
	again := *k
	again.t = t
	return &again
}

// readDeploy reads one of the files that installations are made of.
func readDeploy(t testing.TB, name string) map[string]any {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(here), "../../deploy", name))
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	var file map[string]any
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatalf("testkit: %s: %v", name, err)
	}
	return file
}

// placeholder is what Keycloak fills in from its environment on an import.
var placeholder = regexp.MustCompile(`\$\{([A-Z_]+):?([^}]*)\}`)

func (k *Keycloak) importRealm(publicURL string) error {
	settings := map[string]string{
		"HAPPENING_OIDC_CLIENT_SECRET": k.ClientSecret, "HAPPENING_PUBLIC_URL": publicURL, "HAPPENING_BACKCHANNEL_URL": publicURL,
	}
	realm := filled(readDeploy(k.t, "keycloak/realm-happening.json"), settings).(map[string]any)
	realm["realm"] = k.realm
	return k.admin(http.MethodPost, "/admin/realms", realm, nil)
}

// filled fills the placeholders in and leaves out ids, which the realm that the
// file is meant for has taken.
func filled(value any, settings map[string]string) any {
	switch v := value.(type) {
	case string:
		return placeholder.ReplaceAllStringFunc(v, func(found string) string {
			parts := placeholder.FindStringSubmatch(found)
			if set, ok := settings[parts[1]]; ok {
				return set
			}
			return parts[2]
		})
	case []any:
		for i := range v {
			v[i] = filled(v[i], settings)
		}
	case map[string]any:
		delete(v, "id")
		for name := range v {
			v[name] = filled(v[name], settings)
		}
	}
	return value
}

// Issuer is the realm's name in tokens.
func (k *Keycloak) Issuer() string { return k.base + "/realms/" + k.realm }

// Admin asks the administration of the realm; path begins below it.
func (k *Keycloak) Admin(method, path string, body, into any) {
	k.t.Helper()
	if err := k.admin(method, "/admin/realms/"+k.realm+path, body, into); err != nil {
		k.t.Fatalf("testkit: %v", err)
	}
}

func (k *Keycloak) admin(method, path string, body, into any) error {
	var login struct {
		AccessToken string `json:"access_token"`
	}
	// Administrators' tokens live for a minute, so each question gets its own.
	if err := k.form(k.base+"/realms/master/protocol/openid-connect/token", &login, "grant_type", "password", "client_id", "admin-cli",
		"username", os.Getenv("KEYCLOAK_ADMIN_USER"), "password", os.Getenv("KEYCLOAK_ADMIN_PASSWORD")); err != nil {
		return fmt.Errorf("administrator's sign-in: %w", err)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(context.Background(), method, k.base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+login.AccessToken)
	return answered(req, into)
}

// form posts fields, given as name and value by turns.
func (k *Keycloak) form(address string, into any, fields ...string) error {
	values := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, address, strings.NewReader(values.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return answered(req, into)
}

func answered(req *http.Request, into any) error {
	resp, err := keycloakHTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s %s", req.Method, req.URL.Path, resp.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// KeycloakPassword is that of every person whom Person makes.
const KeycloakPassword = "quiet river stones"

// Person makes somebody who can sign in, and gives their id.
func (k *Keycloak) Person(email string, verified bool) (id string) {
	k.t.Helper()
	k.Admin(http.MethodPost, "/users", map[string]any{
		"username": email, "email": email, "emailVerified": verified, "enabled": true, "firstName": "Ada", "lastName": "Example",
		"credentials": []any{map[string]any{"type": "password", "value": KeycloakPassword, "temporary": false}},
	}, nil)
	var found []struct {
		ID string `json:"id"`
	}
	k.Admin(http.MethodGet, "/users?exact=true&username="+url.QueryEscape(email), nil, &found)
	if len(found) != 1 {
		k.t.Fatalf("testkit: %d people with the address", len(found))
	}
	return found[0].ID
}

// Change changes attributes of the thing at path.
func (k *Keycloak) Change(path string, attributes map[string]any) {
	k.t.Helper()
	var thing map[string]any
	k.Admin(http.MethodGet, path, nil, &thing)
	for name, value := range attributes {
		thing[name] = value
	}
	k.Admin(http.MethodPut, path, thing, nil)
}

// Sessions counts the person's sessions at Keycloak.
func (k *Keycloak) Sessions(userID string) int {
	k.t.Helper()
	var sessions []any
	k.Admin(http.MethodGet, "/users/"+userID+"/sessions", nil, &sessions)
	return len(sessions)
}

// SignOut ends all sessions of the person from Keycloak's side, which tells
// the application.
func (k *Keycloak) SignOut(userID string) {
	k.t.Helper()
	k.Admin(http.MethodPost, "/users/"+userID+"/logout", nil, nil)
}

// RotateKeys makes a new key for signatures, which counts from now on.
func (k *Keycloak) RotateKeys() {
	k.t.Helper()
	var realm struct {
		ID string `json:"id"`
	}
	k.Admin(http.MethodGet, "", nil, &realm)
	k.Admin(http.MethodPost, "/components", map[string]any{
		"name": "rotated", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider", "parentId": realm.ID,
		"config": map[string]any{"priority": []string{"1000"}, "enabled": []string{"true"}, "active": []string{"true"}, "keySize": []string{"2048"}, "algorithm": []string{"RS256"}},
	}, nil)
}

// KeycloakTokens are what Keycloak gives for a password.
type KeycloakTokens struct {
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
}

// Tokens exchanges a person's password for tokens, by the client that is made
// for tests alone.
func (k *Keycloak) Tokens(email string, scopes ...string) (tokens KeycloakTokens) {
	k.t.Helper()
	client := readDeploy(k.t, "keycloak/test-client.json")
	if err := k.form(k.Issuer()+"/protocol/openid-connect/token", &tokens, "grant_type", "password",
		"client_id", client["clientId"].(string), "client_secret", client["secret"].(string),
		"username", email, "password", KeycloakPassword, "scope", strings.Join(scopes, " ")); err != nil {
		k.t.Fatalf("testkit: tokens: %v", err)
	}
	return tokens
}

// The form that takes the password, and where a form leads, in any order of
// attributes.
var (
	loginForm  = regexp.MustCompile(`<form[^>]*\bid="kc-form-login"[^>]*>`)
	formAction = regexp.MustCompile(`\baction="([^"]+)"`)
)

// LoginForm finds where Keycloak's page takes the password; empty: the page
// asks for none.
func LoginForm(page string) string {
	found := formAction.FindStringSubmatch(loginForm.FindString(page))
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}
