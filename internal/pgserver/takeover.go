package pgserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// takeOver puts the programs of an npm package into the data directory and
// answers their bin directory there. Data and the programs that can read them
// then live together: a cleaned or updated build directory strands nobody, and
// PostgreSQL's user need not be able to enter the build directory. Files are
// linked where the file system allows, so that this costs no space and little
// time. The caller holds the data directory's lock.
func takeOver(npm, version, dataDir string) (bin string, err error) {
	parent := filepath.Join(dataDir, "postgres-bin")
	dir := filepath.Join(parent, version)
	bin = filepath.Join(dir, "bin")
	if _, err := os.Stat(dir); err == nil {
		return bin, nil
	}
	if err := makeOpen(parent); err != nil {
		return "", err
	}
	// A copy that was cut off keeps its temporary name and is made anew.
	temp := dir + ".new"
	if err := os.RemoveAll(temp); err != nil {
		return "", err
	}
	native := filepath.Join(npm, "native")
	copied := false
	err = filepath.WalkDir(native, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(native, path)
		if err != nil {
			return err
		}
		target := filepath.Join(temp, rel)
		switch {
		case entry.IsDir():
			if entry.Name() == "pgxs" || entry.Name() == "pkgconfig" || entry.Name() == "include" {
				return filepath.SkipDir // For compiling against PostgreSQL, which nobody does here.
			}
			return makeOpen(target)
		case entry.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case !entry.Type().IsRegular() || filepath.Ext(path) == ".a":
			return nil
		}
		linked, err := linkOrCopy(path, target)
		copied = copied || !linked
		return err
	})
	if err != nil {
		return "", err
	}
	if err := restoreSymlinks(npm, temp); err != nil {
		return "", err
	}
	if copied {
		// A power cut after the rename must not leave empty files behind a
		// name that says complete.
		if err := syncFiles(temp); err != nil {
			return "", err
		}
	}
	return bin, os.Rename(temp, dir)
}

// makeOpen makes a directory that every user may read, whatever the umask.
func makeOpen(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	return os.Chmod(dir, 0o755)
}

// linkOrCopy links the file, or copies it where links can't reach or where the
// original is closed to other users.
func linkOrCopy(from, to string) (linked bool, err error) {
	const readable, executable = 0o444, 0o111
	info, err := os.Stat(from)
	if err != nil {
		return false, err
	}
	mode := info.Mode().Perm() | readable
	if mode&executable != 0 {
		mode |= executable
	}
	if mode == info.Mode().Perm() && os.Link(from, to) == nil {
		return true, nil
	}
	in, err := os.Open(from)
	if err != nil {
		return false, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return false, err
	}
	_, err = io.Copy(out, in)
	return false, errors.Join(err, out.Chmod(mode), out.Close())
}

// restoreSymlinks makes the links that an npm package can't carry. The package
// lists them and makes them in a script of its own, which a careful npm doesn't
// run. A link never leaves the directory.
func restoreSymlinks(npm, dir string) error {
	b, err := os.ReadFile(filepath.Join(npm, "native", "pg-symlinks.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(b, &links); err != nil {
		return fmt.Errorf("pg-symlinks.json: %w", err)
	}
	for _, l := range links {
		source, ok1 := strings.CutPrefix(filepath.Clean(l.Source), "native"+string(filepath.Separator))
		target, ok2 := strings.CutPrefix(filepath.Clean(l.Target), "native"+string(filepath.Separator))
		if !ok1 || !ok2 || !filepath.IsLocal(source) || !filepath.IsLocal(target) {
			return fmt.Errorf("pg-symlinks.json has a link outside of the package: %s", l.Target)
		}
		to, err := filepath.Rel(filepath.Dir(target), source)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, target)
		if err := os.Symlink(to, path); err != nil && !errors.Is(err, fs.ErrExist) {
			// What was left out, such as the parts for compiling, needs no links.
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return err
		}
	}
	return nil
}
