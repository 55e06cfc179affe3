package redis

import (
	"context"

	"happening/internal/booking"
)

// AskMirror compares and stops there, as a process does that dies then.
func (s *Store) AskMirror(ctx context.Context, f booking.Figures) error {
	_, err := s.run(ctx, s.patience, comparison(&f, 0))
	return err
}

// Rebuild has a long waitlist written.
func (s *Store) Rebuild(f booking.Figures) { s.rebuild(f) }

// Occupy gives the store chores that end with the channel, until it takes no
// more.
func (s *Store) Occupy(until <-chan struct{}) {
	for {
		select {
		case s.chores <- func(context.Context) { <-until }:
		default:
			return
		}
	}
}
