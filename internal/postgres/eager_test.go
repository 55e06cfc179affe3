package postgres

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// ends are the two ends of a connection.
func ends(t *testing.T) (one, other net.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "end")
		if conns[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conns[i].Close() }) // closed by some tests
	}
	return conns[0], conns[1]
}

// hurried is a connection on which answers are looked for, or not.
func hurried(t *testing.T, conn net.Conn, on func() bool) net.Conn {
	t.Helper()
	h := &hurry{}
	h.when.Store(&on)
	c, err := h.dial(func(context.Context, string, string) (net.Conn, error) { return conn, nil })(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.(*eager); !ok {
		t.Fatalf("on a %T nothing is looked for", conn)
	}
	return c
}

func always() bool { return true }
func never() bool  { return false }

// In a hurry or not, or now and then, a connection is one: what is sent arrives
// whole, and it ends by a deadline, by being closed and by the other end.
func TestAConnectionInAHurryIsOne(t *testing.T) {
	t.Parallel()
	var looks atomic.Int64
	for name, on := range map[string]func() bool{
		"in a hurry": always, "at leisure": never, "by turns": func() bool { return looks.Add(1)%3 == 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			near, far := ends(t)
			c := hurried(t, near, on)
			sent := bytes.Repeat([]byte("0123456789abcdef,"), 100_000) // more than any buffer takes
			var echo sync.WaitGroup
			echo.Go(func() {
				if _, err := io.CopyN(far, far, int64(len(sent))); err != nil {
					t.Error(err)
				}
			})
			echo.Go(func() {
				if n, err := c.Write(sent); n != len(sent) || err != nil {
					t.Errorf("%d of %d written: %v", n, len(sent), err)
				}
			})
			got := make([]byte, len(sent))
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("what comes is not what was sent: %v", err)
			}
			echo.Wait()
			if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after the deadline: %v", err)
			}
			if err := c.SetReadDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			if n, err := c.Read(nil); n != 0 || err != nil {
				t.Errorf("nothing is read as %d bytes and %v", n, err)
			}
			closed := make(chan error, 1)
			go func() { _, err := c.Read(got); closed <- err }()
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-closed; !errors.Is(err, net.ErrClosed) {
				t.Errorf("closed meanwhile: %v", err)
			}
			near, far = ends(t)
			c = hurried(t, near, on)
			if err := far.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(got); !errors.Is(err, io.EOF) {
				t.Errorf("closed by the other end: %v", err)
			}
			if _, err := c.Write(got); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("written to an end that is closed: %v", err)
			}
		})
	}
}

// An answer that comes after the requests of a crowd is read before most of them
// in a hurry, and after them at leisure. One processor, so that no other works
// the crowd off while it gathers.
func TestAnAnswerDoesNotStandInLine(t *testing.T) {
	const (
		crowd  = 600
		works  = 20 * time.Microsecond // each of them
		rounds = 100                   // at most
		enough = 3                     // that tell something
		// A round tells something where so many had not been looked at when the
		// answer came; few and many are how many of them went before it.
		gathered = 500
		few      = 200
		many     = 400
	)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var went atomic.Int64
	gone := make(chan struct{}, 1) // one for each crowd
	var all sync.WaitGroup
	t.Cleanup(all.Wait) // after their connections are closed
	doors := make([]net.Conn, crowd)
	for i := range doors {
		near, far := ends(t)
		doors[i] = far
		all.Go(func() {
			for request := make([]byte, 1); ; {
				if _, err := near.Read(request); err != nil {
					return
				}
				for began := time.Now(); time.Since(began) < works; {
				}
				if went.Add(1)%crowd == 0 {
					gone <- struct{}{}
				}
			}
		})
	}
	before := func(on func() bool) (least, most int64) {
		near, far := ends(t)
		c := hurried(t, near, on)
		least = crowd
		ask, answered := make(chan struct{}), make(chan int64)
		all.Go(func() {
			answer := make([]byte, 1)
			for range ask {
				if _, err := c.Read(answer); err != nil {
					t.Error(err)
				}
				answered <- went.Load()
			}
		})
		defer close(ask)
		for told, round := 0, 0; told < enough && round < rounds; round++ {
			ask <- struct{}{}
			for range 3 {
				runtime.Gosched() // until it waits for the answer
			}
			came := went.Load() + crowd
			for _, d := range doors {
				if _, err := d.Write([]byte{1}); err != nil {
					t.Fatal(err)
				}
			}
			then := went.Load()
			if _, err := far.Write([]byte{1}); err != nil {
				t.Fatal(err)
			}
			n := <-answered - then
			<-gone
			if came-then >= gathered {
				told, least, most = told+1, min(least, n), max(most, n)
			}
		}
		return least, most
	}
	_, most := before(always)
	least, leisure := before(never)
	t.Logf("of %d, at most %d go before an answer in a hurry, %d to %d at leisure", crowd, most, least, leisure)
	if most > few {
		t.Errorf("in a hurry %d of %d go before the answer", most, crowd)
	}
	if leisure < many {
		t.Errorf("at leisure at most %d of %d go before the answer: to hurry is for nothing", leisure, crowd)
	}
}
