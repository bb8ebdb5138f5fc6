package wire_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

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
	done := make(chan struct{})
	var result wire.Result
	var err error
	go func() {
		defer close(done)
		result, err = wire.Run(r.Context(), c)
	}()
	r.receive(done, each)
	if err != nil {
		r.Fatal(err)
	}
	return result
}

// loads are all workloads, and all vectors to one host and to prefixes of both families.
func loads(t *testing.T) (all []blast.Load) {
	t.Helper()
	for _, w := range blast.Workloads() {
		all = append(all, w.Load())
	}
	for _, w := range blast.ExportWorkloads() {
		all = append(all, w.Load(netip.AddrPort{}))
	}
	for _, name := range blast.Vectors() {
		for _, dst := range []string{"10.9.1.1/32", "10.9.0.0/16", "2001:db8:10::/64"} {
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
	for _, via := range []string{wire.AFXDP, wire.Live, wire.Packet} {
		t.Run(via, func(t *testing.T) {
			r := newRig(t, 1)
			for _, l := range loads(t) {
				r.exactly(l, via, 1500)
			}
		})
	}
}
