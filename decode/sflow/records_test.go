package sflow

import (
	"net/netip"
	"testing"

	"weir/decode"
	"weir/decode/sflow/sflowtest"
)

const in3out4 = " in=3 out=4"

// TestHeaders reads one sampled header of each protocol.
func TestHeaders(t *testing.T) {
	f := func(protocol, length, stripped uint32, header []byte, want string) {
		t.Helper()
		d := NewDecoder(All, &decode.Decoder{})
		all := read(d, one(sampled.Sample(sflowtest.Header(protocol, length, stripped, header))))
		if listed(all) != want || counts(d.Datagram()) != "" {
			t.Errorf("protocol %d: %s, %s; want %s", protocol, listed(all), counts(d.Datagram()),
				want)
		}
	}
	const tail = " 1:=100 ttl=64" + in3out4 + " tos=184"
	six := "2001:db8::1:53>2001:db8::2:4444 17 ip=60 wire=78 1:=100 ttl=60" + in3out4 + " tos=184"
	f(1, 146, 4, frame(isIPv4, udp4()), shown4+" wire=146"+tail)
	f(1, 146, 0, frame(isIPv4, udp4()), shown4+" wire=146"+tail)
	f(1, 78, 4, frame(isIPv6, udp6()), six)
	f(1, 150, 4, frame([]byte{0x81, 0, 0x20, 9, 8, 0}, udp4()),
		shown4+" wire=150 1:=100 ttl=64 vlan=9"+in3out4+" tos=184")
	f(7, 134, 2, sflowtest.Join([]byte{0xff, 3, 0, 0x21}, udp4()),
		shown4+" wire=134 1:=100 ttl=64"+in3out4)
	f(14, 132, 0, sflowtest.Join([]byte{0x21}, udp4()), shown4+" wire=132 1:=100 ttl=64"+in3out4)
	f(11, 146, 18, udp4(), shown4+" wire=146"+tail)
	f(12, 78, 18, udp6(), six)
	f(13, 150, 18, sflowtest.Join([]byte{0, 1, 1, 64}, udp4()),
		shown4+" wire=150 1:=100 ttl=64 mpls=16"+in3out4)
	f(15, 160, 0, sflowtest.Join([]byte{8}, make([]byte, 23), []byte{0xaa, 0xaa, 3, 0, 0, 0},
		isIPv4, udp4()), shown4+" wire=160 1:=100 ttl=64"+in3out4)
}

// TestHeaders_Failure: samples without addresses are counted by reason, and nothing else.
func TestHeaders_Failure(t *testing.T) {
	f := func(want string, records ...[]byte) {
		t.Helper()
		d := NewDecoder(All, &decode.Decoder{})
		all := read(d, one(sampled.Sample(records...)))
		if len(all) != 0 || counts(d.Datagram()) != want {
			t.Errorf("%d records, %s; want %s", len(all), counts(d.Datagram()), want)
		}
	}
	for _, protocol := range []uint32{0, 2, 3, 4, 5, 6, 8, 9, 10, 16, 17, 18, 1 << 31} {
		f("no_header=1", sflowtest.Header(protocol, 146, 4, frame(isIPv4, udp4())))
	}
	f("no_addresses=1")
	f("no_addresses=1", sflowtest.Header(1, 64, 4, frame([]byte{8, 6}, make([]byte, 46))))
	f("no_addresses=1", sflowtest.Header(1, 64, 4, nil))
	f("no_addresses=1", sflowtest.Header(11, 64, 4, frame(isIPv4, udp4())))
	f("no_addresses=1", sflowtest.Tagged(2, make([]byte, 24)))
	// Addresses around or inside a tunnel are not those of the packet.
	f("no_addresses=1", sflowtest.Tagged(1023, ip4Record), sflowtest.Tagged(1024, ip4Record))
	f("no_addresses=1 foreign=2", sflowtest.Tagged(9<<12|1, ip4Record),
		sflowtest.Tagged(1<<31|3, ip4Record))
}

// Records of one packet, TCP, of 1000 bytes; hop is a next hop behind it.
var (
	ip4Record = sflowtest.U32(1000, 6, 0xc0000201, 0xc6336407, 443, 50000, 0x12, 0x20)
	ip6Record = sflowtest.Join(sflowtest.U32(1000, 17), udp6()[8:40],
		sflowtest.U32(53, 4444, 0, 0x20))
	hop = netip.MustParseAddr("192.0.2.254")
)

// TestRecords reads combinations of records.
func TestRecords(t *testing.T) {
	f := func(want string, records ...[]byte) {
		t.Helper()
		d := NewDecoder(All, &decode.Decoder{})
		all := read(d, one(sampled.Sample(records...)))
		if listed(all) != want || counts(d.Datagram()) != "" {
			t.Errorf("%s, %s; want %s", listed(all), counts(d.Datagram()), want)
		}
	}
	const head = " wire=146 1:=100 ttl=64"
	raw := sflowtest.Header(1, 146, 4, frame(isIPv4, udp4()))
	arp := sflowtest.Header(1, 64, 4, frame([]byte{8, 6}, make([]byte, 46)))
	ring := sflowtest.Header(3, 1010, 4, make([]byte, 64))
	ip4, ip6 := sflowtest.Tagged(3, ip4Record), sflowtest.Tagged(4, ip6Record)
	const shownTCP = "192.0.2.1:443>198.51.100.7:50000 6 ip=1000"
	const tcp = shownTCP + " wire=1000 1:=100 flags=18" + in3out4 + " tos=32"

	f(tcp, ip4)
	f("2001:db8::1:53>2001:db8::2:4444 17 ip=1000 wire=1000 1:=100"+in3out4+" tos=32", ip6)
	f(shownTCP+" wire=1018 1:=100 flags=18"+in3out4+" tos=32", ip4,
		sflowtest.Tagged(2, sflowtest.U32(1018), make([]byte, 20)))
	f(shownTCP+" wire=1010 1:=100 flags=18"+in3out4+" tos=32", ring, ip4)
	f(tcp, arp, ip4)
	f(shown4+head+in3out4+" tos=184", ip4, raw)
	f(shown4+head+in3out4+" tos=184", raw, ip4, ip6)
	f(shown4+head+in3out4+" tos=184", arp, raw)
	f(shown4+head+in3out4+" tos=184", raw, arp, raw)
	f(shown4+head+in3out4+" tos=184", raw, sflowtest.Header(1, 78, 4, frame(isIPv6, udp6())))

	vlans := func(in, out uint32) []byte {
		return sflowtest.Tagged(1001, sflowtest.U32(in, 0, out, 0))
	}
	f(shown4+head+" vlan=5"+in3out4+" tos=184", raw, vlans(5, 6))
	f(shown4+head+" vlan=5"+in3out4+" tos=184", vlans(5, 6), raw)
	f(shown4+head+in3out4+" tos=184", vlans(0, 6), vlans(4095, 1), vlans(70000, 1), raw)
	f(shown4+" wire=150 1:=100 ttl=64 vlan=9"+in3out4+" tos=184", vlans(5, 6),
		sflowtest.Header(1, 150, 4, frame([]byte{0x81, 0, 0x20, 9, 8, 0}, udp4())))

	router := sflowtest.Tagged(1002, sflowtest.Address(hop), sflowtest.U32(24, 24))
	gateway := sflowtest.Tagged(1003, sflowtest.Address(netip.MustParseAddr("2001:db8::fe")),
		sflowtest.U32(64500, 64501, 64502, 2), sflowtest.U32(2, 2, 64502, 64503),
		sflowtest.U32(1, 2, 64504, 64505), sflowtest.U32(1, 0xffff029a, 100))
	f(shown4+head+in3out4+" tos=184 via 192.0.2.254", router, raw)
	f(shown4+head+in3out4+" tos=184 from=64501 to=64505 via 2001:db8::fe", raw, gateway)
	f(shown4+head+in3out4+" tos=184 from=64501 to=64505 via 192.0.2.254", gateway, raw, router)
	f(shown4+head+in3out4+" tos=184 from=64501 to=64505 via 192.0.2.254", router, gateway, raw)
	f(shown4+head+in3out4+" tos=184", raw, sflowtest.Tagged(1002, sflowtest.U32(0, 24, 24)),
		sflowtest.Tagged(1003, sflowtest.U32(0, 64500, 0, 0, 0, 0, 0)))
	for format := uint32(1004); format < 1050; format++ {
		f(shown4+head+in3out4+" tos=184", sflowtest.Tagged(format, []byte("1234567")), raw)
	}
}

// TestStripped: what was stripped off is of the frame, but not of the packet, so that a packet
// that claims more than the rest is damaged. What was captured is there all the same.
func TestStripped(t *testing.T) {
	ppp := sflowtest.Join([]byte{0xff, 3, 0, 0x21}, udp4()[:46])
	for stripped, want := range map[uint32]uint64{0: 128, 4: 128, 5: 127, 14: 118, 1 << 31: 46} {
		for _, header := range [][]byte{ // the straight way, and the other
			sflowtest.Header(1, 14+128+4, stripped, frame(isIPv4, udp4())[:14+46]),
			sflowtest.Header(14, 4+128+4, stripped, ppp),
		} {
			all := read(NewDecoder(All, nil), one(sampled.Sample(header)))
			if len(all) != 1 || all[0].Wire != be32(header[12:]) || all[0].Bytes != want {
				t.Errorf("%d stripped: %s; want %d bytes", stripped, listed(all), want)
			}
		}
	}
}

// TestPorts: what agents put in place of ports where there are none is left out.
func TestPorts(t *testing.T) {
	d := NewDecoder(All, &decode.Decoder{})
	icmp := sflowtest.U32(84, 1, 0xc0000201, 0xc6336407, 8, 1, 0xff, 0)
	all := read(d, one(sampled.Sample(sflowtest.Tagged(3, icmp))))
	want := "192.0.2.1:0>198.51.100.7:0 1 ip=84 wire=84 1:=100" + in3out4
	if listed(all) != want {
		t.Errorf("%s; want %s", listed(all), want)
	}
}

// TestInputOutput reads input and output in both forms of a flow sample.
func TestInputOutput(t *testing.T) {
	raw := sflowtest.Header(1, 146, 4, frame(isIPv4, udp4()))
	f := func(in, outFormat, out uint32, want string) {
		t.Helper()
		s := sampled
		s.In, s.Out = in, out
		for i, sample := range [][]byte{
			s.Expanded(outFormat, raw),
			sflowtest.Flow{
				Source: 3, Rate: 100, In: in, Out: outFormat<<30 | out,
			}.Sample(raw),
		} {
			all := read(NewDecoder(Counted, &decode.Decoder{}), one(sample))
			if listed(all) != shown4+" wire=146 1:=100 ttl=64"+want {
				t.Errorf("form %d of %d, %d, %d: %s", i, in, outFormat, out, listed(all))
			}
		}
	}
	f(1, 0, 2, " in=1 out=2")
	f(0, 0, 0, "")
	f(0x3fffffff, 0, 7, " out=7")
	f(7, 0, 0x3fffffff, " in=7 status=195") // for us
	f(7, 2, 12, " in=7")                    // flooded to twelve
	f(7, 3, 12, " in=7")
	for reason, status := range map[uint32]string{
		0: "131", 4: "133", 13: "129", 14: "128", 256: "128", 257: "137", 258: "129", 260: "139",
		261: "138", 999: "128",
	} {
		f(7, 1, reason, " in=7 status="+status)
	}
}
