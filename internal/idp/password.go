package idp

import (
	"context"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"happening/internal/fault"
)

// argon2id with the parameters of the OWASP password storage cheat sheet. A
// hash carries its own, so these can be raised.
const (
	argonMemoryKiB = 19 << 10
	argonPasses    = 2
	argonThreads   = 1
	argonSaltBytes = 16
	argonKeyBytes  = 32
)

// The lengths of a password, in characters.
const (
	MinPasswordLength = 10
	MaxPasswordLength = 128
)

// maxWaitingHashes bounds who waits for a turn; beyond it the answer is to
// come back later.
const maxWaitingHashes = 64

// errBusy says that too many passwords are being checked at once.
var errBusy = fault.New(fault.Unavailable, "busy", "Too many people are signing in at once. Try again in a few seconds.")

// hasher computes argon2id, only a few at once: each takes 19 MiB, and a flood
// of sign-ins must not take the machine's memory.
type hasher struct {
	running chan struct{}
	waiting chan struct{}
	nobody  string // a hash that no password matches
}

func newHasher() *hasher {
	h := &hasher{
		running: make(chan struct{}, max(1, runtime.GOMAXPROCS(0))),
		waiting: make(chan struct{}, maxWaitingHashes),
	}
	h.nobody = encodeHash(randomBytes()[:argonSaltBytes], randomBytes())
	return h
}

func (h *hasher) turn(ctx context.Context) (func(), error) {
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		return nil, errBusy
	}
	select {
	case h.running <- struct{}{}:
		return func() { <-h.running }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash gives the PHC form of a password's hash.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	done, err := h.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	salt := randomBytes()[:argonSaltBytes]
	return encodeHash(salt, argon2.IDKey([]byte(password), salt, argonPasses, argonMemoryKiB, argonThreads, argonKeyBytes)), nil
}

func encodeHash(salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		argonMemoryKiB, argonPasses, argonThreads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// verify says whether the password is the hash's. Without a hash it takes as
// long as with one and says no, so that an answer's time tells nothing.
func (h *hasher) verify(ctx context.Context, encoded, password string) (bool, error) {
	known := encoded != ""
	if !known {
		encoded = h.nobody
	}
	salt, key, m, t, p, err := decodeHash(encoded)
	if err != nil {
		return false, err
	}
	done, err := h.turn(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	got := argon2.IDKey([]byte(password), salt, t, m, p, uint32(len(key)))
	return subtle.ConstantTimeCompare(got, key) == 1 && known, nil
}

func decodeHash(encoded string) (salt, key []byte, memory, passes uint32, threads uint8, err error) {
	bad := errors.New("idp: a stored password hash can't be read")
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, nil, 0, 0, 0, bad
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &threads); err != nil {
		return nil, nil, 0, 0, 0, bad
	}
	const maxMemoryKiB, maxPasses = 256 << 10, 16
	if memory < 8 || memory > maxMemoryKiB || passes < 1 || passes > maxPasses || threads < 1 {
		return nil, nil, 0, 0, 0, bad
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(salt) < 8 {
		return nil, nil, 0, 0, 0, bad
	}
	if key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(key) < 16 {
		return nil, nil, 0, 0, 0, bad
	}
	return salt, key, memory, passes, threads, nil
}

//go:embed passwords.txt
var commonPasswordList string

// commonPasswords are the commonest that are long enough to pass otherwise.
var commonPasswords = func() map[string]bool {
	set := make(map[string]bool)
	for line := range strings.Lines(commonPasswordList) {
		set[strings.TrimSpace(line)] = true
	}
	return set
}()

// passwordFault says what is wrong with a new password; empty: nothing. The
// rules are those of NIST SP 800-63B: length and "not one of the commonest",
// no recipe of character classes.
func passwordFault(password, email, name string) string {
	const minDistinct = 4
	length := utf8.RuneCountInString(password)
	lower := strings.ToLower(password)
	local, _, _ := strings.Cut(strings.ToLower(email), "@")
	switch {
	case length < MinPasswordLength:
		return fmt.Sprintf("Use at least %d characters.", MinPasswordLength)
	case length > MaxPasswordLength:
		return fmt.Sprintf("Use at most %d characters.", MaxPasswordLength)
	case !utf8.ValidString(password) || strings.ContainsRune(password, 0):
		return "This password has characters that can't be used."
	case distinct(lower) < minDistinct || commonPasswords[lower]:
		return "Too many people use this password. Choose another one."
	case lower == strings.ToLower(email) || lower == local || lower == strings.ToLower(strings.TrimSpace(name)):
		return "Don't use your name or email address as the password."
	}
	return ""
}

func distinct(s string) int {
	seen := make(map[rune]bool)
	for _, r := range s {
		seen[r] = true
	}
	return len(seen)
}
