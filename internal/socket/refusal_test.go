package socket_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	centrifuge "github.com/centrifugal/centrifuge-go"

	"happening/internal/realtime"
)

// maxRefusals is the node's own figure.
const maxRefusals = 100

// guess subscribes to an event that is not there and gives the error's code.
func (s *site) guess(t *testing.T, b *browser, eventID uuid.UUID) (code uint32) {
	t.Helper()
	channel := realtime.EventChannel(eventID)
	l := b.listen(channel)
	select {
	case e := <-l.unsubscribed:
		code = e.Code
	case err := <-l.failed:
		var said centrifuge.SubscriptionSubscribeError
		var server *centrifuge.Error
		if !errors.As(err, &said) || !errors.As(said.Err, &server) {
			t.Fatalf("failed with %v", err)
		}
		code = server.Code
	case <-t.Context().Done():
		t.Fatal("no answer")
	}
	if sub, ok := b.GetSubscription(channel); ok {
		if err := b.RemoveSubscription(sub); err != nil {
			// One that would try again has to be left first.
			_ = sub.Unsubscribe()
			if err := b.RemoveSubscription(sub); err != nil {
				t.Fatal(err)
			}
		}
	}
	return code
}

// Whoever guesses at events soon costs the gate nothing, whichever connection
// it is; neighbours go on watching what is watched, and who is signed in counts
// for themselves.
func TestGuessingAtEventsIsBounded(t *testing.T) {
	t.Parallel()
	const denied, tooMany = 103, 111
	s := open(t)
	hidden := uuid.New()
	s.gate.with(func() {
		s.gate.absent = true
		s.gate.there = map[uuid.UUID]bool{s.event: true, hidden: true}
		s.gate.hidden[hidden] = map[uuid.UUID]bool{s.ann.UserID: true}
	})
	ann := s.browser(t, "ann")
	for _, id := range []uuid.UUID{s.event, hidden} {
		await(t, "subscription", ann.listen(realtime.EventChannel(id)).subscribed)
		await(t, "that it is watched", s.watch)
	}
	var guessers []*browser // so many that none asks too often by itself
	for range 10 {
		guessers = append(guessers, s.browser(t, ""))
	}
	for i := range maxRefusals {
		if code := s.guess(t, guessers[i%len(guessers)], uuid.New()); code != denied {
			t.Fatalf("guess %d: %d", i, code)
		}
	}
	asked := s.gate.questions()
	third := s.browser(t, "")
	for _, b := range append(guessers, third) {
		if code := s.guess(t, b, uuid.New()); code != tooMany {
			t.Errorf("one guess more: %d", code)
		}
	}
	if n := s.gate.questions() - asked; n != 0 {
		t.Errorf("the gate was asked %d times", n)
	}
	// Nothing tells what is hidden from what is not there.
	if code := s.guess(t, third, hidden); code != tooMany {
		t.Errorf("a hidden event that is watched: %d", code)
	}
	await(t, "a watched event", third.listen(realtime.EventChannel(s.event)).subscribed)
	if code := s.guess(t, s.browser(t, "bob"), uuid.New()); code != denied {
		t.Errorf("a person at the same address: %d", code)
	}
}
