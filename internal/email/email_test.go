package email_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"happening/internal/email"
	"happening/internal/notify"
)

// server is an SMTP server that knows as much of RFC 5321 as the tests need.
type server struct {
	addr     string
	tls      *tls.Config
	startTLS bool
	auth     bool
	answer   func(command string) string // overrides the usual answer where not empty
	listener net.Listener
	sessions sync.WaitGroup

	mu   sync.Mutex
	got  []received
	cert *x509.Certificate
}

type received struct {
	from, to, login string
	encrypted       bool
	data            string
}

type option func(*server)

func startServer(t *testing.T, implicit bool, options ...option) *server {
	t.Helper()
	s := &server{answer: func(string) string { return "" }}
	for _, o := range options {
		o(s)
	}
	s.tls, s.cert = selfSigned(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	if implicit {
		l = tls.NewListener(l, s.tls)
	}
	s.listener = l
	s.sessions.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.sessions.Go(func() { s.serve(conn, implicit) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.sessions.Wait()
	})
	return s
}

func (s *server) serve(conn net.Conn, encrypted bool) {
	defer func() { conn.Close() }()
	r := bufio.NewReader(conn)
	say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
	mail := received{encrypted: encrypted}
	say("220 test ESMTP")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, rest, _ := strings.Cut(line, " ")
		if special := s.answer(strings.ToUpper(verb)); special != "" {
			if special == "hang" {
				_, _ = io.Copy(io.Discard, r)
				return
			}
			say(special)
			continue
		}
		switch strings.ToUpper(verb) {
		case "EHLO":
			say("250-test")
			if s.startTLS && !encrypted {
				say("250-STARTTLS")
			}
			if s.auth {
				say("250-AUTH PLAIN")
			}
			say("250 ENHANCEDSTATUSCODES")
		case "STARTTLS":
			say("220 go ahead")
			secure := tls.Server(conn, s.tls)
			if secure.Handshake() != nil {
				return
			}
			conn, r, encrypted, mail.encrypted = secure, bufio.NewReader(secure), true, true
		case "AUTH":
			raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
			mail.login = string(raw)
			say("235 2.7.0 welcome")
		case "MAIL":
			mail.from = rest
			say("250 2.1.0 ok")
		case "RCPT":
			mail.to = rest
			say("250 2.1.5 ok")
		case "DATA":
			say("354 go ahead")
			body, err := io.ReadAll(textproto.NewReader(r).DotReader())
			if err != nil {
				return
			}
			if special := s.answer("."); special != "" {
				say(special)
				continue
			}
			mail.data = string(body)
			s.mu.Lock()
			s.got = append(s.got, mail)
			s.mu.Unlock()
			say("250 2.0.0 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *server) mails() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.got...)
}

func selfSigned(t *testing.T) (*tls.Config, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, cert
}

func sender(t *testing.T, s *server, url string) *email.Sender {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(s.cert)
	snd, err := email.New(email.Config{URL: url, PublicURL: "https://tickets.example.org", TLS: &tls.Config{RootCAs: pool}})
	if err != nil {
		t.Fatal(err)
	}
	return snd
}

var letter = notify.Mail{
	ID: "0198c0de-0000-7000-8000-000000000001", To: "ada@example.org",
	Subject: "Booked: Fête de la musique", Text: "Hello Ada,\n\nRow A · Seat 3.\n.\nend\n", HTML: "<p>Row A · Seat 3</p>",
}

func TestAMailArrivesInBothForms(t *testing.T) {
	t.Parallel()
	s := startServer(t, false)
	if _, err := sender(t, s, "smtp://"+s.addr).Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	got := s.mails()
	if len(got) != 1 {
		t.Fatalf("got %d mails", len(got))
	}
	if got[0].to != "TO:<ada@example.org>" || !strings.HasPrefix(got[0].from, "FROM:<no-reply@tickets.example.org>") {
		t.Errorf("envelope: %q %q", got[0].from, got[0].to)
	}
	msg, err := mail.ReadMessage(strings.NewReader(got[0].data))
	if err != nil {
		t.Fatal(err)
	}
	subject, _ := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
	for name, pair := range map[string][2]string{
		"subject":        {subject, letter.Subject},
		"message id":     {msg.Header.Get("Message-ID"), "<" + letter.ID + "@tickets.example.org>"},
		"auto-submitted": {msg.Header.Get("Auto-Submitted"), "auto-generated"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %q, want %q", name, pair[0], pair[1])
		}
	}
	_, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for _, want := range []string{letter.Text, letter.HTML} {
		part, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.ReplaceAll(string(body), "\r\n", "\n"); strings.TrimSpace(text) != strings.TrimSpace(want) {
			t.Errorf("part %q: got %q, want %q", part.Header.Get("Content-Type"), text, want)
		}
	}
}

func TestEncryptionAndSignIn(t *testing.T) {
	t.Parallel()
	startTLS := func(s *server) { s.startTLS = true }
	auth := func(s *server) { s.auth = true }
	for _, c := range []struct {
		name      string
		implicit  bool
		options   []option
		url       string
		arrives   bool
		encrypted bool
		login     string
	}{
		{"STARTTLS where offered", false, []option{startTLS}, "smtp://%s", true, true, ""},
		{"plain where not offered", false, nil, "smtp://%s", true, false, ""},
		{"required and offered", false, []option{startTLS}, "smtp://%s?tls=required", true, true, ""},
		{"required and not offered", false, nil, "smtp://%s?tls=required", false, false, ""},
		{"TLS from the first byte", true, nil, "smtps://%s", true, true, ""},
		{"sign in over STARTTLS", false, []option{startTLS, auth}, "smtp://ada:s%%20cret@%s", true, true, "\x00ada\x00s cret"},
		{"sign in over TLS", true, []option{auth}, "smtps://ada:secret@%s", true, true, "\x00ada\x00secret"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, c.implicit, c.options...)
			retry, err := sender(t, s, fmt.Sprintf(c.url, s.addr)).Send(t.Context(), letter)
			got := s.mails()
			if !c.arrives {
				if err == nil || !retry || len(got) != 0 {
					t.Fatalf("sent over a connection that must not be used: %v, retry %v, %d mails", err, retry, len(got))
				}
				return
			}
			if err != nil || len(got) != 1 {
				t.Fatalf("%v, %d mails", err, len(got))
			}
			if got[0].encrypted != c.encrypted || got[0].login != c.login {
				t.Errorf("encrypted %v, login %q", got[0].encrypted, got[0].login)
			}
		})
	}
}

func TestACertificateOfSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	s := startServer(t, true)
	snd, err := email.New(email.Config{URL: "smtps://" + s.addr, PublicURL: "https://tickets.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	if retry, err := snd.Send(t.Context(), letter); err == nil || !retry {
		t.Fatalf("trusted an unknown certificate: %v, retry %v", err, retry)
	}
}

func TestWhatIsWorthAnotherAttempt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		command, answer string
		fails, retry    bool
	}{
		{"RCPT", "550 5.1.1 no such user", true, false},
		{"RCPT", "450 4.2.0 greylisted", true, true},
		{"MAIL", "452 4.3.1 out of space", true, true},
		{"DATA", "554 5.7.1 spam", true, false},
		{".", "554 5.6.0 not that", true, false},
		{".", "451 4.3.0 later", true, true},
		{"QUIT", "500 what", false, false},
	} {
		t.Run(c.command+" "+c.answer, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, false, func(s *server) {
				s.answer = func(command string) string {
					if command == c.command {
						return c.answer
					}
					return ""
				}
			})
			retry, err := sender(t, s, "smtp://"+s.addr).Send(t.Context(), letter)
			if (err != nil) != c.fails || retry != c.retry {
				t.Errorf("error %v, retry %v", err, retry)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, false)
		s.listener.Close()
		if retry, err := sender(t, s, "smtp://"+s.addr).Send(t.Context(), letter); err == nil || !retry {
			t.Errorf("error %v, retry %v", err, retry)
		}
	})
	t.Run("not an address", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, false)
		bad := letter
		bad.To = "ada@example.org\r\nBcc: all@example.org"
		if retry, err := sender(t, s, "smtp://"+s.addr).Send(t.Context(), bad); err == nil || retry {
			t.Errorf("error %v, retry %v", err, retry)
		}
	})
}

func TestASilentServerIsLeftWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	s := startServer(t, false, func(s *server) {
		s.answer = func(command string) string {
			if command == "RCPT" {
				close(asked)
				return "hang"
			}
			return ""
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if retry, err := sender(t, s, "smtp://"+s.addr).Send(ctx, letter); err == nil || !retry {
		t.Errorf("error %v, retry %v", err, retry)
	}
}

func TestAURLIsCheckedWhole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url   string
		wants []string
	}{
		{"http://:99999/?tls=maybe", []string{"smtp://", "port", "no host"}},
		{"smtp://mail.example.org?tls=maybe", []string{"tls=maybe"}},
		{"smtp://mail.example.org?from=nobody", []string{"from="}},
		{"smtp://u:hunter2@bad host", []string{"not a URL"}},
	} {
		_, err := email.New(email.Config{URL: c.url, PublicURL: "http://localhost:3000"})
		if err == nil {
			t.Errorf("%s was taken", c.url)
			continue
		}
		for _, want := range c.wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q doesn't say %q", c.url, err, want)
			}
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in the error: %v", err)
		}
	}
	snd, err := email.New(email.Config{URL: "smtps://u:hunter2@mail.example.org?from=Box+Office+%3Cbox@example.org%3E", PublicURL: "http://localhost:3000"})
	if err != nil || snd.String() != "smtps://mail.example.org:465" {
		t.Errorf("%v %v", snd, err)
	}
}
