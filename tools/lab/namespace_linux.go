package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// namespaces is where iproute2 looks for named network namespaces, and netns makes them.
const namespaces = "/run/netns"

// Namespace is a named network namespace.
type Namespace struct {
	Name string
}

// Do calls f on a thread that is in the namespace. Goroutines that f starts are not in it, but
// sockets that f opens stay there.
func (n Namespace) Do(f func() error) error {
	handle, err := netns.GetFromName(n.Name)
	if err != nil {
		return fmt.Errorf("open namespace %s: %w", n.Name, err)
	}
	defer handle.Close()
	return onThread(func() error {
		if err := netns.Set(handle); err != nil {
			return fmt.Errorf("enter namespace %s: %w", n.Name, err)
		}
		return f()
	})
}

// Start starts cmd in the namespace.
func (n Namespace) Start(cmd *exec.Cmd) error { return n.Do(cmd.Start) }

// Client returns an HTTP client that connects from the namespace, anew each time.
func (n Namespace) Client() *http.Client {
	dial := func(ctx context.Context, network, address string) (c net.Conn, err error) {
		err = n.Do(func() error {
			c, err = new(net.Dialer).DialContext(ctx, network, address)
			return err
		})
		return c, err
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// write sets values below /proc/sys/net, which shows the namespace of the thread that asks.
func (n Namespace) write(value string, names ...string) error {
	return n.Do(func() error {
		for _, name := range names {
			name = filepath.Join("/proc/sys/net", name)
			if err := os.WriteFile(name, []byte(value), 0); err != nil {
				return fmt.Errorf("set sysctl: %w", err)
			}
		}
		return nil
	})
}

// onThread calls f, which may change its thread's namespace. A thread that cannot go back remains
// locked: it ends together with its goroutine, and spoils no other one.
func onThread(f func() error) (err error) {
	runtime.LockOSThread()
	old, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("get namespace: %w", err)
	}
	defer func() {
		if back := netns.Set(old); back != nil {
			err = errors.Join(err, fmt.Errorf("leave namespace: %w", back))
		} else {
			runtime.UnlockOSThread()
		}
		_ = old.Close()
	}()
	return f()
}

// newNamespaces makes both namespaces under the first number that this process has not used.
func newNamespaces() (gen, sut Namespace, err error) {
	for n := 0; ; n++ {
		stem := fmt.Sprintf("weir-%d-%d-", os.Getpid(), n)
		gen, sut = Namespace{stem + "gen"}, Namespace{stem + "sut"}
		err = gen.create()
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return gen, sut, err
		}
		err = sut.create()
		if err == nil {
			return gen, sut, nil
		}
		removed := gen.remove()
		if removed != nil || !errors.Is(err, os.ErrExist) { // else another lab is just closing
			return gen, sut, errors.Join(err, removed)
		}
	}
}

// share makes the folder a mount of its own, as the first `ip netns add` would: if that came later
// it would cover the namespaces that are there, and nobody could remove them.
func share() error {
	if err := os.MkdirAll(namespaces, 0o755); err != nil {
		return err
	}
	folder, err := os.Open(namespaces)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX); err != nil { // as iproute2 does
		return err
	}
	const shared = unix.MS_SHARED | unix.MS_REC
	err = unix.Mount("", namespaces, "none", shared, "")
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	err = unix.Mount(namespaces, namespaces, "none", unix.MS_BIND|unix.MS_REC, "")
	if err != nil {
		return err
	}
	return unix.Mount("", namespaces, "none", shared, "")
}

// create fails with os.ErrExist where the name is taken.
func (n Namespace) create() error {
	if _, err := os.Stat(filepath.Join(namespaces, n.Name)); err == nil {
		return fmt.Errorf("make namespace %s: %w", n.Name, os.ErrExist)
	}
	if err := share(); err != nil {
		return fmt.Errorf("prepare %s: %w", namespaces, err)
	}
	return onThread(func() error {
		handle, err := netns.NewNamed(n.Name)
		if err != nil {
			return fmt.Errorf("make namespace %s: %w", n.Name, err)
		}
		return handle.Close()
	})
}

// remove takes the name away, in whatever state its maker left it.
func (n Namespace) remove() error {
	path := filepath.Join(namespaces, n.Name)
	err := unix.Unmount(path, unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount namespace %s: %w", n.Name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove namespace: %w", err)
	}
	return nil
}

// removeStale removes what labs left behind whose processes no longer exist.
func removeStale() error {
	paths, err := filepath.Glob(filepath.Join(namespaces, "weir-*-*-*"))
	if err != nil {
		return fmt.Errorf("list namespaces: %w", err)
	}
	for _, path := range paths {
		var pid, n int
		var side string
		name := filepath.Base(path)
		if _, err := fmt.Sscanf(name, "weir-%d-%d-%s", &pid, &n, &side); err != nil {
			continue
		}
		_, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid)))
		if (side != "gen" && side != "sut") || !errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := (Namespace{name}).remove(); err != nil {
			return err
		}
	}
	return nil
}
