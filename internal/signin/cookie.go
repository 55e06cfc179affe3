package signin

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	sessionCookie = "happening_session"
	attemptCookie = "happening_login_" // followed by a part of the state
	logoutCookie  = "happening_logout"
)

// maxSealedLength bounds what is opened at all, in bytes.
const maxSealedLength = 8 << 10

// SessionCookieName is the name of the session's cookie; with https it is
// bound to this very host.
func (a *Authenticator) SessionCookieName() string { return a.cookieName(sessionCookie) }

func (a *Authenticator) cookieName(name string) string {
	if a.secure {
		return "__Host-" + name
	}
	return name
}

func (a *Authenticator) setCookie(w http.ResponseWriter, name, value string, lived time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName(name), Value: value, Path: "/", MaxAge: int(lived / time.Second),
		HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteLaxMode,
	})
}

func (a *Authenticator) dropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName(name), Path: "/", MaxAge: -1,
		HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteLaxMode,
	})
}

// DropSessionCookie tells the browser to forget its session, for the answer
// to a cookie that is no longer valid.
func (a *Authenticator) DropSessionCookie(w http.ResponseWriter) { a.dropCookie(w, sessionCookie) }

// sealer encrypts small values, each bound to its purpose; those in cookies
// have an end.
type sealer struct{ aead cipher.AEAD }

func newSealer(key []byte) (*sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("signin: cookie key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("signin: cookie key: %w", err)
	}
	return &sealer{aead}, nil
}

type sealed struct {
	Until time.Time       `json:"u"`
	Value json.RawMessage `json:"v"`
}

var errNotSealed = errors.New("signin: what was sealed is not ours, or over")

func (s *sealer) seal(purpose string, value any, until time.Time) (string, error) {
	inner, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("signin: seal: %w", err)
	}
	plain, err := json.Marshal(sealed{Until: until, Value: inner})
	if err != nil {
		return "", fmt.Errorf("signin: seal: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, []byte(purpose))), nil
}

func (s *sealer) open(purpose, text string, now time.Time, value any) error {
	if len(text) > maxSealedLength {
		return errNotSealed
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return errNotSealed
	}
	plain, err := s.aead.Open(nil, nil, data, []byte(purpose))
	if err != nil {
		return errNotSealed
	}
	var outer sealed
	if err := json.Unmarshal(plain, &outer); err != nil || !now.Before(outer.Until) {
		return errNotSealed
	}
	if err := json.Unmarshal(outer.Value, value); err != nil {
		return errNotSealed
	}
	return nil
}

// sealBytes encrypts what is kept for longer than any cookie.
func (s *sealer) sealBytes(purpose string, plain []byte) []byte {
	return s.aead.Seal(nil, nil, plain, []byte(purpose))
}

func (s *sealer) openBytes(purpose string, data []byte) ([]byte, error) {
	plain, err := s.aead.Open(nil, nil, data, []byte(purpose))
	if err != nil {
		return nil, errNotSealed
	}
	return plain, nil
}

// userAgentLabel makes a short label of a browser's description of itself, by
// which a person recognizes a session; the description itself would be a
// fingerprint and isn't kept.
func userAgentLabel(agent string) string {
	first := func(names [][2]string) string {
		for _, n := range names {
			if strings.Contains(agent, n[0]) {
				return n[1]
			}
		}
		return ""
	}
	browser := first([][2]string{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"},
	})
	system := first([][2]string{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"},
		{"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"},
	})
	switch {
	case browser == "" && system == "":
		return "Unknown device"
	case browser == "":
		return system
	case system == "":
		return browser
	}
	return browser + " on " + system
}

func encodeToken(secret []byte) string { return base64.RawURLEncoding.EncodeToString(secret) }
