//go:build linux

package house

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

const (
	killClients = 32
	killSeats   = 20_000
	// killNamesEach is which of a client's bookings names a seat, one of the
	// first killNamed, which somebody else may have or name, too.
	killNamesEach = 5
	killNamed     = 200
	// KillAcks is how many orders are acknowledged before each kill.
	KillAcks = 400
	// KillRate is the rate to reach, in acknowledged orders a second, at which
	// the figures of docs/reliability.md are those of a sale. With the short
	// lengths it is told where a machine doesn't reach it: what is killed is
	// killed among orders all the same.
	KillRate = 100
	// busyTries is how often the sale may take another run at that.
	busyTries = 4
)

// Shop is a sale under way: clients that book, and now and then cancel, while
// somebody looks at the map.
type Shop struct {
	House   *House
	Client  *Client
	Ledger  *Ledger
	EventID string
	People  []*Person
	// Pause is between two orders of a client, 0: none. What a fast machine sells
	// without takes up room.
	Pause time.Duration
}

// NewShop opens a shop in a house of its own, with one server.
func NewShop(t *testing.T) (*Shop, *Server) {
	t.Helper()
	h := New(t)
	server := h.Serve()
	return OpenShop(t, h, killClients), server
}

// OpenShop opens a shop for as many clients in a house whose API answers.
func OpenShop(t *testing.T, h *House, clients int) *Shop {
	t.Helper()
	c := NewClient(h.API)
	t.Cleanup(c.Close)
	admin := h.People("admin", 1)[0]
	eventID := c.Event(t, admin, c.Organization(t, admin), killSeats, nil)
	return &Shop{House: h, Client: c, Ledger: NewLedger(), EventID: eventID, People: h.People("kill", clients)}
}

// Open lets the clients in until ctx ends. What a client does about an order of
// unknown outcome is said by unsure; false sends it home.
func (s *Shop) Open(ctx context.Context, unsure func(*Order) bool) (closed func()) {
	looked := s.Ledger.Watch(s.Client, s.EventID)
	var clients sync.WaitGroup
	for i, p := range s.People {
		rnd := rand.New(rand.NewPCG(rand.Uint64(), uint64(i)))
		clients.Go(func() {
			for s.paused(ctx) {
				o := s.Ledger.Book(p, s.EventID, 1+rnd.IntN(2))
				if rnd.IntN(killNamesEach) == 0 {
					o = s.Ledger.Seats(p, s.EventID, 1+rnd.IntN(killNamed))
				}
				if s.Ledger.Place(s.Client, o); o.Unknown && !unsure(o) {
					return
				}
				if o.Told == nil || rnd.IntN(4) > 0 {
					continue
				}
				o = s.Ledger.Cancel(p, o.Told.ID)
				if s.Ledger.Place(s.Client, o); o.Unknown && !unsure(o) {
					return
				}
			}
		})
	}
	return func() { clients.Wait(); looked() }
}

// paused pauses; false: ctx has ended.
func (s *Shop) paused(ctx context.Context) bool {
	if s.Pause > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(s.Pause):
		}
	}
	return ctx.Err() == nil
}

// Busy waits until the sale is in full swing. It is given a few tries, since what
// was broken before may hold clients up, and the machine may be busy with other
// tests.
func (s *Shop) Busy(t *testing.T) {
	t.Helper()
	var rates []int
	for range busyTries {
		began := time.Now()
		s.Ledger.AwaitAcks(t, KillAcks)
		rate := int(KillAcks / time.Since(began).Seconds())
		if rate >= KillRate {
			return
		}
		rates = append(rates, rate)
	}
	tell := t.Logf
	if insistOnRate {
		tell = t.Errorf
	}
	tell("the sale goes on at %d orders a second, %d are wanted", rates, KillRate)
}

// GoHome is for clients whose server is gone.
func GoHome(*Order) bool { return false }
