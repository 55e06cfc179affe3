package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Patience with the server.
const (
	startPatience  = time.Minute
	readyPoll      = 50 * time.Millisecond
	stopPatience   = 40 * time.Second
	setupPatience  = 30 * time.Second
	checkPatience  = 5 * time.Minute
	tokenLifetime  = "12h"
	retriesMax     = 100      // of a set-up call that is told to come later
	logTail        = 15       // lines shown of a server that failed
	maxSetupAnswer = 64 << 20 // bytes; a heap profile has its totals at its end
)

// server is a `happening serve` with data of its own, or on engines outside.
type server struct {
	surroundings
	binary                       string
	dir                          string // everything that the run keeps
	out                          string
	env                          []string
	clientAddr, apiAddr, opsAddr string
	ownerURL                     string
	cmd                          *exec.Cmd
	log                          *os.File
	ended                        chan struct{} // closed when the process is gone
	org                          string
	operator                     person
}

// surroundings are what a server is told of others; zero: it stands alone.
type surroundings struct {
	name      string   // of its log
	engines   []string // environment that names engines outside
	publicURL string   // of the first process where this is another one; empty: its own
}

// startServer starts one and waits until it takes bookings. Nothing is left
// behind where that fails.
func startServer(ctx context.Context, o options, in surroundings) (*server, error) {
	s, err := newServer(ctx, o, in)
	if err != nil {
		return nil, err
	}
	if err = s.start(ctx); err == nil {
		err = s.ready(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.lastWords(), s.stop())
	}
	return s, nil
}

// newServer makes a server's data directory and settings; it isn't started.
func newServer(ctx context.Context, o options, in surroundings) (*server, error) {
	s := &server{surroundings: in, out: o.out, ended: make(chan struct{})}
	var err error
	if s.binary, err = builtBinary(ctx, o.binary); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp(cmp.Or(o.data, dataBase()), "happening-bench-"); err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// dataBase prefers a place that outlives a restart: /tmp may be memory, where
// durability costs nothing and figures mean nothing.
func dataBase() string {
	const persistent = "/var/tmp"
	if info, err := os.Stat(persistent); err == nil && info.IsDir() {
		return persistent
	}
	return os.TempDir()
}

// builtBinary gives the program's absolute path, building it where it is
// missing.
func builtBinary(ctx context.Context, path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return path, err
	}
	say("building %s", path)
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/happening")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	return path, build.Run()
}

// freeAddrs finds ports that nobody uses now.
func freeAddrs(n int) ([]string, error) {
	addrs := make([]string, n)
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // held until all are found, so that they differ
		addrs[i] = l.Addr().String()
	}
	return addrs, nil
}

func (s *server) prepare() error {
	// PostgreSQL may run as another user, who has to reach the data.
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	addrs, err := freeAddrs(3)
	if err != nil {
		return err
	}
	s.clientAddr, s.apiAddr, s.opsAddr = addrs[0], addrs[1], addrs[2]
	if s.publicURL == "" {
		s.publicURL = "http://" + addrs[0]
	}
	s.env = slices.Concat(unset(os.Environ()), s.engines, []string{
		"HAPPENING_CLIENT_ADDR=" + addrs[0], "HAPPENING_API_ADDR=" + s.apiAddr, "HAPPENING_OPS_ADDR=" + s.opsAddr,
		"HAPPENING_PUBLIC_URL=" + s.publicURL, "HAPPENING_DATA=" + s.data()})
	s.log, err = os.Create(filepath.Join(s.out, cmp.Or(s.name, "server")+".log"))
	return err
}

// data is where the server keeps everything.
func (s *server) data() string { return filepath.Join(s.dir, "data") }

func (s *server) start(ctx context.Context) error {
	say("starting the server, data in %s", s.dir)
	// The end of ctx must not kill it: stop asks it to end in good order.
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), s.binary, "serve")
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = s.env, s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is told by its log
		close(s.ended)
	}()
	return nil
}

// settings are the beginnings of the variables that Happening reads.
var settings = []string{"HAPPENING_", "DATABASE_", "REDIS_URL=", "AMQP_URL=", "OIDC_", "SMTP_URL="}

// unset leaves out what would change what is measured, and what names engines
// that are somebody else's.
func unset(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		return slices.ContainsFunc(settings, func(s string) bool { return strings.HasPrefix(e, s) })
	})
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// ready waits until bookings work, and finds the database.
func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	for {
		if _, err := s.get(ctx, "http://"+s.apiAddr+"/readyz"); err == nil {
			break
		}
		select {
		case <-poll.C:
		case <-s.ended:
			return errors.New("the server ended at its start")
		case <-ctx.Done():
			return fmt.Errorf("the server isn't ready: %w", ctx.Err())
		}
	}
	text, err := s.command(ctx, "db-url")
	s.ownerURL = strings.TrimSpace(text)
	return err
}

func (s *server) lastWords() error {
	if s.log == nil {
		return nil
	}
	text, err := os.ReadFile(s.log.Name())
	if err != nil || len(text) == 0 {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return errors.New("the server said:\n" + strings.Join(lines[max(0, len(lines)-logTail):], "\n"))
}

// stop ends the server and removes its data.
func (s *server) stop() error {
	var faults []error
	if s.cmd != nil {
		select {
		case <-s.ended:
		default:
			faults = append(faults, s.cmd.Process.Signal(syscall.SIGTERM))
			patience := time.NewTimer(stopPatience)
			defer patience.Stop()
			select {
			case <-s.ended:
			case <-patience.C:
				faults = append(faults, fmt.Errorf("the server didn't stop within %v and was killed", stopPatience), s.cmd.Process.Kill())
				<-s.ended
			}
		}
	}
	if s.log != nil {
		faults = append(faults, s.log.Close())
	}
	return errors.Join(append(faults, os.RemoveAll(s.dir))...)
}

// command runs another command of the same program on the same data.
func (s *server) command(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.binary, args...)
	cmd.Env = s.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("happening %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return string(text), err
}

// tokens makes people, a %d in the address counted from 1.
func (s *server) tokens(ctx context.Context, address string, count int) ([]person, error) {
	text, err := s.command(ctx, "token", "--user", address, "--count", strconv.Itoa(count), "--ttl", tokenLifetime)
	if err != nil {
		return nil, err
	}
	return parseTokens(text, count)
}

// parseTokens reads lines of user id and token.
func parseTokens(text string, count int) ([]person, error) {
	people := make([]person, 0, count)
	for line := range strings.Lines(text) {
		id, token, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || token == "" {
			return nil, fmt.Errorf("happening token printed %.60q", line)
		}
		people = append(people, person{id, token})
	}
	if len(people) != count {
		return nil, fmt.Errorf("happening token made %d people of %d", len(people), count)
	}
	return people, nil
}

// When events are that are made for a sale.
const (
	eventAhead  = 30 * 24 * time.Hour
	eventLength = 2 * time.Hour
)

// makeEvents creates events as an organizer would, through the API.
func (s *server) makeEvents(ctx context.Context, name string, count, seats int) ([]string, error) {
	if err := s.organize(ctx); err != nil {
		return nil, err
	}
	starts := time.Now().Add(eventAhead).UTC().Truncate(time.Second)
	ids := make([]string, count)
	for i := range ids {
		var err error
		ids[i], err = s.create(ctx, "/events", map[string]any{
			"org_id": s.org, "name": fmt.Sprintf("%s %d", name, i+1), "description": "Sold by the benchmark.",
			"category": "music", "starts_at": starts, "ends_at": starts.Add(eventLength), "time_zone": "Europe/Berlin",
			"venue": "Here", "total_slots": seats, "max_seats_per_user": min(seats, seatsPerPerson), "visibility": "public",
		})
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// organize makes the organization of all sales, where it isn't there yet.
func (s *server) organize(ctx context.Context) error {
	if s.org != "" {
		return nil
	}
	made, err := s.tokens(ctx, "organizer@load.test", 1)
	if err != nil {
		return err
	}
	s.operator = made[0]
	s.org, err = s.create(ctx, "/organizations", map[string]any{"name": "Load"})
	return err
}

// create posts something and gives its id. Limits hold for the benchmark as
// for everybody: it comes again when it is told to.
func (s *server) create(ctx context.Context, path string, thing any) (string, error) {
	body, err := json.Marshal(thing)
	if err != nil {
		return "", err
	}
	for range retriesMax {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.apiAddr+path, bytes.NewReader(body))
		if err != nil {
			return "", err
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+s.operator.token)
		status, header, text, err := fetch(request)
		switch {
		case err != nil:
			return "", err
		case status == http.StatusCreated:
			var made struct{ ID string }
			err := json.Unmarshal(text, &made)
			return made.ID, err
		case status != http.StatusTooManyRequests:
			return "", fmt.Errorf("POST %s: %d %s", path, status, text)
		}
		seconds, _ := strconv.Atoi(header.Get("Retry-After"))
		select {
		case <-time.After(time.Duration(max(seconds, 1)) * time.Second):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return "", fmt.Errorf("POST %s: always told to come later", path)
}

var setupClient = &http.Client{}

func fetch(request *http.Request) (int, http.Header, []byte, error) {
	answer, err := setupClient.Do(request)
	if err != nil {
		return 0, nil, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxSetupAnswer))
	return answer.StatusCode, answer.Header, text, err
}

func (s *server) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	status, _, text, err := fetch(request)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("GET %s: %d", url, status)
	}
	return text, err
}

// saveProfile keeps what the server's processor time went into from now on.
func (s *server) saveProfile(ctx context.Context, part string, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d+setupPatience)
	defer cancel()
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.opsAddr, int(d.Seconds()))
	text, err := s.get(ctx, url)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.out, part+".pprof"), text, 0o644)
}

// checked is what `happening check` found.
type checked struct {
	Clean   bool    `json:"clean"`
	Output  string  `json:"output"`
	Seconds float64 `json:"seconds"`
}

// check runs the checker on everything that was sold. A checker that doesn't
// come to an end has not passed.
func (s *server) check(ctx context.Context) checked {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	began := time.Now()
	text, err := s.command(ctx, "check")
	c := checked{Clean: err == nil, Output: strings.TrimSpace(text), Seconds: time.Since(began).Seconds()}
	if err != nil && c.Output == "" {
		c.Output = errors.Join(err, ctx.Err()).Error()
	}
	return c
}
