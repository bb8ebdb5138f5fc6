package fastpath

import (
	"math"
	"testing"

	"weir/decode"
	"weir/decode/sflow"
)

func TestInterfaces(t *testing.T) {
	const second = int64(1e9)
	s := NewInterfaces(2)
	a := decode.AddrFrom4(1)
	sample := func(octets uint64, unicast uint32) sflow.Interface {
		c := sflow.Counters{Octets: octets, Unicast: unicast, Multicast: math.MaxUint32}
		return sflow.Interface{Index: 7, Speed: 1e9, Status: 3, In: c, Out: c}
	}
	at := int64(1e18)
	next := func(gap int64, octets uint64, unicast uint32) Interface {
		t.Helper()
		at += gap
		s.note(a, []sflow.Interface{sample(octets, unicast)}, at)
		all := s.Of(a)
		if len(all) != 1 || all[0].Index != 7 || all[0].Speed != 1e9 || !all[0].Up {
			t.Fatalf("%+v", all)
		}
		return all[0]
	}
	if i := next(0, 1000, math.MaxUint32-9); i.In != (InterfaceRate{}) {
		t.Errorf("first sample: %+v", i.In)
	}
	want := InterfaceRate{Bits: 8_000_000, Packets: 10}
	if i := next(2*second, 2_001_000, 10); i.In != want || i.Out != want { // unicast has wrapped
		t.Errorf("%+v, want %+v", i, want)
	}
	if i := next(second/10, 9_001_000, 10); i.In != want {
		t.Errorf("a tenth of a second later: %+v", i.In)
	}
	if i := next(second, 5, 0); i.In != (InterfaceRate{}) {
		t.Errorf("began anew: %+v", i.In)
	}
	if i := next(second, 1e12, 0); i.In != (InterfaceRate{}) {
		t.Errorf("more than it carries: %+v", i.In)
	}
	for index := range uint32(5) {
		s.note(decode.AddrFrom4(2), []sflow.Interface{{Index: index}}, at)
	}
	if n := len(s.Of(decode.AddrFrom4(2))); n != 1 || s.Missed.Load() != 4 {
		t.Errorf("%d interfaces, %d missed", n, s.Missed.Load())
	}
	s.Forget(at + interfaceIdle)
	if len(s.Of(a)) != 1 {
		t.Error("forgotten too early")
	}
	s.Forget(at + interfaceIdle + 1)
	if len(s.Of(a)) != 0 || len(s.links) != 0 {
		t.Error("not forgotten")
	}
}
