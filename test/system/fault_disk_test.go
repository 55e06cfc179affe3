//go:build linux && !engines && !race

package system

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"happening/test/house"
)

const (
	// smallDisk has room for a new cluster and some ten thousand bookings; what
	// fills it up is memory.
	smallDisk = "size=192m,mode=0755"
	// diskPause is between two orders of a client: whatever the machine, the sale
	// alone doesn't fill the disk within minutes.
	diskPause = 50 * time.Millisecond
	mebibyte  = 1 << 20
	// segmentsReady is more than there are of the log's on such a disk.
	segmentsReady = 12
)

// disk is a small one of the test's own.
type disk struct {
	t    *testing.T
	path string
}

// onSmallDisk moves a house, before its first start, to a disk of its own.
func onSmallDisk(t *testing.T, h *house.House) *disk {
	t.Helper()
	d := &disk{t: t, path: filepath.Join(h.Dir, "disk")}
	if err := os.Mkdir(d.path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", d.path, "tmpfs", 0, smallDisk); err != nil {
		t.Fatalf("a disk of the test's own takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(d.path, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	h.Data = filepath.Join(d.path, "data")
	return d
}

func (d *disk) filler() string { return filepath.Join(d.path, "filler") }

// fill leaves no byte free. While others give some back and take it again, it
// looks twice.
func (d *disk) fill() {
	d.t.Helper()
	f, err := os.Create(d.filler())
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, mebibyte)
	for size := len(block); size > 0; {
		n, err := f.Write(block[:size])
		if err != nil && !errors.Is(err, unix.ENOSPC) {
			d.t.Fatal(err)
		}
		if n < size {
			size /= 2
		}
	}
}

// free takes away what fill has put there.
func (d *disk) free() {
	d.t.Helper()
	if err := os.Remove(d.filler()); err != nil {
		d.t.Fatal(err)
	}
}

// wantRefusedForNow wants that bookings are told to come back, and none of them
// of a defect.
func wantRefusedForNow(t *testing.T, c *house.Client, s *house.Shop) {
	t.Helper()
	house.Await(t, "a booking is 503", house.SettleLimit, func() bool {
		a := c.Send(t, s.People[0], http.MethodPost, "/bookings", map[string]any{"event_id": s.EventID, "seats": 3})
		if a.Status >= http.StatusInternalServerError && (a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "") {
			t.Errorf("a booking while the disk is full: %s, Retry-After %q", a, a.Header.Get("Retry-After"))
		}
		return a.Status == http.StatusServiceUnavailable
	})
}

// The disk under PostgreSQL is full in the middle of a sale: first there is no
// room for tables, then none for the log of what was committed, over which
// PostgreSQL ends. Booking is closed and says so, reading goes on while there is
// somebody to ask, and when there is room again the sale goes on by itself with
// nothing lost.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	d := onSmallDisk(t, h)
	server := h.Serve()
	s := house.OpenShop(t, h, wireClients)
	s.Pause = diskPause
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	closed := s.Open(ctx, func(o *house.Order) bool { return s.Ledger.Insist(s.Client, o) })
	c := house.NewClient(h.API)
	defer c.Close()
	s.Ledger.AwaitAcks(t, wireClients)

	t.Run("no room for tables", func(t *testing.T) {
		d.fill()
		wantUnready(t, h)
		if waitForRefusals {
			wantRefusedForNow(t, c, s)
		}
		for _, path := range []string{"/events", "/events/" + s.EventID, "/events/" + s.EventID + "/seats"} {
			if a := c.Get(t, nil, path); a.Status != http.StatusOK {
				t.Errorf("%s while the disk is full: %s", path, a)
			}
		}
		d.free()
		began := time.Now()
		wantReady(t, h, server)
		s.Ledger.AwaitAcks(t, wireClients)
		t.Logf("the sale went on %v after there was room again", time.Since(began).Round(time.Millisecond))
	})
	t.Run("no room for the log", func(t *testing.T) {
		owner := h.Database()
		d.fill()
		// More than a segment of the log at a time, since some may lie ready: the
		// one that has no room ends PostgreSQL.
		var ended error
		for range segmentsReady {
			if _, ended = owner.Exec(ctx, `SELECT pg_logical_emit_message(false, 'filler', repeat('x', 17000000))`); ended != nil {
				break
			}
		}
		if ended == nil {
			t.Error("the log has room on a full disk")
		}
		wantUnready(t, h)
		d.free()
		began := time.Now()
		wantReady(t, h, server)
		s.Ledger.AwaitAcks(t, wireClients)
		t.Logf("the sale went on %v after there was room again", time.Since(began).Round(time.Millisecond))
	})
	cancel()
	closed()
	h.Judge(s.Ledger)
}
