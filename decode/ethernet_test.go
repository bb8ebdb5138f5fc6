package decode

import "testing"

const plain = "192.0.2.1:53 > 198.51.100.7:4444 proto 17 len 28"

func packet() []byte { return ip4(protoUDP, udp(53, 4444)) }

func TestEthernet_Success(t *testing.T) {
	f := expect(t, Decoder{})
	f(eth(0x0800, packet()), 0, "ok "+plain)
	f(pad(eth(0x0800, packet()), 60), 0, "ok "+plain)
	f(eth(0x86dd, inner6()), 0, "ok "+inner6Shown)
	f(eth(0x8100, tag(0xe064, 0x0800, packet())), 0, "ok vlan[100] "+plain)
	f(eth(0x88a8, tag(7, 0x8100, tag(100, 0x86dd, inner6()))), 0, "ok vlan[7 100] "+inner6Shown)
	f(eth(0x9100, tag(1, 0x9100, tag(4095, 0x0800, packet()))), 0, "ok vlan[1 4095] "+plain)
	f(eth(0x8100, tags(MaxTags-1, tag(9, 0x0800, packet()))), 0, "ok vlan[0 1 2 3 4 5 6 9] "+plain)
}

// tags are n VLAN tags with the IDs from 0.
func tags(n int, rest []byte) []byte {
	for id := n - 1; id >= 0; id-- {
		rest = tag(uint16(id), 0x8100, rest)
	}
	return rest
}

func TestEthernet_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	frame := eth(0x0800, packet())
	for n := range 14 + 20 {
		var r Record
		s := new(Decoder).Decode(&r, LinkEthernet, frame[:n], 42)
		if s != Truncated || r.Version != 0 {
			t.Errorf("first %d bytes: %s", n, show(&r, s))
		}
	}
	f(nil, 0, "truncated")
	f(eth(0x0806, fill(28)), 0, "not_ip")
	f(eth(0x8100, tag(100, 0x0806, fill(28))), 0, "not_ip vlan[100]")
	f(eth(0x8100, tag(100, 0x0800)[:3]), 0, "truncated")
	f(eth(0x8100, tag(100, 0x0800, packet())), 20, "truncated vlan[100]")
	f(eth(0x8100, tags(MaxTags, tag(9, 0x0800, packet()))), 0, "too_deep vlan[0 1 2 3 4 5 6 7]")
	f(eth(0x0800, inner6()), 0, "bad_header")
	f(eth(0x86dd, inner(), fill(20)), 0, "bad_header")
	f(eth(0x6558, eth(0x0800, packet())), 0, "not_ip") // or frames could nest for ever
	f(eth(0x880b, u16(pppIPv4), packet()), 0, "not_ip")
	f(eth(0x88e7, fill(60)), 0, "ok") // PBB and MACsec stay closed
	f(eth(0x88e5, fill(60)), 0, "ok")
}

func snap(oui uint32, pid uint16, rest ...[]byte) []byte {
	return cat([]byte{0xaa, 0xaa, 3}, u32(oui << 8)[:3], u16(pid), cat(rest...))
}

// dot3 is an 802.3 frame: the length instead of a type.
func dot3(body []byte) []byte { return eth(uint16(len(body)), body) }

func TestLLC_Success(t *testing.T) {
	f := expect(t, Decoder{})
	f(pad(dot3(snap(0, 0x0800, packet())), 60), 0, "ok "+plain)
	f(dot3(snap(0xf8, 0x86dd, inner6())), 0, "ok "+inner6Shown)
	f(dot3(snap(0, 0x8100, tag(5, 0x0800, packet()))), 0, "ok vlan[5] "+plain)
	f(dot3(cat([]byte{6, 6, 3}, packet())), 0, "ok "+plain)
	f(eth(0x8100, tag(5, 36, snap(0, 0x0800, packet()))), 0, "ok vlan[5] "+plain)
}

func TestLLC_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	f(pad(dot3([]byte{0x42, 0x42, 3, 0, 0}), 60), 0, "not_ip")
	f(dot3(snap(0x00000c, 0x0800, packet())), 0, "not_ip") // Cisco's OUI: CDP and the like
	f(eth(0xffff, fill(46)), 0, "not_ip")
	f(eth(0, fill(46)), 0, "not_ip")
	f(dot3(snap(0, 0x0800, packet())), 16, "truncated")
	f(dot3(snap(0, 0x0800, packet())), 20, "truncated")
	f(dot3(snap(0, 0x0800, packet())), 30, "truncated")
	f(pad(eth(20, snap(0, 0x0800, packet())), 60), 0, "truncated") // the length cuts the header
	f(pad(eth(30, snap(0, 0x0800, packet())), 60), 0,
		"bad_length 192.0.2.1:0 > 198.51.100.7:0 proto 17 len 28 bytes 22")
}
