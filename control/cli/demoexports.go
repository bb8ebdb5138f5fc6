package cli

import (
	"net/netip"
	"time"

	"weir/decode/netflow/netflowtest"
	"weir/decode/pcap"
	"weir/tools/blast"
)

// demoStart is when the demo's traffic begins.
func demoStart() time.Time { return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC) }

// What the demo's router exports: NetFlow v9, a record for each of its flows every second.
const (
	demoUptime   = 3_600_000 // of the router at the demo's start, ms
	demoSeconds  = 24
	demoSources  = 20 // of the attack
	demoFlood    = 30_000
	demoFloodAt  = 12
	demoFloodEnd = 17
)

// demoExports is what a router of another border exports: everyday flows, and an attack by NTP
// servers that the mirror does not see.
func demoExports() (*pcap.Reader, error) {
	from := netip.MustParseAddrPort("192.0.2.65:40000")
	to := netip.MustParseAddrPort("192.0.2.66:2055")
	var list []blast.Datagram
	for second := range uint32(demoSeconds) {
		h := netflowtest.Header{
			Seq: 2 * second, Uptime: demoUptime + second*1000,
			Seconds: uint32(demoStart().Unix()) + second,
		}
		at := demoStart().Add(time.Duration(second) * time.Second)
		next := h
		next.Seq++
		for _, payload := range [][]byte{
			netflowtest.F1Template(nil, h), netflowtest.F1(nil, next, demoFlows(second, h.Uptime)),
		} {
			list = append(list, blast.Datagram{Time: at, From: from, To: to, Payload: payload})
		}
	}
	return blast.DatagramCapture("exports of the demo", list)
}

// demoFlows are the records of one second, which ended at that uptime.
func demoFlows(second, uptime uint32) (flows []netflowtest.Flow) {
	const home, elsewhere = 198<<24 | 51<<16 | 100<<8, 203<<24 | 113<<8
	record := func(source, host uint32, port uint16, packets, size uint32) {
		flows = append(flows, netflowtest.Flow{
			Src: elsewhere + source, Dst: home + host, SrcPort: port,
			DstPort: uint16(40_000 + source), Proto: 17, Packets: packets, Bytes: packets * size,
			First: uptime - 1000, Last: uptime,
		})
	}
	for i := range uint32(4) {
		record(i, 32+i, 443, 100+10*i, 800)
	}
	if second > demoFloodAt && second <= demoFloodEnd {
		for i := range uint32(demoSources) {
			record(100+i, 33, 123, demoFlood/demoSources, 468)
		}
	}
	return flows
}
