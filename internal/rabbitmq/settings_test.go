package rabbitmq

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

func TestURLs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ url, wrong string }{
		{"amqp://ada:sesam@broker:5673/events", ""},
		{"amqps://ada:sesam@broker/?cacertfile=/ca.pem", ""},
		{"amqp://ada:sesam%3F@broker", ""},
		{"amqp://ada:se?sam@broker", "percent-encoded"},
		{"amqp://ada:sesam@broker:port", "percent-encoded"},
		{"amqp://ada:sesam@broker:0", "port"},
		{"amqp://ada:sesam@broker:99999", "port"},
		{"http://ada:sesam@broker", "scheme"},
		{"ada:sesam@broker", "scheme"},
		{"amqp://", "no host"},
		{"amqp://ada:sesam@broker?heartbeat=often", "parameters"},
		{"amqp://ada:sesam@broker?heartbeat=7&auth_mechanism=PLAIN", ""},
		{"amqp://ada:sesam@broker?hartbeat=7", `the parameter "hartbeat" is unknown (known are cacertfile, certfile`},
		{"amqp://ada:sesam@broker?s3sam@=x", "a parameter is unknown"},
		{"amqp://ada:5?sesam@broker", "a parameter is unknown"},
		{"amqp://ada:5?sesam=sesam@broker", "a parameter is unknown"},
		{"amqp://ada:sesam@broker?a=%zz", "can't be read"},
		{"", "scheme"},
	} {
		s, err := parse(c.url)
		switch {
		case c.wrong == "" && (err != nil || s.host != "broker" || s.user != "ada"):
			t.Errorf("%s: %+v, %v", c.url, s, err)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%s: %v", c.url, err)
		case err != nil && (strings.Contains(err.Error(), "sesam") || strings.Contains(err.Error(), "sam@") || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), setting)):
			t.Errorf("%s is told as %v", c.url, err)
		}
	}
}

func TestEveryTroubleIsOneLineWithoutAPassword(t *testing.T) {
	t.Parallel()
	s, err := parse("amqp://ada:sesam@broker:5673/events")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{&net.DNSError{Err: "no such host", Name: "broker"}, `the host "broker" is not known`},
		{&net.OpError{Op: "dial", Err: errors.New("connection refused")}, "broker:5673 can't be reached"},
		{&tls.CertificateVerificationError{Err: errors.New("signed by\nnobody")}, "cacertfile"},
		{amqp.ErrCredentials, "user or password is wrong"},
		{&amqp.Error{Code: amqp.AccessRefused, Reason: "ACCESS_REFUSED - access to queue 'notifications' in vhost 'events' refused for user 'ada'"}, "lacks a permission"},
		{&amqp.Error{Code: amqp.NotAllowed, Reason: "NOT_ALLOWED - vhost events not found"}, "add_vhost"},
		{&amqp.Error{Code: amqp.PreconditionFailed, Reason: "PRECONDITION_FAILED - inequivalent arg 'x-queue-type'\nfor queue 'notifications.dead'"}, `"notifications.dead" exists`},
		{&amqp.Error{Code: amqp.ConnectionForced, Reason: "CONNECTION_FORCED"}, "said CONNECTION_FORCED"},
		{fmt.Errorf("%w: it was closed", errLost), "lost: it was closed"},
	} {
		line := s.explain(QueueName, fmt.Errorf("connect: %w", c.err))
		if !strings.HasPrefix(line, setting+": ") || !strings.Contains(line, c.want) || strings.ContainsAny(line, "\n") || strings.Contains(line, "sesam") {
			t.Errorf("%v is told as %s", c.err, line)
		}
	}
}

func TestWhoseAMessageIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sender, installation string
		foreign              bool
	}{
		{"ours", "ours", false}, {"theirs", "ours", true},
		{"", "ours", false}, {"happening", "ours", false}, {"theirs", "", false},
	} {
		if got := foreign(amqp.Delivery{AppId: c.sender}, c.installation); got != c.foreign {
			t.Errorf("a message of %q is foreign to %q: %v", c.sender, c.installation, got)
		}
	}
}

// TestAForeignMessageStaysWhatItWas puts a message back many times.
func TestAForeignMessageStaysWhatItWas(t *testing.T) {
	t.Parallel()
	d := amqp.Delivery{AppId: "theirs", MessageId: "m", Type: "fact", Body: []byte("text"), Headers: amqp.Table{"x-delivery-count": int64(3)}}
	for n := range 2 * maxHops {
		d.Redelivered = n == 3
		m := again(d)
		if m.AppId != "theirs" || m.MessageId != "m" || m.Type != "fact" || string(m.Body) != "text" || m.DeliveryMode != amqp.Persistent || len(m.Headers) != 2 {
			t.Fatalf("put back as %+v", m)
		}
		d.Headers = m.Headers
		if got := hops(d); got != min(n+1, maxHops) {
			t.Fatalf("%d hops after %d", got, n+1)
		}
		if got := wasSuspect(d); got != (n >= 3) {
			t.Fatalf("after %d hops suspected: %v", n+1, got)
		}
		if pause := foreignPause(hops(d)); pause <= firstForeignPause || pause > lastForeignPause {
			t.Fatalf("%v pause", pause)
		}
	}
	if again(amqp.Delivery{}).MessageId == "" {
		t.Error("a message can't be told from another")
	}
	if got := hops(amqp.Delivery{Headers: amqp.Table{hopsHeader: int32(-5)}}); got != 0 {
		t.Errorf("%d hops", got)
	}
}

// TestAPortThatIsNoBroker tries ports that speak otherwise, hang up, or say
// nothing.
func TestAPortThatIsNoBroker(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(net.Conn){
		"a web server": func(c net.Conn) {
			_, _ = c.Read(make([]byte, 8))
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
			_ = c.Close()
		},
		"hangs up":     func(c net.Conn) { _ = c.Close() },
		"says nothing": func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go answer(c)
				}
			}()
			for _, scheme := range []string{"amqp", "amqps"} {
				if name == "a web server" && scheme == "amqps" {
					continue // its answer is no TLS, which is told as such
				}
				s, err := parse(scheme + "://ada:sesam@" + l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				const within = 200 * time.Millisecond
				began := time.Now()
				_, err = s.dial(t.Context(), "probe", within)
				if err == nil {
					t.Fatal("a connection to no broker")
				}
				if took := time.Since(began); took > within+dialTimeout {
					t.Errorf("%s: took %v", scheme, took)
				}
				line := s.explain(QueueName, err)
				if !strings.Contains(line, "no AMQP broker answers at "+l.Addr().String()) || !strings.Contains(line, "5672") ||
					strings.ContainsAny(line, "\n") || strings.Contains(line, "sesam") {
					t.Errorf("%s: %v", scheme, line)
				}
			}
		})
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for version, old := range map[string]bool{
		"3.9.29": true, "2.8": true, "3.10.0": false, "3.10.8": false, "3.13.7": false, "4.0.2": false, "4": false, "": false, "x.y": false,
	} {
		if got := tooOld(version); got != old {
			t.Errorf("%q is too old: %v", version, got)
		}
	}
}

func TestAMessageNamesItsFactAndNothingElse(t *testing.T) {
	t.Parallel()
	fact := uuid.MustParse("01900000-0000-7000-8000-000000000001")
	m, err := message(fact, "")
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"fact":"01900000-0000-7000-8000-000000000001","v":1}`; string(m.Body) != want {
		t.Errorf("the body is %s", m.Body)
	}
	if m.MessageId != fact.String() || m.DeliveryMode != amqp.Persistent {
		t.Errorf("%+v", m)
	}
	if m.AppId != "happening" {
		t.Errorf("a message of no installation is of %q", m.AppId)
	}
	if m, err := message(fact, "ours"); err != nil || m.AppId != "ours" {
		t.Errorf("a message is of %q, %v", m.AppId, err)
	}
	if got, err := factOf(m.Body); err != nil || got != fact {
		t.Errorf("read back as %v, %v", got, err)
	}
}

func FuzzFactOf(f *testing.F) {
	for _, seed := range []string{
		`{"fact":"01900000-0000-7000-8000-000000000001","v":1}`, `{"fact":"01900000-0000-7000-8000-000000000001","v":2}`,
		`{"fact":null,"v":1}`, `{}`, ``, `7`, `[]`, `{"fact":"01900000-0000-7000-8000-000000000001","v":1}{}`, "\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		fact, err := factOf(text)
		if (err == nil) == (fact == uuid.Nil) {
			t.Errorf("%q is fact %v and %v", text, fact, err)
		}
	})
}
