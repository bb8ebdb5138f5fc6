package afxdp

import (
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"weir/tools/lab"
)

// transmitter opens one at gen0.
func transmitter(l *lab.Lab, c Config) (t *Transmitter, err error) {
	err = l.Gen().Do(func() error {
		i, err := netlink.LinkByName(lab.Gen.Interface(0))
		if err != nil {
			return err
		}
		t, err = OpenTransmitter(c, i.Attrs().Index)
		return err
	})
	return t, err
}

// Frames arrive in order and whole, more of them than there is room for at once, and every one is
// accounted for; the next transmitter has the queue at once.
func TestTransmitter(t *testing.T) {
	const n = 1000
	r := newRig(t, lab.New(t, lab.Options{}), Config{})
	for round := range 3 {
		x, err := transmitter(r.lab, Config{Queues: []int{0}, Frames: 64})
		if err != nil {
			t.Fatal(err)
		}
		mode, reason := x.Mode()
		if mode != ModeCopy || !strings.Contains(reason, "zero-copy: bind: ") {
			t.Errorf("%s: %s", mode, reason)
		}
		before := r.taken.Load()
		for _, frame := range flows(n) {
			b := x.Reserve()
			for ; b == nil; b = x.Reserve() {
				if _, err := x.Kick(); err != nil {
					t.Fatal(err)
				}
			}
			x.Commit(copy(b, frame))
			x.Flush()
		}
		for end := time.Now().Add(patience); x.Outstanding() > 0 && time.Now().Before(end); {
			if _, err := x.Kick(); err != nil {
				t.Fatal(err)
			}
		}
		if x.Outstanding() != 0 || x.Invalid() != 0 {
			t.Errorf("round %d: %d outstanding, %d invalid", round, x.Outstanding(), x.Invalid())
		}
		want := before + n - x.Refused()
		eventually(t, "taken", func() bool { return r.taken.Load() == want })
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What cannot be had is refused, and nothing of it stays.
func TestTransmitterRefused(t *testing.T) {
	l := lab.New(t, lab.Options{})
	before := openFiles(t)
	for _, c := range []Config{
		{Queues: []int{0}, ZeroCopy: Required}, {}, {Queues: []int{0, 1}}, {Queues: []int{7}},
		{Queues: []int{0}, Frames: 100},
	} {
		if x, err := transmitter(l, c); err == nil {
			t.Errorf("%+v: no error", c)
			_ = x.Close()
		}
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d files open, %d before", after, before)
	}
}

// An interface that is down is an error, and what waits there is not sent.
func TestTransmitterDown(t *testing.T) {
	l := lab.New(t, lab.Options{})
	x, err := transmitter(l, Config{Queues: []int{0}, Frames: 64, ZeroCopy: Off})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	if err := l.LinkDown(lab.Gen, 0); err != nil {
		t.Fatal(err)
	}
	x.Commit(copy(x.Reserve(), flows(1)[0]))
	x.Flush()
	eventually(t, "an error of an interface that is down", func() bool {
		_, err := x.Kick()
		return err != nil
	})
	if x.Outstanding() != 1 {
		t.Errorf("%d outstanding", x.Outstanding())
	}
}
