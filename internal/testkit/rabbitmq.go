//go:build engines

package testkit

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"happening/internal/testkit/port"
)

// Times that a private broker is given.
const (
	brokerStart = 90 * time.Second
	brokerStop  = 30 * time.Second
	brokerPoll  = 100 * time.Millisecond
)

// BrokerUser is a user of a private broker, and what it may do in the vhost /.
type BrokerUser struct {
	Name, Password         string
	NoVhost                bool
	Configure, Write, Read string // regular expressions; empty: nothing
}

// Broker is a private RabbitMQ node on ports of its own.
type Broker struct {
	// URL reaches it as a user who may do everything.
	URL  string
	Port int
	// TLSURL reaches it over TLS, with the authority of its certificate.
	TLSURL string

	dir     string
	release func() // of its ports
	env     []string
	epmd    *exec.Cmd
	node    *exec.Cmd
	done    chan struct{} // closed when the node's process has ended
}

// RabbitMQ starts a private broker for a test and stops it at the end.
func RabbitMQ(t testing.TB, users ...BrokerUser) *Broker {
	t.Helper()
	b, err := StartRabbitMQ(users...)
	if err != nil {
		t.Fatalf("testkit: no RabbitMQ to test on: %v", err)
	}
	t.Cleanup(b.Close)
	return b
}

// StartRabbitMQ starts a private broker, which the caller closes; for those
// who share one among a package's tests.
func StartRabbitMQ(users ...BrokerUser) (*Broker, error) {
	server, err := brokerScript()
	if err != nil {
		return nil, err
	}
	epmd, err := exec.LookPath("epmd")
	if err != nil {
		return nil, errors.New("epmd is not installed; install the package erlang-base")
	}
	dir, err := os.MkdirTemp("", "happening-rabbitmq-")
	if err != nil {
		return nil, err
	}
	ports, release, err := ownPorts(4)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	b := &Broker{
		URL:  fmt.Sprintf("amqp://happening:happening@127.0.0.1:%d/", ports[0]),
		Port: ports[0], dir: dir, release: release,
	}
	b.TLSURL = fmt.Sprintf("amqps://happening:happening@127.0.0.1:%d/?cacertfile=%s", ports[3], filepath.Join(dir, "cert.pem"))
	if err := b.configure(ports, users); err != nil {
		b.Close()
		return nil, err
	}
	// A name daemon of our own: the node would leave a shared one behind.
	b.epmd = exec.Command(epmd, "-port", strconv.Itoa(ports[2]), "-address", "127.0.0.1")
	if err := b.epmd.Start(); err != nil {
		b.epmd = nil
		b.Close()
		return nil, err
	}
	if err := b.start(server); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// brokerScript finds the script that runs the node as whoever calls it; the
// one in the PATH may change to a user of its own.
func brokerScript() (string, error) {
	if found, _ := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"); len(found) > 0 {
		return found[len(found)-1], nil
	}
	if found, err := exec.LookPath("rabbitmq-server"); err == nil {
		return found, nil
	}
	return "", errors.New("rabbitmq-server is not installed; install the package rabbitmq-server")
}

// ownPorts takes ports that are the broker's until release.
func ownPorts(n int) (ports []int, release func(), err error) {
	release = func() {
		for _, p := range ports {
			port.Release(p)
		}
	}
	for range n {
		p, err := port.Take()
		if err != nil {
			release()
			return nil, nil, err
		}
		ports = append(ports, p)
	}
	return ports, release, nil
}

func (b *Broker) configure(ports []int, users []BrokerUser) error {
	type permission struct {
		User      string `json:"user"`
		Vhost     string `json:"vhost"`
		Configure string `json:"configure"`
		Write     string `json:"write"`
		Read      string `json:"read"`
	}
	type account struct {
		Name string   `json:"name"`
		Hash string   `json:"password_hash"`
		How  string   `json:"hashing_algorithm"`
		Tags []string `json:"tags"`
	}
	all := BrokerUser{Name: "happening", Password: "happening", Configure: ".*", Write: ".*", Read: ".*"}
	var accounts []account
	var permissions []permission
	for _, u := range append([]BrokerUser{all}, users...) {
		accounts = append(accounts, account{Name: u.Name, Hash: brokerHash(u.Password), How: "rabbit_password_hashing_sha256", Tags: []string{}})
		if !u.NoVhost {
			permissions = append(permissions, permission{u.Name, "/", u.Configure, u.Write, u.Read})
		}
	}
	definitions, err := json.Marshal(map[string]any{
		"users": accounts, "permissions": permissions, "vhosts": []map[string]string{{"name": "/"}},
	})
	if err != nil {
		return err
	}
	certificate, key, err := selfSigned()
	if err != nil {
		return err
	}
	conf := fmt.Sprintf(`listeners.tcp.1 = 127.0.0.1:%d
listeners.ssl.1 = 127.0.0.1:%d
ssl_options.cacertfile = %[3]s/cert.pem
ssl_options.certfile = %[3]s/cert.pem
ssl_options.keyfile = %[3]s/key.pem
load_definitions = %[3]s/definitions.json
`, ports[0], ports[3], b.dir)
	for name, text := range map[string]string{
		"definitions.json": string(definitions), "rabbitmq.conf": conf, "plugins": "[].", "env.conf": "",
		"cert.pem": certificate, "key.pem": key,
	} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	b.env = append(os.Environ(),
		"HOME="+b.dir,
		"RABBITMQ_NODENAME=happening-"+uuid.NewString()[:8]+"@localhost",
		"RABBITMQ_NODE_PORT="+strconv.Itoa(ports[0]),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(ports[1]),
		"ERL_EPMD_PORT="+strconv.Itoa(ports[2]),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_CONF_ENV_FILE="+filepath.Join(b.dir, "env.conf"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(b.dir, "rabbitmq"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(b.dir, "plugins"),
		"RABBITMQ_MNESIA_BASE="+filepath.Join(b.dir, "data"),
		"RABBITMQ_LOG_BASE="+filepath.Join(b.dir, "log"),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		// The script becomes the node, so that signals reach it.
		"RABBITMQ_ALLOW_INPUT=1",
		"RABBITMQ_SERVER_START_ARGS=-noinput",
	)
	return nil
}

// brokerHash is the broker's hash of a password: four bytes of salt and the
// SHA-256 of salt and password.
func brokerHash(password string) string {
	salt := []byte{1, 2, 3, 4}
	sum := sha256.Sum256(append(bytes.Clone(salt), password...))
	return base64.StdEncoding.EncodeToString(append(salt, sum[:]...))
}

// selfSigned makes a certificate for 127.0.0.1 that is its own authority.
func selfSigned() (certificate, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return "", "", err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})), nil
}

func (b *Broker) start(server string) error {
	out, err := os.OpenFile(filepath.Join(b.dir, "out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	node := exec.Command(server)
	node.Env, node.Dir, node.Stdout, node.Stderr = b.env, b.dir, out, out
	// A group of its own, so that Kill and Pause reach the helpers, too.
	node.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := node.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { _ = node.Wait(); close(done) }()
	b.node, b.done = node, done
	ctx, cancel := context.WithTimeout(context.Background(), brokerStart)
	defer cancel()
	return b.waitReady(ctx)
}

// waitReady returns when the broker takes connections.
func (b *Broker) waitReady(ctx context.Context) error {
	tick := time.NewTicker(brokerPoll)
	defer tick.Stop()
	for {
		conn, err := amqp.DialConfig(b.URL, amqp.Config{Dial: amqp.DefaultDial(5 * time.Second)})
		if err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-b.done:
			return fmt.Errorf("the node ended: %s", b.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("the node takes no connections (%w): %s", err, b.lastWords())
		}
	}
}

func (b *Broker) lastWords() string {
	const enough = 2000
	text, _ := os.ReadFile(filepath.Join(b.dir, "out"))
	if len(text) > enough {
		text = text[len(text)-enough:]
	}
	return strings.TrimSpace(string(text))
}

func (b *Broker) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(-b.node.Process.Pid, s); err != nil {
		t.Errorf("testkit: signal %v to RabbitMQ: %v", s, err)
	}
}

// Kill ends the broker as kill -9 does and waits until it is gone.
func (b *Broker) Kill(t testing.TB) {
	t.Helper()
	b.signal(t, syscall.SIGKILL)
	<-b.done
}

// Stop shuts the broker down in order and waits until it is down.
func (b *Broker) Stop(t testing.TB) {
	t.Helper()
	b.signal(t, syscall.SIGTERM)
	select {
	case <-b.done:
	case <-time.After(brokerStop):
		t.Errorf("testkit: RabbitMQ doesn't stop")
		b.Kill(t)
	}
}

// Start starts the broker again, on its data, after Kill or Stop.
func (b *Broker) Start(t testing.TB) {
	t.Helper()
	server, err := brokerScript()
	if err == nil {
		err = b.start(server)
	}
	if err != nil {
		t.Fatalf("testkit: RabbitMQ doesn't come back: %v", err)
	}
}

// Pause freezes the broker; Resume lets it go on.
func (b *Broker) Pause(t testing.TB)  { t.Helper(); b.signal(t, syscall.SIGSTOP) }
func (b *Broker) Resume(t testing.TB) { t.Helper(); b.signal(t, syscall.SIGCONT) }

// Ctl runs rabbitmqctl against the broker.
func (b *Broker) Ctl(t testing.TB, args ...string) {
	t.Helper()
	server, err := brokerScript()
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	ctl := exec.Command(filepath.Join(filepath.Dir(server), "rabbitmqctl"), args...)
	ctl.Env, ctl.Dir = b.env, b.dir
	if out, err := ctl.CombinedOutput(); err != nil {
		t.Fatalf("testkit: rabbitmqctl %v: %v: %s", args, err, out)
	}
}

// Close ends the broker and removes all that it kept.
func (b *Broker) Close() {
	if b.node != nil {
		_ = syscall.Kill(-b.node.Process.Pid, syscall.SIGKILL)
		<-b.done
	}
	if b.epmd != nil {
		_ = b.epmd.Process.Kill()
		_ = b.epmd.Wait()
	}
	b.release()
	_ = os.RemoveAll(b.dir)
}
