// Package app puts the rooms together: the only place that knows which
// adapter stands behind which port, that owns a clock, and that starts and
// stops everything in order.
package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"happening/internal/email"
)

// Options are everything that can be set from outside. The zero value of a
// field is its default where Defaults fills it.
type Options struct {
	ClientAddr string // where the client and /api answer
	APIAddr    string // where the API answers
	OpsAddr    string // metrics, profiles, the development mailbox
	PublicURL  string // the address that people type, without a slash at its end
	// TrustedProxies are addresses or prefixes whose forwarded addresses count.
	TrustedProxies []string
	DataDir        string
	DataDirSet     bool   // somebody chose DataDir
	PostgresBin    string // directory of the postgres program; empty: search
	HoldTTL        time.Duration
	LimitPerson    int // requests a second of one person; 0: no limit
	LimitAddress   int // requests a second of one address without sign-in; 0: no limit
	SMTPURL        string
	InsecureLAN    bool // plain http beyond loopback
	Demo           bool // fill an empty database with the demo
	Version        string
	Unread         []error // settings that could not even be read; told with the other faults
	Log            *slog.Logger
}

// The defaults of the contract.
const (
	DefaultClientAddr   = "127.0.0.1:3000"
	DefaultAPIAddr      = "127.0.0.1:5000"
	DefaultOpsAddr      = "127.0.0.1:5001"
	DefaultPublicURL    = "http://localhost:3000"
	DefaultHoldTTL      = 2 * time.Minute
	DefaultLimitPerson  = 50
	DefaultLimitAddress = 100
)

// notYet are settings of the contract whose engines this version does not
// have; being told so beats being ignored.
var notYet = []string{"DATABASE_URL", "REDIS_URL", "AMQP_URL", "OIDC_ISSUER_URL", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"}

// Validate reports all faults of the options at once, one a line, each with
// the setting and how to mend it.
func (o *Options) Validate() error {
	faults := slices.Clone(o.Unread)
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for _, a := range []struct{ setting, addr string }{
		{"HAPPENING_CLIENT_ADDR", o.ClientAddr}, {"HAPPENING_API_ADDR", o.APIAddr}, {"HAPPENING_OPS_ADDR", o.OpsAddr},
	} {
		if _, _, err := net.SplitHostPort(a.addr); err != nil {
			add("%s: %q is not an address such as 127.0.0.1:3000", a.setting, a.addr)
		}
	}
	if exposed(o.OpsAddr) {
		add("HAPPENING_OPS_ADDR: %q is open to other machines; metrics, profiles and the mailbox ask nobody who they are, so they answer on loopback only", o.OpsAddr)
	}
	u, err := url.Parse(o.PublicURL)
	for _, a := range []struct{ setting, addr string }{{"HAPPENING_CLIENT_ADDR", o.ClientAddr}, {"HAPPENING_API_ADDR", o.APIAddr}} {
		switch {
		case !exposed(a.addr):
		case o.Demo:
			add("--demo: the demo's accounts are for this machine only, and %s is %s", a.setting, a.addr)
		case err == nil && u.Scheme == "http" && !o.InsecureLAN:
			add("%s: %q is plain http beyond this machine; put TLS in front and set HAPPENING_PUBLIC_URL to https, or --insecure-lan if you know what you do", a.setting, a.addr)
		}
	}
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		add("HAPPENING_PUBLIC_URL: %q is not an address such as https://events.example.org", o.PublicURL)
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		add("HAPPENING_PUBLIC_URL: %q must be scheme, host and port only", o.PublicURL)
	case u.Scheme == "http" && !loopback(u.Hostname()) && !o.InsecureLAN:
		add("HAPPENING_PUBLIC_URL: %q is plain http beyond this machine; use https, or --insecure-lan if you know what you do", o.PublicURL)
	}
	for _, p := range o.TrustedProxies {
		if _, err := parsePrefix(p); err != nil {
			add("HAPPENING_TRUSTED_PROXIES: %q is neither an address nor a prefix such as 10.0.0.0/8", p)
		}
	}
	if o.HoldTTL < time.Second || o.HoldTTL > time.Hour {
		add("HAPPENING_HOLD_TTL: %s is not between 1s and 1h", o.HoldTTL)
	}
	if o.LimitPerson < 0 {
		add("HAPPENING_LIMIT_PERSON: %d is below 0", o.LimitPerson)
	}
	if o.LimitAddress < 0 {
		add("HAPPENING_LIMIT_ADDRESS: %d is below 0", o.LimitAddress)
	}
	if o.SMTPURL != "" {
		if _, err := email.New(email.Config{URL: o.SMTPURL, PublicURL: o.PublicURL}); err != nil {
			add("SMTP_URL: %w", err)
		}
	}
	for _, name := range notYet {
		if os.Getenv(name) != "" {
			add("%s: this version runs on its embedded engines only; unset it", name)
		}
	}
	if o.Demo && u != nil && !loopback(u.Hostname()) {
		add("--demo: the demo's accounts are for this machine only, and HAPPENING_PUBLIC_URL is %s", o.PublicURL)
	}
	return errors.Join(faults...)
}

// exposed says whether other machines can reach what listens on the address.
func exposed(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && !loopback(host)
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// parsePrefix reads a prefix, or an address as the prefix of it alone.
func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}

// proxies are the trusted ones as prefixes; Validate has refused others.
func (o *Options) proxies() (prefixes []netip.Prefix) {
	for _, p := range o.TrustedProxies {
		if prefix, err := parsePrefix(p); err == nil {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}
