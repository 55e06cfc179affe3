package main

import (
	"bufio"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestScheduleIsKeptOnAverage(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	s := newSchedule(1000, begin)
	const n = 20_000
	last, short := begin, 0
	for range n {
		at := s.next()
		if at.Before(last) {
			t.Fatal("the schedule goes back")
		}
		if at.Sub(last) < time.Millisecond/2 {
			short++
		}
		last = at
	}
	if took := last.Sub(begin).Seconds(); took < 19 || took > 21 {
		t.Errorf("%d at 1,000 a second are due within %.1f s", n, took)
	}
	// Of gaps between people who don't know of one another 39 in a hundred are
	// shorter than half of the average; of a clock's ticks none.
	if share := float64(short) / n; share < 0.35 || share > 0.43 {
		t.Errorf("%.2f of all gaps are short", share)
	}
}

// An answer that hangs makes those that are due meanwhile late, too: they count
// from when they were due, which a closed loop would never ask.
func TestOpenLoopDoesNotOmitWhoWaited(t *testing.T) {
	t.Parallel()
	const hang = 150 * time.Millisecond
	var once sync.Once
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() {
			hanging := time.NewTimer(hang)
			defer hanging.Stop()
			<-hanging.C
		})
		w.WriteHeader(http.StatusCreated)
	}))
	defer s.Close()
	l := testLoop(s.Listener.Addr().String(), 1)
	l.rate, l.duration = 200, 200*time.Millisecond
	r, err := drive(context.Background(), l)
	if err != nil || r.OK == 0 || r.problems() != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	if r.latencies[len(r.latencies)-1] < hang/2 || r.latencies.percentile(75) < hang/8 {
		t.Errorf("of %d requests behind one that took %v the 75th per cent took %v", r.OK, hang, r.latencies.percentile(75))
	}
}

func TestLoopEndsWhenThereIsNoMore(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(trivialHandler())
	defer s.Close()
	l := testLoop(s.Listener.Addr().String(), 3)
	m := newMix(l.addrs, []person{{"u1", "t1"}}, []string{"e1"}, byEvent)
	m.most = 50
	l.append, l.duration = m.append, time.Hour
	var mu sync.Mutex
	heard := 0
	l.heard = func(a *answer, _ time.Time) {
		mu.Lock()
		defer mu.Unlock()
		if textAfter(a.body, saysUser) == "e1" {
			heard++
		}
	}
	r, err := drive(context.Background(), l)
	if err != nil || r.OK != 50 || heard != 50 || r.Elapsed <= 0 || r.Elapsed >= time.Hour {
		t.Errorf("%d answered, %d heard within %v, %v", r.OK, heard, r.Elapsed, err)
	}
}

func TestLoopTellsWhatItHas(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `W/"1"`)
		if r.Header.Get("If-None-Match") == `W/"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 500))
	}))
	defer s.Close()
	addr := s.Listener.Addr().String()
	for _, revalidate := range []bool{false, true} {
		asks := &reads{people: []person{{"u1", "t1"}}, host: addr, header: zipped, most: 20, path: func(buf []byte, turn uint64, who *person) []byte {
			return append(append(buf, "/seats/"...), who.id...)
		}}
		r, err := drive(context.Background(), loop{addrs: []string{addr}, connections: 1, duration: time.Hour, append: asks.append, want: given, revalidate: revalidate})
		want := 0
		if revalidate {
			want = 19
		}
		if err != nil || r.OK != 20 || r.Unchanged != want || r.Bytes != 500*(20-want) || r.Wire <= r.Bytes {
			t.Errorf("revalidate %v: %d answered, %d unchanged, %d of %d bytes, %v; %s", revalidate, r.OK, r.Unchanged, r.Bytes, r.Wire, err, r.problems())
		}
	}
}

func TestMixTakesTurnsAndAddsFields(t *testing.T) {
	t.Parallel()
	m := newMix([]string{"host:1"}, []person{{"u1", "t1"}}, []string{"e1", "e2"}, byEvent)
	m.inTurn, m.most, m.party, m.extra = 2, 6, 3, `,"on_full":"refuse"`
	random := rand.New(rand.NewPCG(1, 2))
	var events []string
	for {
		text, server := m.append(nil, random)
		if server == noMore {
			break
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(text))))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || int64(len(body)) != r.ContentLength || !strings.HasSuffix(string(body), `,"seats":3,"on_full":"refuse"}`) {
			t.Fatalf("body %s, %v", body, err)
		}
		events = append(events, textAfter(body, []byte(`"event_id":"`)))
	}
	if want := []string{"e1", "e1", "e2", "e2", "e1", "e1"}; !slices.Equal(events, want) {
		t.Errorf("asked at %v", events)
	}
}

func TestSightings(t *testing.T) {
	t.Parallel()
	s := newSightings(2)
	begin := time.Now()
	s.booked(&answer{body: []byte(`{"id":"b","seat_numbers":[7],"position":null}`)}, begin)
	s.booked(&answer{body: []byte(`{"id":"c","seat_numbers":[8]}`)}, begin.Add(time.Millisecond))
	const push = `{"push":{"channel":"event:e","pub":{"data":`
	for watcher, lines := range [][]string{
		{push + `{"version":"ab:1","seats":[[7,2],[9,1]]}}}}`, push + `{"viewers":3}}}}`, push + `{"version":"ab:2","seats":[[8,2],[7,2],[6,2]]}}}}`},
		{push + `{"version":"ab:1","seats":[]}}}}`, push + `{"version":"ab:1","seats":[[7,2],[9,1]]}}}}`},
	} {
		for i, line := range lines {
			s.saw(watcher, []byte(line), begin.Add(time.Duration(i+1)*10*time.Millisecond))
		}
	}
	// Seat 7 by both, the second one's beat before it included; seat 8 by the
	// first; 6 and 9 are nobody's booking of ours.
	if got, want := s.joined(), (latencies{10 * time.Millisecond, 10 * time.Millisecond, 29 * time.Millisecond}); !slices.Equal(got, want) {
		t.Errorf("seen after %v, want %v", got, want)
	}
	for text, want := range map[string][]int32{
		`,"seats":[[1,2],[20000,2],[3,0]]}`: {1, 20_000}, `,"seats":[]}`: nil, `}`: nil, `,"seats":[[1,2`: nil, `,"seats":[[x,2]]`: nil,
	} {
		if got := bookedIn([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%s books %v", text, got)
		}
	}
}

func TestRefusedWith(t *testing.T) {
	t.Parallel()
	full := refusedWith("sold_out")
	if !full(&answer{status: 409, body: []byte(`{"status":409,"code":"sold_out"}`)}) ||
		full(&answer{status: 409, body: []byte(`{"code":"seats_held"}`)}) || full(&answer{status: 201, body: []byte(`{"code":"sold_out"}`)}) {
		t.Error("what is refused isn't told apart")
	}
}

// tableReport is a run that measured every row of the speed table.
func tableReport() *report {
	r := sampleReport()
	beside := &beside{Rate: 1000}
	r.Rows = append(r.Rows,
		row{Part: partAllocator, World: embedded, Rate: 15_000},
		row{Part: partHalf, World: embedded, P99: 12 * time.Millisecond, Offered: 4000},
		row{Part: partCancel, World: embedded, Name: "cancel with promotion, 10,000 wait", Rate: 1_000, Promoted: 10_000},
		row{Part: partSize, World: embedded, Name: "events of 1000 seats", Rate: 8_000}, row{Part: partSize, World: embedded, Name: "events of 1000000 seats", Rate: 7_600},
		row{Part: partHandler, World: embedded, Name: "trivial handler, on_full refuse", Rate: 40_000}, row{Part: partSoldOut, World: embedded, Rate: 16_000},
		row{Part: partHandler, World: embedded, Name: "trivial handler, map", Rate: 40_000},
		row{Part: partSeats, World: embedded, Name: "map of 20000 seats", Rate: 28_000, WireEach: 4_000, Beside: beside},
		row{Part: partSeats, World: embedded, Name: "map of 20000 seats, If-None-Match", Rate: 29_000, Unchanged: 5, Beside: beside},
		row{Part: partLists, World: embedded, Kind: "listed", Among: fewEvents, P99: 10 * time.Millisecond},
		row{Part: partLists, World: embedded, Kind: "listed", Among: allEvents, P99: 60 * time.Millisecond},
	)
	r.Seen = &seen{Watchers: 1000, P99: 70 * time.Millisecond}
	r.Cached = []cachedEvent{{Seats: 1000, Events: 10, Heap: 2000}}
	r.Figures = r.figures()
	return r
}

func TestFigures(t *testing.T) {
	t.Parallel()
	r := tableReport()
	want := []struct {
		value   string
		outcome outcome
	}{
		{"1.50 × pgbench", reached}, {"0.80 × pgbench", reached}, {"0.20 × pgbench", missed}, {"1.50 × one durable commit", reached}, {"12 ms", reached},
		{"0.10 × pgbench", missed}, {"0.95 × the small one's", asAimed}, {"0.40 × handler", reached}, {"0.70 × handler", asAimed}, {"4 kB", reached},
		{"0.72 × handler", asAimed}, {"60 ms", missed}, {"6 × p99", told}, {"70 ms", asAimed},
	}
	if len(r.Figures) != len(want) {
		t.Fatalf("%d figures, want %d: %+v", len(r.Figures), len(want), r.Figures)
	}
	for i, f := range r.Figures {
		if f.value() != want[i].value || f.Outcome != want[i].outcome {
			t.Errorf("%s: %s, %q; want %s, %q", f.Work, f.value(), f.Outcome, want[i].value, want[i].outcome)
		}
	}
	if got := (&report{}).figures(); len(got) != 0 {
		t.Errorf("figures of nothing: %+v", got)
	}
}

func TestChartIsWellFormedAndSaysEverything(t *testing.T) {
	t.Parallel()
	r := tableReport()
	r.Figures[0].Work = "fish & <chips>"
	text := r.chart()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
	for _, want := range []string{"prefers-color-scheme: dark", "fish &amp; &lt;chips&gt;", "✓✓ 0.95 × the small one&#39;s", "✗ 60 ms", "1.50 × pgbench, reached"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "6 × p99") {
		t.Error("what has nothing to reach is drawn")
	}
	if a, b := along(1), along(2); a != chartLeft+(chartWidth-chartLeft-chartRight)/2 || b <= a || along(1e9) > chartWidth-chartRight {
		t.Errorf("the scale: 1 at %f, 2 at %f", a, b)
	}
}

func TestFiguresAreFilledIntoAPage(t *testing.T) {
	t.Parallel()
	r := tableReport()
	page := "before\n" + figuresBegin + "\nstale\n" + figuresEnd + "\nafter\n"
	got, err := r.filled(page, "bench.svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n" + figuresBegin + "\n", "\n" + figuresEnd + "\nafter\n", "](bench.svg)",
		"| over HTTP, one hot event | 0.80 × pgbench | ≥ 0.70 | ≥ 1 | reached | 8000 of 10000 a second |", "| cancel with promotion, 10,000 wait | 1,000 |"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "stale") {
		t.Error("the old figures are there still")
	}
	if again, err := r.filled(got, "bench.svg"); err != nil || again != got {
		t.Errorf("filled twice: %v", err)
	}
	if _, err := r.filled("no place", ""); err == nil {
		t.Error("a page without a place for figures is filled")
	}
}

func TestWhatBackendsDoIsListedByFrequency(t *testing.T) {
	t.Parallel()
	text := frequent(map[doing]int{{"runs", "SELECT 1"}: 5, {"IO: WALSync", "COMMIT"}: 20}, 10)
	lines := strings.Split(text, "\n")
	if !strings.Contains(lines[1], "2.000  IO: WALSync") || !strings.Contains(lines[2], "0.500  runs") || !strings.HasSuffix(lines[2], "SELECT 1") {
		t.Errorf("listed as\n%s", text)
	}
}

func TestRowsAreJoined(t *testing.T) {
	t.Parallel()
	w := row{}.and(row{Booked: 100, Seconds: 1, P99: 5, Usage: usage{Server: 1}}).and(row{Booked: 500, Seconds: 3, P99: 4, Usage: usage{Server: 2}})
	if w.Booked != 600 || w.Rate != 150 || w.P99 != 5 || w.Usage.Server != 1.75 {
		t.Errorf("%+v", w)
	}
}
