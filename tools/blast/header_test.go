package blast

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"weir/decode"
)

// header is what all headers are.
type header interface{ Put(b []byte) int }

// build puts headers in front of a payload, each in the room of what follows it.
func build(payload []byte, headers ...header) []byte {
	total := len(payload)
	scratch := make([]byte, 256)
	for _, h := range headers {
		total += h.Put(scratch)
	}
	b := bytes.Repeat([]byte{0xee}, total) // what is not written shows
	n := 0
	for _, h := range headers {
		n += h.Put(b[n:])
	}
	copy(b[n:], payload)
	return b
}

// serialize is gopacket's opinion.
func serialize(t *testing.T, checksums bool, all ...gopacket.SerializableLayer) []byte {
	t.Helper()
	out := gopacket.NewSerializeBuffer()
	o := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: checksums}
	if err := gopacket.SerializeLayers(out, o, all...); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func addr(text string) decode.Addr { return decode.AddrFrom(netip.MustParseAddr(text)) }

var (
	mac1 = [6]byte{2, 0, 0, 0, 0, 1}
	mac2 = [6]byte{2, 0, 0, 0, 0, 2}
	src4 = net.IPv4(192, 0, 2, 1)
	dst4 = net.IPv4(10, 1, 2, 3)
	src6 = net.ParseIP("2a00:1:2:3::4")
	dst6 = net.ParseIP("2001:db8:10::5")
)

func TestHeaders(t *testing.T) {
	payload := gopacket.Payload("thirty-nine bytes, so that none is padded")
	eth := func(kind layers.EthernetType) *layers.Ethernet {
		return &layers.Ethernet{DstMAC: mac1[:], SrcMAC: mac2[:], EthernetType: kind}
	}
	ours := func(kind uint16) *Ethernet { return &Ethernet{Dst: mac1, Src: mac2, Type: kind} }
	ip4 := func(proto layers.IPProtocol) *layers.IPv4 {
		return &layers.IPv4{
			Version: 4, TOS: 8, Id: 77, Flags: layers.IPv4DontFragment, TTL: 9,
			Protocol: proto, SrcIP: src4, DstIP: dst4,
		}
	}
	our4 := func(proto uint8) *IPv4 {
		return &IPv4{
			TOS: 8, ID: 77, Dont: true, TTL: 9, Proto: proto,
			Src: addr("192.0.2.1"), Dst: addr("10.1.2.3"),
		}
	}
	our6 := &IPv6{
		Class: 0xa5, FlowLabel: 0xbcdef, Next: ProtoUDP, HopLimit: 9,
		Src: addr("2a00:1:2:3::4"), Dst: addr("2001:db8:10::5"),
	}
	f := func(name string, got, want []byte) {
		t.Helper()
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", name, got, want)
		}
	}
	f("QinQ", build(payload, ours(TypeQinQ), &VLAN{ID: 4095, Priority: 7, Type: TypeVLAN},
		&VLAN{ID: 1, Type: TypeIPv4}, our4(253)),
		serialize(t, true, eth(layers.EthernetTypeQinQ),
			&layers.Dot1Q{VLANIdentifier: 4095, Priority: 7, Type: layers.EthernetTypeDot1Q},
			&layers.Dot1Q{VLANIdentifier: 1, Type: layers.EthernetTypeIPv4}, ip4(253), payload))
	f("MPLS", build(payload, ours(TypeMPLS), &MPLS{Label: 1<<20 - 1, Class: 7, TTL: 3},
		&MPLS{Label: 16, TTL: 255, Bottom: true}),
		serialize(t, true, eth(layers.EthernetTypeMPLSUnicast),
			&layers.MPLS{Label: 1<<20 - 1, TrafficClass: 7, TTL: 3},
			&layers.MPLS{Label: 16, TTL: 255, StackBottom: true}, payload))
	more := ip4(17)
	more.Flags, more.FragOffset = layers.IPv4MoreFragments, 1480/8
	our := our4(ProtoUDP)
	our.Dont, our.More, our.Offset = false, true, 1480
	f("IPv4 fragment", build(payload, our), serialize(t, true, more, payload))
	f("IPv6", build(payload, our6, &UDP{SrcPort: 1, DstPort: 65535}), serialize(t, false,
		&layers.IPv6{
			Version: 6, TrafficClass: 0xa5, FlowLabel: 0xbcdef, NextHeader: 17, HopLimit: 9,
			SrcIP: src6, DstIP: dst6,
		}, &layers.UDP{SrcPort: 1, DstPort: 65535}, payload))
	f("GRE", build(payload, our4(ProtoGRE), &GRE{Type: TypeIPv4}), serialize(t, true,
		ip4(47), &layers.GRE{Protocol: layers.EthernetTypeIPv4}, payload))
}

// Headers that gopacket cannot write, by their RFCs' pictures.
func TestHeaderBytes(t *testing.T) {
	f := func(h header, want string) {
		t.Helper()
		b := bytes.Repeat([]byte{0xee}, 20)
		n := h.Put(b)
		if got := fmt.Sprintf("%x", b[:n]); got != want || b[n] != 0xee {
			t.Errorf("%+v: got %s and %x, want %s", h, got, b[n], want)
		}
	}
	f(&HopByHop{Next: 44}, "2c00010400000000")
	f(&IPv6Fragment{Next: 17, Offset: 1448, More: true, ID: 0x01020304}, "110005a901020304")
	f(&IPv6Fragment{Next: 58, Offset: 8}, "3a00000800000000")
	f(&L2TP{Tunnel: 0x1234, Session: 0x5678}, "4002001412345678")
	f(&PPP{Proto: PPPIPv4}, "ff030021")
	f(&UDP{SrcPort: 53, DstPort: 9, Length: 4000}, "003500090fa00000")
	f(&ICMP{Type: 8, Code: 1, ID: 0x0203, Seq: 0x0405}, "0801000002030405")
}

func TestHeaderFailure(t *testing.T) {
	f := func(h header) {
		t.Helper()
		n := h.Put(make([]byte, 100))
		b := make([]byte, n-1, 100)
		defer func() {
			if recover() == nil {
				t.Errorf("%T was written into %d bytes", h, len(b))
			}
		}()
		h.Put(b)
	}
	for _, h := range allHeaders() {
		f(h)
	}
}

func allHeaders() []header {
	return []header{
		&Ethernet{}, &VLAN{}, &MPLS{}, &IPv4{}, &IPv6{}, &HopByHop{}, &IPv6Fragment{}, &UDP{},
		&TCP{}, &ICMP{}, &GRE{}, &L2TP{}, &PPP{},
	}
}

func TestTransportChecksums(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	a4 := &layers.IPv4{Version: 4, TTL: 9, SrcIP: src4, DstIP: dst4}
	a6 := &layers.IPv6{Version: 6, HopLimit: 9, SrcIP: src6, DstIP: dst6}
	f := func(name string, got []byte, proto uint8, v6 bool, l gopacket.SerializableLayer) {
		t.Helper()
		src, dst := addr("192.0.2.1"), addr("10.1.2.3")
		if v6 {
			src, dst = addr("2a00:1:2:3::4"), addr("2001:db8:10::5")
		}
		n := len(got)
		SetChecksum(got, proto, src, dst, n)
		head := len(serialize(t, false, l))
		want := serialize(t, true, l, gopacket.Payload(got[head:]))
		if !bytes.Equal(got, want) {
			t.Errorf("%s of %d bytes:\n got %x\nwant %x", name, n, got, want)
		}
	}
	for range 500 {
		payload := make([]byte, r.IntN(40))
		for i := range payload {
			payload[i] = byte(r.Uint32())
		}
		tcp := &layers.TCP{
			SrcPort: 80, DstPort: 4321, Seq: r.Uint32(), Ack: 5, SYN: true, ACK: true,
			Window: 77, DataOffset: 5,
		}
		udp := &layers.UDP{SrcPort: layers.UDPPort(r.Uint32()), DstPort: 53}
		our := TCP{SrcPort: 80, DstPort: 4321, Seq: tcp.Seq, Ack: 5, Flags: SYN | ACK, Window: 77}
		ourUDP := UDP{SrcPort: uint16(udp.SrcPort), DstPort: 53}
		under(t, a4, tcp, udp)
		f("TCP", build(payload, &our), ProtoTCP, false, tcp)
		f("UDP", build(payload, &ourUDP), ProtoUDP, false, udp)
		under(t, a6, tcp, udp)
		f("TCP6", build(payload, &our), ProtoTCP, true, tcp)
		f("UDP6", build(payload, &ourUDP), ProtoUDP, true, udp)
		icmp := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 3, Seq: 4}
		f("ICMP", build(payload, &ICMP{Type: 8, ID: 3, Seq: 4}), ProtoICMP, false, icmp)
	}
}

// under puts TCP and UDP on a network layer.
func under(t *testing.T, network gopacket.NetworkLayer, tcp *layers.TCP, udp *layers.UDP) {
	t.Helper()
	err := tcp.SetNetworkLayerForChecksum(network)
	if err := errors.Join(err, udp.SetNetworkLayerForChecksum(network)); err != nil {
		t.Fatal(err)
	}
}

// slowSum is the checksum as RFC 1071 defines it.
func slowSum(parts ...[]byte) uint16 {
	s := uint32(0)
	for _, b := range parts {
		for i, c := range b {
			s += uint32(c) << (8 * (1 - i%2))
			s = s&0xffff + s>>16
		}
	}
	return uint16(s)
}

// A message is valid when it adds up to -0 with its pseudo header.
func messageSum(b []byte, proto uint8, src, dst decode.Addr, length int) uint16 {
	if proto == ProtoICMP {
		return slowSum(b)
	}
	var p []byte
	for _, a := range [...]decode.Addr{src, dst} {
		p = append(p, a.Netip().AsSlice()...)
	}
	p = binary.BigEndian.AppendUint32(p, uint32(length))
	return slowSum(append(p, 0, 0, 0, proto), b)
}

func TestChecksumOfNothing(t *testing.T) {
	// This datagram adds up to 0xffff: its checksum 0 is sent as 0xffff.
	src, dst := addr("0.0.0.0"), addr("0.0.0.0")
	b := build(nil, &UDP{SrcPort: 0xffff - ProtoUDP - 2*UDPLen})
	SetChecksum(b, ProtoUDP, src, dst, len(b))
	if b[6] != 0xff || b[7] != 0xff || messageSum(b, ProtoUDP, src, dst, len(b)) != 0xffff {
		t.Errorf("got %x", b)
	}
	gre := []byte("not touched, as it has no checksum")
	SetChecksum(gre, ProtoGRE, src, dst, len(gre))
	if string(gre) != "not touched, as it has no checksum" {
		t.Errorf("got %q", gre)
	}
}

func TestNoAllocs(t *testing.T) {
	f := func(name string, call func()) {
		t.Helper()
		if n := testing.AllocsPerRun(200, call); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	b := make([]byte, 4096)
	for _, h := range allHeaders() {
		f(fmt.Sprintf("%T", h), func() { h.Put(b) })
	}
	f("headers on the stack", func() {
		h := IPv4{TTL: 3}
		u := UDP{SrcPort: 1}
		u.Put(b[h.Put(b):])
		SetChecksum(b[IPv4Len:], ProtoUDP, h.Src, h.Dst, len(b)-IPv4Len)
	})
	for _, w := range Workloads() {
		frames := w.Frames()
		f(w.Name, func() { frames.Next(b) })
	}
}
