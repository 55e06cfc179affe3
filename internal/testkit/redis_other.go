//go:build engines && !linux

package testkit

import "os/exec"

// startBound starts a server; where a test run is cut off it stays.
func startBound(cmd *exec.Cmd) (ended <-chan struct{}, err error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // killed in the end, which it tells as an error
	}()
	return done, nil
}
