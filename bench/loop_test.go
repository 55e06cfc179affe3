package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make(latencies, 0, 100)
	for i := 100; i >= 1; i-- {
		hundred = append(hundred, time.Duration(i))
	}
	for name, c := range map[string]struct {
		of   latencies
		p    float64
		want time.Duration
	}{
		"of none":          {nil, 50, 0},
		"of one":           {latencies{7}, 99, 7},
		"of two, middle":   {latencies{2, 1}, 50, 1},
		"of three, middle": {latencies{3, 1, 2}, 50, 2},
		"p50":              {hundred, 50, 50},
		"p95":              {hundred, 95, 95},
		"p99":              {hundred, 99, 99},
		"p99.9":            {hundred, 99.9, 100},
		"p0":               {hundred, 0, 1},
		"p100":             {hundred, 100, 100},
	} {
		if got := c.of.sorted().percentile(c.p); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if hundred[0] != 100 {
		t.Error("sorting changed what it sorted")
	}
}

func TestPartySize(t *testing.T) {
	t.Parallel()
	var drawn [5]int
	for draw := range 100 {
		drawn[partySize(draw)]++
	}
	if drawn != [5]int{0, 50, 30, 10, 10} {
		t.Errorf("of 100 parties %v are of each size", drawn)
	}
}

func TestMixMakesValidRequests(t *testing.T) {
	t.Parallel()
	mix := newMix([]string{"host:1"}, []person{{"u1", "t1"}, {"u2", "t2"}, {"u3", "t3"}}, []string{"e1", "e2"}, byEvent)
	random := rand.New(rand.NewPCG(1, 2))
	keys, tokens, events := map[string]bool{}, map[string]int{}, map[string]bool{}
	for range 30 {
		text, server := mix.append(nil, random)
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(text))))
		if err != nil || server != 0 {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || int64(len(body)) != r.ContentLength {
			t.Fatalf("body of %d bytes, announced %d, %v", len(body), r.ContentLength, err)
		}
		var q struct {
			EventID string `json:"event_id"`
			Seats   int    `json:"seats"`
		}
		if err := json.Unmarshal(body, &q); err != nil || q.Seats < 1 || q.Seats > 4 {
			t.Fatalf("body %s, %v", body, err)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/bookings" || r.Host != "host:1" || r.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("request %+v", r)
		}
		keys[r.Header.Get("Idempotency-Key")] = true
		tokens[r.Header.Get("Authorization")]++
		events[q.EventID] = true
	}
	if len(keys) != 30 {
		t.Errorf("30 requests with %d keys", len(keys))
	}
	if len(tokens) != 3 || tokens["Bearer t1"] != 10 || tokens["Bearer t2"] != 10 {
		t.Errorf("people take turns as %v", tokens)
	}
	if len(events) != 2 {
		t.Errorf("booked at %v", events)
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	servers := []string{"host:1", "host:2", "host:3"}
	for by, want := range map[route]map[string]int{
		byEvent: {"host:1 e1": 1, "host:2 e2": 1, "host:3 e3": 1, "host:1 e4": 1},
		spread: {"host:1 e1": 1, "host:2 e1": 1, "host:3 e1": 1, "host:1 e2": 1, "host:2 e2": 1, "host:3 e2": 1,
			"host:1 e3": 1, "host:2 e3": 1, "host:3 e3": 1, "host:1 e4": 1, "host:2 e4": 1, "host:3 e4": 1},
	} {
		mix := newMix(servers, []person{{"u1", "t1"}}, []string{"e1", "e2", "e3", "e4"}, by)
		random := rand.New(rand.NewPCG(1, 2))
		got := map[string]int{}
		for range 300 {
			text, server := mix.append(nil, random)
			_, event, _ := strings.Cut(string(text), `"event_id":"`)
			if !strings.Contains(string(text), "Host: "+servers[server]+"\r\n") {
				t.Fatalf("for server %d: %s", server, text)
			}
			got[servers[server]+" "+event[:2]] = 1
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v", by, got)
		}
	}
}

func TestClosedLoopCounts(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		n++
		turn := n % 4
		mu.Unlock()
		switch turn {
		case 0:
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"status":409,"code":"seats_held"}`)
		case 1:
			w.WriteHeader(http.StatusTooManyRequests)
		case 2:
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"status":"waiting"}`)
		default:
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"status":"confirmed"}`)
		}
	}))
	defer s.Close()
	counting := false
	l := testLoop(s.Listener.Addr().String(), 4)
	l.onWindow = func() { counting = true }
	r, err := drive(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	if !counting {
		t.Error("nobody was told that counting begins")
	}
	if r.OK == 0 || r.Waiting == 0 || r.Waiting >= r.OK || len(r.latencies) != r.OK || len(r.Broken) != 0 ||
		r.Refused["409 seats_held"] == 0 || r.Refused["429"] == 0 || len(r.Refused) != 2 {
		t.Errorf("counted %+v", r)
	}
	if r.All < r.OK || r.All > n || r.Bytes == 0 {
		t.Errorf("%d of %d in all, %d bytes", r.All, n, r.Bytes)
	}
	if r.Total() > n || r.rate() != float64(r.OK)/0.2 {
		t.Errorf("%d of %d requests counted, %f a second", r.Total(), n, r.rate())
	}
	if text := r.problems(); !strings.Contains(text, "× 409 seats_held") || !strings.Contains(text, "× 429") {
		t.Errorf("problems told as %q", text)
	}
}

func TestClosedLoopDoesNotCountTheWarmUp(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(trivialHandler())
	defer s.Close()
	l := testLoop(s.Listener.Addr().String(), 1)
	l.warmUp, l.duration = 100*time.Millisecond, 0
	r, err := drive(context.Background(), l)
	if err != nil || r.Total() != 0 {
		t.Errorf("counted %d, %v", r.Total(), err)
	}
}

func TestClosedLoopGivesUpOnNobody(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(trivialHandler())
	addr := s.Listener.Addr().String()
	s.Close()
	l := testLoop(addr, 3)
	l.duration = time.Hour
	r, err := drive(context.Background(), l)
	if err != nil || r.OK != 0 || r.problems() == "" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestClosedLoopEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		w.WriteHeader(http.StatusCreated)
	}))
	defer s.Close()
	l := testLoop(s.Listener.Addr().String(), 2)
	l.duration = time.Hour
	if _, err := drive(ctx, l); err == nil {
		t.Error("a loop that was cut short has no result")
	}
}
