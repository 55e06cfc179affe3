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
	Engines        Engines
	// Only are the parts that this process runs, of PartAPI, PartWeb and
	// PartWorker; empty: all.
	Only        []string
	Drain       time.Duration // how long a stopping process serves on after it says so; see DrainDefault
	InsecureLAN bool          // plain http beyond loopback
	Demo        bool          // fill an empty database with the demo
	Version     string
	Unread      []error // settings that could not even be read; told with the other faults
	Log         *slog.Logger
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

// Engines are those outside the process; each replaces its embedded twin on
// its own, and is empty where that one is used.
type Engines struct {
	DatabaseURL       string // DATABASE_URL
	DatabaseAppURL    string // DATABASE_APP_URL
	DatabaseSystemURL string // DATABASE_SYSTEM_URL
	RedisURL          string // REDIS_URL
	AMQPURL           string // AMQP_URL
	OIDCIssuerURL     string // OIDC_ISSUER_URL
	OIDCClientID      string // OIDC_CLIENT_ID
	OIDCClientSecret  string // OIDC_CLIENT_SECRET
	OIDCLink          string // OIDC_LINK_VERIFIED_EMAIL
}

// The parts of a process.
const (
	PartAPI    = "api"    // the API's port
	PartWeb    = "web"    // the client's port, with the API under /api
	PartWorker = "worker" // messages and background jobs
)

// linkOnce is the value of OIDC_LINK_VERIFIED_EMAIL that turns it on.
const linkOnce = "once"

// runs says whether the process has the part.
func (o *Options) runs(part string) bool { return len(o.Only) == 0 || slices.Contains(o.Only, part) }

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
	case u.User != nil:
		add("HAPPENING_PUBLIC_URL: holds a user name or a password; leave them out")
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "":
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
	if o.Drain > maxDrain {
		add("HAPPENING_DRAIN: %s is longer than %s", o.Drain, maxDrain)
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
	faults = append(faults, o.Engines.faults()...)
	for _, part := range o.Only {
		if part != PartAPI && part != PartWeb && part != PartWorker {
			add("--only: %q is none of api, web, worker", part)
		}
	}
	if len(o.Only) > 0 && o.Engines.RedisURL == "" {
		add("--only: parts in several processes need REDIS_URL to work together")
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
