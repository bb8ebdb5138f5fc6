package wire_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"weir/ring"
	"weir/ring/afxdp"
	"weir/tools/blast"
	"weir/tools/blast/wire"
	"weir/tools/lab"
)

// rig is a lab whose other end receives everything.
type rig struct {
	*testing.T
	lab     *lab.Lab
	mirror  *afxdp.Mirror
	sources []*afxdp.Source
}

func newRig(t *testing.T, queues int) *rig {
	t.Helper()
	r := &rig{T: t, lab: lab.New(t, lab.Options{Queues: queues})}
	err := r.lab.Sut().Do(func() (err error) {
		r.mirror, err = afxdp.Open(afxdp.Config{
			Interface: lab.Sut.Interface(0), Clock: func() int64 { return time.Now().UnixNano() },
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.mirror.Run(ctx, func(string, string) {}) }()
	r.sources = r.mirror.Sources()
	t.Cleanup(func() {
		cancel()
		<-done
		for _, s := range r.sources {
			_ = s.Close()
		}
		_ = r.mirror.Close()
	})
	return r
}

// config sends n frames of a load at a rate that nothing loses.
func (r *rig) config(l blast.Load, n uint64) wire.Config {
	return wire.Config{
		Interface: lab.Gen.Interface(0), Load: l, Frames: n, Enter: r.lab.Gen().Do,
		Shape: wire.Shape{PPS: 100_000}, Via: wire.AFXDP,
	}
}

// receive calls each with the frames that arrive until stop returns true and all is quiet.
func (r *rig) receive(done <-chan struct{}, each func(frame []byte)) {
	var b ring.Batch
	for quiet := 0; quiet < 3; {
		got := 0
		for _, s := range r.sources {
			n, err := s.Poll(&b)
			if err != nil {
				r.Error(err)
				return
			}
			for i := range b.Frames[:n] {
				f := &b.Frames[i]
				each(b.Mem[f.Off : f.Off+f.Cap])
			}
			s.Release(&b)
			got += n
		}
		select {
		case <-done:
			if quiet++; got > 0 {
				quiet = 0
			}
			time.Sleep(2 * time.Millisecond)
		default:
			if got == 0 {
				time.Sleep(200 * time.Microsecond)
			}
		}
	}
}

// run sends, and calls each with what arrives.
func (r *rig) run(c wire.Config, each func(frame []byte)) wire.Result {
	r.Helper()
	return r.runIn(r.Context(), c, each)
}

func (r *rig) runIn(ctx context.Context, c wire.Config, each func(frame []byte)) wire.Result {
	r.Helper()
	done := make(chan struct{})
	var result wire.Result
	var err error
	go func() {
		defer close(done)
		result, err = wire.Run(ctx, c)
	}()
	r.receive(done, each)
	if err != nil {
		r.Fatal(err)
	}
	return result
}

// loads are all workloads, and all vectors to some destinations.
func loads(t *testing.T, destinations ...string) (all []blast.Load) {
	t.Helper()
	for _, w := range blast.Workloads() {
		all = append(all, w.Load())
	}
	for _, w := range blast.ExportWorkloads() {
		all = append(all, w.Load(netip.AddrPort{}))
	}
	for _, name := range blast.Vectors() {
		for _, dst := range destinations {
			l, err := (&blast.Flow{Vector: name, Dst: blast.Within(dst)}).Load()
			if err != nil {
				t.Fatal(err)
			}
			l.Name += " to " + dst
			all = append(all, l)
		}
	}
	return all
}

// exactly sends n frames of a load and wants each of them, as the generator makes it in memory.
func (r *rig) exactly(l blast.Load, via string, n uint64) {
	r.Helper()
	c := r.config(l, n)
	c.Via = via
	s, err := l.Stream(0, 0)
	if err != nil {
		r.Fatal(err)
	}
	want := make([]byte, l.MaxLen)
	got, wrong, padded := uint64(0), 0, uint64(0)
	result := r.run(c, func(frame []byte) {
		k := s.Next(want)
		if k < blast.EthernetLen {
			padded++
			clear(want[k:blast.EthernetLen])
			k = blast.EthernetLen
		}
		if string(frame) != string(want[:k]) {
			if wrong++; wrong == 1 {
				r.Errorf("%s %s: frame %d is\n% x, want\n% x", via, l.Name, got, frame, want[:k])
			}
		}
		got++
	})
	if got != n || result.Sent != n || result.Refused != 0 || result.Padded != padded ||
		result.Via != via || result.Interfaced.TXPackets != n {
		r.Errorf("%s %s: %d of %d arrived, %+v", via, l.Name, got, n, result)
	}
}

// Every workload and vector arrives whole, in order, and as in memory.
func TestLoads(t *testing.T) {
	const host4, host6, carpet = "10.9.1.1/32", "2001:db8:10::1/128", "10.9.0.0/16"
	f := func(via string, n uint64, destinations ...string) {
		t.Run(via, func(t *testing.T) {
			r := newRig(t, 1)
			for _, l := range loads(t, destinations...) {
				r.exactly(l, via, n)
			}
		})
	}
	f(wire.AFXDP, 1000, host4, host6, carpet)
	f(wire.Live, 1000, host4, host6)
	f(wire.Packet, 100)
}

func find(t *testing.T, name string) blast.Load {
	t.Helper()
	w, err := blast.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return w.Load()
}

// Two cores send two parts, each exactly.
func TestCores(t *testing.T) {
	const n = 5001
	r := newRig(t, 2)
	l := find(t, "W2")
	for _, via := range []string{wire.AFXDP, wire.Live, wire.Packet} {
		c := r.config(l, n)
		c.Via, c.Cores = via, []int{1, 0}
		got := map[string]int{}
		result := r.run(c, func(frame []byte) { got[string(frame)]++ })
		frame := make([]byte, l.MaxLen)
		for part, share := range []uint64{n/2 + 1, n / 2} {
			s, err := l.Stream(0, part)
			if err != nil {
				t.Fatal(err)
			}
			missing := 0
			for range share {
				if got[string(frame[:s.Next(frame)])] != 1 {
					missing++
				}
			}
			core := result.Cores[part]
			if missing > 0 || core.Sent != share || core.CPU != c.Cores[part] ||
				via == wire.AFXDP && core.Queue != part {
				t.Errorf("%s: %d frames of part %d are missing, %+v", via, missing, part, core)
			}
		}
		if len(got) != n || result.Sent != n {
			t.Errorf("%s: %d frames arrived of %d, sent %d", via, len(got), n, result.Sent)
		}
	}
}

// A rate is kept from the first frame to the last, in pulses too, and ends in time.
func TestRate(t *testing.T) {
	r := newRig(t, 1)
	f := func(via string, shape wire.Shape, want uint64) {
		t.Helper()
		c := r.config(find(t, "W4"), 0)
		c.Via, c.Shape, c.Time = via, shape, time.Second
		got := uint64(0)
		var first, last time.Time
		result := r.run(c, func([]byte) {
			if last = time.Now(); got == 0 {
				first = last
			}
			got++
		})
		if got != want || result.Sent != want {
			t.Errorf("%s %+v: %d arrived and %d were sent, want %d", via, shape, got, result.Sent,
				want)
		}
		if took := last.Sub(first); took < 600*time.Millisecond || result.Seconds > 3 {
			t.Errorf("%s %+v: took %v, and %v s in all", via, shape, took, result.Seconds)
		}
	}
	for _, via := range []string{wire.AFXDP, wire.Live, wire.Packet} {
		f(via, wire.Shape{PPS: 2000}, 2000)
	}
	f(wire.AFXDP, wire.Shape{PPS: 4000, Ramp: time.Second}, 2000)
	const pulse = 100 * time.Millisecond
	f(wire.AFXDP, wire.Shape{PPS: 5000, On: pulse, Off: pulse}, 2500)
}

// Flat out, in pulses, there is silence between them.
func TestFlatOut(t *testing.T) {
	r := newRig(t, 1)
	const on, off = 50 * time.Millisecond, 400 * time.Millisecond
	c := r.config(find(t, "W1").Loop(64), 0)
	c.Shape, c.Time = wire.Shape{On: on, Off: off}, on+off+on
	gap := time.Duration(0)
	last := time.Now()
	result := r.run(c, func([]byte) {
		now := time.Now()
		gap = max(gap, now.Sub(last))
		last = now
	})
	if gap < off/2 || result.Sent == 0 || result.Sent != result.Interfaced.TXPackets {
		t.Errorf("longest silence %v, %+v", gap, result)
	}
}

// A rate that cannot be had does not make a run longer.
func TestOverload(t *testing.T) {
	r := newRig(t, 1)
	c := r.config(find(t, "W1"), 0)
	c.Shape.PPS, c.Time = 100e6, 200*time.Millisecond
	result := r.run(c, func([]byte) {})
	if due := c.Total(); result.Sent == 0 || result.Sent >= due || result.Seconds > 4 {
		t.Errorf("%d were due, %+v", due, result)
	}
}

// The end of the context is the end, with a result.
func TestCancel(t *testing.T) {
	r := newRig(t, 1)
	for _, shape := range []wire.Shape{{}, {PPS: 1}, {PPS: 1000, On: 1, Off: time.Hour}} {
		c := r.config(find(t, "W1"), 0)
		c.Shape = shape
		ctx, cancel := context.WithCancel(t.Context())
		var end time.Time
		result := r.runIn(ctx, c, func([]byte) {
			if end.IsZero() {
				end = time.Now()
				cancel()
			}
		})
		if took := time.Since(end); end.IsZero() || took > 3*time.Second || result.Sent == 0 {
			t.Errorf("%+v: %+v, %v after the end", shape, result, took)
		}
	}
}

// Hardware addresses are replaced where asked.
func TestAddresses(t *testing.T) {
	r := newRig(t, 1)
	c := r.config(find(t, "W8"), 200)
	c.Dst, c.Src = &[6]byte{2, 1, 1, 1, 1, 1}, &[6]byte{2, 2, 2, 2, 2, 2}
	got := 0
	r.run(c, func(frame []byte) {
		if [6]byte(frame) != *c.Dst || [6]byte(frame[6:]) != *c.Src {
			t.Errorf("frame % x", frame)
		}
		got++
	})
	if got != 200 {
		t.Errorf("%d frames", got)
	}
}

// Flow exports that are sent with a clock tell the time of now; without, that of all workloads.
func TestClock(t *testing.T) {
	r := newRig(t, 1)
	exports, err := blast.FindExports("F5")
	if err != nil {
		t.Fatal(err)
	}
	const offSeconds = blast.EthernetLen + blast.IPv4Len + blast.UDPLen + 8
	f := func(l blast.Load, clock bool, early, late int64) {
		t.Helper()
		c := r.config(l, 150)
		c.Shape.PPS, c.Clock = 100, clock
		var first, last int64
		got := 0
		r.run(c, func(frame []byte) {
			last = int64(binary.BigEndian.Uint32(frame[offSeconds:]))
			if got++; got == 1 {
				first = last
			}
		})
		if got != 150 || first < early || last > late || clock && last == first {
			t.Errorf("%d frames, from %d to %d, want from %d to %d", got, first, last, early, late)
		}
	}
	now := time.Now().Unix()
	f(exports.Load(netip.AddrPort{}), true, now, now+20)
	f(exports.Load(netip.AddrPort{}), false, blast.ExportEpoch, blast.ExportEpoch)
}

// What cannot be done is said, with what to do.
func TestRefusals(t *testing.T) {
	r := newRig(t, 1)
	f := func(change func(c *wire.Config), want string) {
		t.Helper()
		c := r.config(find(t, "W5"), 1)
		change(&c)
		result, err := wire.Run(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), want) || result.Sent != 0 {
			t.Errorf("%+v, %v; want an error with %q", result, err, want)
		}
	}
	same := func(*wire.Config) {}
	f(func(c *wire.Config) { c.Interface = "none0" }, "no such interface")
	f(func(c *wire.Config) { c.Via = "post" }, "is none of")
	f(func(c *wire.Config) { c.Cores = []int{0, 0} }, "named twice")
	f(func(c *wire.Config) { c.Cores = []int{0, 1} }, "2 cores need as many transmit queues")
	f(func(c *wire.Config) { c.Cores = []int{999} }, "run on CPU 999")
	f(func(c *wire.Config) { // and the other core sends nothing
		c.Cores, c.Via, c.Frames = []int{0, 999}, wire.Packet, 1000
	}, "run on CPU 999")
	f(func(c *wire.Config) { c.Cores = []int{-1} }, "core -1 is none")
	f(func(c *wire.Config) { c.Time = -time.Second }, "time to send is -1s")
	f(func(c *wire.Config) { c.Shape.PPS = -1 }, "frames per second")
	check(t, r.lab.SetMTU(0, 1400))
	f(same, "its MTU is 1400, and W5 has packets of up to 1500")
	check(t, r.lab.SetMTU(0, 1500))
	check(t, r.lab.LinkDown(lab.Sut, 0))
	f(same, "it has no link")
	check(t, r.lab.LinkDown(lab.Gen, 0))
	f(same, "it is down")
	check(t, r.lab.LinkUp(lab.Sut, 0))
	check(t, r.lab.LinkUp(lab.Gen, 0))
	check(t, defaultRoute(r.lab))
	f(same, "default route")
	c := r.config(find(t, "W5"), 1)
	c.Force = true
	if result, err := wire.Run(t.Context(), c); err != nil || result.Sent != 1 {
		t.Errorf("by force: %+v, %v", result, err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// defaultRoute makes one at gen0.
func defaultRoute(l *lab.Lab) error {
	return l.Gen().Do(func() error {
		i, err := netlink.LinkByName(lab.Gen.Interface(0))
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{
			LinkIndex: i.Attrs().Index, Scope: netlink.SCOPE_LINK,
			Dst: &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
		})
	})
}

// A queue is one sender's.
func TestBusy(t *testing.T) {
	r := newRig(t, 1)
	c := r.config(find(t, "W1"), 0)
	c.Shape.PPS = 1000
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	started := make(chan struct{})
	go func() {
		defer close(done)
		begun := false
		c.Progress = func(wire.Progress) {
			if !begun {
				begun = true
				close(started)
			}
		}
		if _, err := wire.Run(ctx, c); err != nil {
			t.Error(err)
		}
	}()
	<-started
	other := r.config(find(t, "W1"), 1)
	if _, err := wire.Run(t.Context(), other); err == nil ||
		!strings.Contains(err.Error(), "another AF_XDP socket has the queue") {
		t.Error(err)
	}
	cancel()
	<-done
}

// Auto takes the packet socket where AF_XDP is not to be had, and says why.
func TestAuto(t *testing.T) {
	r := newRig(t, 1)
	c := r.config(find(t, "W1"), 100)
	c.Via = wire.Auto
	if result := r.run(c, func([]byte) {}); result.Via != wire.AFXDP || result.Mode != "copy" ||
		!strings.Contains(result.Reason, "zero-copy") {
		t.Errorf("%+v", result)
	}
	c.Cores = []int{0, 1}
	if result := r.run(c, func([]byte) {}); result.Via != wire.Packet || result.Sent != 100 ||
		!strings.Contains(result.Reason, "2 cores need as many transmit queues") {
		t.Errorf("%+v", result)
	}
}

// An interface that goes away ends a run, with the frames that were sent before.
func TestInterfaceGoes(t *testing.T) {
	for _, via := range []string{wire.AFXDP, wire.Packet} {
		r := newRig(t, 1)
		c := r.config(find(t, "W1"), 0)
		c.Via = via
		time.AfterFunc(200*time.Millisecond, func() {
			if err := r.lab.LinkDown(lab.Gen, 0); err != nil {
				t.Error(err)
			}
		})
		begin := time.Now()
		result, err := wire.Run(t.Context(), c)
		if err == nil || result.Sent == 0 || time.Since(begin) > 6*time.Second {
			t.Errorf("%s: %+v, %v after %v", via, result, err, time.Since(begin))
		}
	}
}
