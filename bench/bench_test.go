package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseOptions(t *testing.T) {
	t.Parallel()
	o, err := parseOptions([]string{"-seconds", "9", "-only", "hot,lone"})
	if err != nil || o.duration() != 9*time.Second || o.side() != 3*time.Second || !o.does(partHot) || !o.does(partLone) || o.does(partEvents) {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err = parseOptions(nil); err != nil || !o.does(partEvents) || o.people < 30_000 {
		t.Errorf("%+v, %v", o, err)
	}
	if o.does(partSockets) || o.does(partHolds) {
		t.Error("what takes engines is measured without them")
	}
	if o, err = parseOptions([]string{"-engines"}); err != nil || !o.does(partHot) || !o.does(partSockets) || !o.does(partHolds) {
		t.Errorf("%+v, %v", o, err)
	}
	_, err = parseOptions([]string{"-seconds", "0", "-only", "cold,holds", "extra"})
	for _, want := range []string{"-seconds", `"cold"`, `"extra"`, "-engines"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in %v", want, err)
		}
	}
}

func TestParsePgbench(t *testing.T) {
	t.Parallel()
	rate, err := parsePgbench("latency average = 4.4 ms\ninitial connection time = 36.100 ms\ntps = 14533.725961 (without initial connection time)\n")
	if err != nil || rate != 14533.725961 {
		t.Errorf("%f, %v", rate, err)
	}
	if _, err := parsePgbench("pgbench: error"); err == nil {
		t.Error("a rate from nothing")
	}
}

func TestParseTokens(t *testing.T) {
	t.Parallel()
	people, err := parseTokens("u1 t1\nu2 t2\n", 2)
	if err != nil || !slices.Equal(people, []person{{"u1", "t1"}, {"u2", "t2"}}) {
		t.Errorf("%v, %v", people, err)
	}
	for _, text := range []string{"", "u1 t1\n", "u1 t1\nu2\n"} {
		if _, err := parseTokens(text, 2); err == nil {
			t.Errorf("two people from %q", text)
		}
	}
}

func TestFittingClients(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		free int
		want []int
	}{{500, []int{32, 64, 128}}, {128, []int{32, 64, 128}}, {100, []int{32, 64, 100}}, {30, []int{30}}, {-5, []int{1}}} {
		if got := fitting(floorClients, c.free); !slices.Equal(got, c.want) {
			t.Errorf("%d free: %v, want %v", c.free, got, c.want)
		}
	}
}

func TestWithDatabase(t *testing.T) {
	t.Parallel()
	got, err := withDatabase("postgres://happening@/happening?host=%2Fa%20b&port=5432", "floor")
	if err != nil || got != "postgres://happening@/floor?host=%2Fa%20b&port=5432" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	p, ok := parseStat("42 (a ) b) S 7 42 42 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 5\n")
	if want := (process{pid: 42, parent: 7, own: 300 * time.Millisecond, reaped: 700 * time.Millisecond}); !ok || p != want {
		t.Errorf("%+v, %v", p, ok)
	}
	for _, text := range []string{"", "42", "42 (x) S 7", "x (x) S 7 42 42 0 -1 4194560 1 2 3 4 10 20 30 40 20"} {
		if p, ok := parseStat(text); ok {
			t.Errorf("%q is %+v", text, p)
		}
	}
	if busy := parseBusy("cpu  1 2 3 1000 1000 4 5 1000 0 0\ncpu0 9 9 9\n"); busy != 15*clockTick {
		t.Errorf("busy for %v", busy)
	}
}

func TestTimesAreToldApart(t *testing.T) {
	t.Parallel()
	// This process stands for a server, an engine and the generator: what it
	// burns shows in each of them, and in none that is not watched.
	me := []int{os.Getpid()}
	meter := newMeter(watched{servers: me, redis: me})
	meter.start()
	for began := burnt(t); burnt(t)-began < 10*clockTick; {
	}
	u := meter.stop(10)
	if u.Server == 0 || u.Redis == 0 || u.Generator == 0 || u.RabbitMQ != 0 || u.PostgreSQL != 0 || u.ServerEach < 1000 {
		t.Errorf("%+v", u)
	}
}

// burnt is the processors' time that this process has had, however little of it
// a busy machine gives.
func burnt(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestSettingsOfOthersAreLeftOut(t *testing.T) {
	t.Parallel()
	got := unset([]string{"PATH=/bin", "DATABASE_URL=a", "DATABASE_APP_URL=b", "REDIS_URL=c", "AMQP_URL=d", "OIDC_CLIENT_ID=e", "HAPPENING_DRAIN=1s", "SMTP_URL=f"})
	if !slices.Equal(got, []string{"PATH=/bin"}) {
		t.Errorf("left %q", got)
	}
}

func TestFiguresAreRead(t *testing.T) {
	t.Parallel()
	if got := residentOf("VmPeak:	 9 kB\nVmRSS:	  12 kB\n"); got != 12*1024 {
		t.Errorf("resident %f", got)
	}
	if got := memoryStat("heap profile: 1: 2\n# Stack = 1048576 / 2097152\n# HeapInuse = 5\n", "Stack"); got != 1<<20 {
		t.Errorf("stack %f", got)
	}
	if got := infoOf("# Server\r\nredis_version:7.0.15\r\n")["redis_version"]; got != "7.0.15" {
		t.Errorf("version %q", got)
	}
}

func TestHandlerServesUntilItsParentIsGone(t *testing.T) {
	t.Parallel()
	in, parent := io.Pipe()
	addr, out := io.Pipe()
	ended := make(chan error)
	go func() { ended <- serveHandler(in, out) }()
	line := make([]byte, 64)
	n, err := addr.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	r, err := drive(t.Context(), testLoop(strings.TrimSpace(string(line[:n])), 2))
	if err != nil || r.OK == 0 || r.problems() != "" {
		t.Errorf("%+v, %v", r, err)
	}
	parent.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// sampleReport is a run with every kind of result.
func sampleReport() *report {
	r := &report{
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Load: "0.10 0.20 0.30", Seconds: 20, Connections: 256,
		Conditions: conditions{CPU: "A processor", Cores: 2, PostgreSQL: "15.18", Settings: map[string]string{"fsync": "on"}},
		Floors: []floor{
			{When: "before", Tool: "pgbench", Clients: 32, Rate: 9_000}, {When: "after", Tool: "pgbench", Clients: 64, Rate: 10_000},
		},
		Commit: &commit{P50: time.Millisecond}, Worlds: []worldReport{
			{Name: embedded, Check: checked{Clean: true}, Sockets: &sockets{Connections: 1000, HeapEach: 20_000}},
			{Name: onAll, Check: checked{Clean: true}},
		},
		Snapshot: &snapshot{Seats: 20_000, Rate: 5000}, Holds: &holdsMemory{Seats: 20_000, Held: 1000, People: 500, Event: 90_000},
		Rows: []row{
			{Part: partHandler, World: embedded, Name: "trivial Go handler", Rate: 40_000},
			{Part: partLone, World: embedded, Name: "lone caller", P50: 1500 * time.Microsecond},
			{Part: partHot, World: embedded, Name: "hot event", Rate: 8_000, Problems: "3 × 429"},
			{Part: partEvents, World: embedded, Name: "200 events", Rate: 2_000, Waiting: 4},
			{Part: partLone, World: onAll, Name: "lone caller", Processes: 1, P50: 3 * time.Millisecond},
			{Part: partHot, World: onAll, Name: "hot event", Processes: 3, Routing: spread, Rate: 4_000,
				Usage: usage{Server: 1, ServerEach: 250}, Settled: &settled{usage: usage{RabbitMQEach: 77}, Drain: 1500 * time.Millisecond}},
		},
	}
	r.note("A remark.")
	r.note("A remark.")
	return r
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	for i, want := range []string{"", "1.50 × one durable commit (p50)", "0.80 × pgbench, 0.20 × trivial handler", "0.20 × pgbench (something is wrong), 0.05 × trivial handler", "2.00 × embedded (p50)", "0.50 × embedded"} {
		if got := strings.Join(r.ratios(r.Rows[i]), ", "); got != want {
			t.Errorf("%s: %q, want %q", r.Rows[i].Name, got, want)
		}
	}
	var out bytes.Buffer
	r.print(&out)
	for _, want := range []string{"A processor, 2 cores", "fsync=on", "10000         best", "3 × 429", "4 of the bookings wait", "A remark.",
		"hot event, PostgreSQL, Redis, RabbitMQ, 3 processes spread", "a map of 20000 seats", "1000 connections that look on, embedded", "1000 held seats of 500 people"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if strings.Count(out.String(), "A remark.") != 1 {
		t.Error("a remark made twice is told twice")
	}
	name, err := r.save(t.TempDir())
	if err != nil || !strings.HasSuffix(name, "20260102T030405Z.json") {
		t.Fatalf("%s, %v", name, err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var read report
	if err := json.Unmarshal(text, &read); err != nil || len(read.Rows) != len(r.Rows) || read.Rows[2].Rate != 8_000 {
		t.Errorf("%v:\n%s", err, text)
	}
}
