package api

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// ErrInUse says that a weir answers at the socket already.
var ErrInUse = errors.New("a weir is listening there already")

// Listen opens the unix socket at path for Serve: for its owner, and for the group weir where
// there is one. A socket that nobody answers at is replaced; what is no socket is never removed.
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := makeWay(path); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := bind(path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	file, _ := os.Lstat(path)
	return &listener{Listener: l, path: path, file: file}, nil
}

// bind makes the socket in a folder that only we can enter, and moves it to its place once its
// mode is right: whatever the umask, which is the whole process's and not ours to change, there is
// no moment in which others could connect.
func bind(path string) (net.Listener, error) {
	closed, err := os.MkdirTemp(filepath.Dir(path), ".w") // 0700
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(closed) }() // an empty folder does no harm
	hidden := filepath.Join(closed, "s")        // short: a socket's path must be
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: hidden, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err := publish(hidden, path); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// listener removes its file when it is closed.
type listener struct {
	net.Listener
	path string
	file os.FileInfo // nil: not known
	once sync.Once
}

// Addr implements net.Listener: the name that clients know, not the one it was bound under.
func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close implements net.Listener. A socket that somebody else has put there since stays.
func (l *listener) Close() error {
	l.once.Do(func() {
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
			_ = os.Remove(l.path)
		}
	})
	return l.Listener.Close()
}

// makeWay removes a socket that nobody answers at.
func makeWay(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&os.ModeSocket == 0:
		return errors.New("there is a file of that name, which is no socket")
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		return errors.Join(ErrInUse, c.Close())
	case errors.Is(err, syscall.ECONNREFUSED): // its process has ended
		return os.Remove(path)
	}
	return err // somebody is there, and busy or not ours
}

// publish gives the socket its mode, group and name.
func publish(hidden, path string) error {
	if g, err := user.LookupGroup("weir"); err == nil {
		if id, err := strconv.Atoi(g.Gid); err == nil {
			_ = os.Chown(hidden, -1, id) // not ours to give: it stays with our own group
		}
	}
	if err := os.Chmod(hidden, 0o660); err != nil {
		return err
	}
	return os.Rename(hidden, path)
}
