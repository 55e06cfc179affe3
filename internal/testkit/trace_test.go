package testkit

import (
	"encoding/base64"
	"encoding/hex"
	"testing"
)

// A scan that overlooks a form would find nothing, and prove nothing.
func TestAMarkerIsFoundInEveryForm(t *testing.T) {
	const marker = "qxmarkerqx"
	for _, around := range []string{"", "a", "ab", "abc", "abcd"} {
		text := around + marker + around
		for name, kept := range map[string]string{
			"plain": text, "capitals": "QXMarkerQX", "hexadecimal": "\\x" + hex.EncodeToString([]byte(text)),
			"base64": base64.StdEncoding.EncodeToString([]byte(text)), "base64url": base64.RawURLEncoding.EncodeToString([]byte(text)),
		} {
			if !Mentions([]byte(kept), marker) {
				t.Errorf("%s, %q: not found in %q", name, around, kept)
			}
		}
	}
	if Mentions([]byte("qxmarker qx"), marker) {
		t.Error("found where it is not")
	}
}
