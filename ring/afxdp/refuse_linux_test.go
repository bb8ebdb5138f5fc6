package afxdp

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"weir/ring"
	"weir/ring/nic"
	"weir/tools/lab"
)

// inSut calls f with mirror0, in its namespace.
func inSut(t *testing.T, l *lab.Lab, f func(i netlink.Link) error) {
	t.Helper()
	err := l.Sut().Do(func() error {
		i, err := netlink.LinkByName("mirror0")
		if err != nil {
			return err
		}
		return f(i)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// xdpAttached reports whether mirror0 has an XDP program.
func xdpAttached(t *testing.T, l *lab.Lab) (attached bool) {
	t.Helper()
	inSut(t, l, func(i netlink.Link) error {
		attached = i.Attrs().Xdp != nil && i.Attrs().Xdp.Attached
		return nil
	})
	return attached
}

// packetSocket returns a packet socket that receives all of mirror0.
func packetSocket(t *testing.T, l *lab.Lab) (fd int) {
	t.Helper()
	inSut(t, l, func(i netlink.Link) (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		const all = unix.ETH_P_ALL << 8 // in network byte order
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
			unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: i.Attrs().Index}))
	})
	return fd
}

// TestQueues holds one queue of four: the host gets the frames of the others.
func TestQueues(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{Queues: 4}), Config{Queues: []int{0, 9}})
	host := packetSocket(t, r.lab)
	const frames = 1000
	r.sendFlows(frames)
	a := r.settle(frames)
	t.Logf("%+v", a)
	if a.passed < frames/2 || a.received < frames/10 {
		t.Errorf("%+v", a)
	}
	if q := r.mirror.Status().Queues; len(q) != 1 || q[0].Queue != 0 {
		t.Errorf("holds %+v", q)
	}
	var reached uint64
	buffer := make([]byte, 2048)
	eventually(t, "all passed frames at the host", func() bool {
		for {
			if _, _, err := unix.Recvfrom(host, buffer, unix.MSG_DONTWAIT); err != nil {
				return reached == a.passed
			}
			reached++
		}
	})
}

func TestOpen_Failure(t *testing.T) {
	l := lab.New(t, lab.Options{Queues: 2})
	for name, c := range map[string]struct {
		config Config
		want   error
		says   string
	}{
		"missing":    {Config{Interface: "nosuch0"}, nic.ErrMissing, "nosuch0"},
		"no queue":   {Config{Queues: []int{2, 3}}, nil, "there are 2"},
		"frames":     {Config{Frames: 100}, nil, "100 frames"},
		"frame size": {Config{FrameSize: 1024}, nil, "1024 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := openIn(l, c.config)
			if err == nil {
				_ = m.Close()
				t.Fatal("no error")
			}
			if c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Error(err)
			}
		})
	}
	if m, err := Open(Config{Interface: "lo"}); err == nil {
		_ = m.Close()
		t.Error("opened without a clock")
	}
}

// TestDefaultRoute keeps AF_XDP off the interface that the operator may sit behind.
func TestDefaultRoute(t *testing.T) {
	l := lab.New(t, lab.Options{})
	inSut(t, l, func(i netlink.Link) error {
		return netlink.RouteAdd(&netlink.Route{
			LinkIndex: i.Attrs().Index, Scope: netlink.SCOPE_LINK,
			Dst: &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
		})
	})
	m, err := openIn(l, Config{})
	if err == nil {
		_ = m.Close()
	}
	if !errors.Is(err, ErrDefaultRoute) || xdpAttached(t, l) {
		t.Errorf("%v, attached: %v", err, xdpAttached(t, l))
	}
	r := newRig(t, l, Config{Force: true})
	r.send(generator(t, l, 0), 100)
	r.settle(100)
}

// TestSecond opens a second Mirror on an interface that has one.
func TestSecond(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for patience to end")
	}
	r := newRig(t, lab.New(t, lab.Options{}), Config{})
	begin := time.Now()
	m, err := openIn(r.lab, Config{})
	if err == nil {
		_ = m.Close()
		t.Fatal("a second program on one interface")
	}
	t.Logf("after %v: %v", time.Since(begin), err)
	if !strings.Contains(err.Error(), "another XDP program is attached") {
		t.Error(err)
	}
	if time.Since(begin) > 2*busyPatience {
		t.Error("waited", time.Since(begin))
	}
	r.send(generator(t, r.lab, 0), 100) // the first is as it was
	r.settle(100)
}

func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestOpenClose leaves nothing behind: no file, no goroutine, no program.
func TestOpenClose(t *testing.T) {
	l := lab.New(t, lab.Options{Queues: 2})
	times := 20
	if testing.Short() {
		times = 3
	}
	files := 0
	goroutines := goleak.IgnoreCurrent()
	for n := range times {
		m, err := openIn(l, Config{Promiscuous: true, Frames: 512})
		if err != nil {
			t.Fatal(err)
		}
		if !xdpAttached(t, l) {
			t.Error("no program is attached")
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if xdpAttached(t, l) {
			t.Error("a program is left")
		}
		goleak.VerifyNone(t, goroutines)
		if n == 0 {
			files = openFiles(t)
		}
	}
	eventually(t, "as many open files as before", func() bool { return openFiles(t) <= files })
	inSut(t, l, func(i netlink.Link) error {
		if n := i.Attrs().Promisc; n != 0 {
			t.Errorf("promiscuous %d times", n)
		}
		return nil
	})
}

// TestJumbo sends frames of several buffers, and others between them.
func TestJumbo(t *testing.T) {
	l := lab.New(t, lab.Options{MTU: 9000})
	m, err := openIn(l, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var frames [][]byte
	for i, size := range []int{60, 9014, 1514, 4096, 2048, 1792, 1793, 9000, 60} {
		frame := lab.UDPFrame(netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("10.0.1.1"),
			53, uint16(i), size)
		for n := 42; n < size; n++ {
			frame[n] = byte(n * 7)
		}
		frames = append(frames, frame)
	}
	const rounds = 100
	var b ring.Batch
	for range rounds {
		if _, err := l.SendFrames(0, frames); err != nil {
			t.Fatal(err)
		}
		at := 0
		for end := time.Now().Add(patience); at < len(frames) && time.Now().Before(end); {
			n, err := m.Sources()[0].Poll(&b)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				want := frames[at]
				f := &b.Frames[i]
				if int(f.Wire) != len(want) || f.Cap < min(f.Wire, 1500) {
					t.Fatalf("frame %d of %d bytes: %+v", at, len(want), *f)
				}
				if !bytes.Equal(b.Data(i), want[:f.Cap]) {
					t.Fatalf("frame %d: other bytes", at)
				}
				at++
			}
			m.Sources()[0].Release(&b)
		}
		if at < len(frames) {
			t.Fatalf("%d of %d frames came: %+v", at, len(frames), m.Status())
		}
	}
}

// TestGeneric receives from lo, whose driver knows nothing of XDP.
func TestGeneric(t *testing.T) {
	l := lab.New(t, lab.Options{})
	m, err := openIn(l, Config{Interface: "lo"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if m, err := openIn(l, Config{Interface: "lo", ZeroCopy: Required}); err == nil {
			_ = m.Close()
			t.Error("zero-copy on lo")
		}
	}()
	q := m.Status().Queues[0]
	t.Logf("%+v", q)
	if q.Mode != ModeGeneric || !strings.HasPrefix(q.Reason, "native: ") ||
		!strings.Contains(q.Reason, "does not support") {
		t.Errorf("%+v", q)
	}
	const datagrams = 20
	err = l.Sut().Do(func() error {
		out, err := net.Dial("udp", "127.0.0.1:9")
		if err != nil {
			return err
		}
		defer out.Close()
		for range datagrams {
			if _, err := out.Write([]byte("twenty bytes of data")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var b ring.Batch
	got := 0
	eventually(t, "all received", func() bool {
		n, err := m.Sources()[0].Poll(&b)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if b.Frames[i].Wire != 14+20+8+20 || !bytes.HasSuffix(b.Data(i), []byte("of data")) {
				t.Errorf("%+v: %x", b.Frames[i], b.Data(i))
			}
		}
		got += n
		m.Sources()[0].Release(&b)
		return got == datagrams
	})
}
