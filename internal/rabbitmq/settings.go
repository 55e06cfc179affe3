package rabbitmq

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// setting is what the faults of this package are told under.
const setting = "AMQP_URL"

// The oldest broker that has what is used here.
const (
	minMajor = 3
	minMinor = 10
)

// settings are what a URL says.
type settings struct {
	url               string
	host, user, vhost string
	port              int
}

// known are the parameters of a URL that the client understands.
var known = []string{
	"cacertfile", "certfile", "keyfile", "server_name_indication", "auth_mechanism", "heartbeat", "connection_timeout", "channel_max",
}

// unknown tells of parameters that nobody would heed. Only a name that is one
// is quoted: where the ? belongs to a password the rest of that follows.
func unknown(query string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "what stands after the ? can't be read"
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if slices.Contains(known, name) {
			continue
		}
		what := "a parameter"
		if !strings.Contains(query, "@") && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") == "" {
			what = fmt.Sprintf("the parameter %q", name)
		}
		return what + " is unknown (known are " + strings.Join(known, ", ") + ")"
	}
	return ""
}

// parse reads a URL. Its error never quotes it, since there is a password in
// it.
func parse(text string) (settings, error) {
	wrong := func(what string) (settings, error) {
		return settings{}, fmt.Errorf("%s: %s; it looks like amqp://user:password@host:5672/vhost", setting, what)
	}
	u, err := url.Parse(text)
	if err != nil {
		return wrong("it can't be read as a URL (reserved characters in the password must be percent-encoded)")
	}
	if u.Scheme != "amqp" && u.Scheme != "amqps" {
		return wrong("its scheme is neither amqp nor amqps")
	}
	if u.Hostname() == "" {
		return wrong("it names no host")
	}
	if what := unknown(u.RawQuery); what != "" {
		return wrong(what)
	}
	a, err := amqp.ParseURI(text)
	if err != nil {
		return wrong("the broker's client can't read it: check port and parameters")
	}
	if a.Port < 1 || a.Port > 65535 {
		return wrong("its port is not between 1 and 65535")
	}
	return settings{url: text, host: a.Host, port: a.Port, user: a.Username, vhost: a.Vhost}, nil
}

func (s settings) addr() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// explain tells in one line what is wrong and how to mend it.
func (s settings) explain(queue string, err error) string {
	var broker *amqp.Error
	var lookup *net.DNSError
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &lookup):
		return fmt.Sprintf("%s: the host %q is not known; correct the name, or the resolver", setting, s.host)
	case errors.As(err, &certificate), errors.As(err, &authority):
		return fmt.Sprintf("%s: the certificate of %s is not trusted (%s); name its authority with ?cacertfile=FILE", setting, s.addr(), oneLine(err))
	case errors.As(err, &record):
		return fmt.Sprintf("%s: %s doesn't speak TLS there; use amqp:// or the broker's TLS port (5671)", setting, s.addr())
	case errors.Is(err, errNoBroker):
		return fmt.Sprintf("%s: no AMQP broker answers at %s (the usual port is 5672, with TLS 5671; 15672 is the management page); correct the port, or see whether the broker works",
			setting, s.addr())
	case errors.As(err, &broker):
		return s.explainReply(queue, broker)
	case errors.Is(err, errLost):
		return fmt.Sprintf("%s: %s: %s", setting, s.addr(), oneLine(err))
	case errors.Is(err, context.Canceled):
		return fmt.Sprintf("%s: interrupted", setting)
	}
	return fmt.Sprintf("%s: %s can't be reached (%s); start the broker, or correct host and port", setting, s.addr(), oneLine(err))
}

func (s settings) explainReply(queue string, e *amqp.Error) string {
	reason := oneLine(e)
	switch e.Code {
	case amqp.AccessRefused:
		if strings.Contains(e.Reason, "refused for user") {
			return s.lackOf(queue, e)
		}
		return fmt.Sprintf("%s: user or password is wrong for %q at %s; correct them, or set them with rabbitmqctl change_password", setting, s.user, s.addr())
	case amqp.NotAllowed:
		if strings.Contains(e.Reason, "not found") {
			return fmt.Sprintf("%s: there is no vhost %q at %s; make it with rabbitmqctl add_vhost, or correct the URL's path", setting, s.vhost, s.addr())
		}
		return fmt.Sprintf("%s: %q may not enter the vhost %q (%s); see rabbitmqctl set_permissions", setting, s.user, s.vhost, reason)
	case amqp.PreconditionFailed:
		name := queue
		if strings.Contains(e.Reason, queue+DeadSuffix) {
			name += DeadSuffix
		}
		return fmt.Sprintf("%s: the queue %q exists in the vhost %q with other arguments (%s); empty and delete it, it is made anew", setting, name, s.vhost, reason)
	}
	return fmt.Sprintf("%s: %s said %s", setting, s.addr(), reason)
}

// lackOf tells of a missing permission.
func (s settings) lackOf(queue string, e *amqp.Error) string {
	return fmt.Sprintf("%s: %q lacks a permission in the vhost %q (%s); rabbitmqctl set_permissions -p %s %s '^%s' '^(%s|amq\\.default)' '^%s'",
		setting, s.user, s.vhost, oneLine(e), s.vhost, s.user, queue, queue, queue)
}

// oneLine keeps an error to one line, without the lines of a stack.
func oneLine(err error) string {
	var broker *amqp.Error
	text := ""
	if errors.As(err, &broker) {
		text = broker.Reason
	} else {
		text = err.Error()
	}
	return strings.Join(strings.Fields(text), " ")
}

// tooOld says whether a broker of this version lacks what is used here. What
// can't be read is believed to be new.
func tooOld(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return false
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return false
	}
	return major < minMajor || major == minMajor && minor < minMinor
}
