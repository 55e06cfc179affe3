package main

import (
	"os"
	"path/filepath"
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
	Generator  float64 `json:"generator_cores"`
	Others     float64 `json:"other_cores"`
	// Microseconds of processor time for one answered request.
	ServerEach     float64 `json:"server_us_each"`
	PostgreSQLEach float64 `json:"postgresql_us_each"`
}

// meter reads processor times from /proc. Shared machines disturb rates and
// latencies; what a request costs they hardly do.
type meter struct {
	server  int // its descendants are PostgreSQL
	began   time.Time
	at      times
	started bool
}

type times struct{ server, postgres, self, busy time.Duration }

func newMeter(server int) *meter { return &meter{server: server} }

func (m *meter) start() { m.began, m.at, m.started = time.Now(), readTimes(m.server), true }

func (m *meter) stop(requests int) (u usage) {
	now, elapsed := readTimes(m.server), time.Since(m.began).Seconds()
	if !m.started || elapsed <= 0 {
		return u
	}
	cores := func(a, b time.Duration) float64 { return max((b-a).Seconds()/elapsed, 0) }
	u.Server, u.PostgreSQL, u.Generator = cores(m.at.server, now.server), cores(m.at.postgres, now.postgres), cores(m.at.self, now.self)
	u.Others = max(cores(m.at.busy, now.busy)-u.Server-u.PostgreSQL-u.Generator, 0)
	if requests > 0 {
		u.ServerEach = u.Server * elapsed * 1e6 / float64(requests)
		u.PostgreSQLEach = u.PostgreSQL * elapsed * 1e6 / float64(requests)
	}
	return u
}

// process is one line of /proc.
type process struct {
	pid, parent int
	own         time.Duration
	reaped      time.Duration // of children that ended
}

func readTimes(server int) (t times) {
	children := map[int][]process{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		p, ok := parseStat(string(text))
		if !ok {
			continue
		}
		switch p.pid {
		case server:
			t.server = p.own
		case os.Getpid():
			t.self = p.own
		}
		children[p.parent] = append(children[p.parent], p)
	}
	below := []int{server}
	for len(below) > 0 {
		parent := below[0]
		below = below[1:]
		for _, p := range children[parent] {
			t.postgres += p.own + p.reaped
			below = append(below, p.pid)
		}
	}
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
