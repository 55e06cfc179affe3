//go:build linux

package house

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/centrifugal/centrifuge-go"
	"github.com/jackc/pgx/v5"
)

// The states of a seat on the map.
const (
	SeatFree, SeatHeld, SeatBooked, SeatBlocked = 0, 1, 2, 3
)

// askAgain is how often a watcher asks for a map that is not live, or could
// not be had.
const askAgain = 500 * time.Millisecond

// Watcher keeps a map of an event's seats as the client does: from a snapshot
// and the deltas that each go one further; whatever doesn't fit means that
// something was lost, and the map is fetched again.
type Watcher struct {
	EventID string
	http    *Client
	who     *Person
	socket  *centrifuge.Client

	mu      sync.Mutex
	seats   []uint8
	epoch   string
	n       int64
	live    bool    // as the last snapshot said
	stale   bool    // a snapshot is on its way
	kept    []delta // that arrived meanwhile
	fetched int
	deltas  int
	opened  int // connections
	ends    string
	lost    chan struct{} // asks for a snapshot
	done    chan struct{}
	working sync.WaitGroup
}

// Watch opens a websocket at an address, as who or as a visitor (nil), and
// watches an event until the end of the test.
func Watch(t *testing.T, addr string, who *Person, eventID string) *Watcher {
	t.Helper()
	w := &Watcher{
		EventID: eventID, http: NewClient(addr), who: who, lost: make(chan struct{}, 1), done: make(chan struct{}),
	}
	config := centrifuge.Config{MinReconnectDelay: 50 * time.Millisecond, MaxReconnectDelay: time.Second}
	if who != nil {
		config.Header = http.Header{"Authorization": {"Bearer " + who.Token}}
	}
	w.socket = centrifuge.NewJsonClient("ws://"+addr+"/connection/websocket", config)
	w.socket.OnConnected(func(centrifuge.ConnectedEvent) { w.note(func() { w.opened++ }) })
	w.socket.OnDisconnected(func(e centrifuge.DisconnectedEvent) { w.note(func() { w.ends = fmt.Sprint(e.Code, " ", e.Reason) }) })
	sub, err := w.socket.NewSubscription("event:"+eventID, centrifuge.SubscriptionConfig{Recoverable: true})
	if err != nil {
		t.Fatal(err)
	}
	// What was missed meanwhile and is not delivered after all shows in the
	// versions; a first or failed recovery begins with a snapshot.
	sub.OnSubscribed(func(e centrifuge.SubscribedEvent) {
		if !e.Recovered {
			w.fetch()
		}
	})
	sub.OnPublication(func(e centrifuge.PublicationEvent) { w.receive(e.Data) })
	if err := errors.Join(sub.Subscribe(), w.socket.Connect()); err != nil {
		t.Fatal(err)
	}
	w.working.Go(w.work)
	t.Cleanup(func() {
		w.socket.Close()
		close(w.done)
		w.working.Wait()
		w.http.Close()
	})
	Await(t, "the watcher has its first map", SettleLimit, func() bool { return w.Fetched() > 0 })
	return w
}

func (w *Watcher) note(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// fetch asks for a snapshot. What arrives until it is there is kept, since the
// snapshot may be from before it.
func (w *Watcher) fetch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fetchLocked()
}

func (w *Watcher) fetchLocked() {
	w.stale = true
	select {
	case w.lost <- struct{}{}:
	default:
	}
}

// work fetches snapshots; one that can't be had, or isn't live, is asked for
// again after a while.
func (w *Watcher) work() {
	again := time.NewTimer(0)
	<-again.C
	defer again.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-w.lost:
		case <-again.C:
		}
		if !w.snapshot() {
			again.Reset(askAgain)
		}
	}
}

// snapshot fetches the map; false: not one to stay with.
func (w *Watcher) snapshot() bool {
	a, err := w.http.Do(context.Background(), w.who, http.MethodGet, "/events/"+w.EventID+"/seats", nil)
	if err != nil || a.Status != http.StatusOK {
		return false
	}
	m, err := ReadMap(a)
	if err != nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seats, w.epoch, w.n, w.live = m.Seats, m.Epoch, m.N, m.Live
	w.fetched++
	if !m.Live {
		return false
	}
	kept := w.kept
	w.stale, w.kept = false, nil
	for _, d := range kept {
		w.apply(d)
	}
	return true
}

// delta is a change of seats, or, without seats, a repeated version.
type delta struct {
	Version string
	Seats   [][2]int
	Live    *bool
}

// receive takes a message of the event's channel.
func (w *Watcher) receive(data []byte) {
	var d delta
	err := json.Unmarshal(data, &d)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil || d.Live != nil:
		w.fetchLocked()
	case d.Version != "":
		w.apply(d)
	}
}

// apply puts a delta on the map, or finds that something is missing.
func (w *Watcher) apply(d delta) {
	if w.stale {
		w.kept = append(w.kept, d)
		return
	}
	epoch, n, ok := parseVersion(d.Version)
	switch {
	case ok && epoch == w.epoch && n <= w.n:
	case ok && epoch == w.epoch && n == w.n+1 && len(d.Seats) > 0:
		w.n = n
		w.deltas++
		for _, s := range d.Seats {
			if s[0] >= 1 && s[0] <= len(w.seats) {
				w.seats[s[0]-1] = uint8(s[1])
			}
		}
	default:
		w.fetchLocked()
	}
}

func parseVersion(text string) (epoch string, n int64, ok bool) {
	epoch, number, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(number, 10, 64)
	return epoch, n, err == nil
}

// Fetched, Deltas and Opened count snapshots, deltas that fitted, and
// connections.
func (w *Watcher) Fetched() int { w.mu.Lock(); defer w.mu.Unlock(); return w.fetched }

// Deltas: see Fetched.
func (w *Watcher) Deltas() int { w.mu.Lock(); defer w.mu.Unlock(); return w.deltas }

// Opened: see Fetched.
func (w *Watcher) Opened() int { w.mu.Lock(); defer w.mu.Unlock(); return w.opened }

// Ended says by what words the server ended the connection for good; empty:
// it did not.
func (w *Watcher) Ended() string { w.mu.Lock(); defer w.mu.Unlock(); return w.ends }

// Sees says whether the watcher's map is exactly this one.
func (w *Watcher) Sees(seats []uint8) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Equal(w.seats, seats)
}

// Map is a snapshot of an event's seats; seat 1 comes first.
type Map struct {
	Seats []uint8
	Epoch string
	N     int64
	Live  bool
}

// ReadMap reads the answer of GET /events/{id}/seats.
func ReadMap(a *Answer) (Map, error) {
	var said struct {
		Version    string
		TotalSlots int `json:"total_slots"`
		States     string
		Live       bool
	}
	if err := json.Unmarshal(a.Body, &said); err != nil {
		return Map{}, err
	}
	packed, err := base64.StdEncoding.DecodeString(said.States)
	if err != nil {
		return Map{}, err
	}
	const perByte, bits, mask = 4, 2, 3
	if len(packed)*perByte < said.TotalSlots {
		return Map{}, fmt.Errorf("%d seats in %d bytes", said.TotalSlots, len(packed))
	}
	m := Map{Seats: make([]uint8, said.TotalSlots), Live: said.Live}
	for i := range m.Seats {
		m.Seats[i] = packed[i/perByte] >> (i % perByte * bits) & mask
	}
	var ok bool
	if m.Epoch, m.N, ok = parseVersion(said.Version); !ok {
		return Map{}, fmt.Errorf("version %q", said.Version)
	}
	return m, nil
}

// Sold reads from PostgreSQL which seats of an event are sold, as a map.
func Sold(t *testing.T, db *pgx.Conn, eventID string) []uint8 {
	t.Helper()
	seats := make([]uint8, Count(t, db, `SELECT total_slots FROM events WHERE id = $1`, eventID))
	for _, n := range Numbers(t, db, `SELECT seat_no FROM booking_seats WHERE event_id = $1 AND status = 'booked'`, eventID) {
		seats[n-1] = SeatBooked
	}
	return seats
}
