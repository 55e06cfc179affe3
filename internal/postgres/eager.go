package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Limits of looking for an answer.
const (
	// inTheWay is how long others have to have run since the last look for the
	// next one to be made at once.
	inTheWay = 50 * time.Microsecond
	// firstPause and longestPause are how long a look waits where nobody else
	// runs; each is twice the one before.
	firstPause   = 50 * time.Microsecond
	longestPause = time.Millisecond
)

// hurry says when the ledger's answers are looked for. Whoever waits for the
// network is woken in the order in which it came: while thousands of requests
// have arrived, the answer to a batch stands in line behind all of them, and
// whole batches of orders behind it. In a hurry the ledger therefore looks for
// itself, again and again, as one of those who can run.
type hurry struct{ when atomic.Pointer[func() bool] }

func (h *hurry) on() bool {
	when := h.when.Load()
	return when != nil && (*when)()
}

// dial gives connections on which answers are looked for in a hurry.
func (h *hurry) dial(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if s, ok := conn.(syscall.Conn); ok {
			if raw, err := s.SyscallConn(); err == nil {
				return &eager{Conn: conn, raw: raw, hurry: h}, nil
			}
		}
		return conn, nil
	}
}

// eager is a connection on which answers are looked for.
type eager struct {
	net.Conn
	raw   syscall.RawConn
	hurry *hurry
}

// Read implements net.Conn. What ends the connection or its patience is told as
// ever, by the connection itself.
func (c *eager) Read(p []byte) (n int, err error) {
	for pause := firstPause; c.hurry.on() && len(p) > 0; pause = c.step(pause) {
		var failed error
		if c.raw.Read(func(fd uintptr) bool { n, failed = syscall.Read(int(fd), p); return true }) != nil {
			break
		}
		switch {
		case failed == nil && n == 0:
			return 0, io.EOF
		case failed == nil:
			return n, nil
		case !later(failed):
			return 0, &net.OpError{Op: "read", Net: c.LocalAddr().Network(), Addr: c.RemoteAddr(), Err: os.NewSyscallError("read", failed)}
		}
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *eager) Write(p []byte) (sent int, err error) {
	for pause := firstPause; c.hurry.on() && sent < len(p); {
		var n int
		var failed error
		if c.raw.Write(func(fd uintptr) bool { n, failed = syscall.Write(int(fd), p[sent:]); return true }) != nil {
			break
		}
		switch {
		case failed == nil:
			sent += n
		case later(failed):
			pause = c.step(pause)
		default:
			return sent, &net.OpError{Op: "write", Net: c.LocalAddr().Network(), Addr: c.RemoteAddr(), Err: os.NewSyscallError("write", failed)}
		}
	}
	if sent == len(p) {
		return sent, nil
	}
	n, err := c.Conn.Write(p[sent:])
	return sent + n, err
}

// later says that there is nothing yet.
func later(err error) bool { return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) }

// step lets all others who can run do so, waits where there are none, and gives
// the next pause.
func (c *eager) step(pause time.Duration) time.Duration {
	began := time.Now()
	if runtime.Gosched(); time.Since(began) > inTheWay {
		return firstPause
	}
	time.Sleep(pause)
	return min(2*pause, longestPause)
}
