//go:build linux

package house

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"happening/internal/testkit/abreast"
)

const (
	// repository is where the module begins, seen from the packages that call
	// Main: they lie beside this one.
	repository = "../.."
	// buildLimit is for a build with an empty cache.
	buildLimit = 5 * time.Minute
	// StartLimit is for the first start on a machine that is busy with other
	// tests; it takes about a second when it is not.
	StartLimit = 60 * time.Second
	// housesAtOnce is how many tests live in houses at a time, whatever the number
	// of processors: a house has a PostgreSQL of its own, or a share of the
	// connections of the one that all have.
	housesAtOnce = 4
	// CommandLimit is for a command of the binary.
	CommandLimit = 60 * time.Second
	// SettleLimit is for whatever follows by itself, such as a recovery: twice
	// what docs/reliability.md promises, because the machine is busy with other
	// tests. A server's stop is the longest: it lets PostgreSQL have 25 seconds.
	SettleLimit = 60 * time.Second
	// PollEvery is between two looks at something that another process does and
	// of which it sends no signal.
	PollEvery = 5 * time.Millisecond
)

// Binary is the product, built by Main.
var Binary string

// Main builds the product and runs a package's tests; it is the TestMain of
// every package that moves into a house:
//
//	func TestMain(m *testing.M) { house.Main(m) }
func Main(m interface{ Run() int }) {
	if os.Getenv(hiddenEnv) != "" {
		fmt.Fprintln(os.Stderr, "hide:", hideAndRun())
		os.Exit(1)
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m interface{ Run() int }) int {
	dir, err := os.MkdirTemp("", "happening-binary-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	Binary = filepath.Join(dir, "bin", "happening")
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	abreast.AtMost(housesAtOnce)
	return m.Run()
}

// build puts the binary where any user can run it.
func build(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildLimit)
	defer cancel()
	args := []string{"build", "-o", Binary}
	if raceDetector {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/happening")...)
	cmd.Dir = repository
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	if err := os.Chmod(filepath.Dir(Binary), 0o755); err != nil {
		return err
	}
	return os.Chmod(Binary, 0o755)
}

// Await looks until a condition holds, and fails the test when it never does.
func Await(t testing.TB, what string, limit time.Duration, holds func() bool) {
	t.Helper()
	if !Looked(limit, holds) {
		t.Fatalf("after %v still not: %s", limit, what)
	}
}

// Looked looks until a condition holds or the limit is over, and says which.
func Looked(limit time.Duration, holds func() bool) bool {
	deadline := time.After(limit)
	tick := time.NewTicker(PollEvery)
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
