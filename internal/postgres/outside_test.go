package postgres_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"happening/internal/postgres"
	"happening/internal/testkit"
)

func TestOutsideActsAsThePlainRoles(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   postgres.Settings
		role string
		user string
		opts string
		max  string
	}{
		{"the owner's own", postgres.Settings{URL: "postgres://own:p%40ss@h:1/d?sslmode=disable&pool_max_conns=30"}, postgres.OwnerRole, "own", "", ""},
		{"the owner acts as the request role", postgres.Settings{URL: "postgres://own:pw@h:1/d?sslmode=disable"}, postgres.AppRole, "own", "-c role=happening_app", ""},
		{"options stay", postgres.Settings{URL: "postgres://own:pw@h:1/d?sslmode=disable&options=-c%20work_mem%3D9MB"}, postgres.SystemRole, "own", "-c work_mem=9MB -c role=happening_system", ""},
		{"keys and values", postgres.Settings{URL: `host=h user=own options='-c a=\'b\'' dbname=d sslmode=disable`}, postgres.AppRole, "own", "-c a='b' -c role=happening_app", ""},
		{"a socket's folder as the host", postgres.Settings{URL: "postgres://own:pw@%2Frun%2Fpg:5432/d"}, postgres.AppRole, "own", "-c role=happening_app", ""},
		{"several hosts", postgres.Settings{URL: "postgres://own:pw@h:1,i:2,[::1]:3/d?sslmode=disable&target_session_attrs=read-write&pool_max_conns=10"}, postgres.SystemRole, "own", "-c role=happening_system", "6"},
		{"marks in the password", postgres.Settings{URL: "postgres://own:p?w&#=x@h/?sslmode=disable"}, postgres.AppRole, "own", "-c role=happening_app", ""},
		{"without a path", postgres.Settings{URL: "postgres://own@h?sslmode=disable&pool%5Fmax_conns=30"}, postgres.SystemRole, "own", "-c role=happening_system", "18"},
		{"a login of the role", postgres.Settings{URL: "postgres://own@h/d", AppURL: "postgres://happening_app@p:2/d?sslmode=disable&pool_max_conns=5"}, postgres.AppRole, "happening_app", "", "5"},
		{"a bound is shared out", postgres.Settings{URL: "postgres://own@h/d?sslmode=disable&pool_max_conns=10"}, postgres.AppRole, "own", "-c role=happening_app", "4"},
		{"and the rest", postgres.Settings{URL: "postgres://own@h/d?sslmode=disable&pool_max_conns=10"}, postgres.SystemRole, "own", "-c role=happening_system", "6"},
		{"in keys and values, too", postgres.Settings{URL: "host=h user=own sslmode=disable pool_max_conns=10"}, postgres.SystemRole, "own", "-c role=happening_system", "6"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			connString, err := postgres.Outside(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := pgconn.ParseConfig(connString(tt.role))
			if err != nil {
				t.Fatal(err)
			}
			if cfg.User != tt.user || cfg.RuntimeParams["options"] != tt.opts || cfg.RuntimeParams["pool_max_conns"] != tt.max {
				t.Errorf("%s: user %q, %v", connString(tt.role), cfg.User, cfg.RuntimeParams)
			}
			given, err := pgconn.ParseConfig(tt.in.URL)
			if err != nil {
				t.Fatal(err)
			}
			if tt.in.AppURL == "" && (cfg.Host != given.Host || cfg.Port != given.Port || cfg.Password != given.Password || cfg.Database != given.Database || len(cfg.Fallbacks) != len(given.Fallbacks)) {
				t.Errorf("%s leads elsewhere than %s", connString(tt.role), tt.in.URL)
			}
		})
	}
}

func TestOutsideTellsAllFaultsAndNoPassword(t *testing.T) {
	_, err := postgres.Outside(postgres.Settings{
		URL:       "postgres://own:se/cret@h:port/d",
		AppURL:    "postgres://happening_app:secret@h/d?pool_max_conns=1&sslmode=disable",
		SystemURL: "postgres://happening_system:secret@h/d?sslmode=verify-full&sslrootcert=/no/such/ca.pem",
	})
	lines := tell(err)
	if len(lines) != 3 || strings.Contains(err.Error(), "cret") {
		t.Fatalf("%d lines: %v", len(lines), err)
	}
	for _, part := range []string{
		"DATABASE_URL can't be read: it has to look like", "DATABASE_APP_URL: pool_max_conns=1 is too few", "unable to read CA file: open /no/such/ca.pem",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not told: %v", part, err)
		}
	}
	if _, err := postgres.Outside(postgres.Settings{AppURL: "postgres://h/d"}); err == nil || !strings.Contains(err.Error(), "DATABASE_URL is missing") {
		t.Error(err)
	}
	if _, err := postgres.Outside(postgres.Settings{URL: "postgres://h/d?default_query_exec_mode=exec"}); err == nil || !strings.Contains(err.Error(), "use cache_describe") {
		t.Error(err)
	}
	if _, err := postgres.Outside(postgres.Settings{URL: "postgres://h/d?pool_max_conns=7"}); err == nil || !strings.Contains(err.Error(), "at least 8") {
		t.Error(err)
	}
}

// tell gives the lines of an error.
func tell(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

// TestABoundIsKept opens everything of a process with few connections and
// counts what it makes.
func TestABoundIsKept(t *testing.T) {
	db := testkit.NewDB(t)
	connString, err := postgres.Outside(postgres.Settings{URL: db.ConnString("happening") + " pool_max_conns=8"})
	if err != nil {
		t.Fatal(err)
	}
	pools, err := postgres.Open(t.Context(), connString)
	if err != nil {
		t.Fatal(err)
	}
	defer pools.Close()
	ledger, err := postgres.NewLedger(t.Context(), connString)
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	if app, system, own := pools.App.Config().MaxConns, pools.System.Config().MaxConns, ledger.MaxConns(); app+system+own != 8 || app < 2 || system < 3 || own < 2 {
		t.Errorf("%d + %d + %d", app, system, own)
	}
	for _, pool := range []struct {
		name string
		as   string
		q    func(context.Context, string, ...any) pgx.Row
	}{{"App", postgres.AppRole, pools.App.QueryRow}, {"System", postgres.SystemRole, pools.System.QueryRow}} {
		var user, zone string
		if err := pool.q(t.Context(), "SELECT current_user, current_setting('timezone')").Scan(&user, &zone); err != nil || user != pool.as || zone != "UTC" {
			t.Errorf("%s acts as %s in %s, %v", pool.name, user, zone, err)
		}
	}
}

// login makes a login of the test's own on the shared cluster.
func login(t *testing.T, db *testkit.DB, attributes string) string {
	t.Helper()
	name := "l_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:20]
	db.AsOwner(t, "CREATE ROLE "+name+" LOGIN "+attributes)
	t.Cleanup(func() {
		db.AsOwner(t, "DROP OWNED BY "+name)
		db.AsOwner(t, "DROP ROLE "+name)
	})
	return name
}

func outside(t *testing.T, s postgres.Settings) func(string) string {
	t.Helper()
	connString, err := postgres.Outside(s)
	if err != nil {
		t.Fatal(err)
	}
	return connString
}

// told collects what a logger was told, and signals each line.
type told struct {
	mu    sync.Mutex
	lines strings.Builder
	each  chan string
}

func newTold() *told { return &told{each: make(chan string, 100)} }

func (w *told) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines.Write(p)
	w.each <- string(p)
	return len(p), nil
}

func (w *told) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines.String()
}

func (w *told) log() *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// await returns once the log has told something with the text.
func (w *told) await(t *testing.T, text string) {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case line := <-w.each:
			if strings.Contains(line, text) {
				return
			}
		case <-late:
			t.Fatalf("the log never told of %q: %s", text, w)
		}
	}
}

func TestWhoDoesNotOwnTheTablesChecksInsteadOfMigrating(t *testing.T) {
	db := testkit.NewDB(t)
	member := login(t, db, "IN ROLE happening_app, happening_system")
	connString := outside(t, postgres.Settings{URL: db.ConnString(member)})
	log := newTold()
	if err := postgres.EnsureSchema(t.Context(), connString, log.log()); err != nil {
		t.Fatal(err)
	}
	have, want, err := db.SchemaVersion(t.Context())
	if err != nil || have != want || have < 7 {
		t.Fatalf("version %d of %d, %v", have, want, err)
	}
	db.AsOwner(t, fmt.Sprintf("INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, true)", want+1))
	if err := postgres.EnsureSchema(t.Context(), connString, log.log()); err != nil || !strings.Contains(log.String(), "newer than this program") {
		t.Errorf("a newer schema: %v, %s", err, log)
	}
	if err := postgres.Migrate(t.Context(), db.ConnString("happening")); err != nil {
		t.Errorf("migrating on a newer schema: %v", err)
	}
	db.AsOwner(t, fmt.Sprintf("DELETE FROM goose_db_version WHERE version_id >= %d", want))
	err = postgres.EnsureSchema(t.Context(), connString, log.log())
	if err == nil || !strings.Contains(err.Error(), "happening migrate") {
		t.Errorf("an older schema: %v", err)
	}
	if err := postgres.Probe(t.Context(), postgres.Settings{URL: db.ConnString(member), Volatile: true}); err != nil {
		t.Errorf("probe: %v", err)
	}
}

// TestSeveralMigrateAtOnce starts many on an empty database: one does it, the
// others wait and find it done.
func TestSeveralMigrateAtOnce(t *testing.T) {
	db := testkit.NewDB(t)
	name := "m_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:20]
	db.AsOwner(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { db.AsOwner(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	connString := outside(t, postgres.Settings{URL: strings.Replace(db.ConnString("happening"), db.Name, name, 1)})
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if err := postgres.EnsureSchema(context.Background(), connString, slog.New(slog.DiscardHandler)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := postgres.ProbeRoles(t.Context(), postgres.Settings{Volatile: true}, connString); err != nil {
		t.Error(err)
	}
}

// TestAServerWithoutAFreeConnectionIsWaitedFor lets nobody in until the log
// has told that somebody waits.
func TestAServerWithoutAFreeConnectionIsWaitedFor(t *testing.T) {
	db := testkit.NewDB(t)
	member := login(t, db, "IN ROLE happening_app, happening_system CONNECTION LIMIT 0")
	log, done := newTold(), make(chan error, 1)
	connString := outside(t, postgres.Settings{URL: db.ConnString(member)})
	go func() { done <- postgres.EnsureSchema(context.Background(), connString, log.log()) }()
	log.await(t, "doesn't let us in yet")
	db.AsOwner(t, "ALTER ROLE "+member+" CONNECTION LIMIT -1")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// tlsFront speaks TLS before a server that listens on a socket only, as
// PostgreSQL does on a network.
func tlsFront(t *testing.T, socket string, cert tls.Certificate) (port int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	serve := func(plain net.Conn) {
		defer plain.Close()
		ask := make([]byte, 8) // SSLRequest
		if _, err := io.ReadFull(plain, ask); err != nil {
			return
		}
		if _, err := plain.Write([]byte("S")); err != nil {
			return
		}
		front := tls.Server(plain, &tls.Config{Certificates: []tls.Certificate{cert}})
		back, err := net.Dial("unix", socket)
		if err != nil {
			return
		}
		defer back.Close()
		running.Go(func() { _, _ = io.Copy(back, front); back.Close() })
		_, _ = io.Copy(front, back)
	}
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() { ln.Close(); running.Wait() })
	return ln.Addr().(*net.TCPAddr).Port
}

// authority makes a CA, its file, and a certificate for localhost by it.
func authority(t *testing.T) (file string, cert tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}
}

// TestTheEmbeddedOneGoesTheSameWay asks for the owner's string by the name
// that the embedded PostgreSQL knows.
func TestTheEmbeddedOneGoesTheSameWay(t *testing.T) {
	db := testkit.NewDB(t)
	if err := postgres.EnsureSchema(t.Context(), db.ConnString, newTold().log()); err != nil {
		t.Error(err)
	}
	if err := postgres.ProbeRoles(t.Context(), postgres.Settings{Volatile: true}, db.ConnString); err != nil {
		t.Error(err)
	}
}

func TestTLSIsVerifiedAsTheAddressSays(t *testing.T) {
	db := testkit.NewDB(t)
	cfg, err := pgconn.ParseConfig(db.ConnString("happening"))
	if err != nil {
		t.Fatal(err)
	}
	_, socket := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	ca, cert := authority(t)
	otherCA, _ := authority(t)
	port := tlsFront(t, socket, cert)
	url := func(host, params string) string {
		return fmt.Sprintf("postgres://happening:secret@%s:%d/%s?sslmode=%s", host, port, db.Name, params)
	}
	for _, tt := range []struct{ name, url, want string }{
		{"the right authority", url("localhost", "verify-full&sslrootcert="+ca), ""},
		{"without a look at it", url("127.0.0.1", "require"), ""},
		{"a wrong authority", url("localhost", "verify-full&sslrootcert="+otherCA), "not signed by a trusted authority"},
		{"another name", url("127.0.0.1", "verify-full&sslrootcert="+ca), "not for that name"},
		{"another name may be", url("127.0.0.1", "verify-ca&sslrootcert="+ca), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines := tell(postgres.Probe(t.Context(), postgres.Settings{URL: tt.url, Volatile: true}))
			switch {
			case tt.want == "" && len(lines) > 0:
				t.Error(lines)
			case tt.want != "" && (len(lines) != 1 || !strings.Contains(lines[0], tt.want) || strings.Contains(lines[0], "secret")):
				t.Errorf("%d lines: %v", len(lines), lines)
			}
		})
	}
}
