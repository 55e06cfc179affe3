package app

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"
)

// patience bounds what a test waits for; nothing here takes that long.
const patience = time.Minute

// served starts a server as serve does, and gives a connection to it.
func served(t *testing.T, handle http.HandlerFunc) (*http.Server, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, ended := newServer(handle, slog.New(slog.DiscardHandler)), make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(ln)
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = server.Close()
		<-ended
	})
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return server, conn
}

// Who sends slowly, or nothing at all, doesn't keep the server from stopping,
// and makes no fault of it.
func TestDrainCutsOffWhoSendsSlowly(t *testing.T) {
	t.Parallel()
	begun, over := make(chan struct{}), make(chan error, 1)
	slow, conn := served(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		_, err := io.ReadAll(r.Body)
		over <- err
	})
	silent, quiet := served(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := drainServers(ctx, slow, silent); err != nil {
		t.Errorf("a stop that cut somebody off failed: %v", err)
	}
	if err := <-over; err == nil {
		t.Error("the body was read to an end that never came")
	}
	for _, c := range []net.Conn{conn, quiet} {
		if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("the connection is still open: %v", err)
		}
	}
}

// A request that is there is answered before the server stops.
func TestDrainLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	begun, stopping := make(chan struct{}), make(chan struct{})
	server, conn := served(t, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-stopping
		_, _ = io.WriteString(w, "done")
	})
	server.RegisterOnShutdown(func() { close(stopping) })
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := drainServers(ctx, server); err != nil {
		t.Error(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "done" {
		t.Errorf("%q, %v", body, err)
	}
}

// No part of a request may take for ever to arrive.
func TestServersBoundReading(t *testing.T) {
	s := newServer(nil, slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.IdleTimeout <= 0 || drainPatience >= stopStep {
		t.Errorf("headers %s, all %s, idle %s, draining %s of %s", s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout, drainPatience, stopStep)
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}
