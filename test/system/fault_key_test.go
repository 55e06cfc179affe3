//go:build linux

package system

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"happening/test/house"
)

// atOnce is how many requests bring one key.
const atOnce = 100

// A hundred requests with one idempotency key at the same moment have one
// effect, and whoever is answered is answered the same. The key says nothing
// about another body, another path, another organization's event, and nothing
// at all to anybody else.
func TestOneKeyAtOnce(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	admin := h.People("admin", 1)[0]
	eventID := c.Event(t, admin, c.Organization(t, admin), 2000, nil)
	elsewhere := c.Event(t, admin, c.Organization(t, admin), 2000, nil)
	people := h.People("keys", 3)
	who, other := people[0], people[1]
	one := map[string]any{"event_id": eventID, "seats": 1}
	two := map[string]any{"event_id": eventID, "seats": 2}
	db := h.Database()
	effects := func(of *house.Person, key string) int {
		return house.Count(t, db, `SELECT count(*) FROM booking_history WHERE actor_id = $1 AND idempotency_key = $2`, of.ID, key)
	}

	t.Run("one body", func(t *testing.T) {
		answers := send(t, c, who, "/bookings", "the-key", one)
		wantOneEffect(t, answers, http.StatusCreated)
		if n := effects(who, "the-key"); n != 1 {
			t.Errorf("%d effects", n)
		}
	})
	first := c.Send(t, who, http.MethodPost, "/bookings", one, "Idempotency-Key: the-key")
	booking := idOf(t, first)
	t.Run("another request under it", func(t *testing.T) {
		for _, a := range []*house.Answer{
			c.Send(t, who, http.MethodPost, "/bookings", two, "Idempotency-Key: the-key"),
			c.Send(t, who, http.MethodPost, "/bookings/"+booking+"/cancel", nil, "Idempotency-Key: the-key"),
			c.Send(t, who, http.MethodPost, "/bookings", map[string]any{"event_id": elsewhere, "seats": 1}, "Idempotency-Key: the-key"),
		} {
			if a.Status != http.StatusUnprocessableEntity {
				t.Errorf("%s", a)
			}
		}
		if n := effects(who, "the-key"); n != 1 {
			t.Errorf("%d effects", n)
		}
	})
	t.Run("somebody else's", func(t *testing.T) {
		wantOneEffect(t, send(t, c, other, "/bookings", "the-key", one), http.StatusCreated)
		a := c.Send(t, other, http.MethodPost, "/bookings", one, "Idempotency-Key: the-key")
		if a.Status != http.StatusCreated || idOf(t, a) == booking {
			t.Errorf("another person's key answers %s", a)
		}
		if n := effects(other, "the-key"); n != 1 {
			t.Errorf("%d effects", n)
		}
	})
	t.Run("two bodies", func(t *testing.T) {
		answers := send(t, c, who, "/bookings", "either", one, two)
		var won *house.Answer
		for _, a := range answers {
			switch {
			case a.Status == http.StatusCreated && (won == nil || string(won.Body) == string(a.Body)):
				won = a
			case a.Status == http.StatusConflict && a.Code() == "duplicate_request", a.Status == http.StatusUnprocessableEntity:
			default:
				t.Errorf("%s", a)
			}
		}
		if n := effects(who, "either"); n != 1 || won == nil {
			t.Errorf("%d effects, told %v", n, won)
		}
	})
	t.Run("cancel", func(t *testing.T) {
		wantOneEffect(t, send(t, c, who, "/bookings/"+booking+"/cancel", "cancel", nil), http.StatusOK)
		if n := effects(who, "cancel"); n != 1 {
			t.Errorf("%d effects", n)
		}
	})
	// The control: what makes these one is the key.
	t.Run("a key each", func(t *testing.T) {
		if n := ofStatus(send(t, c, people[2], "/bookings", "", one), http.StatusCreated); n != atOnce {
			t.Errorf("%d of %d requests with a key each were served", n, atOnce)
		}
	})
	h.Check()
}

// send sends requests at the same moment, by one person and under one key, or
// under one each where it is empty; the bodies take turns.
func send(t *testing.T, c *house.Client, who *house.Person, path, key string, bodies ...any) []*house.Answer {
	t.Helper()
	answers := make([]*house.Answer, atOnce)
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	for i := range answers {
		own := key
		if key == "" {
			own = fmt.Sprint("own-", i)
		}
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-begin
			a, err := c.Do(context.Background(), who, http.MethodPost, path, bodies[i%len(bodies)], "Idempotency-Key: "+own)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				a = new(house.Answer)
			}
			answers[i] = a
		})
	}
	ready.Wait()
	close(begin)
	done.Wait()
	return answers
}

// wantOneEffect wants that every request was answered the same, or told that
// another one is under way.
func wantOneEffect(t *testing.T, answers []*house.Answer, status int) {
	t.Helper()
	var first *house.Answer
	for _, a := range answers {
		switch {
		case a.Status == status && first == nil:
			first = a
		case a.Status == status && string(a.Body) == string(first.Body):
		case a.Status == http.StatusConflict && a.Code() == "duplicate_request":
		default:
			t.Errorf("%s", a)
		}
	}
	if first == nil {
		t.Error("nobody was served")
	}
	t.Logf("%d told the same, the others that it is under way", ofStatus(answers, status))
}

// ofStatus counts the answers of a status.
func ofStatus(answers []*house.Answer, status int) (n int) {
	for _, a := range answers {
		if a.Status == status {
			n++
		}
	}
	return n
}

func idOf(t *testing.T, a *house.Answer) string {
	t.Helper()
	var b struct{ ID string }
	if err := json.Unmarshal(a.Body, &b); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return b.ID
}
