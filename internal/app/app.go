package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
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

	"happening/internal/audit"
	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/httpapi"
	"happening/internal/idp"
	"happening/internal/mailbox"
	"happening/internal/notify"
	"happening/internal/org"
	"happening/internal/pgserver"
	"happening/internal/postgres"
	"happening/internal/rabbitmq"
	"happening/internal/realtime"
	"happening/internal/redis"
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
	// stopPatience bounds all steps of stopping.
	stopPatience = 30 * time.Second
	// drainPatience is how long requests in flight may take to finish; who is
	// still sending after it is cut off.
	drainPatience = 3 * time.Second
	// drainLook is the time between two looks whether anybody still waits for
	// the answer to an order.
	drainLook = 200 * time.Millisecond
	// burst is how many seconds' worth of the rate limit may come at once.
	burst = 2
)

// App is a running Happening.
type App struct {
	Options
	id           uuid.UUID // of this process, among the replicas
	clock        *clock
	pg           *pgserver.Server // nil: outside, or attached to another process's
	installation uuid.UUID        // tells this database from others
	guest        bool             // a command on a database that others serve: its schema is theirs
	dataDir      string
	connString   func(role string) string
	db           *postgres.DB
	place        *postgres.Presence
	coordinator  string // the Redis that the other processes know this one by
	ledger       *postgres.Ledger
	alloc        *booking.Allocator
	holds        coordinator
	redis        *redis.Store // nil: one process is all
	repairNow    chan struct{}
	Bookings     *booking.Service
	Events       *event.Service
	Orgs         *org.Service
	people       *user.Service
	erasures     *user.Erasures
	provider     *idp.Provider // nil: outside
	auth         *signin.Authenticator
	feed         *realtime.Feed
	seats        *seats
	node         *socket.Node
	mails        *notify.Deliverer
	queue        *rabbitmq.Queue       // nil: facts are claimed from the outbox
	wakeFacts    func()                // says that facts were committed
	tellFacts    func(context.Context) // tells them until the context ends

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
	return &App{Options: o, id: uuid.New(), clock: newClock(o.Log), failed: make(chan error, 1), repairNow: make(chan struct{}, 1)}, nil
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
	ln, err := bind(&a.Options)
	if err != nil {
		return joinLines(a.anotherCopy(err), a.probe(ctx))
	}
	a.listeners = ln
	a.onStop(func(context.Context) error { ln.close(); return nil })
	if err := a.probe(ctx); err != nil {
		return err
	}
	if err := a.findDatabase(ctx); err != nil {
		return err
	}
	if err := a.openDatabase(ctx); err != nil {
		return err
	}
	if err := a.coordinate(ctx); err != nil {
		return err
	}
	if err := a.takePlace(ctx); err != nil {
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

// anotherCopy says so where the ports are taken by a copy on the same data.
func (a *App) anotherCopy(taken error) error {
	if a.Engines.DatabaseURL != "" {
		return taken
	}
	if dir, err := pgserver.ResolveDataDir(a.pgOptions()); err == nil {
		if _, err := pgserver.Attach(dir); err == nil {
			return fmt.Errorf("another copy is running on %s already", dir)
		}
	}
	return taken
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
	if err := a.attachDatabase(ctx); err != nil {
		return err
	}
	if a.PublicURL == DefaultPublicURL {
		if served := a.servedURL(); served != "" {
			a.PublicURL = served
		}
	}
	if err := a.openDatabase(ctx); err != nil {
		return err
	}
	if err := a.coordinate(ctx); err != nil {
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

// OwnerURL is the address of the database in use as its owner, for psql.
func (a *App) OwnerURL() string { return a.connString(postgres.OwnerRole) }

// Check reads one snapshot of the database and reports every breach of the
// rules; progress is told each rule as it begins. Where there is a Redis, its
// counters, waitlists and holds are held to the database, too.
func (a *App) Check(ctx context.Context, progress func(rule, what string)) ([]booking.Breach, error) {
	breaches, err := a.db.Check(ctx, a.clock.Now(), progress)
	if err != nil || !a.shared() {
		return breaches, err
	}
	progress("C6", "counter or waitlist in Redis that is not PostgreSQL's, and no hold on a sold seat")
	more, err := a.Bookings.CheckMirror(ctx)
	return append(breaches, more...), err
}

// rooms puts the rooms on their adapters.
func (a *App) rooms(ctx context.Context) error {
	now := a.clock.Now
	public, err := url.Parse(a.PublicURL)
	if err != nil {
		return err
	}
	var several []booking.Option
	if a.shared() {
		several = append(several, booking.Shared())
	}
	a.alloc = booking.NewAllocator(a.ledger, a.holds, now, a.Log, a.committed, several...)
	a.ledger.Hurry(func() bool { return a.alloc.QueueLength() >= booking.BatchMax })
	a.Orgs = org.NewService(postgres.NewOrgStore(a.db), a.PublicURL, now)
	a.Events = event.NewService(postgres.NewEventStore(a.db), now)
	a.Bookings = booking.NewService(a.alloc, a.holds, postgres.NewBookingStore(a.db), a.Orgs, now, a.Log,
		append(a.sharedBookings(), booking.WithGuests(postgres.NewGuests(a.db)))...)
	a.Events.OnDelete(a.eventDeleted)
	a.Orgs.OnRoleChange(a.roleChanged)
	a.people = user.NewService(postgres.NewUsers(a.db), now)
	if err := a.signIn(ctx); err != nil {
		return err
	}
	a.erasures = a.newErasures()
	sockets := socket.Options{
		Gate: &gate{auth: a.auth, bookings: a.Bookings}, PublicURL: public, Log: a.Log,
		Address: httpapi.ClientAddress(a.proxies()),
		Watch:   func(eventID uuid.UUID, joined bool) { a.feed.Watch(eventID, joined) },
	}
	if err := a.sharedSocket(&sockets); err != nil {
		return err
	}
	if a.node, err = socket.New(sockets); err != nil {
		return err
	}
	a.auth.OnSignOut(a.signOutEverywhere)
	a.node.OnTold(a.told)
	a.seats = &seats{a.alloc, a.holds, a.holds, newSnapshots(), a.seen()}
	a.feed = realtime.NewFeed(realtime.Options{
		Versions: a.holds, Seats: a.seats, Publisher: a.node, Audience: a.node, Shared: a.shared(), Log: a.Log,
	})
	a.watchRedis()
	return a.messages()
}

// eventDeleted forgets an event that is no more, in all processes.
func (a *App) eventDeleted(eventID uuid.UUID) {
	a.Bookings.EventDeleted(eventID)
	a.tellMoved(eventID, 0)
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
		most    int // connections
		ofOne   int
	}{
		{a.listeners.client, api.Client(), maxConnections, maxOfOne}, {a.listeners.api, api.API(), maxConnections, maxOfOne},
		{a.listeners.ops, api.Ops(), math.MaxInt, math.MaxInt}, // operators come through when nobody else does
	} {
		if s.ln == nil {
			continue
		}
		server := newServer(s.handler, a.Log)
		server.RegisterOnShutdown(api.HoldNobody)
		a.servers = append(a.servers, server)
		go func() {
			if err := server.Serve(newBounded(s.ln, s.most, s.ofOne, a.proxies())); !errors.Is(err, http.ErrServerClosed) {
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
		MaxHeaderBytes: maxHeader, ConnState: left, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func (a *App) apiDeps() httpapi.Deps {
	store := postgres.NewNotifyStore(a.db)
	deps := httpapi.Deps{
		Bookings: a.Bookings, Events: a.Events, Orgs: a.Orgs, People: a.people, Erasures: a.erasures, Audit: audit.NewService(postgres.NewAuditStore(a.db)),
		Notifications: notify.NewService(store, a.clock.Now), Seats: a.seats,
		Auth: a.auth, SignIn: a.auth.Handler(), Socket: a.node,
		PersonLimit:  a.limiter("person", a.LimitPerson),
		AddressLimit: a.limiter("address", a.LimitAddress),
		Ping:         a.db.Ping, Ready: a.ready, Engines: a.engines, Away: postgres.Away, QueueLength: a.alloc.QueueLength, Crowded: a.alloc.Crowded,
		Client: web.Dist, PublicURL: a.PublicURL, OpsAddr: a.OpsAddr, TrustedProxies: a.proxies(), Version: a.Version, Log: a.Log, Now: a.clock.Now,
	}
	if a.provider != nil {
		deps.IDP = a.provider.Handler()
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
	if err := a.takesBookings(ctx); err != nil {
		return false, "PostgreSQL: " + err.Error()
	}
	return true, ""
}

// takesBookings asks the database whether it is there, and the ledger whether
// it could be written to: a full disk answers every question.
func (a *App) takesBookings(ctx context.Context) error {
	if err := a.db.Ping(ctx); err != nil {
		return err
	}
	return a.ledger.Closed()
}

// drain lets requests in flight finish. Who dawdles is cut off after a while,
// but nobody whose order is queued or being written: it would happen, and its
// person would not be told. They are waited for as long as a step of stopping
// takes.
func (a *App) drain(ctx context.Context) error {
	ctx, cutOff := context.WithCancel(ctx)
	defer cutOff()
	go func() {
		look := time.NewTimer(drainPatience)
		defer look.Stop()
		for idle := false; ; {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
			}
			if idle {
				cutOff()
				return
			}
			// One look more, in which the last answers are written.
			idle = a.alloc.Waiting() == 0
			look.Reset(drainLook)
		}
	}()
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

// serveOn keeps serving for a while after /readyz says that the process
// drains, so that whoever balances the load sends no more to it.
func (a *App) serveOn(ctx context.Context) {
	wait := a.drainFor()
	if len(a.servers) == 0 || wait <= 0 {
		return
	}
	a.Log.Info("app: draining", "for", wait)
	// First whoever balances the load notices, then the sockets move over.
	end := time.NewTimer(wait)
	defer end.Stop()
	notice := time.NewTimer(wait / 2)
	defer notice.Stop()
	for {
		select {
		case <-notice.C:
			a.node.Drain(ctx, wait/2)
		case <-end.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// onStop remembers what Stop has to undo.
func (a *App) onStop(step func(context.Context) error) { a.stop = append(a.stop, step) }

// Stop ends everything in the opposite order of its start: it serves on while
// it drains, takes no new requests then, lets those in flight finish and the
// queue drain; the database goes last. It may be called again and is bounded
// by StopLimit.
func (a *App) Stop(ctx context.Context) error {
	a.stopOnce.Do(func() {
		a.draining.Store(true)
		a.serveOn(ctx)
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

// StopLimit is how long Stop takes at most.
func (a *App) StopLimit() time.Duration { return a.drainFor() + stopPatience }

// Failed tells of what makes going on pointless, such as a PostgreSQL that
// can't be brought back.
func (a *App) Failed() <-chan error { return a.failed }

func (a *App) fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

// Addrs are where the client, the API and the operators' pages answer; empty
// for parts that this process doesn't run.
func (a *App) Addrs() (client, api, ops string) {
	addr := func(ln net.Listener) string {
		if ln == nil {
			return ""
		}
		return ln.Addr().String()
	}
	return addr(a.listeners.client), addr(a.listeners.api), addr(a.listeners.ops)
}
