package sflow

import (
	"testing"

	"weir/decode"
	"weir/decode/sflow/sflowtest"
)

// generic is what sflowtest.Generic says of interface 7 with 10 Gbit/s.
func generic(source uint64) Interface {
	return Interface{
		Source: source, Index: 7, Type: 6, Speed: 10e9, Direction: FullDuplex, Status: 3,
		In: Counters{
			Octets: 10e9, Unicast: 1, Multicast: 2, Broadcast: 3, Discards: 4, Errors: 5,
		},
		Out: Counters{
			Octets: 5e9, Unicast: 7, Multicast: 8, Broadcast: 9, Discards: 10, Errors: 11,
		},
		InUnknown: 6, Promiscuous: 1,
	}
}

var (
	dot3      = sflowtest.U32(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
	processor = sflowtest.U32(1, 2, 3, 1, 0, 0, 5)
)

// TestCounters reads counter samples of each version.
func TestCounters(t *testing.T) {
	f := func(want []Interface, counted string, payload []byte) {
		t.Helper()
		d := NewDecoder(Counted, &decode.Decoder{})
		all := read(d, payload)
		got := d.Interfaces()
		if len(all) != 0 || len(got) != len(want) || counts(d.Datagram()) != counted {
			t.Fatalf("%d records, %+v, %s; want %s", len(all), got, counts(d.Datagram()), counted)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("interface %d:\n got %+v\nwant %+v", i, got[i], want[i])
			}
		}
	}
	interface7 := sflowtest.Tagged(1, sflowtest.Generic(7, 10e9))
	other := sflowtest.Tagged(3, make([]byte, 72))
	full := generic(3)
	full.Errors = EthernetErrors{
		Known: true, Alignment: 1, FCS: 2, LateCollisions: 7, ExcessiveCollisions: 8,
		InternalTransmit: 9, CarrierSense: 10, FramesTooLong: 11, InternalReceive: 12, Symbol: 13,
	}
	loaded := full
	loaded.CPU = Processor{
		Known: true, Load5s: 1, Load1m: 2, Load5m: 3, TotalMemory: 1 << 32, FreeMemory: 5,
	}
	expanded := sflowtest.Tagged(4, sflowtest.U32(1, 0, 1<<24, 1), interface7)
	f([]Interface{generic(3)}, "counters=1", one(sflowtest.Counters(1, 3, interface7)))
	f([]Interface{generic(1<<32 | 3)}, "counters=1",
		one(sflowtest.Counters(1, 1<<24|3, interface7)))
	f([]Interface{generic(1 << 24)}, "counters=1", one(expanded))
	f([]Interface{loaded, generic(4)}, "counters=3", one(
		sflowtest.Counters(1, 3, other, interface7, sflowtest.Tagged(2, dot3),
			sflowtest.Tagged(1001, processor)),
		sflowtest.Counters(2, 3, other), sflowtest.Counters(1, 4, interface7)))
	f(nil, "counters=1 foreign=1", one(sflowtest.Counters(1, 3, sflowtest.Tagged(1<<12|1))))
	f(nil, "counters=2 bad_set_length=1 bad_field=1", one(
		sflowtest.Counters(1, 3, sflowtest.Tagged(1, make([]byte, 84))),
		sflowtest.Counters(1, 3, put(interface7, 4, 92))))
	f(nil, "counters=1 bad_count=1 too_many=1", one(
		sflowtest.Tagged(2, sflowtest.U32(1, 3, 1<<20))))

	old := func(kind uint32, body ...[]byte) []byte {
		return sflowtest.Join(sflowtest.U32(2, 1, 3, 20, kind), sflowtest.Join(body...))
	}
	f([]Interface{generic(3), full, generic(3), generic(3), generic(3), generic(3), generic(3)},
		"counters=8", sflowtest.Head{Version: 4, Agent: agent4}.Datagram(
			old(1, sflowtest.Generic(7, 10e9)), old(2, sflowtest.Generic(7, 10e9), dot3),
			old(3, sflowtest.Generic(7, 10e9), make([]byte, 72)),
			old(4, sflowtest.Generic(7, 10e9)),
			old(5, sflowtest.Generic(7, 10e9), make([]byte, 80)),
			old(6, sflowtest.Generic(7, 10e9)), old(7, make([]byte, 28)),
			old(1, sflowtest.Generic(7, 10e9))))
	h := sflowtest.Head{Version: 2, Agent: agent4}
	f(nil, "bad_field=1", h.Datagram(old(8), old(1, sflowtest.Generic(7, 10e9))))
	f(nil, "bad_field=1", h.Datagram(old(0)))
	f(nil, "short_datagram=1", h.Datagram(old(1, make([]byte, 84))))
	f(nil, "short_datagram=1", h.Datagram(old(1)[:16]))
}

// TestManyInterfaces: no more interfaces are kept than there is room for.
func TestManyInterfaces(t *testing.T) {
	var b []byte
	for range 300 {
		b = append(b, sflowtest.Counters(1, 3, sflowtest.Tagged(1, sflowtest.Generic(7, 10e9)))...)
	}
	d := NewDecoder(Counted, &decode.Decoder{})
	read(d, put(append(one(), b...), 24, 300))
	n, counted := len(d.Interfaces()), counts(d.Datagram())
	if n != MaxSamples || counted != "counters=256 too_many=1" {
		t.Errorf("%d interfaces, %s", n, counted)
	}
	read(d, one())
	if len(d.Interfaces()) != 0 {
		t.Error("interfaces of the datagram before")
	}
}
