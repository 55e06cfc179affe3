package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"happening/internal/httpapi"
	"happening/internal/postgres"
	"happening/internal/rabbitmq"
	"happening/internal/redis"
	"happening/internal/signin"
)

// DrainDefault lets the engines say how long a process serves on while it
// drains: not at all where it is alone.
const DrainDefault time.Duration = -1

// drainAmongMany is how long a process of several serves on after /readyz said
// that it drains: a few looks of a load balancer.
const drainAmongMany = 5 * time.Second

// maxDrain bounds it.
const maxDrain = 10 * time.Minute

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
	if e.DatabaseURL != "" {
		if _, err := postgres.Outside(e.database()); err != nil {
			faults = append(faults, err)
		}
	}
	if e.RedisURL != "" {
		if _, err := redis.ParseURL(e.RedisURL); err != nil {
			faults = append(faults, err)
		}
	}
	if e.AMQPURL != "" {
		if _, err := rabbitmq.Open(rabbitmq.Config{URL: e.AMQPURL}); err != nil {
			faults = append(faults, err)
		}
	}
	return append(faults, e.providerFaults()...)
}

func (e *Engines) providerFaults() (faults []error) {
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if e.OIDCIssuerURL == "" {
		if e.OIDCClientID != "" || e.OIDCClientSecret != "" || e.OIDCLink != "" {
			add("OIDC_CLIENT_ID, OIDC_CLIENT_SECRET and OIDC_LINK_VERIFIED_EMAIL go beside OIDC_ISSUER_URL, which is not set")
		}
		return faults
	}
	if u, err := url.Parse(e.OIDCIssuerURL); err == nil && u.User != nil {
		add("OIDC_ISSUER_URL: holds a user name or a password; leave them out")
	} else if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
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

func (e *Engines) database() postgres.Settings {
	return postgres.Settings{URL: e.DatabaseURL, AppURL: e.DatabaseAppURL, SystemURL: e.DatabaseSystemURL}
}

var errNoRedis = errors.New("there is no REDIS_URL: nothing is kept beside PostgreSQL that could differ")

// CheckSettings tells everything that is wrong with the settings and with the
// engines outside that they name, each in a line. Nothing is started or
// changed.
func CheckSettings(ctx context.Context, o Options) error {
	a, err := New(o)
	if err == nil {
		return a.probe(ctx)
	}
	// Engines are asked all the same, those whose own settings make sense.
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a = &App{Options: o, clock: newClock(o.Log)}
	return joinLines(err, a.probe(ctx))
}

// joinLines joins the lines of both, each once.
func joinLines(faults ...error) error {
	var all []error
	told := map[string]bool{}
	for _, err := range faults {
		if err == nil {
			continue
		}
		for line := range strings.Lines(err.Error()) {
			if line = strings.TrimSuffix(line, "\n"); !told[line] {
				told[line] = true
				all = append(all, errors.New(line))
			}
		}
	}
	return errors.Join(all...)
}

// probe asks all engines outside at once whether they will do, and tells all
// that is wrong, so that an operator mends it in one go. Warnings are logged.
func (a *App) probe(ctx context.Context) error {
	var (
		asking sync.WaitGroup
		mu     sync.Mutex
		faults []error
	)
	ask := func(named string, question func() error) {
		if named == "" {
			return
		}
		asking.Go(func() {
			err := question()
			mu.Lock()
			defer mu.Unlock()
			faults = append(faults, err)
		})
	}
	e := &a.Engines
	ask(e.DatabaseURL, func() error { return postgres.Probe(ctx, a.databaseSettings()) })
	ask(e.RedisURL, func() error {
		warning, err := redis.Probe(ctx, e.RedisURL)
		a.warn(warning)
		return err
	})
	ask(e.AMQPURL, func() error { return rabbitmq.Probe(ctx, e.AMQPURL) })
	provider := e.OIDCIssuerURL
	if len(e.providerFaults()) > 0 {
		provider = "" // told as faults of the settings
	}
	ask(provider, func() error {
		auth, err := signin.New(a.outsideProvider(), nil, nil)
		if err != nil {
			return err
		}
		warning, err := auth.Probe(ctx)
		a.warn(warning)
		return errors.Join(err, auth.Close(ctx))
	})
	asking.Wait()
	return errors.Join(faults...)
}

// warn logs warnings that were joined, a line each.
func (a *App) warn(warning error) {
	if warning == nil {
		return
	}
	for line := range strings.Lines(warning.Error()) {
		a.Log.Warn("app: " + strings.TrimSuffix(line, "\n"))
	}
}

// outsideProvider says whom sign-in trusts where OIDC_ISSUER_URL is set.
func (a *App) outsideProvider() signin.Config {
	e := &a.Engines
	return signin.Config{
		Issuer: e.OIDCIssuerURL, ClientID: e.OIDCClientID, ClientSecret: e.OIDCClientSecret,
		LinkVerifiedEmail: e.OIDCLink == linkOnce, PublicURL: a.PublicURL, Now: a.clock.Now, Logger: a.Log,
	}
}

// engines tells operators what the process stands on.
func (a *App) engines(ctx context.Context) []httpapi.Engine {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	e := &a.Engines
	database := httpapi.Engine{Name: "PostgreSQL", Outside: e.DatabaseURL != ""}
	begin := time.Now()
	if err := a.takesBookings(ctx); err != nil {
		database.Detail = err.Error()
	} else {
		database.OK, database.Detail = true, "answered after "+time.Since(begin).Round(time.Microsecond).String()
	}
	coordination := httpapi.Engine{Name: "Redis", OK: true, Detail: "one process; its memory"}
	if a.shared() {
		coordination.Outside = true
		coordination.OK, coordination.Detail = a.redis.State()
	}
	messages := httpapi.Engine{Name: "RabbitMQ", OK: true, Detail: "claims from the outbox"}
	if a.queue != nil {
		s := a.queue.Stats()
		messages.Outside, messages.OK = true, s.Connected
		messages.Detail = fmt.Sprintf("%d published, %d confirmed, %d acknowledged, %d dead, %d waited when last seen",
			s.Published, s.Confirmed, s.Acked, s.Dead, s.Depth)
	}
	provider := httpapi.Engine{Name: "Identity", OK: true, Detail: "at /idp"}
	if e.OIDCIssuerURL != "" {
		provider.Outside, provider.Detail = true, e.OIDCIssuerURL
	}
	all := []httpapi.Engine{database, coordination, messages, provider}
	if leads, err := a.db.Led(ctx, jobsLease); err == nil {
		jobs := httpapi.Engine{Name: "Jobs", OK: leads, Detail: "run by one process for all"}
		if !leads {
			jobs.Detail = "nobody runs them: start a process with --only worker, or one with all parts"
		}
		all = append(all, jobs)
	}
	replicas, err := a.db.Replicas(ctx)
	if err != nil {
		return all
	}
	for _, r := range replicas {
		all = append(all, httpapi.Engine{Name: "Process", OK: true, Detail: fmt.Sprintf(
			"%s, process %d, version %s, since %s", r.Host, r.PID, r.Version, r.StartedAt.Format(time.RFC3339))})
	}
	return all
}
