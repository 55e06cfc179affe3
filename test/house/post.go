//go:build linux

package house

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// Post is an SMTP server, as much of one as takes a mail (RFC 5321), that
// remembers which mails it has accepted.
type Post struct {
	t        *testing.T
	listener net.Listener
	sessions sync.WaitGroup

	mu       sync.Mutex
	accepted map[string][]string // by recipient, the Message-ID of each mail in turn
	holding  chan struct{}       // closed when the next mail is handed over, which is not answered
	open     map[net.Conn]struct{}
	shut     bool
}

// NewPost opens a post until the end of the test.
func NewPost(t *testing.T) *Post {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Post{t: t, listener: ln, accepted: map[string][]string{}, open: map[net.Conn]struct{}{}}
	p.sessions.Go(p.listen)
	t.Cleanup(func() {
		_ = ln.Close()
		p.mu.Lock()
		p.shut = true
		for conn := range p.open {
			_ = conn.Close()
		}
		p.mu.Unlock()
		p.sessions.Wait()
	})
	return p
}

// URL is the post's SMTP_URL.
func (p *Post) URL() string { return "smtp://" + p.listener.Addr().String() }

// Accepted are the Message-IDs of the mails to somebody that were accepted, one
// for each time.
func (p *Post) Accepted(who *Person) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.accepted[who.Email]...)
}

// Hold lets the next mail be handed over and neither accepted nor refused: its
// sender waits until one of the two ends.
func (p *Post) Hold() (handedOver <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holding = make(chan struct{})
	return p.holding
}

func (p *Post) listen() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.sessions.Go(func() { p.serve(conn) })
	}
}

// serve is one session.
func (p *Post) serve(conn net.Conn) {
	defer conn.Close()
	p.mu.Lock()
	if p.shut {
		p.mu.Unlock()
		return
	}
	p.open[conn] = struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, conn)
	}()
	lines := textproto.NewReader(bufio.NewReader(conn))
	say := func(line string) { _, _ = fmt.Fprintf(conn, "%s\r\n", line) } // a client that has gone is noticed by reading
	say("220 post.test ESMTP")
	recipient := ""
	for {
		line, err := lines.ReadLine()
		if err != nil {
			return
		}
		switch verb, rest, _ := strings.Cut(line, " "); strings.ToUpper(verb) {
		case "RCPT":
			_, rest, _ = strings.Cut(rest, "<")
			recipient, _, _ = strings.Cut(rest, ">")
			say("250 ok")
		case "DATA":
			say("354 go ahead")
			letter, err := mail.ReadMessage(lines.DotReader())
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, letter.Body); err != nil {
				return
			}
			if !p.take(recipient, letter.Header.Get("Message-Id")) {
				_, _ = io.Copy(io.Discard, lines.R) // until the client has gone
				return
			}
			say("250 accepted")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// take accepts a mail, unless it is the one that is held.
func (p *Post) take(recipient, id string) (accepted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.holding != nil {
		close(p.holding)
		p.holding = nil
		return false
	}
	p.accepted[recipient] = append(p.accepted[recipient], id)
	return true
}
