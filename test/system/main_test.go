//go:build linux

package system

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const (
	// repository is where the module begins, seen from this package.
	repository = "../.."
	// buildLimit is for a build with an empty cache.
	buildLimit = 5 * time.Minute
	// startLimit is for the first start on a machine that is busy with other
	// tests; it takes about a second when it is not.
	startLimit = 60 * time.Second
	// commandLimit is for a command of the binary.
	commandLimit = 60 * time.Second
	// settleLimit is for whatever follows by itself, such as a recovery.
	settleLimit = 30 * time.Second
	// pollEvery is between two looks at something that another process does and
	// of which it sends no signal.
	pollEvery = 5 * time.Millisecond
)

// binary is the product, built by TestMain.
var binary string

func TestMain(m *testing.M) {
	if os.Getenv(hiddenEnv) != "" {
		fmt.Fprintln(os.Stderr, "hide:", hideAndRun())
		os.Exit(1)
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "happening-binary-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "bin", "happening")
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build puts the binary where any user can run it.
func build(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildLimit)
	defer cancel()
	args := []string{"build", "-o", binary}
	if raceDetector {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/happening")...)
	cmd.Dir = repository
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	if err := os.Chmod(filepath.Dir(binary), 0o755); err != nil {
		return err
	}
	return os.Chmod(binary, 0o755)
}

// await looks until a condition holds, and fails the test when it never does.
func await(t testing.TB, what string, limit time.Duration, holds func() bool) {
	t.Helper()
	if !looked(limit, holds) {
		t.Fatalf("after %v still not: %s", limit, what)
	}
}

// looked looks until a condition holds or the limit is over, and says which.
func looked(limit time.Duration, holds func() bool) bool {
	deadline := time.After(limit)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if holds() {
			return true
		}
		select {
		case <-deadline:
			return holds()
		case <-tick.C:
		}
	}
}
