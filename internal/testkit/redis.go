//go:build engines

package testkit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"happening/internal/testkit/port"
)

const (
	// engineStart bounds the start of a private engine, and whatever it has
	// to agree on with others before it serves.
	engineStart = time.Minute
	// enginePoll is how often it is asked whether it is up.
	enginePoll = 20 * time.Millisecond
	// clusterSlots are what a cluster's masters share.
	clusterSlots = 16384
	// clusterPatience is for how many milliseconds a node of a cluster may stand
	// still, as on a busy machine, before the others give it up.
	clusterPatience = "15000"
	// sentinelPatience is for how many milliseconds a master may do so before it
	// is followed, sentinelHaste what is enough when it is killed.
	sentinelPatience, sentinelHaste = "60000", "1000"
)

// RedisServer is a Redis of the test's own, without anything on disk: what is
// started again is empty.
type RedisServer struct {
	Address string // host:port
	URL     string // for REDIS_URL
	t       testing.TB
	program string
	args    []string

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended <-chan struct{} // closed once cmd is dead
}

// Redis starts a Redis on a free port, with further settings as on its command
// line ("--maxmemory", "1mb"), and kills it at the end of the test.
func Redis(t testing.TB, settings ...string) *RedisServer {
	t.Helper()
	r := prepareRedis(t, "redis-server", settings...)
	r.Start()
	return r
}

func prepareRedis(t testing.TB, program string, settings ...string) *RedisServer {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("testkit: %s is not installed; on Debian: apt-get install %s", program, program)
	}
	address := FreeAddress(t)
	_, number, _ := net.SplitHostPort(address)
	r := &RedisServer{Address: address, URL: "redis://" + address, t: t, program: path}
	r.args = append([]string{
		"--port", number, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--daemonize", "no",
	}, settings...)
	if program == "redis-server" {
		r.args = append(r.args, "--save", "", "--appendonly", "no")
	}
	t.Cleanup(r.Kill)
	return r
}

// FreeAddress gives an address on loopback that nobody listens on, and that is
// the test's until its end.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return fmt.Sprint("127.0.0.1:", port.Of(t))
}

// Start starts the server, empty, and returns once it answers.
func (r *RedisServer) Start() {
	r.t.Helper()
	cmd := exec.Command(r.program, r.args...)
	ended, err := startBound(cmd)
	if err != nil {
		r.t.Fatalf("testkit: %v", err)
	}
	r.mu.Lock()
	r.cmd, r.ended = cmd, ended
	r.mu.Unlock()
	Eventually(r.t, "a Redis that answers at "+r.Address, func() error {
		conn, err := net.DialTimeout("tcp", r.Address, time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// Kill ends the server at once; it may be dead already.
func (r *RedisServer) Kill() {
	r.mu.Lock()
	cmd, ended := r.cmd, r.ended
	r.cmd = nil
	r.mu.Unlock()
	if cmd != nil {
		_ = cmd.Process.Kill()
		<-ended
	}
}

// Freeze stops the server without closing anything; Thaw lets it go on.
func (r *RedisServer) Freeze() { r.signal(syscall.SIGSTOP) }

// Thaw: see Freeze.
func (r *RedisServer) Thaw() { r.signal(syscall.SIGCONT) }

func (r *RedisServer) signal(s syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd == nil {
		r.t.Fatal("testkit: the server does not run")
	}
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatalf("testkit: %v", err)
	}
}

// Client connects to this server alone, for looking and lying.
func (r *RedisServer) Client() rueidis.Client {
	r.t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{r.Address}, ForceSingleClient: true, DisableCache: true,
	})
	if err != nil {
		r.t.Fatalf("testkit: %v", err)
	}
	r.t.Cleanup(c.Close)
	return c
}

// Do runs one command on this server and gives its answer for people.
func (r *RedisServer) Do(c rueidis.Client, command ...string) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), engineStart)
	defer cancel()
	m, err := c.Do(ctx, c.B().Arbitrary(command...).Build()).ToMessage()
	if err != nil && !rueidis.IsRedisNil(err) {
		r.t.Fatalf("testkit: %v: %v", command, err)
	}
	if text, err := m.ToString(); err == nil {
		return text
	}
	if n, err := m.AsInt64(); err == nil {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// Eventually waits until what answers nil, and fails the test where that takes
// longer than an engine may.
func Eventually(t testing.TB, what string, answers func() error) {
	t.Helper()
	deadline := time.NewTimer(engineStart)
	defer deadline.Stop()
	poll := time.NewTicker(enginePoll)
	defer poll.Stop()
	for {
		err := answers()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("testkit: no %s in %v: %v", what, engineStart, err)
		case <-poll.C:
		}
	}
}

// RedisNodes are several servers that belong together.
type RedisNodes struct {
	URL       string // for REDIS_URL
	Nodes     []*RedisServer
	Sentinels []*RedisServer
	Control   []rueidis.Client // one to each node

	guards []rueidis.Client // one to each sentinel
}

// KillMaster kills the first master of sentinels, who follow it at once.
func (s *RedisNodes) KillMaster(t testing.TB) {
	t.Helper()
	for i, n := range s.Sentinels {
		n.Do(s.guards[i], "SENTINEL", "SET", "happening", "down-after-milliseconds", sentinelHaste)
	}
	s.Nodes[0].Kill()
}

// RedisCluster starts a cluster of three masters.
func RedisCluster(t testing.TB) *RedisNodes {
	t.Helper()
	const masters = 3
	c := &RedisNodes{}
	var addresses []string
	for range masters {
		_, bus, _ := net.SplitHostPort(FreeAddress(t))
		n := Redis(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", clusterPatience, "--cluster-config-file", "nodes.conf")
		control := n.Client()
		c.Nodes, c.Control = append(c.Nodes, n), append(c.Control, control)
		addresses = append(addresses, n.Address)
		_, port, _ := net.SplitHostPort(n.Address)
		c.Nodes[0].Do(c.Control[0], "CLUSTER", "MEET", "127.0.0.1", port, bus)
	}
	for i, n := range c.Nodes {
		from, to := i*clusterSlots/masters, (i+1)*clusterSlots/masters-1
		n.Do(c.Control[i], "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to))
	}
	for i, n := range c.Nodes {
		Eventually(t, "cluster that has come together", func() error {
			info := n.Do(c.Control[i], "CLUSTER", "INFO")
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", masters)) ||
				!strings.Contains(info, fmt.Sprintf("cluster_slots_ok:%d", clusterSlots)) {
				return errors.New(info)
			}
			return nil
		})
	}
	c.URL = "redis://" + strings.Join(addresses, ",")
	return c
}

// RedisSentinel starts a master, a replica and three sentinels that watch them
// as "happening". Nodes[0] is the first master.
func RedisSentinel(t testing.TB) *RedisNodes {
	t.Helper()
	const sentinels, quorum = 3, "2"
	s := &RedisNodes{}
	master := Redis(t)
	_, port, _ := net.SplitHostPort(master.Address)
	replica := Redis(t, "--replicaof", "127.0.0.1 "+port)
	s.Nodes = []*RedisServer{master, replica}
	s.Control = []rueidis.Client{master.Client(), replica.Client()}
	Eventually(t, "replica that follows", func() error {
		if info := replica.Do(s.Control[1], "INFO", "replication"); !strings.Contains(info, "master_link_status:up") {
			return errors.New(info)
		}
		return nil
	})
	var addresses []string
	for range sentinels {
		n := startSentinel(t, port, quorum)
		s.Sentinels = append(s.Sentinels, n)
		addresses = append(addresses, n.Address)
	}
	for _, n := range s.Sentinels {
		control := n.Client()
		s.guards = append(s.guards, control)
		Eventually(t, "sentinel that knows the others", func() error {
			info := n.Do(control, "INFO", "sentinel")
			if !strings.Contains(info, "slaves=1,sentinels=3") {
				return errors.New(info)
			}
			return nil
		})
	}
	s.URL = "redis://" + strings.Join(addresses, ",") + "?master_set=happening"
	return s
}

// startSentinel writes a sentinel's file, which it keeps its own notes in, and
// starts it.
func startSentinel(t testing.TB, masterPort, quorum string) *RedisServer {
	t.Helper()
	n := prepareRedis(t, "redis-sentinel")
	_, port, _ := net.SplitHostPort(n.Address)
	dir := t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf(`port %s
bind 127.0.0.1
dir %s
sentinel monitor happening 127.0.0.1 %s %s
sentinel down-after-milliseconds happening %s
sentinel failover-timeout happening 5000
sentinel parallel-syncs happening 1
`, port, dir, masterPort, quorum, sentinelPatience)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatalf("testkit: %v", err)
	}
	n.args = []string{file}
	n.Start()
	return n
}
