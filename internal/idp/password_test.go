package idp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"happening/internal/fault"
)

func TestPasswords(t *testing.T) {
	ctx, h := context.Background(), newHasher()
	one, err := h.hash(ctx, "quiet river stones")
	if err != nil {
		t.Fatal(err)
	}
	two, err := h.hash(ctx, "quiet river stones")
	if err != nil || one == two {
		t.Errorf("two hashes of one password are alike, %v", err)
	}
	if !strings.HasPrefix(one, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash = %s", one)
	}
	for _, c := range []struct {
		hash, password string
		want           bool
	}{
		{one, "quiet river stones", true},
		{one, "quiet river stone", false},
		{one, "", false},
		{"", "quiet river stones", false},
		{"", "", false},
	} {
		if got, err := h.verify(ctx, c.hash, c.password); err != nil || got != c.want {
			t.Errorf("verify(%q, %q) = %v, %v", c.hash, c.password, got, err)
		}
	}
}

func TestAFloodOfPasswordsIsTurnedAway(t *testing.T) {
	ctx, h := context.Background(), newHasher()
	for range cap(h.running) {
		h.running <- struct{}{}
	}
	for range maxWaitingHashes {
		h.waiting <- struct{}{}
	}
	if _, err := h.hash(ctx, "x"); !errors.Is(err, errBusy) {
		t.Errorf("one more waits: %v", err)
	}
}

func TestPasswordRules(t *testing.T) {
	for password, ok := range map[string]bool{
		"quiet river stones":             true,
		"пароль-длинный":                 true,
		"short":                          false,
		"123456789":                      false,
		"1234567890":                     false,
		"PassWord1234":                   false,
		"aaaaaaaaaaaa":                   false,
		"abababababab":                   false,
		"ada@example.org":                false,
		"Ada.Lovelace":                   false,
		strings.Repeat("ab1!", 32) + "x": false,
		"with\x00zero and more":          false,
	} {
		email := "ada@example.org"
		if got := passwordFault(password, email, "Ada.Lovelace"); (got == "") != ok {
			t.Errorf("%q: %q", password, got)
		}
	}
}

func FuzzDecodeHash(f *testing.F) {
	f.Add(newHasher().nobody)
	f.Add("$argon2id$v=19$m=1,t=1,p=0$AAAA$AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		salt, key, m, passes, threads, err := decodeHash(text)
		if err == nil && (len(salt) < 8 || len(key) < 16 || m == 0 || passes == 0 || threads == 0) {
			t.Errorf("%q is taken", text)
		}
	})
}

func FuzzParseEmail(f *testing.F) {
	for _, seed := range []string{"a@b.c", "a@b", "a b@c", "<a@b.c>", "a@b.c\r\nBcc: x@y", "\"a\"@b.c", "ä@ö.de"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if email, err := parseEmail(text); err == nil && (strings.ContainsAny(email, " \r\n\t\x00<>\",;") || strings.Count(email, "@") != 1) {
			t.Errorf("%q becomes %q", text, email)
		}
	})
}

func TestThrottle(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	th := newThrottle(func() time.Time { return now })
	account, address := perAccount("a"), perAddress("192.0.2.1")
	wait := func() time.Duration {
		var f *fault.Error
		if err := th.begin(account, address); errors.As(err, &f) {
			return f.RetryAfter
		}
		return 0
	}
	for i := range freeTriesAccount {
		if w := wait(); w != 0 {
			t.Fatalf("try %d waits %s", i+1, w)
		}
	}
	for _, want := range []time.Duration{2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900} {
		want *= time.Second
		if w := wait(); w != want {
			t.Fatalf("waits %s, not %s", w, want)
		}
		if w := wait(); w != want {
			t.Fatalf("a try that was refused counted: %s", w)
		}
		now = now.Add(want)
		if w := wait(); w != 0 {
			t.Fatalf("after %s it still waits %s", want, w)
		}
	}
	now = now.Add(maxDelay)
	if w := wait(); w != 0 {
		t.Fatalf("the owner waits %s", w)
	}
	th.succeeded(account, address)
	for i := range freeTriesAccount {
		if w := wait(); w != 0 {
			t.Fatalf("after a success, try %d waits %s", i+1, w)
		}
	}
}

func TestThrottleByAddress(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	th := newThrottle(func() time.Time { return now })
	address := perAddress("192.0.2.1")
	tries := 0
	for tries < 1_000 && th.begin(perAccount(string(rune(tries))), address) == nil {
		tries++
	}
	if tries != freeTriesAddress {
		t.Fatalf("%d accounts were tried from one address", tries)
	}
	if err := th.begin(perAccount("x"), perAddress("192.0.2.2")); err != nil {
		t.Errorf("another address waits: %v", err)
	}
	// One own success doesn't wipe out what went before.
	now = now.Add(firstDelay)
	if err := th.begin(perAccount("own"), address); err != nil {
		t.Fatal(err)
	}
	th.succeeded(perAccount("own"), address)
	if err := th.begin(perAccount("y"), address); err == nil {
		t.Error("an own account's success freed the address")
	}
	// A quarter of an hour forgives some, as a campus shares one address.
	now = now.Add(maxDelay)
	for i := range 20 {
		if err := th.begin(perAccount("later"+string(rune(i))), address); err != nil {
			t.Fatalf("try %d later: %v", i+1, err)
		}
	}
}
