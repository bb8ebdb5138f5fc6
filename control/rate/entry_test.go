package rate

import (
	"math/rand/v2"
	"testing"

	"weir/counters"
)

// counted returns counts of one packet class.
func counted(class counters.Class, packets, bytes uint64) (c Counts) {
	c.Packets[class], c.Bytes[class] = packets, bytes
	return c
}

func TestCountsOver(t *testing.T) {
	f := func(packets, bytes uint64, ns int64, wantPackets, wantBits uint64) {
		t.Helper()
		c := counted(counters.UDP, packets, bytes)
		r := c.Over(ns)
		if r.Packets[UDP] != wantPackets || r.Bits[UDP] != wantBits {
			t.Errorf("%d packets, %d bytes over %d ns: %d pps, %d bps; want %d and %d", packets,
				bytes, ns, r.Packets[UDP], r.Bits[UDP], wantPackets, wantBits)
		}
		if r.Packets[Total] != wantPackets || r.Bits[Total] != wantBits {
			t.Errorf("%d ns: the total of one class is %d pps, %d bps", ns, r.Packets[Total],
				r.Bits[Total])
		}
	}
	f(1000, 64000, Second, 1000, 512000)

	// Less than a second is taken as one: the first packets are no burst of millions.
	f(1000, 64000, Second-1, 1000, 512000)
	f(1000, 64000, 1, 1000, 512000)
	f(1000, 64000, 0, 1000, 512000)
	f(1000, 64000, -Second, 1000, 512000)

	// A late second is divided, to the nearest.
	f(1000, 64000, 2*Second, 500, 256000)
	f(1000, 64000, 3*Second, 333, 170667)
	f(1001, 0, 2*Second, 501, 0)
	f(1, 1, 10*Second, 0, 1)
	f(1500, 0, Second+Second/2, 1000, 0)
	f(0, 0, 5*Second, 0, 0)

	// No class overflows at any rate that a table can hold.
	f(1<<40, 1<<50, Second, 1<<40, 1<<53)
}

// TestCountsOverClasses holds random counts to the definitions: the total is the sum of the four
// disjoint classes, and no rate is off by more than its rounding.
func TestCountsOverClasses(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		var c Counts
		for i := range c.Packets {
			c.Packets[i], c.Bytes[i] = r.Uint64N(1e7), r.Uint64N(1e10)
		}
		ns := r.Int64N(4 * Second)
		got := c.Over(ns)
		seconds := max(1, float64(ns)/float64(Second))
		var packets, bits uint64
		for i, class := range classOf {
			near(t, class, got.Packets[class], float64(c.Packets[i])/seconds)
			near(t, class, got.Bits[class], float64(c.Bytes[i]*8)/seconds)
			if class != SYN && class != Frag {
				packets, bits = packets+got.Packets[class], bits+got.Bits[class]
			}
		}
		if got.Packets[Total] != packets || got.Bits[Total] != bits {
			t.Fatalf("total is %d pps, %d bps; its classes sum to %d and %d", got.Packets[Total],
				got.Bits[Total], packets, bits)
		}
	}
}

func near(t *testing.T, c Class, got uint64, want float64) {
	t.Helper()
	if d := float64(got) - want; d < -0.501 || d > 0.501 {
		t.Fatalf("%v is %d, want %v to the nearest", c, got, want)
	}
}

func TestOfEntry(t *testing.T) {
	l := newLab(t, 1, "10.0.0.0/24")
	for i := range 30 {
		l.packet("10.0.0.7", false, sample{at: l.last + int64(i)*1e6, class: counters.TCP,
			mark: counters.MarkSYN, bytes: 40, flow: i % 4})
		l.packet("10.0.0.7", true, sample{at: l.last + int64(i)*1e6, class: counters.Other,
			mark: counters.MarkFrag, bytes: 1000})
	}
	l.flip(l.last + Second)
	f := func(outgoing bool, ns int64, want Rates) {
		t.Helper()
		if got := OfEntry(l.merger, l.entry("10.0.0.7", outgoing), ns); got != want {
			t.Errorf("outgoing %v over %d ns:\n got %+v\nwant %+v", outgoing, ns, got, want)
		}
	}
	f(false, Second, Rates{
		Packets: [NumClasses]uint64{Total: 30, TCP: 30, SYN: 30},
		Bits:    [NumClasses]uint64{Total: 9600, TCP: 9600, SYN: 9600},
		Flows:   4,
	})
	f(false, Second/2, Rates{
		Packets: [NumClasses]uint64{Total: 30, TCP: 30, SYN: 30},
		Bits:    [NumClasses]uint64{Total: 9600, TCP: 9600, SYN: 9600},
		Flows:   4,
	})
	f(false, 2*Second, Rates{
		Packets: [NumClasses]uint64{Total: 15, TCP: 15, SYN: 15},
		Bits:    [NumClasses]uint64{Total: 4800, TCP: 4800, SYN: 4800},
		Flows:   2,
	})
	f(true, Second, Rates{
		Packets: [NumClasses]uint64{Total: 30, Other: 30, Frag: 30},
		Bits:    [NumClasses]uint64{Total: 240000, Other: 240000, Frag: 240000},
		Flows:   1,
	})
}

// Flows among packets that sampling left out are not known.
func TestOfEntrySampled(t *testing.T) {
	l := newLab(t, 1, "10.0.0.0/24")
	l.packet("10.0.0.7", false, sample{at: l.last, class: counters.UDP, bytes: 100})
	l.merger.Add(l.table, 1000)
	r := OfEntry(l.merger, l.entry("10.0.0.7", false), Second)
	if r.Packets[UDP] != 1000 || r.Bits[Total] != 800000 || r.Flows != 1 || !r.FlowsAtMin {
		t.Errorf("one packet of a thousand gives %+v", r)
	}
}

func TestAddPart(t *testing.T) {
	f := func(packets, bytes uint64, part float64, wantPackets, wantBytes uint64) {
		t.Helper()
		c, o := counted(counters.ICMP, 10, 20), counted(counters.ICMP, packets, bytes)
		c.addPart(&o, part)
		if want := counted(counters.ICMP, 10+wantPackets, 20+wantBytes); c != want {
			t.Errorf("%v of %d packets, %d bytes adds %d and %d, want %d and %d", part, packets,
				bytes, c.Packets[counters.ICMP]-10, c.Bytes[counters.ICMP]-20, wantPackets,
				wantBytes)
		}
	}
	f(1000, 64000, 0.25, 250, 16000)
	f(3, 5, 0.5, 2, 3) // to the nearest
	f(1, 10, 0.25, 0, 3)
	f(7, 7, 1, 7, 7)
	f(7, 7, 0, 0, 0)
}
