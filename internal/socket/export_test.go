package socket

import "time"

// Unhurried makes an engine wait, for tests of what arrives and not of how
// soon.
func (s RedisSettings) Unhurried() RedisSettings {
	s.patience = 5 * time.Second
	return s
}
