package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAnswerRead(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 201 Created\r\n"
	for name, c := range map[string]struct {
		wire   string
		status int
		body   string
		last   bool
		fails  bool
	}{
		"length":              {wire: ok + "Content-Length: 5\r\n\r\nhello", status: 201, body: "hello"},
		"length, other case":  {wire: ok + "content-length:  5 \r\n\r\nhello", status: 201, body: "hello"},
		"lines without \\r":   {wire: "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", status: 200, body: "hi"},
		"no reason":           {wire: "HTTP/1.1 409\r\nContent-Length: 0\r\n\r\n", status: 409},
		"empty":               {wire: "HTTP/1.1 204 No Content\r\n\r\n", status: 204},
		"interim ones":        {wire: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + ok + "Content-Length: 1\r\n\r\nx", status: 201, body: "x"},
		"chunks":              {wire: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nTrailer: x\r\n\r\n", status: 201, body: "hello!"},
		"close":               {wire: ok + "Connection: close\r\nContent-Length: 1\r\n\r\nx", status: 201, body: "x", last: true},
		"1.0 closes":          {wire: "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", status: 200, body: "x", last: true},
		"nothing":             {wire: "", fails: true},
		"cut in the status":   {wire: "HTTP/1.1 20", fails: true},
		"cut in the body":     {wire: ok + "Content-Length: 9\r\n\r\nhello", fails: true},
		"cut in a chunk":      {wire: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", fails: true},
		"no length":           {wire: ok + "\r\nhello", fails: true},
		"negative length":     {wire: ok + "Content-Length: -1\r\n\r\n", fails: true},
		"huge length":         {wire: ok + "Content-Length: 99999999999\r\n\r\n", fails: true},
		"huge chunk":          {wire: ok + "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n", fails: true},
		"chunk of nonsense":   {wire: ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", fails: true},
		"chunk without end":   {wire: ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n", fails: true},
		"not HTTP":            {wire: "SSH-2.0-OpenSSH_9.9\r\n\r\n", fails: true},
		"status of letters":   {wire: "HTTP/1.1 abc\r\n\r\n", fails: true},
		"status of zero":      {wire: "HTTP/1.1 000 x\r\n\r\n", fails: true},
		"header without sign": {wire: ok + "nonsense\r\n\r\n", fails: true},
		"endless header":      {wire: ok + "X: " + strings.Repeat("x", 2*maxHeaderLine) + "\r\n\r\n", fails: true},
		"endless headers":     {wire: ok + strings.Repeat("X: y\r\n", 2*maxHeaders) + "\r\n", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var a answer
			err := a.read(bufio.NewReaderSize(strings.NewReader(c.wire), maxHeaderLine))
			if c.fails {
				if err == nil {
					t.Fatalf("read %d %q", a.status, a.body)
				}
				return
			}
			if err != nil || a.status != c.status || string(a.body) != c.body || a.last != c.last {
				t.Fatalf("read %d %q last %v, %v; want %d %q last %v", a.status, a.body, a.last, err, c.status, c.body, c.last)
			}
		})
	}
}

// Nothing that a server may send makes the client panic, or keep more than it
// is ready to.
func FuzzAnswer(f *testing.F) {
	f.Add("HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
	f.Add("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 204\r\n\r\n")
	f.Fuzz(func(t *testing.T, wire string) {
		var a answer
		err := a.read(bufio.NewReaderSize(strings.NewReader(wire), maxHeaderLine))
		if err == nil && (a.status < 200 || a.status > 999 || len(a.body) > maxAnswer) {
			t.Fatalf("read status %d with %d bytes", a.status, len(a.body))
		}
	})
}

// testLoop is a closed loop on one address with nothing to warm up.
func testLoop(addr string, connections int) loop {
	mix := newMix([]string{addr}, []person{{"u1", "t1"}, {"u2", "t2"}, {"u3", "t3"}}, []string{"e1"}, byEvent)
	return loop{addrs: []string{addr}, connections: connections, duration: 200 * time.Millisecond, append: mix.append}
}

func TestConnKeepsAndRenewsConnections(t *testing.T) {
	t.Parallel()
	requests, opened := 0, map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		opened[r.RemoteAddr] = true
		body, _ := io.ReadAll(r.Body)
		if requests == 3 {
			w.Header().Set("Connection", "close")
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	}))
	defer s.Close()
	c := conn{addr: s.Listener.Addr().String(), expires: time.Now().Add(time.Minute)}
	defer c.close()
	for range 5 {
		got, err := c.do(context.Background(), []byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"))
		if err != nil || got.status != 201 || string(got.body) != "hi" {
			t.Fatalf("answer %+v, %v", got, err)
		}
	}
	if requests != 5 || len(opened) != 2 {
		t.Errorf("%d requests over %d connections, want 5 over 2", requests, len(opened))
	}
}

func TestConnTellsOfFailures(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	c := conn{addr: s.Listener.Addr().String(), expires: time.Now().Add(time.Minute)}
	request := []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := c.do(context.Background(), request); !errors.Is(err, io.EOF) {
		t.Errorf("cut off: %v", err)
	}
	s.Close()
	if _, err := c.do(context.Background(), request); err == nil {
		t.Error("an answer from nobody")
	}
	late := conn{addr: c.addr, expires: time.Now().Add(-time.Second)}
	if _, err := late.do(context.Background(), request); err == nil {
		t.Error("an answer after the end")
	}
}
