package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/email"
	"happening/internal/event"
	"happening/internal/httpapi"
	"happening/internal/idp"
	"happening/internal/mailbox"
	"happening/internal/memory"
	"happening/internal/notify"
	"happening/internal/org"
	"happening/internal/pgserver"
	"happening/internal/postgres"
	"happening/internal/realtime"
	"happening/internal/signin"
	"happening/internal/socket"
	"happening/internal/user"
	"happening/web"
)

// Limits of starting and stopping.
const (
	// headerTimeout bounds how long a client may take to send its headers.
	headerTimeout = 10 * time.Second
	// readTimeout bounds how long a whole request may take to arrive. A
	// websocket leaves it behind with the upgrade.
	readTimeout = 30 * time.Second
	// idleTimeout ends kept-alive connections that nobody uses.
	idleTimeout = 2 * time.Minute
	// stopStep bounds each step of stopping.
	stopStep = 10 * time.Second
	// drainPatience is how long requests in flight may take to finish; who is
	// still sending after it is cut off.
	drainPatience = 3 * time.Second
	// burst is how many seconds' worth of the rate limit may come at once.
	burst = 2
)

// App is a running Happening.
type App struct {
	Options
	clock      *clock
	pg         *pgserver.Server // nil: attached to another process's
	dataDir    string
	connString func(role string) string
	db         *postgres.DB
	ledger     *postgres.Ledger
	alloc      *booking.Allocator
	holds      *memory.Holds
	Bookings   *booking.Service
	Events     *event.Service
	Orgs       *org.Service
	people     *user.Service
	provider   *idp.Provider
	auth       *signin.Authenticator
	feed       *realtime.Feed
	node       *socket.Node
	relay      *notify.Relay
	mails      *notify.Deliverer

	listeners listeners
	servers   []*http.Server
	draining  atomic.Bool
	failed    chan error

	stop     []func(context.Context) error // last in, first out
	stopOnce sync.Once
	stopErr  error
}

// New checks the options and makes an application that is not started. All
// faults of the options are reported at once.
func New(o Options) (*App, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &App{Options: o, clock: newClock(o.Log), failed: make(chan error, 1)}, nil
}

// Start brings everything up and answers when bookings are possible. On an
// error nothing is left running.
func (a *App) Start(ctx context.Context) error {
	if err := a.start(ctx); err != nil {
		return errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
	}
	return nil
}

func (a *App) start(ctx context.Context) error {
	pgOptions := a.pgOptions()
	ln, err := bind(&a.Options)
	if err != nil {
		if dir, resolveErr := pgserver.ResolveDataDir(pgOptions); resolveErr == nil {
			if _, attachErr := pgserver.Attach(dir); attachErr == nil {
				err = fmt.Errorf("another copy is running on %s already", dir)
			}
		}
		return err
	}
	a.listeners = ln
	a.onStop(func(context.Context) error { ln.close(); return nil })
	if err := a.startPostgres(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(a.dataDir, publicURLFile), []byte(a.PublicURL+"\n"), 0o600); err != nil {
		return err
	}
	if err := a.openDatabase(ctx, a.connString); err != nil {
		return err
	}
	if err := a.rooms(ctx); err != nil {
		return err
	}
	if err := a.background(ctx); err != nil {
		return err
	}
	if a.Demo {
		if err := a.fillDemo(ctx); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	return a.serve()
}

// Attach makes an application without ports and background work, for commands:
// on the database of a running server, or on one that runs as long as the
// command does.
func Attach(ctx context.Context, o Options) (*App, error) {
	a, err := New(o)
	if err != nil {
		return nil, err
	}
	if err := a.attach(ctx); err != nil {
		return nil, errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
	}
	return a, nil
}

func (a *App) attach(ctx context.Context) error {
	dir, err := pgserver.ResolveDataDir(a.pgOptions())
	if err != nil {
		return err
	}
	running, err := pgserver.Attach(dir)
	switch {
	case err == nil:
		a.dataDir, a.connString = dir, running.ConnString
	case errors.Is(err, pgserver.ErrNotRunning):
		if err := a.startPostgres(ctx); err != nil {
			return err
		}
	default:
		return err
	}
	if a.PublicURL == DefaultPublicURL {
		if served := a.servedURL(); served != "" {
			a.PublicURL = served
		}
	}
	if err := a.openDatabase(ctx, a.connString); err != nil {
		return err
	}
	if err := a.rooms(ctx); err != nil {
		return err
	}
	go a.alloc.Run()
	a.onStop(a.alloc.Stop)
	return nil
}

// publicURLFile keeps the public address of the last server on the data, so
// that commands which are not told one issue tokens that it accepts.
const publicURLFile = "public-url"

func (a *App) servedURL() string {
	text, err := os.ReadFile(filepath.Join(a.dataDir, publicURLFile))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func (a *App) startPostgres(ctx context.Context) (err error) {
	if a.pg, err = pgserver.Start(ctx, a.pgOptions()); err != nil {
		return err
	}
	a.onStop(a.pg.Stop)
	a.dataDir, a.connString = a.pg.DataDir(), a.pg.ConnString
	return nil
}

// OwnerURL is the address of the database in use as its owner, for psql.
func (a *App) OwnerURL() string { return a.connString(ownerRole) }

// Check reads one snapshot of the database and reports every breach of the
// rules; progress is told each rule as it begins.
func (a *App) Check(ctx context.Context, progress func(rule, what string)) ([]booking.Breach, error) {
	return a.db.Check(ctx, a.clock.Now(), progress)
}

// Tokens makes verified people for the addresses where they are missing and
// gives each an access token that lives for ttl.
func (a *App) Tokens(ctx context.Context, addresses []string, ttl time.Duration) ([]idp.Issued, error) {
	return a.provider.IssueTokens(ctx, addresses, ttl)
}

func (a *App) pgOptions() pgserver.Options {
	return pgserver.Options{DataDir: a.DataDir, DataDirSet: a.DataDirSet, BinDir: a.PostgresBin, Log: a.Log}
}

// openDatabase migrates as the owner and connects as the plain roles.
func (a *App) openDatabase(ctx context.Context, connString func(role string) string) error {
	if err := postgres.Migrate(ctx, connString(ownerRole)); err != nil {
		return err
	}
	db, err := postgres.Open(ctx, connString)
	if err != nil {
		return err
	}
	a.db = db
	a.onStop(func(context.Context) error { db.Close(); return nil })
	if a.ledger, err = postgres.NewLedger(ctx, connString); err != nil {
		return err
	}
	a.onStop(func(context.Context) error { a.ledger.Close(); return nil })
	return a.clock.start(ctx, db)
}

// ownerRole owns the tables; only migrations use it.
const ownerRole = "happening"

// rooms puts the rooms on their adapters.
func (a *App) rooms(ctx context.Context) error {
	now := a.clock.Now
	public, err := url.Parse(a.PublicURL)
	if err != nil {
		return err
	}
	a.holds = memory.NewHolds(memory.HoldsOptions{
		Now: a.clock.Now, TTL: a.HoldTTL,
		Changed: func(eventID uuid.UUID, seats []int32) { a.feed.Dirty(eventID, seats) },
		Expired: func(eventID, userID uuid.UUID, _ []int32) {
			a.feed.HoldsChanged(userID, eventID)
			a.Bookings.HoldEnded(eventID)
		},
	})
	a.alloc = booking.NewAllocator(a.ledger, a.holds, now, a.Log, a.committed)
	a.Orgs = org.NewService(postgres.NewOrgStore(a.db), a.PublicURL, now)
	a.Events = event.NewService(postgres.NewEventStore(a.db), now)
	a.Bookings = booking.NewService(a.alloc, a.holds, postgres.NewBookingStore(a.db), a.Orgs, now, a.Log)
	a.Events.OnDelete(a.Bookings.EventDeleted)
	a.people = user.NewService(postgres.NewUsers(a.db), now)
	if err := a.signIn(ctx); err != nil {
		return err
	}
	if a.node, err = socket.New(socket.Options{
		Gate: &gate{auth: a.auth, bookings: a.Bookings}, PublicURL: public, Log: a.Log,
		Address: httpapi.ClientAddress(a.proxies()),
		Watch:   func(eventID uuid.UUID, joined bool) { a.feed.Watch(eventID, joined) },
	}); err != nil {
		return err
	}
	a.auth.OnSignOut(func(sessionID string, _ uuid.UUID) { a.node.DisconnectSession(sessionID) })
	a.feed = realtime.NewFeed(realtime.Options{
		Versions: a.holds, Seats: &seats{a.alloc, a.holds, a.holds}, Publisher: a.node, Audience: a.node, Log: a.Log,
	})
	return a.messages()
}

// signIn makes the embedded provider and the relying party that trusts it.
func (a *App) signIn(ctx context.Context) (err error) {
	a.provider, err = idp.New(ctx, idp.Config{
		PublicURL: a.PublicURL, Now: a.clock.Now, Logger: a.Log, ClientAddr: httpapi.ClientAddress(a.proxies()),
		PasswordChanged: func(ctx context.Context, issuer, subject string) error {
			return a.auth.EndSubject(ctx, issuer, subject)
		},
	}, postgres.NewProvider(a.db))
	if err != nil {
		return err
	}
	a.auth, err = signin.New(signin.Config{
		Issuer: a.provider.Issuer(), IdentityKey: idp.IdentityKey,
		ClientID: idp.ClientID, ClientSecret: a.provider.ClientSecret(), PublicURL: a.PublicURL,
		HTTPClient: &http.Client{Transport: a.provider.Transport(nil)}, Now: a.clock.Now, Logger: a.Log,
	}, postgres.NewSessions(a.db), a.people)
	return err
}

// messages makes what tells people: relay, mails, mailbox.
func (a *App) messages() error {
	store := postgres.NewNotifyStore(a.db)
	var sender notify.Sender = mailbox.New(store, a.clock.Now)
	if a.SMTPURL != "" {
		smtp, err := email.New(email.Config{URL: a.SMTPURL, PublicURL: a.PublicURL})
		if err != nil {
			return err
		}
		sender = smtp
	}
	a.mails = notify.NewDeliverer(notify.DelivererConfig{
		Store: store, Sender: sender, Links: &links{provider: a.provider, orgs: a.Orgs},
		PublicURL: a.PublicURL, Now: a.clock.Now, Busy: a.alloc.Busy, Log: a.Log,
	})
	a.relay = notify.NewRelay(notify.RelayConfig{
		Store: store, Now: a.clock.Now, Busy: a.alloc.Busy, Pushed: a.pushed, MailQueued: a.mails.Wake, Log: a.Log,
	})
	return nil
}

// serve opens the three ports.
func (a *App) serve() error {
	api, err := httpapi.New(a.apiDeps())
	if err != nil {
		return err
	}
	for _, s := range []struct {
		ln      net.Listener
		handler http.Handler
	}{
		{a.listeners.client, api.Client()}, {a.listeners.api, api.API()}, {a.listeners.ops, api.Ops()},
	} {
		server := newServer(s.handler, a.Log)
		a.servers = append(a.servers, server)
		go func() {
			if err := server.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
				a.fail(fmt.Errorf("serve %s: %w", s.ln.Addr(), err))
			}
		}()
	}
	a.onStop(a.drain)
	return nil
}

func newServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func (a *App) apiDeps() httpapi.Deps {
	store := postgres.NewNotifyStore(a.db)
	deps := httpapi.Deps{
		Bookings: a.Bookings, Events: a.Events, Orgs: a.Orgs, People: a.people,
		Notifications: notify.NewService(store, a.clock.Now), Seats: &seats{a.alloc, a.holds, a.holds},
		Auth: a.auth, SignIn: a.auth.Handler(), IDP: a.provider.Handler(), Socket: a.node,
		PersonLimit:  memory.NewLimiter[string](a.LimitPerson, a.LimitPerson*burst, a.clock.Now),
		AddressLimit: memory.NewLimiter[string](a.LimitAddress, a.LimitAddress*burst, a.clock.Now),
		Ping:         a.db.Ping, Ready: a.ready, Away: postgres.Away, QueueLength: a.alloc.QueueLength,
		Client: web.Dist, PublicURL: a.PublicURL, OpsAddr: a.OpsAddr, TrustedProxies: a.proxies(), Version: a.Version, Log: a.Log, Now: a.clock.Now,
	}
	if a.SMTPURL == "" {
		deps.Mailbox = mailbox.New(store, a.clock.Now).Handler()
	}
	return deps
}

// readyTimeout bounds the round trip that readiness is told by.
const readyTimeout = time.Second

// ready says whether bookings work, and why not.
func (a *App) ready() (bool, string) {
	switch {
	case a.draining.Load():
		return false, "draining"
	case !a.clock.steady():
		return false, "the clocks of process and database have moved apart"
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	if err := a.db.Ping(ctx); err != nil {
		return false, "PostgreSQL: " + err.Error()
	}
	return true, ""
}

// drain lets requests in flight finish, then closes realtime.
func (a *App) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	return drainServers(ctx, a.servers...)
}

// drainServers stops the servers side by side. Whoever still sends when the
// context ends is cut off, which is a stop like any other: nobody may keep the
// process by sending slowly.
func drainServers(ctx context.Context, servers ...*http.Server) error {
	var wait sync.WaitGroup
	faults := make([]error, len(servers))
	for i, s := range servers {
		wait.Go(func() {
			if faults[i] = s.Shutdown(ctx); faults[i] != nil && ctx.Err() != nil {
				faults[i] = s.Close()
			}
		})
	}
	wait.Wait()
	return errors.Join(faults...)
}

// onStop remembers what Stop has to undo.
func (a *App) onStop(step func(context.Context) error) { a.stop = append(a.stop, step) }

// Stop ends everything in the opposite order of its start: no new requests,
// those in flight finish, the queue drains, the database goes last. It may be
// called again and is bounded.
func (a *App) Stop(ctx context.Context) error {
	a.stopOnce.Do(func() {
		a.draining.Store(true)
		var faults []error
		for i := len(a.stop) - 1; i >= 0; i-- {
			step, cancel := context.WithTimeout(ctx, stopStep)
			faults = append(faults, a.stop[i](step))
			cancel()
		}
		a.stopErr = errors.Join(faults...)
	})
	return a.stopErr
}

// Failed tells of what makes going on pointless, such as a PostgreSQL that
// can't be brought back.
func (a *App) Failed() <-chan error { return a.failed }

func (a *App) fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

// Addrs are where the client, the API and the operators' pages answer.
func (a *App) Addrs() (client, api, ops string) {
	return a.listeners.client.Addr().String(), a.listeners.api.Addr().String(), a.listeners.ops.Addr().String()
}

// links mints the links of mails from the rooms whose secrets they carry.
type links struct {
	provider *idp.Provider
	orgs     *org.Service
}

// AccountLink implements notify.Links.
func (l *links) AccountLink(ctx context.Context, kind string, accountID uuid.UUID) (address, name, link string, err error) {
	return l.provider.MintLink(ctx, kind, accountID)
}

// InviteLink implements notify.Links.
func (l *links) InviteLink(ctx context.Context, inviteID uuid.UUID) (address, orgName, role, link string, err error) {
	i, err := l.orgs.MintInviteLink(ctx, inviteID)
	return i.Email, i.OrgName, string(i.Role), i.URL, err
}
