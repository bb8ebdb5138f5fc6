package blast

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// vector is a kind of attack as the network sees it.
type vector struct {
	name    string
	proto   uint8
	src     Hosts
	srcPort Ports
	dstPort Ports
	flags   uint8
	size    Sizes
	payload string
}

// spoofed are random sources. Answers come from a bounded set: reflectors do not change, and an
// attacker knows so many.
func spoofed() Hosts { return Hosts{} }

func reflectors(n int) Hosts { return Hosts{N: n} }

// fragmentFlood is the vector that is nothing without fragments.
const fragmentFlood = "fragment_flood"

// vectors returns the presets. Their names are those that detection gives what they send. The
// payloads of answers are their first bytes; sizes over MTU come as fragments.
func vectors() []vector {
	high, http := Ports{}, Port(80)
	return []vector{
		{"syn_flood", ProtoTCP, spoofed(), high, http, SYN, Bytes(40), ""},
		{"ack_flood", ProtoTCP, spoofed(), high, high, ACK, Bytes(40), ""},
		{"syn_ack_flood", ProtoTCP, reflectors(10_000), Port(443), high, SYN | ACK, Bytes(44), ""},
		{"rst_flood", ProtoTCP, spoofed(), high, high, RST, Bytes(40), ""},
		{"udp_flood", ProtoUDP, spoofed(), high, high, 0, Bytes(540), ""}, // as Mirai sends it
		{"icmp_flood", ProtoICMP, spoofed(), high, high, 0, Bytes(84), ""},
		{fragmentFlood, ProtoUDP, spoofed(), high, high, 0, Bytes(4028), ""},

		// A response to ANY with many records.
		{"dns_amplification", ProtoUDP, reflectors(2000), Port(53), high, 0,
			Sizes{{600, 1400, 3}, {2800, 4096, 7}},
			"\x13\x37\x81\x80\x00\x01\x00\x10\x00\x00\x00\x01" +
				"\x07example\x03com\x00\x00\xff\x00\x01"},
		// Mode 7, MON_GETLIST_1, six entries of 72 bytes.
		{"ntp_amplification", ProtoUDP, reflectors(1000), Port(123), high, 0, Bytes(468),
			"\xd7\x00\x03\x2a\x00\x06\x00\x48"},
		// A GetResponse of SNMPv2c, community public.
		{"snmp_amplification", ProtoUDP, reflectors(1000), Port(161), high, 0,
			Sizes{{400, 1500, 1}, {1501, 2500, 1}},
			"\x30\x82\x01\x60\x02\x01\x01\x04\x06public\xa2\x82\x01\x51"},
		{"ssdp_amplification", ProtoUDP, reflectors(5000), Port(1900), high, 0,
			Sizes{{280, 420, 1}},
			"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\n" +
				"ST: upnp:rootdevice\r\n\r\n"},
		// The frame header of memcached's UDP protocol, then data.
		{"memcached_amplification", ProtoUDP, reflectors(200), Port(11211), high, 0, Bytes(1428),
			"\x00\x00\x00\x00\x00\x10\x00\x00VALUE a 0 1048576\r\n"},
		// A searchResEntry of the root DSE.
		{"cldap_amplification", ProtoUDP, reflectors(1000), Port(389), high, 0,
			Sizes{{2800, 3200, 1}},
			"\x30\x84\x00\x00\x0b\x54\x02\x01\x07\x64\x84\x00\x00\x0b\x4b\x04\x00"},
		// Next Hop Resolution Protocol inside (RFC 2332): nothing that is opened, as the name asks.
		{"gre_flood", ProtoGRE, spoofed(), high, high, 0, Bytes(540), "\x00\x00\x20\x01"},
	}
}

// Vectors returns the names of the presets for Flow.Vector. With a prefix as its destination each
// of them is carpet bombing.
func Vectors() []string {
	var names []string
	for _, v := range vectors() {
		names = append(names, v.name)
	}
	return names
}

// preset sets the fields of f that are zero as its vector says.
func (f *Flow) preset() error {
	if f.Vector == "" {
		return nil
	}
	for _, v := range vectors() {
		if v.name == f.Vector {
			v.apply(f)
			return nil
		}
	}
	return fmt.Errorf("vector %q is none of %s", f.Vector, strings.Join(Vectors(), ", "))
}

func (v *vector) apply(f *Flow) {
	if f.Proto == 0 {
		f.Proto = v.proto
	}
	if f.Src == (Hosts{}) {
		f.Src = v.src
	}
	if f.SrcPort == (Ports{}) {
		f.SrcPort = v.srcPort
	}
	if f.DstPort == (Ports{}) {
		f.DstPort = v.dstPort
	}
	if f.Flags == 0 {
		f.Flags = v.flags
	}
	if f.Size == nil {
		f.Size = v.size
	}
	if f.Payload == "" {
		f.Payload = v.payload
	}
}

// Background returns the everyday traffic of a network, IPv4 or IPv6: hosts of home, whose
// popularity is Zipf's with an exponent of 1.1, have 64 conversations each with servers outside,
// IMIX, a fifth of it outgoing. Of pps packets 80 % are TCP, 3 % the beginnings of connections,
// 15 % UDP, and 2 % pings.
func Background(home netip.Prefix, hosts, pps int, from, to time.Duration) []Flow {
	web := Flow{
		Name: "background TCP", From: from, To: to, Jitter: true,
		Dst:   Hosts{Prefix: home, N: hosts, Zipf: 1.1},
		Proto: ProtoTCP, SrcPort: Port(443), Flags: ACK, Size: IMIX(),
		Conversations: 64, Replies: 20,
	}
	syn, quic, ping := web, web, web
	syn.Name, syn.Flags, syn.Size, syn.Replies = "background SYN", SYN|ACK, Bytes(60), 50
	quic.Name, quic.Proto = "background UDP", ProtoUDP
	ping.Name, ping.Proto, ping.Size, ping.Replies = "background ICMP", ProtoICMP, Bytes(84), 50

	syn.PPS, quic.PPS, ping.PPS = pps*3/100, pps*15/100, pps*2/100
	web.PPS = pps - syn.PPS - quic.PPS - ping.PPS
	var flows []Flow
	for _, f := range []Flow{web, syn, quic, ping} {
		if f.PPS > 0 {
			flows = append(flows, f)
		}
	}
	return flows
}
