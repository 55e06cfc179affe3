package signin

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	jose "github.com/go-jose/go-jose/v4"
)

// In a rush nearly everybody comes with a token that was never seen, and the
// library reads each of them three times over: that costs more than checking
// the signature. What is the same in all tokens of one key is the header, byte
// by byte. So the header of a token that the library has verified is
// remembered with what the library read in it, and of the next token with the
// very same header only what is new is read: its signature is checked over the
// bytes as they came, its claims are read once. Which key a header names is
// looked up each time among those that the provider has now.
//
// The quick way only ever says yes. Where it doesn't, the library looks at the
// token from its beginning, and it alone says what is wrong. A fuzz test holds
// that the quick way never takes what the library would refuse, nor reads
// anything else in it.

// maxHeaders bounds the headers that are remembered. A provider has one for
// each key and kind of token.
const maxHeaders = 16

// unambiguous refuses bytes that are written in another way than the usual one.
var unambiguous = base64.RawURLEncoding.Strict()

// tokenHeader is what the library read in the header of a token that it
// verified.
type tokenHeader struct {
	keyID string
	kind  string // as tokenType gives it
}

// accessToken is what is read in an access token that is valid.
type accessToken struct {
	subject string
	expiry  time.Time
}

// remember keeps the header of a token that was just verified, where it says
// nothing but a plain algorithm, a key and a type: anything else may change
// what a signature stands for.
func (k *keySet) remember(token string, read jose.Header) {
	kind, ok := read.ExtraHeaders[jose.HeaderType].(string)
	if !ok || len(read.ExtraHeaders) != 1 || read.JSONWebKey != nil || read.Nonce != "" || read.Algorithm != oidc.RS256 {
		return
	}
	header, _, _ := strings.Cut(token, ".")
	if _, err := unambiguous.DecodeString(header); err != nil {
		return // not the compact form, or one that the library mended
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.headers == nil || len(k.headers) >= maxHeaders {
		k.headers = map[string]tokenHeader{}
	}
	k.headers[strings.Clone(header)] = tokenHeader{keyID: read.KeyID, kind: plainType(kind)}
}

// remembered gives the key and the kind that a header names, a nil key where
// it isn't remembered or the provider has no such key any more.
func (k *keySet) remembered(header string) (*rsa.PublicKey, string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	read, ok := k.headers[header]
	if !ok {
		return nil, ""
	}
	key, _ := k.look(read.keyID, oidc.RS256)
	if key == nil {
		return nil, ""
	}
	public, _ := key.Key.(*rsa.PublicKey)
	return public, read.kind
}

// quick reads an access token whose header is remembered. ok false says
// nothing but that the library is to look.
func (d *discovered) quick(token string, now time.Time) (t accessToken, ok bool) {
	header, rest, _ := strings.Cut(token, ".")
	body, signature, _ := strings.Cut(rest, ".")
	key, kind := d.keys.remembered(header)
	if key == nil {
		return t, false
	}
	signed, err := unambiguous.DecodeString(signature)
	if err != nil {
		return t, false
	}
	sum := sha256.Sum256([]byte(token[:len(header)+len(".")+len(body)]))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signed) != nil {
		return t, false
	}
	payload, err := unambiguous.DecodeString(body)
	if err != nil {
		return t, false
	}
	var c quickClaims
	if err := json.Unmarshal(payload, &c); err != nil {
		return t, false
	}
	t = accessToken{subject: c.Subject, expiry: time.Unix(int64(c.Expiry), 0)}
	ok = (kind == "at+jwt" || kind == "jwt" && c.Type == "Bearer") &&
		c.Issuer == d.issuer && bool(c.Audience) && len(c.ClaimNames) == 0 && len(c.ClaimSources) == 0 &&
		!t.expiry.Before(now.Add(-clockLeeway)) && !time.Unix(int64(c.NotBefore), 0).After(now)
	return t, ok
}

// quickClaims are those that the library reads, too, of the same types, in the
// words that programs use.
type quickClaims struct {
	Issuer          string          `json:"iss"`
	Subject         string          `json:"sub"`
	Audience        forUs           `json:"aud"`
	Expiry          seconds         `json:"exp"`
	IssuedAt        seconds         `json:"iat"`
	NotBefore       seconds         `json:"nbf"`
	Nonce           string          `json:"nonce"`
	AccessTokenHash string          `json:"at_hash"`
	ClaimNames      json.RawMessage `json:"_claim_names"`
	ClaimSources    json.RawMessage `json:"_claim_sources"`
	Type            string          `json:"typ"`
}

// forUs says whether we are the audience, or one of several.
type forUs bool

// UnmarshalJSON implements json.Unmarshaler.
func (f *forUs) UnmarshalJSON(text []byte) error {
	if text[0] != '[' {
		*f = string(text) == `"`+Audience+`"`
		return nil
	}
	var several []string
	if err := json.Unmarshal(text, &several); err != nil {
		return err
	}
	*f = forUs(slices.Contains(several, Audience))
	return nil
}

// seconds is a moment as tokens tell it, in seconds since 1970.
type seconds int64

var errSeconds = errors.New("signin: not a whole number of seconds")

// UnmarshalJSON implements json.Unmarshaler.
func (s *seconds) UnmarshalJSON(text []byte) error {
	const most = 12 // digits
	if len(text) > most {
		return errSeconds
	}
	*s = 0
	for _, c := range text {
		if c < '0' || c > '9' {
			return errSeconds
		}
		*s = 10**s + seconds(c-'0')
	}
	return nil
}
