package afpacket

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"weir/ring"
	"weir/ring/nic"
	"weir/ring/wait"
	"weir/tools/lab"
)

// mirrorIn opens a Mirror for the length of a test.
func mirrorIn(t *testing.T, l *lab.Lab, c Config) *Mirror {
	t.Helper()
	m, err := openIn(l, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	return m
}

// drain polls a source until it has nothing, and calls each with every frame.
func drain(t *testing.T, s *Source, each func([]byte)) {
	t.Helper()
	var b ring.Batch
	for empty := 0; empty < 2; {
		n, err := s.Poll(&b)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			each(b.Data(i))
		}
		s.Release(&b)
		if empty++; n > 0 {
			empty = 0
		}
	}
}

// TestFrames receives what was sent, octet by octet.
func TestFrames(t *testing.T) {
	l := lab.New(t, lab.Options{MTU: 9000})
	m := mirrorIn(t, l, Config{})
	var frames [][]byte
	for _, pair := range [][2]string{
		{"198.18.0.1", "10.0.1.1"}, {"2001:db8:ffff::1", "2001:db8::1"},
	} {
		src, dst := netip.MustParseAddr(pair[0]), netip.MustParseAddr(pair[1])
		frames = append(frames, lab.SYNFrame(src, dst, 1024, 80))
		for _, size := range []int{90, 1514, 9014} {
			frame := lab.UDPFrame(src, dst, 53, 4444, size)
			frame[size-1] = byte(len(frames))
			frames = append(frames, frame)
		}
	}
	if _, err := l.SendFrames(0, frames); err != nil {
		t.Fatal(err)
	}
	at := 0
	eventually(t, "all received", func() bool {
		drain(t, m.Sources()[0], func(got []byte) {
			if at < len(frames) && !bytes.Equal(got, frames[at]) {
				t.Errorf("frame %d of %d bytes, want %d", at, len(got), len(frames[at]))
			}
			at++
		})
		return at >= len(frames)
	})
	if st := m.Status().Sockets[0]; at != len(frames) || st.Received != uint64(at) {
		t.Errorf("received %d of %d: %+v", at, len(frames), st)
	}
}

// TestFirstGroup joins the group that the first one after a boot is: its number is 0, which once
// was taken for none, so that the others made one of their own and counted every frame again.
func TestFirstGroup(t *testing.T) {
	l := newLab(t, lab.Options{})
	c := Config{Clock: func() int64 { return 0 }}
	if err := c.withDefaults(); err != nil {
		t.Fatal(err)
	}
	err := l.Sut().Do(func() error {
		handle, err := nic.Open()
		if err != nil {
			return err
		}
		defer func() { _ = handle.Close() }()
		i, err := handle.Find(lab.Sut.Interface(0))
		if err != nil {
			return err
		}
		for range 2 {
			s, err := openSocket(&c, &i)
			if err != nil {
				return err
			}
			defer func() { _ = s.release() }()
			if err := s.bind(&i); err != nil {
				return err
			}
			group, err := s.join(0)
			if err != nil {
				return err
			}
			if group != 0 {
				t.Errorf("joined group %d for 0", group)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOpenUnderTraffic makes groups while frames arrive: none goes to two workers.
func TestOpenUnderTraffic(t *testing.T) {
	const number = 50 // where a frame has its own
	l := newLab(t, lab.Options{})
	from, to := netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("10.0.1.1")
	frame := lab.UDPFrame(from, to, 53, 4444, 64)
	g, err := l.Generator(lab.GeneratorConfig{Frame: frame, Patches: append(
		lab.SourcePatches(frame), lab.Patch{Offset: number, Width: 4, Mask: 1<<32 - 1})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var sender sync.WaitGroup
	sender.Go(func() {
		if err := g.Run(ctx, 500_000, nil); err != nil {
			t.Error(err)
		}
	})
	defer func() { cancel(); sender.Wait(); _ = g.Close() }()
	for range 5 {
		m, err := openIn(l, Config{Workers: 4})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		seen, twice := map[uint32]bool{}, 0
		var b ring.Batch
		for _, s := range m.Sources() {
			for range 100 { // bursts: more keep arriving
				n, err := s.Poll(&b)
				if err != nil {
					t.Fatal(err)
				}
				for i := range n {
					x := binary.BigEndian.Uint32(b.Data(i)[number:])
					if seen[x] {
						twice++
					}
					seen[x] = true
				}
				s.Release(&b)
			}
		}
		if len(seen) == 0 || twice > 0 {
			t.Errorf("of %d frames %d came twice", len(seen), twice)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// fill sends frames and waits until all are in the ring of the only socket.
func fill(t *testing.T, l *lab.Lab, m *Mirror, frames int) {
	t.Helper()
	if n, err := generator(t, l, 0).Send(frames); err != nil || n != frames {
		t.Fatal(n, err)
	}
	eventually(t, "in the ring", func() bool {
		m.Status()
		return m.sockets[0].put == uint64(frames)
	})
}

// TestClosedAtOnce closes before the kernel has handed over what it has.
func TestClosedAtOnce(t *testing.T) {
	l := newLab(t, lab.Options{})
	m, err := openIn(l, Config{})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, l, m, 1000)
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if st := m.Status().Sockets[0]; st.Received != 0 || st.Dropped[DropClosed] != 1000 {
		t.Errorf("%+v", st)
	}
}

// TestClosedContradiction damages a block: its frames are lost with the socket, and no more.
func TestClosedContradiction(t *testing.T) {
	l := newLab(t, lab.Options{})
	m, err := openIn(l, Config{})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, l, m, 1000)
	eventually(t, "handed over", func() bool { return m.sockets[0].ours(0) })
	put32(m.sockets[0].mem, blockCount, 1<<32-1)
	var b ring.Batch
	if n, err := m.Sources()[0].Poll(&b); n != 0 || err != nil || !m.broken() {
		t.Errorf("polled %d, %v, broken %v", n, err, m.broken())
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if st := m.Status().Sockets[0]; st.Received != 0 || st.Dropped[DropClosed] != 1000 {
		t.Errorf("%+v", st)
	}
}

// TestFlow keeps a flow with one worker. That many flows go to all is for TestAccounting.
func TestFlow(t *testing.T) {
	const frames = 100
	l := lab.New(t, lab.Options{})
	m := mirrorIn(t, l, Config{Workers: 2})
	if _, err := l.SendFrames(0, slices.Repeat(burstOf(1), frames)); err != nil {
		t.Fatal(err)
	}
	var got [2]uint64
	eventually(t, "all received", func() bool {
		for n, s := range m.Sources() {
			drain(t, s, func([]byte) { got[n]++ })
		}
		return got[0]+got[1] == frames
	})
	if got[0] != 0 && got[1] != 0 {
		t.Error(got)
	}
}

// TestWake ends a sleep that has not begun yet: none is missed.
func TestWake(t *testing.T) {
	l := lab.New(t, lab.Options{})
	s := mirrorIn(t, l, Config{}).Sources()[0]
	var b ring.Batch
	poll := func() time.Duration {
		begin := time.Now()
		if n, err := s.Poll(&b); n != 0 || err != nil {
			t.Error(n, err)
		}
		return time.Since(begin)
	}
	poll() // opening wakes
	slept := poll()
	for i := 0; i < 20 && slept < wait.Most/2; i++ { // signals end one early
		slept = poll()
	}
	if slept < wait.Most/2 || slept > patience {
		t.Errorf("slept for %v", slept)
	}
	fast := patience
	for range 10 { // the machine may be busy at times
		s.Wake()
		fast = min(fast, poll())
	}
	if fast > wait.Most/2 {
		t.Errorf("slept for %v though it was woken", fast)
	}
}

// TestOpenDown opens two workers on an interface that is down.
func TestOpenDown(t *testing.T) {
	l := newLab(t, lab.Options{})
	if err := l.LinkDown(lab.Sut, 0); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, l, Config{Workers: 2, Promiscuous: true})
	if r.state() != StateLinkDown {
		t.Error(r.mirror.Status())
	}
	if err := l.LinkUp(lab.Sut, 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "up", func() bool { return r.state() == StateUp })
	r.send(generator(t, l, 0), 1000)
	r.settle(1000)
}

func TestWaits(t *testing.T) {
	up, down := &nic.Interface{Up: true}, &nic.Interface{}
	joining := fmt.Errorf("join a fanout group: %w", unix.EINVAL)
	if !waits(joining, down) || waits(joining, up) || waits(unix.EPERM, down) || waits(nil, down) {
		t.Error("waits for something else than a link")
	}
}

// TestMovedAway moves the interface to another namespace and back between two looks: it has the
// index that it had, and the sockets are deaf all the same.
func TestMovedAway(t *testing.T) {
	l := lab.New(t, lab.Options{})
	move := func(from, to lab.Namespace) int {
		t.Helper()
		there, err := netns.GetFromName(to.Name)
		if err != nil {
			t.Fatal(err)
		}
		defer there.Close()
		index := 0
		err = from.Do(func() error {
			dev, err := netlink.LinkByName(lab.Sut.Interface(0))
			if err != nil {
				return err
			}
			index = dev.Attrs().Index
			return netlink.LinkSetNsFd(dev, int(there))
		})
		if err != nil {
			t.Fatal(err)
		}
		return index
	}
	away := func() int {
		t.Helper()
		index := move(l.Sut(), l.Gen())
		move(l.Gen(), l.Sut())
		if err := l.LinkUp(lab.Sut, 0); err != nil {
			t.Fatal(err)
		}
		return index
	}
	away() // from now on with an index that is free on either side
	for _, workers := range []int{1, 2} {
		m := mirrorIn(t, l, Config{Workers: workers})
		if before := m.index; away() != before {
			t.Fatal("it was not the interface that the sockets had")
		}
		old := m.sockets[0]
		err := l.Sut().Do(func() error {
			if i, err := m.nic.Find(lab.Sut.Interface(0)); err != nil || i.Index != m.index {
				return errors.Join(fmt.Errorf("index %d, was %d", i.Index, m.index), err)
			}
			for end := time.Now().Add(patience); ; {
				state, reason := m.follow()
				if state == StateUp && m.sockets[0] != old {
					return nil
				}
				if time.Now().After(end) {
					return fmt.Errorf("%s: %s", state, reason)
				}
				for _, s := range m.Sources() { // they let go of the old ones
					drain(t, s, func([]byte) {})
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.SendFrames(0, slices.Repeat([][]byte{make([]byte, 60)}, 10)); err != nil {
			t.Fatal(err)
		}
		got := 0
		eventually(t, "heard again", func() bool {
			for _, s := range m.Sources() {
				drain(t, s, func([]byte) { got++ })
			}
			return got >= 10
		})
	}
}
