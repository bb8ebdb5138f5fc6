package wait

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func event(t testing.TB, counter uint) unix.PollFd {
	t.Helper()
	fd, err := unix.Eventfd(counter, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
}

func TestNap(t *testing.T) {
	fds := []unix.PollFd{event(t, 0), event(t, 1)}
	n := 0
	for range 100 { // signals end it early
		if n = Nap(fds, time.Minute); n != 0 {
			break
		}
	}
	if n != 1 || fds[0].Revents != 0 || fds[1].Revents != unix.POLLIN {
		t.Errorf("%d are ready: %v", n, fds)
	}
	if n := Nap(nil, time.Minute); n != 0 {
		t.Errorf("%d of none are ready", n)
	}
	const long = 20 * time.Millisecond
	for begin := time.Now(); time.Since(begin) < long; {
		if n := Nap(fds[:1], long-time.Since(begin)); n != 0 {
			t.Fatalf("%d are ready: %v", n, fds[:1])
		}
	}
	fds[0].Fd = -1
	if n := Nap(fds[:1], 0); n != 0 {
		t.Errorf("%d of no descriptor are ready", n)
	}
}
