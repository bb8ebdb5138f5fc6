package netflow

import (
	"slices"
	"testing"

	"weir/decode"
	"weir/decode/netflow/netflowtest"
)

// TestNoAllocs decodes good and bad datagrams, and templates that are known, without allocating.
func TestNoAllocs(t *testing.T) {
	f := func(name string, warm []byte, payload []byte) {
		t.Helper()
		for _, want := range []Fields{Counted, All} {
			d := NewDecoder(NewCache(Limits{}), want, nil)
			out := make([]decode.Record, 64)
			read(d, out, warm)
			a := arrivalOf(payload)
			if n := testing.AllocsPerRun(100, func() {
				for d.Begin(a); d.Next(out) > 0; {
				}
			}); n != 0 {
				t.Errorf("%s: %v allocations", name, n)
			}
		}
	}
	for _, w := range workloads() {
		f(w.name, w.template, w.data)
		f(w.name+" template", w.template, w.template)
		f(w.name+" cut", w.template, w.data[:len(w.data)/2])
		f(w.name+" without template", nil, w.data)
	}
	f("nothing", nil, nil)
	f("bad template", nil, datagram(true, templateSet(true, 256, -1, []spec{{1, 0, 0}})))
	odd := with(f2(4, 1, 32, 2, 58, 2, 34, 4, 192, 1, 1, 4))
	f("odd", datagram(false, templateSet(false, 256, -1, odd)), datagram(false,
		netflowtest.Set(nil, 256, slices.Concat(pairData, make([]byte, 14))...)))
	options := datagram(true, templateSet(true, 300, 1, f2(48, 1, 50, 4)),
		netflowtest.Set(nil, 300, 1, 0, 0, 0, 9))
	f("options", options, options)
}

// TestZeros gives templates and sets of no length: none loops, and none is learned.
func TestZeros(t *testing.T) {
	f := func(name string, payload []byte, want decode.Fault) {
		t.Helper()
		d := newDecoder()
		if n := len(decodeAll(d, arrivalOf(payload), 4)); n != 0 {
			t.Errorf("%s: %d records", name, n)
		}
		if d.Datagram().Faults[want] == 0 || d.cache.Stats().Templates != 0 {
			t.Errorf("%s: %+v", name, d.Datagram())
		}
	}
	for _, v9 := range []bool{true, false} {
		zero := []spec{{1, 0, 0}}
		data := netflowtest.Set(nil, 256, 1, 2, 3, 4)
		f("a field of no length", datagram(v9, templateSet(v9, 256, -1, zero), data),
			decode.BadTemplate)
		f("options of no length", datagram(v9, templateSet(v9, 256, 1, zero), data),
			decode.BadTemplate)
		f("a set of no length", datagram(v9, u16(256, 0)), decode.BadSetLength)
		f("a set of 3 bytes", datagram(v9, u16(256, 3)), decode.BadSetLength)
		f("a set too long", datagram(v9, u16(256, 5)), decode.BadSetLength)
		f("64 fields of 65535 bytes", datagram(v9, templateSet(v9, 256, -1,
			slices.Repeat([]spec{{82, 65534, 0}}, 64))), decode.BadTemplate)
		f("too many fields", datagram(v9, templateSet(v9, 256, -1,
			slices.Repeat([]spec{{82, 1, 0}}, 257))), decode.TooMany)
		f("a template cut", datagram(v9, netflowtest.Set(nil,
			map[bool]uint16{true: 0, false: 2}[v9], u16(256, 9, 1, 4)...)), decode.BadTemplate)
	}
	f("no fields", datagram(true, netflowtest.Set(nil, 0, u16(256, 0)...)), decode.BadTemplate)
	f("nothing but zeros", datagram(true, make([]byte, 40)), decode.BadSetLength)
}

// TestPadded decodes datagrams that devices fill up with zeros: nothing is wrong with them.
func TestPadded(t *testing.T) {
	for _, v9 := range []bool{true, false} {
		for n := range 30 {
			d := newDecoder()
			data := netflowtest.Set(nil, 256, pairData...)
			b := datagram(v9, templateSet(v9, 256, -1, pair), data, make([]byte, n))
			got := decodeAll(d, arrivalOf(b), 4)
			if len(got) != 1 || d.Datagram().Faults != [decode.NumFaults]uint32{} {
				t.Errorf("v9 %v, %d bytes: %+v %+v", v9, n, got, d.Datagram())
			}
		}
		d := newDecoder()
		b := datagram(v9, templateSet(v9, 256, -1, pair), append(make([]byte, 40), 1))
		if decodeAll(d, arrivalOf(b), 4); d.Datagram().Faults[decode.BadSetLength] != 1 {
			t.Errorf("v9 %v: something behind zeros was not noticed", v9)
		}
	}
}

// TestReserved skips sets whose IDs mean nothing, by their length.
func TestReserved(t *testing.T) {
	d := newDecoder()
	b := datagram(true, netflowtest.Set(nil, 77, 1, 2, 3), templateSet(true, 256, -1, pair),
		netflowtest.Set(nil, 255),
		netflowtest.Set(nil, 256, append(slicesOf(pairData), 0, 0, 0)...))
	if got := decodeAll(d, arrivalOf(b), 4); len(got) != 1 {
		t.Errorf("%+v %+v", got, d.Datagram())
	}
}

// TestSequence follows streams of each protocol over losses, late datagrams and restarts.
func TestSequence(t *testing.T) {
	flows := netflowtest.Flows(1, 10)
	type step struct {
		seq, uptime   uint32
		lost          uint32
		late, restart bool
	}
	type header = netflowtest.Header
	f := func(name string, build func(b []byte, h header, f []netflowtest.Flow) []byte,
		template func(b []byte, h header) []byte, steps ...step) {
		t.Helper()
		d := newDecoder()
		out := make([]decode.Record, 64)
		if template != nil { // from another port, so that it is no part of the stream
			a := arrivalOf(template(nil, testHeader))
			a.Port = 9
			decodeAll(d, a, 1)
		}
		for i, s := range steps {
			h := testHeader
			h.Seq, h.Uptime = s.seq, s.uptime
			a := arrivalOf(build(nil, h, flows))
			a.Time += int64(i) * second
			for d.Begin(a); d.Next(out) > 0; {
			}
			g := d.Datagram()
			if g.Lost != s.lost || g.Late != s.late || g.Restart != s.restart {
				t.Errorf("%s, step %d: lost %d, late %v, restart %v", name, i, g.Lost, g.Late,
					g.Restart)
			}
		}
	}
	u := uint32(uptime)
	f("v5", netflowtest.F3, nil, step{seq: 100, uptime: u}, step{seq: 110, uptime: u},
		step{seq: 150, uptime: u, lost: 30}, step{seq: 130, uptime: u, late: true},
		step{seq: 160, uptime: u}, step{seq: 5, uptime: 10, restart: true})
	f("v5 wraps", netflowtest.F3, nil, step{seq: 1<<32 - 5, uptime: 1<<32 - 1000},
		step{seq: 5, uptime: 0}, step{seq: 15, uptime: 1000})
	f("v9", netflowtest.F1, netflowtest.F1Template, step{seq: 7, uptime: u},
		step{seq: 8, uptime: u}, step{seq: 11, uptime: u, lost: 2},
		step{seq: 9, uptime: u, late: true}, step{seq: 11, uptime: u, late: true},
		step{seq: 12, uptime: u}, step{seq: 0, uptime: 5, restart: true})
	f("v9 that counts records", netflowtest.F1, netflowtest.F1Template, step{seq: 0, uptime: u},
		step{seq: 10, uptime: u, lost: 9}, step{seq: 20, uptime: u}, step{seq: 30, uptime: u},
		step{seq: 50, uptime: u, lost: 1})
	f("IPFIX", netflowtest.F2, netflowtest.F2Template, step{seq: 100}, step{seq: 110},
		step{seq: 125, lost: 5}, step{seq: 135}, step{seq: 115, late: true}, step{seq: 145},
		step{seq: 1 << 31, restart: true})
	f("IPFIX without template", netflowtest.F2, nil, step{seq: 100}, step{seq: 500})
	f("IPFIX begins anew", netflowtest.F2, netflowtest.F2Template, step{seq: 5000},
		step{seq: 0, late: true}, step{seq: 10, restart: true}, step{seq: 20})
}

// TestV5 decodes more and fewer records than the header says, and its sampling field.
func TestV5(t *testing.T) {
	flows := netflowtest.Flows(1, 3)
	h := testHeader
	h.Sampling = 100
	b := netflowtest.F3(nil, h, flows)
	d := newDecoder()
	f := func(name string, b []byte, n int, bad uint32) []decode.Record {
		t.Helper()
		got := decodeAll(d, arrivalOf(b), 2)
		if len(got) != n || d.Datagram().Faults[decode.BadCount] != bad {
			t.Errorf("%s: %d records, %+v", name, len(got), d.Datagram())
		}
		return got
	}
	r := f("whole", b, 3, 0)
	if w := flows[1]; r[1].Sampling != 100 || r[1].Src != decode.AddrFrom4(w.Src) ||
		r[1].Packets != uint64(w.Packets) || r[1].Flow.InIf != w.In || r[1].Flow.SrcAS != w.SrcAS ||
		r[1].Flow.Start != exported-int64(uptime-w.First)*milli || d.Datagram().Rate != 100 {
		t.Errorf("%+v", r[1])
	}
	f("short", b[:len(b)-1], 2, 1)
	f("long", append(slices.Clone(b), make([]byte, 48)...), 3, 1)
	for _, mode := range []byte{0x40, 0x80, 0xc0} {
		b[22] = mode
		if r := f("mode", b, 3, 0); r[0].Sampling != 100 {
			t.Error("the mode bits are counted:", r[0].Sampling)
		}
	}
	a := arrivalOf(b)
	a.Sampling = 7
	r = decodeAll(d, a, 4)
	if r[0].Sampling != 7 || d.Datagram().Learned != decode.RateConfigured {
		t.Errorf("not overridden: %+v", r[0])
	}
	b[22], b[23] = 0, 0
	a.Sampling, a.Default = 0, 9
	if r := decodeAll(d, a, 4); r[0].Sampling != 9 || d.Datagram().Learned != decode.RateUnknown {
		t.Errorf("not the default: %+v", r[0])
	}
}
