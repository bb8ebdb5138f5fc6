package script

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks is how many symbolic links may be on the way to the program.
const maxLinks = 40

// trusted follows path to the program and returns where it is, or says why it must not be run:
// somebody else than root and we could decide what it is.
func trusted(path string) (string, error) {
	at := "/"
	if err := inspect(path, at); err != nil {
		return "", err
	}
	links := 0
	for rest := parts(path); len(rest) > 0; {
		next, name := filepath.Dir(at), rest[0]
		rest = rest[1:]
		if name != ".." {
			next = filepath.Join(at, name)
		}
		if err := inspect(path, next); err != nil {
			return "", err
		}
		target, err := os.Readlink(next)
		if err != nil { // no link; or it went away, which the next step tells
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("script %s: too many symbolic links", path)
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(parts(target), rest...)
	}
	return at, executable(path, at)
}

// parts returns the names in a path.
func parts(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// inspect says why somebody else could change what is at a place on the way of path.
func inspect(path, place string) error {
	info, err := os.Lstat(place)
	if err != nil {
		return fmt.Errorf("script %s: %w", path, err)
	}
	owner := -1
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok {
		owner = int(stat.Uid)
	}
	if owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("script %s: %s belongs to user %d, neither to root nor to weir's user",
			path, place, owner)
	}
	mode := info.Mode()
	switch {
	case mode&fs.ModeSymlink != 0: // its own mode means nothing
	case mode.IsDir() && mode&fs.ModeSticky != 0: // what is ours in it is not others' to replace
	case mode.Perm()&0o002 != 0:
		return fmt.Errorf("script %s: %s is writable for everybody (chmod o-w)", path, place)
	case mode.Perm()&0o020 != 0 && (!mode.IsDir() || stat.Gid != 0):
		return fmt.Errorf("script %s: %s is writable for its group (chmod g-w)", path, place)
	}
	return nil
}

// executable says why what path leads to is no program.
func executable(path, file string) error {
	info, err := os.Lstat(file)
	switch {
	case err != nil:
		return fmt.Errorf("script %s: %w", path, err)
	case info.IsDir():
		return fmt.Errorf("script %s: it is a folder", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("script %s: it is no regular file", path)
	case info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("script %s: it is not executable (chmod +x)", path)
	}
	return nil
}
