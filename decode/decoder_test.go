package decode

import (
	"reflect"
	"strings"
	"testing"
)

// scribbled is a record full of what an earlier frame might have left.
func scribbled() Record {
	r := Record{
		Src: Addr{1, 2}, Dst: Addr{3, 4}, Packets: 5, Bytes: 6, IPLen: 7, Sampling: 8, Wire: 9,
		SrcPort: 10, DstPort: 11, Proto: 12, TCPFlags: 13, TTL: 14, Version: 6,
		Fragment: LaterFragment, NVLAN: MaxTags, NMPLS: MaxTags, NTunnels: MaxTunnels,
		IPFlags: MoreFragments | DontFragment,
	}
	for i := range r.VLAN {
		r.VLAN[i], r.MPLS[i] = uint16(i+1), uint32(i+1)
	}
	for i := range r.Tunnels {
		r.Tunnels[i] = GTP
	}
	return r
}

// valid returns r without what its counts say is not valid.
func valid(r Record) Record {
	clear(r.VLAN[r.NVLAN:])
	clear(r.MPLS[r.NMPLS:])
	clear(r.Tunnels[r.NTunnels:])
	return r
}

func TestDecodeSetsEveryField(t *testing.T) {
	var d Decoder
	for _, s := range seeds() {
		clean, dirty := Record{Packets: 5, Sampling: 8}, scribbled()
		first := d.Decode(&clean, s.link, s.frame, 2000)
		second := d.Decode(&dirty, s.link, s.frame, 2000)
		if first != second || valid(clean) != valid(dirty) {
			t.Errorf("link type %d, %x:\nfrom zero %s\nfrom used %s", s.link, s.frame,
				show(&clean, first), show(&dirty, second))
		}
	}
}

func TestNoAllocs(t *testing.T) {
	var d Decoder
	var r Record
	all := seeds()
	n := testing.AllocsPerRun(10, func() {
		for _, s := range all {
			for captured := range len(s.frame) + 1 {
				d.Decode(&r, s.link, s.frame[:captured], uint32(len(s.frame)))
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations over all prefixes of the seeds", n)
	}
}

// TestPrefixes cuts every seed everywhere: a cropped frame is decoded as the whole one, or it has
// a status that says that something is missing, or a guess was not possible any more.
func TestPrefixes(t *testing.T) {
	for _, s := range seeds() {
		for n := range len(s.frame) {
			if diff := cropped(new(Decoder), s.link, s.frame, n, uint32(len(s.frame))); diff != "" {
				t.Errorf("link type %d, %d of %x: %s", s.link, n, s.frame, diff)
			}
		}
	}
}

// cropped compares what d makes of the first n bytes of a frame with what it makes of them all,
// and returns a difference that must not be. Where content was only guessed to be a tunnel, the
// first bytes may be too few to guess.
func cropped(d *Decoder, link Link, frame []byte, n int, wire uint32) string {
	wire = max(wire, uint32(len(frame)))
	var whole, part Record
	ws := d.Decode(&whole, link, frame, wire)
	ps := d.Decode(&part, link, frame[:n], wire)
	if ps != OK || ws != OK || valid(whole) == valid(part) {
		return ""
	}
	for _, k := range whole.Tunnels[:whole.NTunnels] {
		if k.guessed() {
			return ""
		}
	}
	return "whole: " + show(&whole, ws) + ", cropped: " + show(&part, ps)
}

func TestClosed(t *testing.T) {
	var none Decoder
	for k := range NumTunnels {
		none.Closed[k] = true
	}
	opened := map[Tunnel]bool{}
	for _, s := range seeds() {
		var r Record
		new(Decoder).Decode(&r, s.link, s.frame, 0)
		for _, k := range r.Tunnels[:r.NTunnels] {
			opened[k] = true
			without := Decoder{Closed: closed(k)}
			var rest Record
			if without.Decode(&rest, s.link, s.frame, 0); has(&rest, k) {
				t.Errorf("%v is closed, yet %s", k, show(&rest, OK))
			}
		}
		if none.Decode(&r, s.link, s.frame, 0); r.NTunnels != 0 {
			t.Errorf("all tunnels are closed, yet %s", show(&r, OK))
		}
	}
	if len(opened) != int(NumTunnels) {
		t.Errorf("the seeds have %d of %d kinds of tunnel", len(opened), NumTunnels)
	}
}

func has(r *Record, k Tunnel) bool {
	for _, opened := range r.Tunnels[:r.NTunnels] {
		if opened == k {
			return true
		}
	}
	return false
}

func TestWire(t *testing.T) {
	frame := eth(0x0800, inner())
	f := func(wire, want uint32) {
		t.Helper()
		var r Record
		new(Decoder).Decode(&r, LinkEthernet, frame, wire)
		if r.Wire != want {
			t.Errorf("wire %d of %d captured bytes is %d, want %d", wire, len(frame), r.Wire, want)
		}
	}
	f(48, 48)
	f(1514, 1514)
	f(0, 48)
}

func TestLengthFromIP(t *testing.T) {
	f := func(frame []byte, captured int, wire uint32, want string) {
		t.Helper()
		d := Decoder{LengthFromIP: true}
		var r Record
		s := d.Decode(&r, LinkEthernet, frame[:captured], uint32(captured))
		if got := show(&r, s); got != want || r.Wire != wire {
			t.Errorf("first %d of %d bytes: wire %d, want %d:\n got %s\nwant %s",
				captured, len(frame), r.Wire, wire, got, want)
		}
		d.LengthFromIP = false
		s = d.Decode(&r, LinkEthernet, frame[:captured], uint32(captured))
		if s != BadLength || r.Wire != uint32(captured) {
			t.Errorf("without the option: wire %d, %s", r.Wire, show(&r, s))
		}
	}
	long := ip4(protoUDP, udp(53, 4444, fill(1000)))
	f(eth(0x0800, long), 64, 1042, "ok 192.0.2.1:53 > 198.51.100.7:4444 proto 17 len 1028")
	f(eth(0x8100, tag(5, 0x86dd, ip6(protoTCP, tcp(1, 2, 2, fill(1000))))), 128, 1078,
		"ok vlan[5] 2001:db8::1:1 > 2001:db8::7:2 proto 6 len 1060 flags 0x2")
	f(eth(0x8864, pppoe(u16(pppIPv4), long)), 64, 1050,
		"ok pppoe 192.0.2.1:53 > 198.51.100.7:4444 proto 17 len 1028")

	// Inside a tunnel lengths are held against the outer packet's.
	f(gre4(0, 0x0800, long), 80, 1066, "ok gre 192.0.2.1:53 > 198.51.100.7:4444 proto 17 len 1028")
	f(gre4(0, 0x0800, put(long, 2, 9, 9)), 80, 1066,
		"bad_length gre 192.0.2.1:53 > 198.51.100.7:4444 proto 17 len 2313 bytes 1028")
}

// TestRecordSize holds what a packet fills of a record to two cache lines: a burst of them stays in
// the first-level cache.
func TestRecordSize(t *testing.T) {
	flow, _ := reflect.TypeFor[Record]().FieldByName("Flow")
	if flow.Offset > 128 {
		t.Errorf("a packet's part of a record has %d bytes", flow.Offset)
	}
}

func TestNames(t *testing.T) {
	for k := range NumTunnels {
		if got, ok := ParseTunnel(k.String()); !ok || got != k {
			t.Errorf("tunnel %d: %q parses to %d, %t", k, k, got, ok)
		}
	}
	if _, ok := ParseTunnel("wireguard"); ok {
		t.Error("wireguard is a tunnel")
	}
	names := map[string]bool{}
	for s := range NumStatus {
		if n := s.String(); n == "" || names[n] || strings.ToLower(n) != n {
			t.Errorf("status %d has the name %q", s, n)
		}
		names[s.String()] = true
	}
}
