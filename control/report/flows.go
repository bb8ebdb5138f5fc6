package report

import (
	"cmp"
	"net/netip"
	"slices"

	"weir/control/capture"
)

// flowKey is a connection as seen from the target.
type flowKey struct {
	own, remote         netip.Addr
	ownPort, remotePort uint16
}

func compareFlowKeys(a, b flowKey) int {
	return cmp.Or(a.own.Compare(b.own), a.remote.Compare(b.remote),
		cmp.Compare(a.ownPort, b.ownPort), cmp.Compare(a.remotePort, b.remotePort))
}

// flow is what the evidence says of a connection: each sample counts for the packets that it
// stands for.
type flow struct {
	flowKey
	bytes, packets uint64 // IP length
}

// flows writes FastNetMon's flow dump: for each direction the TCP and the UDP connections of the
// samples, at most limit of each, those with most packets first.
func (t *text) flows(target netip.Prefix, samples []capture.Sample, limit int) {
	for _, d := range [...]struct {
		title, arrow string
		outgoing     bool
	}{{"Incoming", "<", false}, {"Outgoing", ">", true}} {
		tcp := connections(target, samples, d.outgoing, protoTCP)
		udp := connections(target, samples, d.outgoing, protoUDP)
		if len(tcp)+len(udp) == 0 {
			continue
		}
		t.line("%s\n", d.title)
		t.connections("TCP", d.arrow, tcp, limit)
		t.connections("UDP", d.arrow, udp, limit)
	}
}

func (t *text) connections(title, arrow string, flows []flow, limit int) {
	if len(flows) == 0 {
		return
	}
	t.line("%s flows: %d", title, len(flows))
	for _, f := range flows[:min(limit, len(flows))] {
		t.line("%s:%d %s %s:%d %d bytes %d packets",
			f.own, f.ownPort, arrow, f.remote, f.remotePort, f.bytes, f.packets)
	}
	if len(flows) > limit {
		t.line("Flows have cropped due to very long list.")
	}
	t.line("")
}

// connections sums up the samples of one protocol to the target, or those from it. A packet from
// the target to itself is an incoming one.
func connections(target netip.Prefix, samples []capture.Sample, outgoing bool, proto uint8) []flow {
	sums := map[flowKey]*flow{}
	for i := range samples {
		s := &samples[i]
		key, ok := flowKeyOf(target, s, outgoing)
		if !ok || s.Proto != proto {
			continue
		}
		f := sums[key]
		if f == nil {
			f = &flow{flowKey: key}
			sums[key] = f
		}
		f.packets += capture.Ratio(s)
		f.bytes += capture.Ratio(s) * uint64(s.IPLen)
	}
	flows := make([]flow, 0, len(sums))
	for _, f := range sums {
		flows = append(flows, *f)
	}
	slices.SortFunc(flows, func(a, b flow) int {
		return cmp.Or(cmp.Compare(b.packets, a.packets), compareFlowKeys(a.flowKey, b.flowKey))
	})
	return flows
}

func flowKeyOf(target netip.Prefix, s *capture.Sample, outgoing bool) (flowKey, bool) {
	src, dst := capture.Src(s), capture.Dst(s)
	srcPort, dstPort := ports(s)
	if incoming := target.Contains(dst); incoming == outgoing {
		return flowKey{}, false
	}
	if !outgoing {
		return flowKey{dst, src, dstPort, srcPort}, true
	}
	return flowKey{src, dst, srcPort, dstPort}, target.Contains(src)
}
