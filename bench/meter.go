package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of /proc's processor times, the same on every Linux
// that Go runs on.
const clockTick = 10 * time.Millisecond

// usage is who used the processors during a sale, in cores, and what a request
// cost; zero where /proc doesn't tell.
type usage struct {
	Server     float64 `json:"server_cores"`
	PostgreSQL float64 `json:"postgresql_cores"`
	Redis      float64 `json:"redis_cores,omitempty"`
	RabbitMQ   float64 `json:"rabbitmq_cores,omitempty"`
	Generator  float64 `json:"generator_cores"`
	Others     float64 `json:"other_cores"`
	// Microseconds of processor time for one answered request.
	ServerEach     float64 `json:"server_us_each"`
	PostgreSQLEach float64 `json:"postgresql_us_each"`
	RedisEach      float64 `json:"redis_us_each,omitempty"`
	RabbitMQEach   float64 `json:"rabbitmq_us_each,omitempty"`
	GeneratorEach  float64 `json:"generator_us_each,omitempty"`
}

// watched are the processes whose time is told apart.
type watched struct {
	servers []int // these alone; what they started is their PostgreSQL
	// The engines outside: each process with all that it started.
	postgres, redis, rabbitmq []int
	// inside says that this process is the server, and generates beside.
	inside bool
}

// meter reads processor times from /proc. Shared machines disturb rates and
// latencies; what a request costs they hardly do.
type meter struct {
	watched watched
	began   time.Time
	at      times
	started bool
}

type times struct{ server, postgres, redis, rabbitmq, self, busy time.Duration }

func newMeter(w watched) *meter { return &meter{watched: w} }

func (m *meter) start() { m.began, m.at, m.started = time.Now(), readTimes(m.watched), true }

func (m *meter) stop(requests int) (u usage) {
	now, elapsed := readTimes(m.watched), time.Since(m.began).Seconds()
	if !m.started || elapsed <= 0 {
		return u
	}
	each := func(cores float64) float64 {
		if requests == 0 {
			return 0
		}
		return cores * elapsed * 1e6 / float64(requests)
	}
	cores := func(a, b time.Duration) (float64, float64) {
		c := max((b-a).Seconds()/elapsed, 0)
		return c, each(c)
	}
	u.Server, u.ServerEach = cores(m.at.server, now.server)
	u.PostgreSQL, u.PostgreSQLEach = cores(m.at.postgres, now.postgres)
	u.Redis, u.RedisEach = cores(m.at.redis, now.redis)
	u.RabbitMQ, u.RabbitMQEach = cores(m.at.rabbitmq, now.rabbitmq)
	if !m.watched.inside {
		u.Generator, u.GeneratorEach = cores(m.at.self, now.self)
	}
	busy, _ := cores(m.at.busy, now.busy)
	u.Others = max(busy-u.Server-u.PostgreSQL-u.Redis-u.RabbitMQ-u.Generator, 0)
	return u
}

// process is one line of /proc.
type process struct {
	pid, parent int
	own         time.Duration
	reaped      time.Duration // of children that ended
}

func readTimes(w watched) (t times) {
	all, children := map[int]process{}, map[int][]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		if p, ok := parseStat(string(text)); ok {
			all[p.pid] = p
			children[p.parent] = append(children[p.parent], p.pid)
		}
	}
	t.self = all[os.Getpid()].own
	var started []int
	for _, pid := range w.servers {
		t.server += all[pid].own
		started = append(started, children[pid]...)
	}
	tree := func(roots []int) (sum time.Duration) {
		for below := slices.Clone(roots); len(below) > 0; below = below[1:] {
			sum += all[below[0]].own + all[below[0]].reaped
			below = append(below, children[below[0]]...)
		}
		return sum
	}
	t.postgres, t.redis, t.rabbitmq = tree(append(started, w.postgres...)), tree(w.redis), tree(w.rabbitmq)
	if text, err := os.ReadFile("/proc/stat"); err == nil {
		t.busy = parseBusy(string(text))
	}
	return t
}

// parseStat reads /proc/PID/stat. The name in parentheses may hold anything.
func parseStat(text string) (p process, ok bool) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 1 || end < open {
		return p, false
	}
	// Behind the name: state, parent, … and as 12th to 15th utime, stime,
	// cutime and cstime.
	f := strings.Fields(text[end+1:])
	if len(f) < 15 {
		return p, false
	}
	numbers := make([]int, 0, 6)
	for _, field := range []string{strings.TrimSpace(text[:open]), f[1], f[11], f[12], f[13], f[14]} {
		n, err := strconv.Atoi(field)
		if err != nil {
			return p, false
		}
		numbers = append(numbers, n)
	}
	return process{
		pid: numbers[0], parent: numbers[1],
		own:    time.Duration(numbers[2]+numbers[3]) * clockTick,
		reaped: time.Duration(numbers[4]+numbers[5]) * clockTick,
	}, true
}

// parseBusy sums what all cores did in /proc/stat, waiting not counted.
func parseBusy(text string) time.Duration {
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line)
	busy := 0
	// cpu user nice system idle iowait irq softirq steal: neither the two that
	// wait, nor what another machine took.
	for _, i := range []int{1, 2, 3, 6, 7} {
		if i < len(f) {
			n, _ := strconv.Atoi(f[i])
			busy += n
		}
	}
	return time.Duration(busy) * clockTick
}
