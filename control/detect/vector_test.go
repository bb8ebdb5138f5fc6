package detect

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"weir/control/rate"
)

// repeat returns n packets like p, each of weight 1 if p has none.
func repeat(n int, p Packet) []Packet {
	if p.Weight == 0 {
		p.Weight = 1
	}
	return slices.Repeat([]Packet{p}, n)
}

func udp(sport, dport uint16, ipLen uint32) Packet {
	return Packet{Proto: protoUDP, SrcPort: sport, DstPort: dport, IPLen: ipLen}
}

func tcp(flags uint8) Packet {
	return Packet{Proto: protoTCP, SrcPort: 443, DstPort: 50000, TCPFlags: flags, IPLen: 40}
}

func TestClassifySuccess(t *testing.T) {
	f := func(want string, dir rate.Direction, parts ...[]Packet) {
		t.Helper()
		got := render(Classify(slices.Concat(parts...), dir, nil))
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	in, out := rate.Incoming, rate.Outgoing

	f("syn_flood 1", in, repeat(10, tcp(tcpSYN)))
	f("syn_flood 1", in, repeat(10, tcp(tcpSYN|0xc0))) // with ECE and CWR
	f("syn_ack_flood 1", in, repeat(10, tcp(tcpSYN|tcpACK)))
	f("ack_flood 1", in, repeat(10, tcp(tcpACK)))
	f("ack_flood 1", in, repeat(10, tcp(tcpACK|tcpPSH)))
	f("rst_flood 1", in, repeat(10, tcp(tcpRST|tcpACK)))
	f("fin_flood 1", in, repeat(10, tcp(tcpFIN|tcpACK)))
	f("tcp_null_flood 1", in, repeat(10, tcp(0)))
	f("tcp_xmas_flood 1", in, repeat(10, tcp(tcpFIN|tcpPSH|tcpURG)))
	f("tcp_flood 1", in, repeat(10, tcp(tcpSYN|tcpFIN)))
	f("icmp_flood 1", in, repeat(10, Packet{Proto: protoICMP}))
	f("icmp_flood 1", in, repeat(10, Packet{Proto: protoICMPv6, Fragment: LaterFragment}))
	f("gre_flood 1", in, repeat(10, Packet{Proto: protoGRE}))
	f("esp_flood 1", in, repeat(10, Packet{Proto: protoESP}))
	f("ipip_flood 1", in, repeat(5, Packet{Proto: protoIPIP}), repeat(5, Packet{Proto: protoSIT}))
	f("proto_132_flood 1", in, repeat(10, Packet{Proto: 132}))
	f("udp_flood 1", in, repeat(10, udp(4000, 53, 1000)))

	// Shares are of the packets that the samples stand for.
	f("syn_flood 0.75, udp_flood 0.25", in,
		repeat(1, Packet{Proto: protoUDP, Weight: 100}),
		repeat(1, Packet{Proto: protoTCP, TCPFlags: tcpSYN, Weight: 300}))
	f("icmp_flood 0.5, udp_flood 0.5", in, repeat(1, udp(1, 2, 100)),
		repeat(1, Packet{Proto: protoICMP}))

	// Reflection.
	f("dns_amplification 1", in, repeat(10, udp(53, 40000, 73)))
	f("dns_amplification 1", in, repeat(10, udp(53, 53, 1400)))
	f("dns_amplification 1", out, repeat(10, udp(53, 40000, 1400)))
	f("ike_amplification 1", in, repeat(5, udp(500, 4000, 200)), repeat(5, udp(4500, 4000, 200)))
	f("ntp_amplification 0.6, udp_flood 0.4", in, repeat(6, udp(123, 80, 468)),
		repeat(4, udp(4000, 80, 100)))
}

// Packets that only look like reflection, or like a family.
func TestClassifyFailure(t *testing.T) {
	f := func(want string, dir rate.Direction, parts ...[]Packet) {
		t.Helper()
		got := render(Classify(slices.Concat(parts...), dir, nil))
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	in, out := rate.Incoming, rate.Outgoing

	f("", in)
	f("", in, repeat(3, Packet{Proto: protoUDP, Weight: -1}))
	f("udp_flood 1", in, repeat(10, udp(123, 123, 76)))     // peers at their work
	f("udp_flood 1", in, repeat(10, udp(53, 53, 64)))       // queries from an old resolver
	f("udp_flood 1", in, repeat(10, udp(4500, 4500, 1400))) // a tunnel
	f("udp_flood 1", out, repeat(10, udp(123, 40000, 76)))  // a time server's answers
	f("udp_flood 1", out, repeat(10, udp(40000, 53, 64)))   // queries
	f("udp_flood 1", in, repeat(10, udp(40000, 53, 64)))

	// One port of many.
	f("udp_flood 1", in, repeat(95, udp(4000, 80, 100)), repeat(5, udp(53, 80, 100)))

	// A family with less than a hundredth is left out, with the share that it takes.
	f("udp_flood 0.995", in, repeat(995, udp(4000, 80, 100)), repeat(5, tcp(tcpSYN)))

	// Random protocols have no family that says anything.
	var random []Packet
	for n := range 200 {
		random = append(random, Packet{Proto: uint8(n + 56), Weight: 1})
	}
	if got := Classify(random, in, nil)[0].Name; got != mixedFlood {
		t.Errorf("random protocols: got %s", got)
	}
	if got := len(Classify(repeatProtos(20), in, nil)); got > maxVectors {
		t.Errorf("20 protocols: %d vectors", got)
	}
}

func repeatProtos(n int) []Packet {
	var pkts []Packet
	for i := range n {
		pkts = append(pkts, Packet{Proto: uint8(150 + i), Weight: 1})
	}
	return pkts
}

func TestClassifyFragments(t *testing.T) {
	f := func(want string, parts ...[]Packet) {
		t.Helper()
		got := render(Classify(slices.Concat(parts...), rate.Incoming, nil))
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	first := func(sport uint16) Packet {
		return Packet{Proto: protoUDP, SrcPort: sport, DstPort: 9, Fragment: FirstFragment,
			IPLen: 1500}
	}
	later := Packet{Proto: protoUDP, Fragment: LaterFragment, IPLen: 1500}

	// Long answers: the later fragments belong to them.
	f("dns_amplification 1", repeat(10, first(53)), repeat(20, later))
	f("cldap_amplification 0.9, udp_flood 0.1", repeat(30, first(389)), repeat(60, later),
		repeat(10, udp(4000, 80, 100)))

	// Without a reflector, without enough first fragments, or without one that dominates them.
	f("fragment_flood 1", repeat(10, first(4000)), repeat(20, later))
	f("fragment_flood 1", repeat(20, later))
	f("fragment_flood 0.98, dns_amplification 0.02", repeat(2, first(53)), repeat(98, later))
	f("fragment_flood 0.6, dns_amplification 0.2, ntp_amplification 0.2",
		repeat(10, first(53)), repeat(10, first(123)), repeat(30, later))

	f("fragment_flood 1", repeat(9, Packet{Proto: protoTCP, Fragment: LaterFragment}))
	f("fragment_flood 1", repeat(9, Packet{Proto: 132, Fragment: FirstFragment}))

	// A reflector that is folded takes its first fragments along.
	f("udp_flood 0.95, fragment_flood 0.05", repeat(95, udp(4000, 80, 100)), repeat(5, first(53)))
}

func TestClassifyRates(t *testing.T) {
	f := func(want string, total uint64, class rate.Class, pps uint64) {
		t.Helper()
		r := &rate.Rates{}
		r.Packets[rate.Total] = total
		r.Packets[class] = pps
		if class == rate.SYN {
			r.Packets[rate.TCP] = total
		}
		if got := render(Classify(nil, rate.Incoming, r)); got != want {
			t.Errorf("%s %d of %d: got %s, want %s", class, pps, total, got, want)
		}
	}
	f("syn_flood 0.95", 1000, rate.SYN, 950)
	f("tcp_flood 1", 1000, rate.SYN, 500)
	f("icmp_flood 0.9", 1000, rate.ICMP, 900)
	f("fragment_flood 1", 1000, rate.Frag, 1000)
	f("udp_flood 0.999", 1000, rate.UDP, 999)
	f("tcp_flood 0.9", 10, rate.TCP, 9)
	f("other_flood 0.9", 10, rate.Other, 9)
	f("udp_flood 1", 1000, rate.UDP, 1001)
	f("mixed_flood 1", 1000, rate.UDP, 899)
	f("", 0, rate.UDP, 0)
	if got := Classify(nil, rate.Incoming, nil); got != nil {
		t.Errorf("with nothing known: got %v", got)
	}
}

func TestFastNetMonType(t *testing.T) {
	f := func(want string, vectors ...Vector) {
		t.Helper()
		if got := FastNetMonType(vectors); got != want {
			t.Errorf("%v: got %s, want %s", vectors, got, want)
		}
	}
	f("syn_flood", Vector{"syn_flood", 0.6}, Vector{"syn_ack_flood", 0.3})
	f("icmp_flood", Vector{"icmp_flood", 1})
	f("ip_fragmentation", Vector{"fragment_flood", 0.9})
	f("udp_flood", Vector{"udp_flood", 0.5}, Vector{"dns_amplification", 0.45})
	f("udp_flood", Vector{"dvr_amplification", 1})
	f("unknown", Vector{"udp_flood", 0.8999})
	f("unknown", Vector{"ack_flood", 1})
	f("unknown", Vector{"proto_47_flood", 1})
	f("unknown", Vector{"mixed_flood", 1})
	f("unknown")
}

// render writes vectors as "name share, …".
func render(vs []Vector) string {
	var s string
	for i, v := range vs {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("%s %v", v.Name, v.Share)
	}
	return s
}

func TestFamilyTables(t *testing.T) {
	for i := 1; i < len(reflectors); i++ {
		if reflectors[i-1].port >= reflectors[i].port {
			t.Errorf("port %d is not in order", reflectors[i].port)
		}
	}
	for i, f := range families {
		if f.flags&^f.mask != 0 || f.mask != 0 && f.proto != protoTCP {
			t.Errorf("%s (row %d) can match nothing, or reads flags that are not there", f.name, i)
		}
	}
}

// slowFamily is the oracle: what a reader of the documentation would say of a lone packet.
func slowFamily(p Packet) string {
	switch {
	case p.Proto == 1 || p.Proto == 58:
		return "icmp_flood"
	case p.Proto == 47:
		return "gre_flood"
	case p.Proto == 50:
		return "esp_flood"
	case p.Proto == 4 || p.Proto == 41:
		return "ipip_flood"
	case p.Fragment != NotFragment:
		return "fragment_flood"
	case p.Proto == 17:
		return "udp_flood"
	case p.Proto != 6:
		return fmt.Sprintf("proto_%d_flood", p.Proto)
	}
	fin, syn, rst := p.TCPFlags&1 != 0, p.TCPFlags&2 != 0, p.TCPFlags&4 != 0
	psh, ack, urg := p.TCPFlags&8 != 0, p.TCPFlags&16 != 0, p.TCPFlags&32 != 0
	switch {
	case !fin && !syn && !rst && !psh && !ack && !urg:
		return "tcp_null_flood"
	case fin && psh && urg:
		return "tcp_xmas_flood"
	case syn && !fin && !rst && !ack:
		return "syn_flood"
	case syn && !fin && !rst:
		return "syn_ack_flood"
	case syn:
		return "tcp_flood"
	case rst:
		return "rst_flood"
	case fin:
		return "fin_flood"
	case ack:
		return "ack_flood"
	}
	return "tcp_flood"
}

func TestFamilyOfEveryPacket(t *testing.T) {
	for proto := range 256 {
		for flags := range 256 {
			for fragment := NotFragment; fragment <= LaterFragment; fragment++ {
				p := Packet{Weight: 1, Proto: uint8(proto), Fragment: fragment, SrcPort: 7}
				if proto == protoTCP && fragment != LaterFragment {
					p.TCPFlags = uint8(flags)
				}
				got := render(Classify([]Packet{p}, rate.Incoming, nil))
				if want := slowFamily(p) + " 1"; got != want {
					t.Fatalf("%+v: got %s, want %s", p, got, want)
				}
			}
			if proto != protoTCP {
				break // the flags are TCP's
			}
		}
	}
}

func FuzzClassify(f *testing.F) {
	f.Add([]byte{17, 0, 53, 4, 6, 2, 0, 80, 1}, true)
	f.Add(slices.Repeat([]byte{17, 2, 53, 9, 1}, 7), false)
	f.Fuzz(func(t *testing.T, data []byte, outgoing bool) {
		dir := rate.Incoming
		if outgoing {
			dir = rate.Outgoing
		}
		pkts := packetsOf(data)
		got := Classify(pkts, dir, nil)
		checkVectors(t, got, len(pkts) > 0)
		shuffled := slices.Clone(pkts)
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) {
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
		})
		// The weights are whole, so that their sums do not depend on the order.
		if again := Classify(shuffled, dir, nil); !reflect.DeepEqual(got, again) {
			t.Errorf("in another order: got %v, want %v", again, got)
		}
		FastNetMonType(got)
	})
}

// packetsOf reads five bytes a packet.
func packetsOf(data []byte) []Packet {
	var pkts []Packet
	for ; len(data) >= 5; data = data[5:] {
		p := Packet{
			Proto: data[0], Fragment: Fragment(data[1] % 3), IPLen: uint32(data[3]) << 3,
			Weight: float64(data[4]) + 1, DstPort: uint16(data[3]), TCPFlags: data[3],
		}
		p.SrcPort = reflectors[int(data[2])%len(reflectors)].port
		if data[2]&1 != 0 {
			p.SrcPort = uint16(data[2])
		}
		pkts = append(pkts, p)
	}
	return pkts
}

func checkVectors(t *testing.T, vs []Vector, some bool) {
	t.Helper()
	if some != (len(vs) > 0) || len(vs) > maxVectors {
		t.Fatalf("%d vectors, with packets: %v", len(vs), some)
	}
	var sum float64
	names := map[string]bool{}
	for i, v := range vs {
		if v.Name == "" || names[v.Name] || v.Share <= 0 || v.Share > 1 {
			t.Fatalf("vector %d of %v", i, vs)
		}
		if i > 0 && compareVectors(vs[i-1], v) >= 0 {
			t.Fatalf("not sorted: %v", vs)
		}
		names[v.Name] = true
		sum += v.Share
	}
	if sum > 1+1e-9 {
		t.Fatalf("shares add up to %v", sum)
	}
}
