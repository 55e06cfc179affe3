// Package email sends mails over SMTP.
//
// The server is named by one URL:
//
//	smtp://user:pass@host:port                STARTTLS where the server offers it
//	smtp://user:pass@host:port?tls=required   STARTTLS or nothing
//	smtps://user:pass@host:port               TLS from the first byte
//
// The port defaults to 587 and 465; ?from= names another sender than
// no-reply@ the public address's host. A password never crosses a connection
// that is not encrypted, save to this very machine.
package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"happening/internal/notify"
)

// sessionTimeout bounds one session with the server, from the connection to
// the last answer.
const sessionTimeout = notify.SendTimeout

// The ports where the URL names none: submission (RFC 6409) and submission
// over TLS (RFC 8314).
const (
	submissionPort  = 587
	submissionsPort = 465
)

// Config says where mails go and whom they come from.
type Config struct {
	// URL names the server; see the package's comment.
	URL string
	// PublicURL is the address that people know; its host names the sender and
	// the domain of Message-IDs.
	PublicURL string
	// TLS is the base of the TLS configuration, nil for the usual one; the
	// server's name is added.
	TLS *tls.Config
}

// Sender sends mails over SMTP, each in a session of its own. It may be used
// by many goroutines at once.
type Sender struct {
	host     string
	port     int
	user     string
	password string
	implicit bool // TLS from the first byte
	required bool // STARTTLS or nothing
	from     *mail.Address
	domain   string // of Message-IDs
	tls      *tls.Config
}

// New checks the configuration and makes a sender; it connects to nothing.
// All faults of the URL are reported at once, none of them with the password.
func New(cfg Config) (*Sender, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		// The error would quote the URL, password included.
		return nil, errors.New("SMTP_URL is not a URL")
	}
	s := &Sender{host: u.Hostname(), user: u.User.Username()}
	s.password, _ = u.User.Password()
	faults := errors.Join(s.setScheme(u), s.setPort(u), s.setFrom(u, cfg.PublicURL))
	if s.host == "" {
		faults = errors.Join(faults, errors.New("SMTP_URL names no host"))
	}
	if faults != nil {
		return nil, faults
	}
	if cfg.TLS != nil {
		s.tls = cfg.TLS.Clone()
	} else {
		s.tls = &tls.Config{}
	}
	s.tls.ServerName = s.host
	s.tls.MinVersion = tls.VersionTLS12
	return s, nil
}

func (s *Sender) setScheme(u *url.URL) error {
	switch u.Scheme {
	case "smtp":
		s.port = submissionPort
	case "smtps":
		s.port, s.implicit = submissionsPort, true
	default:
		return errors.New("SMTP_URL must start with smtp:// or smtps://")
	}
	switch mode := u.Query().Get("tls"); mode {
	case "":
	case "required":
		s.required = true
	default:
		return fmt.Errorf("SMTP_URL: tls=%s is not known, only tls=required", mode)
	}
	return nil
}

func (s *Sender) setPort(u *url.URL) error {
	if u.Port() == "" {
		return nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 {
		return errors.New("SMTP_URL: the port must be between 1 and 65535")
	}
	s.port = int(port)
	return nil
}

func (s *Sender) setFrom(u *url.URL, publicURL string) error {
	public, err := url.Parse(publicURL)
	if err != nil || public.Hostname() == "" {
		return errors.New("the public URL names no host to send mails from")
	}
	s.domain = public.Hostname()
	s.from = &mail.Address{Name: "Happening", Address: "no-reply@" + s.domain}
	if from := u.Query().Get("from"); from != "" {
		if s.from, err = mail.ParseAddress(from); err != nil {
			return errors.New("SMTP_URL: from= is not an address")
		}
	}
	return nil
}

// Send implements notify.Sender. Another attempt makes sense unless the server
// refused this mail for good (RFC 5321, section 4.2.1) or it cannot be written
// at all; what ails the session, such as a refused password, is not the mail's
// fault.
func (s *Sender) Send(ctx context.Context, m notify.Mail) (retry bool, err error) {
	msg, err := s.message(m)
	if err != nil {
		return false, fmt.Errorf("email: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sessionTimeout)
	defer cancel()
	session := &session{sender: s}
	defer session.close()
	client, err := session.open(ctx)
	if err != nil {
		return true, fmt.Errorf("email: connect to %s: %w", net.JoinHostPort(s.host, strconv.Itoa(s.port)), err)
	}
	// The library's sending knows no context: closing the connection under it
	// is what ends it.
	stop := context.AfterFunc(ctx, session.close)
	defer stop()
	if err := session.mailer.SendWithSMTPClient(client, msg); err != nil {
		return worthRetrying(err), fmt.Errorf("email: send: %w", err)
	}
	// The server has the mail; whether it takes leave politely is of no
	// matter, and taking it for a failure would send the mail twice.
	_ = client.Quit()
	return false, nil
}

// message writes the mail down.
func (s *Sender) message(m notify.Mail) (*gomail.Msg, error) {
	to, err := mail.ParseAddress(m.To)
	if err != nil {
		// The error would quote the address.
		return nil, errors.New("the recipient's address is not valid")
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.from)
	msg.ToMailAddress(&mail.Address{Address: to.Address})
	msg.SetMessageIDWithValue(m.ID + "@" + s.domain)
	msg.SetDate()
	msg.Subject(m.Subject)
	// Nobody's holiday responder should answer (RFC 3834).
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return msg, nil
}

// session is one conversation with the server.
type session struct {
	sender *Sender
	mailer *gomail.Client
	conn   net.Conn
}

// open connects, secures the connection and signs in. The connection is kept
// so that close ends it wherever that stopped; the library leaves it open
// after a failure.
func (c *session) open(ctx context.Context) (*smtp.Client, error) {
	s := c.sender
	policy := gomail.TLSOpportunistic
	switch {
	case s.implicit:
		policy = gomail.NoTLS
	case s.required:
		policy = gomail.TLSMandatory
	}
	options := []gomail.Option{
		gomail.WithPort(s.port),
		gomail.WithTimeout(sessionTimeout),
		gomail.WithTLSConfig(s.tls),
		gomail.WithTLSPolicy(policy),
		gomail.WithHELO(heloName(s.domain)),
		gomail.WithDialContextFunc(c.dial),
	}
	if s.user != "" {
		options = append(options, gomail.WithUsername(s.user), gomail.WithPassword(s.password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5))
	}
	mailer, err := gomail.NewClient(s.host, options...)
	if err != nil {
		return nil, err
	}
	c.mailer = mailer
	return mailer.DialToSMTPClientWithContext(ctx)
}

func (c *session) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	} = &net.Dialer{}
	if c.sender.implicit {
		dialer = &tls.Dialer{Config: c.sender.tls}
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.conn = conn
	return conn, conn.SetDeadline(time.Now().Add(sessionTimeout))
}

func (c *session) close() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
}

// heloName is how we introduce ourselves; an address needs brackets
// (RFC 5321, section 4.1.3).
func heloName(domain string) string {
	ip := net.ParseIP(domain)
	switch {
	case ip == nil:
		return domain
	case ip.To4() != nil:
		return "[" + domain + "]"
	default:
		return "[IPv6:" + domain + "]"
	}
}

// worthRetrying is false where the server said of this very mail that it will
// never take it.
func worthRetrying(err error) bool {
	var refused *gomail.SendError
	if !errors.As(err, &refused) {
		return true
	}
	code := refused.ErrorCode()
	return code < 500 || code > 599
}

// String names the server, without the password.
func (s *Sender) String() string {
	scheme := "smtp"
	if s.implicit {
		scheme = "smtps"
	}
	return strings.Join([]string{scheme, net.JoinHostPort(s.host, strconv.Itoa(s.port))}, "://")
}
