package redis

import "time"

// unhurried is long enough for a machine that does other things as well.
const unhurried = 10 * time.Second

// Unhurried makes a store wait, for tests of what it answers and not of how
// soon.
func (s *Store) Unhurried() *Store {
	s.patience = unhurried
	return s
}

// Unhurried: see Store.Unhurried.
func (l *Limiter) Unhurried() *Limiter {
	l.patience = unhurried
	return l
}

// Hurried undoes Unhurried.
func (s *Store) Hurried() *Store {
	s.patience = patience
	return s
}
