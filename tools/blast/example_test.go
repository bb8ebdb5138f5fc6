package blast_test

import (
	"fmt"
	"net/netip"
	"time"

	"weir/decode/pcap"
	"weir/tools/blast"
)

// Everyday traffic with a SYN flood of one host, DNS answers to all of a /24 (carpet bombing) and
// a packet now and then to anyone (a spray).
func ExampleScenario() {
	home := netip.MustParsePrefix("10.0.0.0/16")
	s := blast.Scenario{Flows: append(
		blast.Background(home, 2000, 20_000, 0, 4*time.Second),
		blast.Flow{
			Vector: "syn_flood", Dst: blast.Host("10.0.3.4"), PPS: 40_000,
			From: time.Second, To: 2 * time.Second,
		},
		blast.Flow{
			Vector: "dns_amplification", Dst: blast.Within("10.0.7.0/24"), PPS: 50_000,
			From: 2500 * time.Millisecond, To: 3 * time.Second,
		},
		blast.Flow{Dst: blast.Within("10.0.0.0/8"), PPS: 1000, To: 4 * time.Second, Jitter: true},
	)}
	packets, err := s.Packets()
	if err != nil {
		fmt.Println(err)
		return
	}
	perFlow := make([]int, len(s.Flows))
	var p pcap.Packet
	for packets.Next(&p) {
		perFlow[packets.Flow()]++
	}
	fmt.Println(perFlow, s.Count())
	// Output: [64000 2400 12000 1600 40000 25000 4000] 149000
}
