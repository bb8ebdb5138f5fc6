package decode

import "testing"

// FuzzDecode decodes any frame of any link type, of which some bytes came, with any tunnels
// closed, and holds the record to what it promises.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds() {
		link, n := uint16(s.link), len(s.frame)
		f.Add(link, s.frame, uint16(n/2), uint32(n), uint16(0), false)
		f.Add(link, s.frame, uint16(0), uint32(1500), uint16(0), true)
	}
	f.Fuzz(func(
		t *testing.T, link uint16, frame []byte, n uint16, wire uint32, mask uint16, believe bool,
	) {
		d := Decoder{LengthFromIP: believe}
		for k := range d.Closed {
			d.Closed[k] = mask>>k&1 != 0
		}
		r, used := Record{Packets: 5, Sampling: 8}, scribbled()
		s := d.Decode(&r, Link(link), frame, wire)
		checkRecord(t, &d, &r, s, max(wire, uint32(len(frame))))
		again := d.Decode(&used, Link(link), frame, wire)
		if again != s || valid(used) != valid(r) {
			t.Errorf("from zero: %s, from a used record: %s", show(&r, s), show(&used, again))
		}
		// What is guessed inside and then given up leaves no trace, so that L2TP stays out of it.
		d.Closed[L2TP] = true
		if int(n) < len(frame) {
			if diff := cropped(&d, Link(link), frame, int(n), wire); diff != "" {
				t.Errorf("%d of %d bytes: %s", n, len(frame), diff)
			}
		}
	})
}

// checkRecord holds the record of one frame against its documentation.
func checkRecord(t *testing.T, d *Decoder, r *Record, s Status, wire uint32) {
	t.Helper()
	must := func(ok bool, what string) {
		t.Helper()
		if !ok {
			t.Errorf("%s: %s %+v", what, s, *r)
		}
	}
	must(s < NumStatus, "unknown status")
	must(r.NVLAN <= MaxTags && r.NMPLS <= MaxTags && r.NTunnels <= MaxTunnels, "counts")
	must(r.Wire >= wire && (d.LengthFromIP || r.Wire == wire), "wire")
	for _, v := range r.VLAN[:r.NVLAN] {
		must(v < 1<<12, "VLAN ID")
	}
	for _, l := range r.MPLS[:r.NMPLS] {
		must(l < 1<<20, "MPLS label")
	}
	for _, k := range r.Tunnels[:r.NTunnels] {
		must(k < NumTunnels && !d.Closed[k], "tunnel")
	}
	must(r.Bytes <= uint64(r.IPLen), "bytes beyond the packet")
	must(r.Bytes <= uint64(r.Wire), "bytes beyond the wire")
	must(s != OK || r.Bytes == uint64(r.IPLen), "a wrong length is OK")
	must(r.Fragment <= LaterFragment, "fragment")
	if r.Fragment == LaterFragment {
		must(r.SrcPort == 0 && r.DstPort == 0 && r.TCPFlags == 0, "ports in a later fragment")
	}
	must(r.TCPFlags == 0 || r.Proto == protoTCP, "TCP flags without TCP")
	switch r.Version {
	case 4:
		must(r.Src.Is4() && r.Dst.Is4(), "IPv4 addresses")
		must(r.IPLen <= 1<<16-1 || r.IPLen <= r.Wire, "IPv4 length")
	case 6:
		must(r.IPLen >= ipv6Len, "IPv6 length")
	case 0:
		bare := Record{
			Packets: r.Packets, Sampling: r.Sampling, Wire: r.Wire, NVLAN: r.NVLAN, NMPLS: r.NMPLS,
			VLAN: r.VLAN, MPLS: r.MPLS, Tunnels: r.Tunnels,
		}
		must(*r == bare, "no header, but fields")
	default:
		must(false, "version")
	}
	if s == UnknownLink {
		must(r.Version == 0 && r.NVLAN == 0 && r.NMPLS == 0, "an unknown link type, but fields")
	}
}
