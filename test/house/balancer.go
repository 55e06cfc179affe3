//go:build linux

package house

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// lookEvery is how often the balancer asks each server whether it is ready.
	lookEvery = 100 * time.Millisecond
	// lookLimit is by when a server has to have said so.
	lookLimit = 2 * time.Second
	// headerLimit bounds how long a client may take to send its headers.
	headerLimit = 10 * time.Second
)

// Balancer spreads requests over servers in turn, those that are ready, and
// does nothing else for anybody: it keeps no request at one server and sends
// none again. A request whose server fails is answered 502, one that finds no
// server 503, both without a body.
type Balancer struct {
	// Client and API are where it answers for the two ports of its servers.
	Client, API string

	mu      sync.Mutex
	servers []*balanced
	turn    atomic.Int64
	// Failed counts the requests whose server failed, None those that found
	// no server.
	Failed, None atomic.Int64
	stop         context.CancelFunc
	looking      sync.WaitGroup
}

// balanced is one server behind the balancer.
type balanced struct {
	name        string
	ready       atomic.Bool
	asked       atomic.Bool // and has not answered yet
	client, api http.Handler
	look        *Client
}

// NewBalancer starts a balancer without servers and stops it with the test.
func NewBalancer(t *testing.T) *Balancer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b := &Balancer{stop: cancel}
	t.Cleanup(func() { cancel(); b.looking.Wait() })
	for into, pick := range map[*string]func(*balanced) http.Handler{
		&b.Client: func(s *balanced) http.Handler { return s.client },
		&b.API:    func(s *balanced) http.Handler { return s.api },
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*into = ln.Addr().String()
		server := &http.Server{Handler: b.spread(pick), ReadHeaderTimeout: headerLimit}
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = server.Serve(ln) // told by Close
		}()
		t.Cleanup(func() { _ = server.Close(); <-served })
	}
	b.looking.Go(func() { b.watch(ctx) })
	return b
}

// Add puts a server behind the balancer, by the addresses of its two ports.
func (b *Balancer) Add(name, client, api string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.servers = append(b.servers, &balanced{
		name: name, client: b.forward(client), api: b.forward(api),
		look: &Client{base: "http://" + api, http: &http.Client{Timeout: lookLimit, Transport: &http.Transport{}}},
	})
}

// Ready says whether the balancer sends requests to a server.
func (b *Balancer) Ready(name string) bool {
	return slices.ContainsFunc(b.all(), func(s *balanced) bool { return s.name == name && s.ready.Load() })
}

func (b *Balancer) all() []*balanced {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.servers)
}

// watch looks at all servers side by side until ctx ends, so that a frozen one
// doesn't hold up the news of the others.
func (b *Balancer) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var looks sync.WaitGroup
	defer looks.Wait()
	for {
		for _, s := range b.all() {
			if !s.asked.CompareAndSwap(false, true) {
				continue // it hasn't answered yet
			}
			looks.Go(func() {
				defer s.asked.Store(false)
				s.ready.Store(s.look.Status("/readyz") == http.StatusOK)
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// spread gives each request to the next server that is ready.
func (b *Balancer) spread(pick func(*balanced) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all := b.all()
		for range all {
			s := all[int(b.turn.Add(1))%len(all)]
			if s.ready.Load() {
				pick(s).ServeHTTP(w, r)
				return
			}
		}
		b.None.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
}

// idempotencyKey is the header under which Go's transport would send a request
// again by itself.
const idempotencyKey = "Idempotency-Key"

// forward passes requests on to one address, websockets too.
func (b *Balancer) forward(addr string) http.Handler {
	target := &url.URL{Scheme: "http", Host: addr}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
			if key := r.Out.Header.Values(idempotencyKey); len(key) > 0 {
				// Spelled in a way that only servers recognize.
				r.Out.Header.Del(idempotencyKey)
				r.Out.Header["idempotency-key"] = key
			}
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: maxConnections, DisableCompression: true},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) {
			// Who went away himself is nobody's failure.
			if r.Context().Err() == nil {
				b.Failed.Add(1)
			}
			w.WriteHeader(http.StatusBadGateway)
		},
		// What breaks is counted; a killed server needs no words.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}
