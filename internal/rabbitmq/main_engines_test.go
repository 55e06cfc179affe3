//go:build engines

package rabbitmq

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"happening/internal/pgserver"
	"happening/internal/testkit"
)

// shared is the broker of the tests that don't break it: the one that
// AMQP_URL names, else a private one.
var shared string

func TestMain(m *testing.M) {
	// Where this process is only PostgreSQL's supervisor it needs no broker.
	pgserver.MaybeSupervise()
	shared = os.Getenv(setting)
	stop := func() {}
	if shared == "" {
		b, err := testkit.StartRabbitMQ()
		if err != nil {
			fmt.Fprintf(os.Stderr, "no RabbitMQ to test on: %v\n", err)
			os.Exit(1)
		}
		shared, stop = b.URL, b.Close
	}
	code := testkit.Main(m)
	stop()
	os.Exit(code)
}

// channel opens a channel to look at queues with.
func channel(t testing.TB, url string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// forget removes a test's queues at its end.
func forget(t testing.TB, url, queue string) {
	t.Helper()
	t.Cleanup(func() {
		conn, err := amqp.Dial(url)
		if err != nil {
			return // the broker is gone already
		}
		defer conn.Close()
		for _, name := range []string{queue, queue + DeadSuffix} {
			if ch, err := conn.Channel(); err == nil {
				_, _ = ch.QueueDelete(name, false, false, false)
			}
		}
	})
}

// proxy stands before a broker and can be cut.
type proxy struct {
	url      string
	target   string
	listener net.Listener

	mu    sync.Mutex
	cut   bool
	wires map[net.Conn]bool
	done  sync.WaitGroup
}

func newProxy(t testing.TB, brokerURL string) *proxy {
	t.Helper()
	u, err := url.Parse(brokerURL)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: u.Host, listener: l, wires: make(map[net.Conn]bool)}
	if u.Port() == "" {
		p.target = net.JoinHostPort(u.Hostname(), "5672")
	}
	u.Host = l.Addr().String()
	p.url = u.String()
	p.done.Go(p.serve)
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut()
		p.done.Wait()
	})
	return p
}

func (p *proxy) serve() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil || !p.keep(in, out) {
			_ = in.Close()
			if err == nil {
				_ = out.Close()
			}
			continue
		}
		for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
			p.done.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
				_ = pair[1].Close()
			})
		}
	}
}

func (p *proxy) keep(wires ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return false
	}
	for _, w := range wires {
		p.wires[w] = true
	}
	return true
}

// Cut cuts all connections, and every later one.
func (p *proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for w := range p.wires {
		_ = w.Close()
	}
	clear(p.wires)
}

// Mend lets connections through again.
func (p *proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}
