package blast

import (
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"weir/decode"
	"weir/decode/pcap"
)

// Whatever a flow is asked for, it is refused by name, or its packets are as many as they should
// be, in order, and readable.
func FuzzFlow(f *testing.F) {
	f.Add(10, int64(0), int64(1e9), "10.0.0.0/24", 5, 1.1, "dns_amplification", uint8(0), 1500, 3)
	f.Add(7, int64(5), int64(1e9), "2001:db8::/48", 0, 0.0, "", uint8(6), 40, 0)
	f.Add(9, int64(1), int64(9e8), "10.0.0.1/32", 0, 0.0, "icmp_flood", uint8(1), 65535, 1)
	f.Fuzz(func(t *testing.T, pps int, from, to int64, prefix string, n int, zipf float64,
		vector string, proto uint8, size, conversations int) {
		p, err := netip.ParsePrefix(prefix)
		if err != nil {
			t.Skip()
		}
		flow := Flow{
			Vector: vector, PPS: pps, From: time.Duration(from), To: time.Duration(to),
			Dst: Hosts{Prefix: p, N: n, Zipf: zipf}, Proto: proto, Size: Bytes(size),
			Conversations: conversations, Replies: conversations % 101, Jitter: from%2 == 0,
		}
		s := Scenario{Flows: []Flow{flow, flow}}
		packets, err := s.Packets()
		if err != nil {
			if !strings.HasPrefix(err.Error(), "open scenario: flow 0 ") {
				t.Fatal(err)
			}
			return
		}
		checkPackets(t, &s, packets)
	})
}

func checkPackets(t *testing.T, s *Scenario, packets *Packets) {
	t.Helper()
	const enough = 1000
	var p pcap.Packet
	var d decode.Decoder
	var r decode.Record
	f := &s.Flows[0]
	last, n := int64(defaultStart*1e9)+int64(f.From), int64(0)
	for ; n < enough && packets.Next(&p); n++ {
		if p.Time < last || p.Time >= defaultStart*1e9+int64(f.To) {
			t.Fatalf("packet %d at %d after %d", n, p.Time, last)
		}
		last = p.Time
		status := d.Decode(&r, decode.LinkEthernet, p.Data, p.Wire)
		if r.Version == 0 || p.Wire < MinFrame || p.Wire > MaxFrame {
			t.Fatalf("%v, %d bytes: %x", status, p.Wire, p.Data)
		}
		src, dst := f.Dst.Prefix.Contains(r.Src.Netip()), f.Dst.Prefix.Contains(r.Dst.Netip())
		if r.NTunnels == 0 && !src && !dst {
			t.Fatalf("from %v to %v", r.Src.Netip(), r.Dst.Netip())
		}
		if plain := r.Proto == ProtoTCP || r.Proto == ProtoICMP; plain && status != decode.OK {
			t.Fatalf("%v: %x", status, p.Data)
		}
	}
	if n != min(enough, s.Count()) {
		t.Fatalf("%d packets of %d", n, s.Count())
	}
}

// The capture's bytes can be read in pieces of any size.
func FuzzReader(f *testing.F) {
	f.Add([]byte{1, 0, 255, 7})
	s := Scenario{Flows: []Flow{{Dst: Host("10.0.0.1"), PPS: 3000, To: time.Second}}}
	var whole strings.Builder
	if _, err := s.WriteTo(&whole); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, pieces []byte) {
		r, err := s.Reader()
		if err != nil {
			t.Fatal(err)
		}
		rest := whole.String()
		buf := make([]byte, 255*256)
		for _, size := range pieces {
			n, err := r.Read(buf[:int(size)*256])
			ended := err == io.EOF && rest == ""
			if err != nil && !ended || !strings.HasPrefix(rest, string(buf[:n])) {
				t.Fatalf("%d bytes and %v, %d left", n, err, len(rest))
			}
			rest = rest[n:]
		}
	})
}
