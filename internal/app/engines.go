package app

import (
	"fmt"
	"net/url"
	"time"
)

// DrainDefault lets the engines say how long a process serves on while it
// drains: not at all where it is alone.
const DrainDefault time.Duration = -1

// drainAmongMany is how long a process of several serves on after /readyz said
// that it drains: a few looks of a load balancer.
const drainAmongMany = 5 * time.Second

// drainFor is how long the process serves on while it drains.
func (o *Options) drainFor() time.Duration {
	switch {
	case o.Drain >= 0:
		return o.Drain
	case o.Engines.RedisURL != "":
		return drainAmongMany
	default:
		return 0
	}
}

// faults are what is wrong with the engines' settings as such; whether the
// engines answer is asked at the start.
func (e *Engines) faults() (faults []error) {
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if e.DatabaseURL == "" && (e.DatabaseAppURL != "" || e.DatabaseSystemURL != "") {
		add("DATABASE_APP_URL and DATABASE_SYSTEM_URL go beside DATABASE_URL, which is not set")
	}
	if e.OIDCIssuerURL == "" {
		if e.OIDCClientID != "" || e.OIDCClientSecret != "" || e.OIDCLink != "" {
			add("OIDC_CLIENT_ID, OIDC_CLIENT_SECRET and OIDC_LINK_VERIFIED_EMAIL go beside OIDC_ISSUER_URL, which is not set")
		}
		return faults
	}
	if u, err := url.Parse(e.OIDCIssuerURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		add("OIDC_ISSUER_URL: %q is not an address such as https://login.example.org/realms/happening", e.OIDCIssuerURL)
	} else if u.Scheme == "http" && !loopback(u.Hostname()) {
		add("OIDC_ISSUER_URL: %q is plain http beyond this machine, so anybody between could sign in as anybody; use https", e.OIDCIssuerURL)
	}
	if e.OIDCClientID == "" {
		add("OIDC_CLIENT_ID: missing; it names our client at the provider")
	}
	if e.OIDCClientSecret == "" {
		add("OIDC_CLIENT_SECRET: missing; make our client at the provider a confidential one and copy its secret here")
	}
	if e.OIDCLink != "" && e.OIDCLink != linkOnce {
		add("OIDC_LINK_VERIFIED_EMAIL: %q is not %q; leave it out otherwise", e.OIDCLink, linkOnce)
	}
	return faults
}
