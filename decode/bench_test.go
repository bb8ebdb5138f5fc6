package decode

import "testing"

func BenchmarkDecode(b *testing.B) {
	inner := ip4(protoUDP, udp(53, 4444, fill(14)))
	f := func(name string, frame []byte) {
		b.Run(name, func(b *testing.B) {
			var d Decoder
			r := Record{Packets: 1}
			b.ReportAllocs()
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				d.Decode(&r, LinkEthernet, frame, uint32(len(frame)))
			}
		})
	}
	f("udp4", pad(eth(0x0800, ip4(protoUDP, udp(53, 4444, fill(18)))), 60))
	f("tcp4", pad(eth(0x0800, ip4(protoTCP, tcp(443, 50000, 0x12))), 60))
	f("udp6", eth(0x86dd, ip6(protoUDP, udp(53, 4444))))
	f("vlan_mpls", eth(0x8100, tag(100, 0x8847, label(16, true, inner))))
	f("malformed", pad(eth(0x0800, put(ip4(protoTCP, tcp(443, 50000, 2)), 2, 0xff, 0xff)), 60))
	f("vxlan", over(portVXLAN, vni(8, 0), eth(0x0800, inner)))
}
