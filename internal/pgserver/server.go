package pgserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// ownerRole owns the database and everything in it. As the role that made
	// the cluster it bypasses row level security, so only migrations and an
	// operator connect with it.
	ownerRole    = "happening"
	databaseName = "happening"

	// stopLimit bounds a Stop whose context has no earlier end; it leaves the
	// supervisor its own, shorter limits.
	stopLimit = fastLimit + immediateLimit + 5*time.Second
	// killGrace is how long a supervisor may take for a stop in a hurry.
	killGrace = immediateLimit + time.Second

	// A supervisor that ends unasked, which only a kill can do to it, is
	// started again this many times between two successes.
	supervisorRestarts     = 5
	supervisorRestartPause = 200 * time.Millisecond

	connectLimit = 5 * time.Second
)

// Server is a PostgreSQL that this process runs.
type Server struct {
	dataDir   string
	socketDir string
	programs  programs
	account   account
	options   Options
	lock      *os.File

	stopOnce sync.Once
	stopping chan struct{} // closed when Stop was called
	ended    chan struct{} // closed when no supervisor runs and none will
	lost     chan struct{} // closed when it ended unasked, for good

	mu      sync.Mutex
	child   *child // the current supervisor
	lostErr error
	stopErr error
}

// child is one supervisor process.
type child struct {
	process *os.Process
	stdin   io.Closer
	ready   chan struct{} // closed at its first "ready"
	exited  chan struct{} // closed when it has ended and its reports are read
	failure string        // what it said when it gave up; read after exited
}

// Start runs PostgreSQL on a data directory, making it at first, and answers
// when the database accepts connections. Cancelling ctx abandons the start and
// has no effect afterwards. Errors wrap ErrInUse, ErrUnreachable, ErrNoPostgres
// or ErrVersionMismatch where a person can do something about them.
func Start(ctx context.Context, o Options) (*Server, error) {
	dataDir, acc, err := resolve(o)
	if err != nil {
		return nil, err
	}
	if err := makeDirs(dataDir, acc); err != nil {
		return nil, err
	}
	lock, err := lockDataDir(ctx, dataDir)
	if err != nil {
		return nil, err
	}
	s := &Server{
		dataDir:  dataDir,
		account:  acc,
		options:  o,
		lock:     lock,
		stopping: make(chan struct{}),
		ended:    make(chan struct{}),
		lost:     make(chan struct{}),
	}
	if err := s.prepare(ctx); err != nil {
		lock.Close()
		return nil, err
	}
	c, err := s.spawn(false)
	if err != nil {
		s.removeRuntimeDir()
		lock.Close()
		return nil, err
	}
	s.child = c
	go s.watch(c)
	if err := s.awaitFirst(ctx, c); err != nil {
		// The start's error is the one worth telling.
		_ = s.Stop(context.WithoutCancel(ctx))
		return nil, err
	}
	return s, nil
}

// prepare finds the programs and a place for the socket.
func (s *Server) prepare(ctx context.Context) error {
	var err error
	if s.programs, err = findPrograms(ctx, s.options, s.dataDir, s.account); err != nil {
		return err
	}
	if err := writePin(s.dataDir, s.programs); err != nil {
		return fmt.Errorf("remembering PostgreSQL's programs: %w", err)
	}
	s.socketDir, err = socketDirFor(s.dataDir, s.account)
	return err
}

// awaitFirst waits for the first start and makes the database in it.
func (s *Server) awaitFirst(ctx context.Context, c *child) error {
	select {
	case <-c.ready:
	case <-c.exited:
		if c.failure == "" {
			return errors.New("PostgreSQL's supervisor ended at its start")
		}
		return errors.New(c.failure)
	case <-ctx.Done():
		return fmt.Errorf("starting PostgreSQL: %w", ctx.Err())
	}
	return s.makeDatabase(ctx)
}

func (s *Server) makeDatabase(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	conn, err := connect(ctx, s.url(ownerRole, databaseName))
	if err == nil {
		return conn.Close(ctx)
	}
	const unknownDatabase = "3D000"
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != unknownDatabase {
		return fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	if conn, err = connect(ctx, s.url(ownerRole, "postgres")); err != nil {
		return fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+databaseName)
	return errors.Join(err, conn.Close(ctx))
}

func connect(ctx context.Context, connString string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	return pgx.Connect(ctx, connString)
}

// socketDirFor answers where the socket goes: below the data directory, or
// where that path is too long for a socket or has a comma, which separates
// directories in PostgreSQL and pgx, in a new short directory.
func socketDirFor(dataDir string, acc account) (string, error) {
	dir := filepath.Join(postgresDir(dataDir), "socket")
	if len(filepath.Join(dir, socketName)) <= socketPathMax && !strings.Contains(dir, ",") {
		return dir, nil
	}
	// What a killed run left is empty or holds a dead socket.
	if old, err := os.Readlink(runtimeLink(dataDir)); err == nil {
		removeRuntimeDir(old)
	}
	base := "/tmp"
	if acc.drop {
		// Only root can make things here, and no cleaner comes by.
		if info, err := os.Stat("/run"); err == nil && info.IsDir() {
			base = "/run"
		}
	}
	short, err := os.MkdirTemp(base, runtimePrefix)
	if err != nil {
		return "", fmt.Errorf("directory for PostgreSQL's socket: %w", err)
	}
	if acc.drop {
		if err := os.Lchown(short, acc.uid, acc.gid); err != nil {
			return "", errors.Join(err, os.Remove(short))
		}
	}
	if err := os.Remove(runtimeLink(dataDir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", errors.Join(err, os.Remove(short))
	}
	if err := os.Symlink(short, runtimeLink(dataDir)); err != nil {
		return "", errors.Join(err, os.Remove(short))
	}
	return short, nil
}

const runtimePrefix = "happening-pg-"

// runtimeLink is how a later run finds a short directory that was left behind.
func runtimeLink(dataDir string) string { return filepath.Join(dataDir, "postgres.socket") }

// removeRuntimeDir removes a short directory and the socket in it, and nothing
// that has another name or other contents.
func removeRuntimeDir(dir string) {
	if !strings.HasPrefix(filepath.Base(dir), runtimePrefix) {
		return
	}
	for _, name := range []string{socketName, socketName + ".lock"} {
		_ = os.Remove(filepath.Join(dir, name))
	}
	_ = os.Remove(dir)
}

func (s *Server) removeRuntimeDir() {
	if strings.HasPrefix(s.socketDir, s.dataDir+string(filepath.Separator)) {
		return
	}
	removeRuntimeDir(s.socketDir)
	_ = os.Remove(runtimeLink(s.dataDir))
}

// spawn starts a supervisor; resume when it is not the first.
func (s *Server) spawn(resume bool) (*child, error) {
	self, err := selfPath()
	if err != nil {
		return nil, fmt.Errorf("own executable: %w", err)
	}
	cmd := exec.Command(self)
	cmd.Args = []string{supervisorName}
	cmd.Dir = postgresDir(s.dataDir)
	cmd.Env = childEnv()
	cmd.Stderr = os.Stderr // A crash of the supervisor itself; PostgreSQL has its own log.
	cmd.SysProcAttr = s.account.attr()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		if errors.Is(err, syscall.EACCES) {
			const executableByOthers = 0o001
			if info, statErr := os.Stat(self); statErr == nil && info.Mode()&executableByOthers == 0 {
				return nil, fmt.Errorf("the user %s, whom PostgreSQL runs as, may not run this program; make it executable for all users", s.account.name)
			}
			return nil, unreachable(s.dataDir, s.account, cmd.Dir)
		}
		if errors.Is(err, syscall.EPERM) && s.account.drop {
			return nil, fmt.Errorf("PostgreSQL can't run as root, and this root may not become the user %s: %w", s.account.name, err)
		}
		return nil, fmt.Errorf("starting PostgreSQL's supervisor: %w", err)
	}
	c := &child{process: cmd.Process, stdin: stdin, ready: make(chan struct{}), exited: make(chan struct{})}
	// A supervisor that can't take its plan says why in its reports.
	_ = plan{
		Dir:       postgresDir(s.dataDir),
		Bin:       s.programs.Bin,
		SocketDir: s.socketDir,
		Settings:  s.options.Settings,
		Resume:    resume,
		Patience:  cmp.Or(s.options.restartPatience, restartPatience),
	}.send(stdin)
	go func() {
		defer close(c.exited)
		s.follow(c, stdout)
		_ = cmd.Wait() // What it had to say stands in its reports.
	}()
	return c, nil
}

// follow takes the supervisor's reports until its end.
func (s *Server) follow(c *child, stdout io.Reader) {
	log := s.options.log()
	ready := false
	var downSince time.Time
	err := reports(stdout, func(r report) {
		switch r.Kind {
		case reportReady:
			if !ready {
				ready = true
				close(c.ready)
			}
			if !downSince.IsZero() {
				log.Info("PostgreSQL is back", "away", time.Since(downSince).Round(time.Millisecond), "pid", r.PID)
				downSince = time.Time{}
			}
		case reportDown:
			if downSince.IsZero() {
				downSince = time.Now()
			}
			log.Warn("PostgreSQL ended unasked and is being restarted", "reason", r.Text)
		case reportNote:
			log.Info(r.Text)
		case reportFailed:
			c.failure = r.Text
		}
	})
	if err != nil {
		log.Warn("PostgreSQL's supervisor said something unintelligible", "error", err)
	}
}

// watch brings a supervisor back that ends unasked, and owns the end of all.
func (s *Server) watch(c *child) {
	defer close(s.ended)
	log := s.options.log()
	for restarts := 0; ; {
		wasReady := false
		select {
		case <-c.ready:
			wasReady = true
			restarts = 0
			<-c.exited
		case <-c.exited:
		}
		if s.isStopping() {
			if c.failure != "" {
				s.setStopErr(errors.New(c.failure))
			}
			return
		}
		if c.failure != "" || restarts == supervisorRestarts || !wasReady && restarts == 0 {
			s.giveUp(c.failure)
			return
		}
		restarts++
		log.Warn("PostgreSQL's supervisor ended unasked and is being restarted")
		began := time.Now()
		next, err := s.respawn(restarts)
		if err != nil {
			s.giveUp(err.Error())
			return
		}
		if next == nil {
			return
		}
		c = next
		select {
		case <-c.ready:
			log.Info("PostgreSQL is back", "away", time.Since(began).Round(time.Millisecond))
		case <-c.exited:
		}
	}
}

// respawn answers nil when the server is being stopped.
func (s *Server) respawn(attempt int) (*child, error) {
	t := time.NewTimer(time.Duration(attempt-1) * supervisorRestartPause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.stopping:
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isStopping() {
		return nil, nil
	}
	c, err := s.spawn(true)
	if err == nil {
		s.child = c
	}
	return c, err
}

func (s *Server) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

func (s *Server) giveUp(reason string) {
	if reason == "" {
		reason = "its supervisor ended"
	}
	s.mu.Lock()
	s.lostErr = fmt.Errorf("PostgreSQL is gone: %s", reason)
	s.mu.Unlock()
	close(s.lost)
}

func (s *Server) setStopErr(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopErr = errors.Join(s.stopErr, err)
}

// ConnString is a URL, for pgx as well as for psql, that connects a role to
// the database over the Unix socket. It stays the same over restarts.
func (s *Server) ConnString(role string) string { return s.url(role, databaseName) }

func (s *Server) url(role, database string) string { return socketURL(s.socketDir, role, database) }

func socketURL(socketDir, role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database}
	// A space is %20 for psql and pgx alike, and + is a plus.
	host := strings.ReplaceAll(url.QueryEscape(socketDir), "+", "%20")
	u.RawQuery = fmt.Sprintf("host=%s&port=%d&sslmode=disable", host, socketPort)
	return u.String()
}

// DataDir is the directory that Start has settled on.
func (s *Server) DataDir() string { return s.dataDir }

// Version is PostgreSQL's, such as 15.18.
func (s *Server) Version() string { return s.programs.Version }

// Done is closed when PostgreSQL ended unasked and can't be brought back. Stop
// doesn't close it.
func (s *Server) Done() <-chan struct{} { return s.lost }

// Err says why Done is closed; nil before.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lostErr
}

// Stop shuts PostgreSQL down, ending its connections, and returns when nothing
// runs any more. When ctx ends before, the stop is hurried and then forced;
// nothing that was committed is lost either way, and the error says so. It may
// be called often and from several goroutines.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, stopLimit)
		defer cancel()
		s.mu.Lock()
		close(s.stopping)
		c := s.child
		s.mu.Unlock()
		c.stdin.Close()
		s.awaitEnd(ctx, c)
		s.removeRuntimeDir()
		if err := s.lock.Close(); err != nil {
			s.setStopErr(err)
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopErr
}

// awaitEnd waits for the supervisor's end, with growing insistence.
func (s *Server) awaitEnd(ctx context.Context, c *child) {
	select {
	case <-s.ended:
		return
	case <-ctx.Done():
	}
	_ = c.process.Signal(syscall.SIGQUIT) // Fails only when it has ended.
	t := time.NewTimer(killGrace)
	defer t.Stop()
	select {
	case <-s.ended:
	case <-t.C:
		_ = c.process.Kill()
		<-s.ended
		s.setStopErr(errors.New("PostgreSQL's supervisor had to be killed; the next start recovers"))
	}
}
