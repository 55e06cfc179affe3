package rabbitmq

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

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
		{"", "scheme"},
	} {
		s, err := parse(c.url)
		switch {
		case c.wrong == "" && (err != nil || s.host != "broker" || s.user != "ada"):
			t.Errorf("%s: %+v, %v", c.url, s, err)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%s: %v", c.url, err)
		case err != nil && (strings.Contains(err.Error(), "sam@") || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), setting)):
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
	m, err := message(fact)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"fact":"01900000-0000-7000-8000-000000000001","v":1}`; string(m.Body) != want {
		t.Errorf("the body is %s", m.Body)
	}
	if m.MessageId != fact.String() || m.DeliveryMode != amqp.Persistent {
		t.Errorf("%+v", m)
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
