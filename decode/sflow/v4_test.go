package sflow

import (
	"net/netip"
	"testing"

	"weir/decode"
	"weir/decode/sflow/sflowtest"
)

// TestVersions2And4 reads each kind of packet data and extended data, and the sample behind it.
func TestVersions2And4(t *testing.T) {
	raw := sflowtest.Header4(1, 142, frame(isIPv4, udp4()))
	behind := sflowtest.Flow{Rate: 100}.Sample4(append(sflowtest.U32(2), ip4Record...))
	const shownBehind = "192.0.2.1:443>198.51.100.7:50000 6 ip=1000 wire=1000 1:=100 flags=18" +
		" tos=32"
	f := func(version uint32, want string, packet []byte, extended ...[]byte) {
		t.Helper()
		d := NewDecoder(All, &decode.Decoder{})
		h := sflowtest.Head{Version: version, Agent: agent4, Sequence: 1}
		all := read(d, h.Datagram(sampled.Sample4(packet, extended...), behind))
		if listed(all) != want+"; "+shownBehind || counts(d.Datagram()) != "" {
			t.Errorf("%s, %s; want %s", listed(all), counts(d.Datagram()), want)
		}
		if g := d.Datagram(); g.Proto != decode.SFlow4 || g.Exporter != decode.AddrFrom(agent4) {
			t.Errorf("%+v", *g)
		}
	}
	const head = " wire=142 1:=100 ttl=64"
	switched := sflowtest.U32(1, 5, 0, 6, 0)
	router := sflowtest.Join(sflowtest.U32(2), sflowtest.Address(hop), sflowtest.U32(24, 24))
	user := sflowtest.Join(sflowtest.U32(4), sflowtest.Opaque([]byte("alice")),
		sflowtest.Opaque(nil))
	url := sflowtest.Join(sflowtest.U32(5, 1), sflowtest.Opaque([]byte("http://192.0.2.1/")))
	for _, version := range []uint32{2, 4} {
		f(version, shown4+head+in3out4+" tos=184", raw)
		f(version, "2001:db8::1:53>2001:db8::2:4444 17 ip=1000 wire=1000 1:=100"+in3out4+" tos=32",
			sflowtest.Join(sflowtest.U32(3), ip6Record))
		f(version, shown4+head+" vlan=5"+in3out4+" tos=184 via 192.0.2.254", raw, user, switched,
			url, router)
	}
	f(2, shown4+head+in3out4+" tos=184 from=64501 to=64503", raw,
		sflowtest.U32(3, 64500, 64501, 64502, 2, 64502, 64503))
	f(4, shown4+head+in3out4+" tos=184 from=64501 to=64504", raw,
		sflowtest.U32(3, 64500, 64501, 64502, 2, 2, 2, 64502, 64503, 1, 1, 64504, 1, 7, 100))
	f(4, shown4+head+in3out4+" tos=184 from=64501", raw,
		sflowtest.U32(3, 64500, 64501, 64502, 0, 0, 100))
	many := sampled
	many.Out = 1<<31 | 5
	d := NewDecoder(All, &decode.Decoder{})
	all := read(d, sflowtest.Head{Version: 4, Agent: agent4}.Datagram(many.Sample4(raw)))
	if len(all) != 1 || all[0].Flow.OutIf != 0 {
		t.Errorf("%d records; several outputs are no interface", len(all))
	}
}

// TestVersions2And4_Failure: what is whole before the damage is kept, the rest is lost, by name.
func TestVersions2And4_Failure(t *testing.T) {
	raw := sflowtest.Header4(1, 142, frame(isIPv4, udp4()))
	good := sampled.Sample4(raw)
	f := func(records int, want string, samples ...[]byte) {
		t.Helper()
		d := NewDecoder(All, &decode.Decoder{})
		all := read(d, sflowtest.Head{Version: 4, Agent: agent4}.Datagram(samples...))
		if len(all) != records || counts(d.Datagram()) != want {
			t.Errorf("%d records, %s; want %d, %s", len(all), counts(d.Datagram()), records, want)
		}
	}
	f(0, "bad_count=1", nil)
	f(0, "short_datagram=1", good[:3])
	f(0, "short_datagram=1", good[:20])
	f(0, "no_addresses=1 short_datagram=1", good[:40])
	f(0, "no_addresses=1 bad_set_length=1", good[:60])
	f(1, "short_datagram=1", good[:len(good)-4])
	f(0, "foreign=1 bad_field=1", sflowtest.U32(3), good)
	f(1, "foreign=1 bad_field=1", good, sflowtest.U32(1<<12|1), good)
	f(0, "no_addresses=1 bad_field=1", sampled.Sample4(sflowtest.U32(4)), good)
	f(1, "bad_field=1", sampled.Sample4(raw, sflowtest.U32(6, 0)), good)
	f(1, "bad_field=1", sampled.Sample4(raw, sflowtest.U32(4, 1<<31)), good)
	f(1, "bad_field=1", sampled.Sample4(raw, sflowtest.U32(3, 1, 2, 3, 1<<30, 4)), good)
	f(1, "bad_field=1", sampled.Sample4(raw, sflowtest.U32(3, 1, 2, 3, 1, 2, 1<<30)), good)
	f(1, "bad_field=1", sampled.Sample4(raw, sflowtest.U32(2, 9)), good)
	f(1, "too_many=1", sampled.Sample4(raw, make([][]byte, 257)...), good)
}

// TestAgentAddress: the exporter is the agent, whoever sent the datagram.
func TestAgentAddress(t *testing.T) {
	d := NewDecoder(All, &decode.Decoder{})
	f := func(agent netip.Addr, want decode.Addr) {
		t.Helper()
		for _, version := range []uint32{4, 5} {
			read(d, sflowtest.Head{Version: version, Agent: agent, Sub: 7}.Datagram())
			g := d.Datagram()
			if !g.Valid || g.Exporter != want || (g.Domain == 7) != (version == 5) {
				t.Errorf("version %d, agent %v: %+v", version, agent, *g)
			}
		}
	}
	f(agent4, decode.AddrFrom(agent4))
	f(netip.MustParseAddr("2001:db8::9"), decode.AddrFrom(netip.MustParseAddr("2001:db8::9")))
	f(netip.Addr{}, socket)
	f(netip.IPv4Unspecified(), socket)
}
