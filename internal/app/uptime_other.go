//go:build !linux

package app

import "time"

// uptime is how long the process has run, by a clock that nobody sets.
func uptime() time.Duration { return time.Since(processStart) }

var processStart = time.Now()
