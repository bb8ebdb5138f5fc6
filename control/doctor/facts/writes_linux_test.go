package facts

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/control/doctor"
)

// written returns how often this process has closed a file of certain mounts that it had opened for
// writing since the last call.
func written(t *testing.T) func() int {
	t.Helper()
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_NONBLOCK|unix.FAN_CLOEXEC,
		unix.O_RDONLY|unix.O_CLOEXEC)
	if err != nil {
		t.Skip("needs fanotify: ", err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	for _, mount := range []string{"/", "/proc", "/sys", os.TempDir()} {
		err := unix.FanotifyMark(fd, unix.FAN_MARK_ADD|unix.FAN_MARK_MOUNT, unix.FAN_CLOSE_WRITE,
			unix.AT_FDCWD, mount)
		if err != nil {
			t.Skip("needs fanotify: ", mount, err)
		}
	}
	return func() (n int) {
		b := make([]byte, 4096)
		for {
			size, err := unix.Read(fd, b)
			if errors.Is(err, unix.EAGAIN) {
				return n
			}
			if err != nil {
				t.Fatal(err)
			}
			for event := b[:size]; len(event) >= 24; { // struct fanotify_event_metadata
				length := binary.NativeEndian.Uint32(event)
				_ = unix.Close(int(int32(binary.NativeEndian.Uint32(event[16:]))))
				if int(binary.NativeEndian.Uint32(event[20:])) == os.Getpid() {
					n++
				}
				event = event[length:]
			}
		}
	}
}

// TestLook looks at this machine: in less than two seconds, and opening nothing for writing.
func TestLook(t *testing.T) {
	seen := written(t)
	file, err := os.OpenFile("/proc/self/comm", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if seen() != 1 {
		t.Fatal("an opening for writing was not seen")
	}
	began := time.Now()
	f := Look(t.Context(), Options{})
	checks := doctor.Examine(f)
	took := time.Since(began)
	if n := seen(); n != 0 {
		t.Errorf("%d files opened for writing", n)
	}
	if took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	if len(checks) < 15 || len(f.Host.CPUs) == 0 || f.Spent.All.Total == 0 {
		t.Errorf("%+v", checks)
	}
}
