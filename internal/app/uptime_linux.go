package app

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime is how long the machine has been up, sleep included: nobody sets this
// clock, and it does not stand still while a laptop is closed.
func uptime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Since(processStart)
	}
	return time.Duration(ts.Nano())
}

var processStart = time.Now()
