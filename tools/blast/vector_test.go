package blast

import (
	"net/netip"
	"testing"
	"time"

	"weir/control/detect"
	"weir/control/rate"
	"weir/decode"
)

// classify returns what detection calls these packets.
func classify(all []packet) []detect.Vector {
	var packets []detect.Packet
	for i := range all {
		p := &all[i]
		packets = append(packets, detect.Packet{
			Weight: 1, IPLen: p.IPLen, SrcPort: p.SrcPort, DstPort: p.DstPort, Proto: p.Proto,
			TCPFlags: p.TCPFlags, Fragment: detect.Fragment(p.Fragment),
		})
	}
	return detect.Classify(packets, rate.Incoming, nil)
}

// A preset is named after what detection sees in it.
func TestVectors(t *testing.T) {
	for _, name := range Vectors() {
		for _, dst := range []string{"10.0.3.4", "2001:db8:10::4"} {
			s := Scenario{Flows: []Flow{{
				Vector: name, Dst: Host(dst), PPS: 5000, To: time.Second,
			}}}
			all := play(t, &s)
			got := classify(all)
			if len(got) != 1 || got[0].Name != name || got[0].Share < 0.999 {
				t.Errorf("%s to %s: classified as %v", name, dst, got)
			}
			for i := range all {
				checkSums(t, &all[i].Record, all[i].data)
			}
		}
	}
}

// What attacks are made of: sources, source port, mean length.
func TestVectorShapes(t *testing.T) {
	f := func(name string, sources int, port uint16, least, most uint64) {
		t.Helper()
		const n = 20_000
		s := Scenario{Flows: []Flow{{Vector: name, Dst: Host("10.0.3.4"), PPS: n, To: time.Second}}}
		from := map[decode.Addr]bool{}
		bytes := uint64(0)
		for _, p := range play(t, &s) {
			from[p.Src] = true
			bytes += p.Bytes
			if port != 0 && p.SrcPort != port && p.Fragment != decode.LaterFragment {
				t.Fatalf("%s: source port %d", name, p.SrcPort)
			}
		}
		if mean := bytes / n; mean < least || mean > most {
			t.Errorf("%s: mean length %d, want %d to %d", name, mean, least, most)
		}
		switch {
		case sources > 0 && (len(from) > sources || len(from) < sources/2):
			t.Errorf("%s: %d reflectors of %d", name, len(from), sources)
		case sources == 0 && len(from) < n/4:
			t.Errorf("%s: %d sources", name, len(from))
		}
	}
	f("syn_flood", 0, 0, 40, 40)
	f("ack_flood", 0, 0, 40, 40)
	f("syn_ack_flood", 10_000, 443, 44, 44)
	f("rst_flood", 0, 0, 40, 40)
	f("udp_flood", 0, 0, 540, 540)
	f("icmp_flood", 0, 0, 84, 84)
	f("gre_flood", 0, 0, 540, 540)
	f("fragment_flood", 0, 0, 1300, 1500)
	f("dns_amplification", 2000, 53, 1000, 1400)
	f("ntp_amplification", 1000, 123, 468, 468)
	f("snmp_amplification", 1000, 161, 800, 1200)
	f("ssdp_amplification", 5000, 1900, 300, 400)
	f("memcached_amplification", 200, 11211, 1428, 1428)
	f("cldap_amplification", 1000, 389, 900, 1200)
}

// A field that is set is stronger than the preset.
func TestVectorOverride(t *testing.T) {
	s := Scenario{Flows: []Flow{{
		Vector: "dns_amplification", Dst: Host("10.0.3.4"), Src: Host("192.0.2.53"),
		DstPort: Port(4444), Size: Bytes(700), TTL: 9, PPS: 100, To: time.Second,
	}}}
	for _, p := range play(t, &s) {
		if p.Src != addr("192.0.2.53") || p.SrcPort != 53 || p.DstPort != 4444 ||
			p.IPLen != 700 || p.TTL != 9 || p.Proto != ProtoUDP {
			t.Fatalf("got %+v", p.Record)
		}
	}
}

// tuple is a 5-tuple, the home's end first.
type tuple struct {
	host, peer         netip.Addr
	hostPort, peerPort uint16
	proto              uint8
}

func TestBackground(t *testing.T) {
	for _, prefix := range []string{"10.9.0.0/16", "2001:db8:10::/48"} {
		home := netip.MustParsePrefix(prefix)
		flows := Background(home, 500, 30_011, 0, 2*time.Second)
		s := Scenario{Flows: flows}
		n, outgoing := 0, 0
		tuples := map[tuple]int{}
		protos, flags := map[uint8]int{}, map[uint8]int{}
		hosts := map[netip.Addr]int{}
		for _, p := range play(t, &s) {
			n++
			protos[p.Proto]++
			k := tuple{p.Dst.Netip(), p.Src.Netip(), p.DstPort, p.SrcPort, p.Proto}
			if home.Contains(k.peer) {
				k = tuple{k.peer, k.host, k.peerPort, k.hostPort, k.proto}
				outgoing++
			}
			if !home.Contains(k.host) || home.Contains(k.peer) {
				t.Fatalf("from %v to %v", p.Src.Netip(), p.Dst.Netip())
			}
			if p.Proto == ProtoTCP {
				flags[p.TCPFlags]++
			}
			hosts[k.host]++
			tuples[k]++
			checkSums(t, &p.Record, p.data)
		}
		if n != 2*30_011 || len(hosts) > 500 || len(hosts) < 480 {
			t.Errorf("%s: %d packets of %d hosts", prefix, n, len(hosts))
		}
		share(t, prefix+": TCP", protos[ProtoTCP], n, 0.83)
		share(t, prefix+": outgoing", outgoing, n, 0.8*0.2+0.03*0.5+0.15*0.2+0.02*0.5)
		share(t, prefix+": SYN", flags[SYN], n, 0.015)
		share(t, prefix+": SYN-ACK", flags[SYN|ACK], n, 0.015)
		flowsPerHost(t, tuples)
	}
}

func TestBackgroundOfAlmostNothing(t *testing.T) {
	for pps := range 60 {
		s := Scenario{Flows: Background(Home4(), 10, pps, 0, time.Second)}
		if n := len(play(t, &s)); n != pps {
			t.Errorf("%d packets of %d", n, pps)
		}
	}
}

// flowsPerHost fails unless TCP has at most 64 flows per host, both ways and both flows together.
func flowsPerHost(t *testing.T, tuples map[tuple]int) {
	t.Helper()
	perHost := map[netip.Addr]int{}
	most := 0
	for k := range tuples {
		if k.proto == ProtoTCP {
			perHost[k.host]++
			most = max(most, perHost[k.host])
		}
	}
	if most != 64 {
		t.Errorf("the busiest host has %d TCP flows", most)
	}
}

// Pings are answered.
func TestReplies(t *testing.T) {
	for dst, types := range map[string][2]uint16{
		"10.0.0.1": {8 << 8, 0}, "2001:db8:10::1": {128 << 8, 129 << 8},
	} {
		const n = 10_000
		s := Scenario{Flows: []Flow{{
			Proto: ProtoICMP, Dst: Host(dst), Replies: 30, PPS: n, To: time.Second,
		}}}
		replies := 0
		for _, p := range play(t, &s) {
			out := p.Src == addr(dst)
			want := types[0]
			if out {
				replies++
				want = types[1]
			}
			if p.DstPort != want || out == (p.Dst == addr(dst)) {
				t.Fatalf("%s: type and code %d from %v", dst, p.DstPort, p.Src.Netip())
			}
		}
		share(t, "replies", replies, n, 0.3)
	}
}
