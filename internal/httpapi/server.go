package httpapi

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/notify"
	"happening/internal/org"
	"happening/internal/user"
)

// Authenticator says who sends a request.
type Authenticator interface {
	// Authenticate gives the zero principal for a visitor, and
	// fault.ErrUnauthenticated for a credential that is sent and not valid.
	Authenticate(r *http.Request) (access.Principal, error)
	// Credential gives what a request shows to be recognized by, unchecked and
	// without asking anybody; empty for a visitor's.
	Credential(r *http.Request) string
	// DropSessionCookie tells the browser to forget a session that is over.
	DropSessionCookie(w http.ResponseWriter)
}

// Limiter counts requests by key, a person or an address.
type Limiter interface {
	Allow(key string) (ok bool, retryAfter time.Duration)
}

// Seats reads the live map of an event.
type Seats interface {
	// Snapshot gives the same snapshot to all while nothing changes.
	Snapshot(ctx context.Context, live *booking.Live) (*SeatSnapshot, error)
}

// Deps is everything that the front door leads to. All are needed save those
// marked as optional.
type Deps struct {
	Bookings      *booking.Service
	Events        *event.Service
	Orgs          *org.Service
	Audit         *audit.Service
	People        *user.Service
	Erasures      *user.Erasures
	Notifications *notify.Service
	Seats         Seats

	Auth   Authenticator
	SignIn http.Handler // /auth/…, with the whole path
	IDP    http.Handler // /idp/…, with the whole path; optional
	Socket http.Handler // /connection/websocket; checks origin and credential itself

	PersonLimit  Limiter // optional
	AddressLimit Limiter // optional

	// Ping makes a round trip to the database.
	Ping func(context.Context) error
	// Ready says whether bookings work, and for operators why they don't.
	Ready func() (ok bool, reason string)
	// Away says whether an error means that an engine can't be reached, which
	// is 503 and not a defect; optional.
	Away func(error) bool
	// QueueLength is how many bookings wait to be decided; optional.
	QueueLength func() int
	// Crowded is when who books now shall come again because too many wait
	// already, at most booking.LongestBusy; zero: they may come in. It is asked
	// before anything else of each request to book and to cancel and must not
	// wait. Optional.
	Crowded func() time.Duration
	Mailbox http.Handler // the development mailbox, for operators; optional
	// Engines tells operators what the process stands on; it answers within a
	// second or two. Optional.
	Engines func(context.Context) []Engine

	Client         fs.FS // the built client, rooted where index.html lies
	PublicURL      string
	OpsAddr        string         // where operators' pages listen, host and port
	TrustedProxies []netip.Prefix // whose X-Forwarded-For counts
	Version        string
	Log            *slog.Logger     // optional
	Now            func() time.Time // the application's clock
}

// Server answers everything that comes over HTTP.
type Server struct {
	deps    Deps
	routes  []route
	mux     *router // the API's routes
	huma    huma.API
	origins *http.CrossOriginProtection
	metrics *metrics
	ping    pinger
	// credentials keeps invented ones from being looked up without end.
	credentials *credentials
	// bodyPatience is how long a body may take to arrive.
	bodyPatience time.Duration
	bodies       *bodyRoom
	door         *door
	// book and cancel are those of Bookings. They stand by themselves so that the
	// way there can be measured and compared without a database.
	book   func(context.Context, access.Principal, booking.Request) (booking.Booking, error)
	cancel func(context.Context, access.Principal, uuid.UUID, booking.Key) (booking.Entry, error)
	// address is where a request comes from, for counting.
	address func(*http.Request) string

	api, client, ops http.Handler
}

// New makes the server of what it leads to. It starts nothing.
func New(d Deps) (*Server, error) {
	public, err := url.Parse(d.PublicURL)
	if err != nil || public.Host == "" || (public.Scheme != "http" && public.Scheme != "https") {
		return nil, errors.New("httpapi: the public URL is not an http or https address")
	}
	d.PublicURL = public.Scheme + "://" + public.Host
	if d.Log == nil {
		d.Log = slog.Default()
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	configureHuma()
	s := &Server{
		deps: d, mux: &router{}, origins: http.NewCrossOriginProtection(), metrics: newMetrics(d.QueueLength),
		ping: pinger{ping: d.Ping, now: time.Now}, bodyPatience: bodyPatience,
		bodies: newBodyRoom(roomForBodies), door: newDoor(),
	}
	s.address = ClientAddress(d.TrustedProxies)
	if d.Bookings != nil {
		s.book, s.cancel = d.Bookings.Book, d.Bookings.Cancel
	}
	if err := s.origins.AddTrustedOrigin(d.PublicURL); err != nil {
		return nil, err
	}
	if s.credentials, err = newCredentials(d.Now); err != nil {
		return nil, err
	}
	s.huma = humago.New(s.mux, document(d.Version, d.PublicURL))
	s.routes = s.table()
	for _, rt := range s.routes {
		rt.register(s, rt)
	}
	s.mux.before(post, "/bookings", s.quickBooking)
	s.mux.before(post, "/bookings/{id}/cancel", s.quickCancel)
	s.mux.before(get, "/events/{id}/seats", s.quickSeats)
	allowNull(s.huma.OpenAPI().Components.Schemas)
	docs, err := renderDocs(s.huma.OpenAPI())
	if err != nil {
		return nil, err
	}
	if err := s.serveDocuments(docs); err != nil {
		return nil, err
	}
	s.api = s.handleAPI(compressed(s.mux))
	if s.client, err = s.newClient(public); err != nil {
		return nil, err
	}
	s.ops = s.newOps()
	return s, nil
}

// API serves the API at the root, as the API's port does.
func (s *Server) API() http.Handler { return s.api }

// Client serves the client's port: its files, sign-in, the embedded provider,
// realtime, and the API under /api.
func (s *Server) Client() http.Handler { return s.client }

// Ops serves operators: metrics, engine detail, profiles, the mailbox. It must
// be reachable from loopback only.
func (s *Server) Ops() http.Handler { return s.ops }

// OpenAPI is the document of the API as JSON.
func (s *Server) OpenAPI() ([]byte, error) { return openAPIDocument(s.huma.OpenAPI()) }
