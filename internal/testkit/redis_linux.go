//go:build engines

package testkit

import (
	"os/exec"
	"runtime"
	"syscall"
)

// startBound starts a server that dies with this process, also where a test
// run is cut off and nothing is cleaned up. What counts is the thread that
// started it, so a goroutine keeps that thread for as long as the server runs.
func startBound(cmd *exec.Cmd) (ended <-chan struct{}, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, done := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // killed in the end, which it tells as an error
		}
	}()
	return done, <-started
}
