package control

import (
	"weir/control/detect"
	"weir/control/rate"
	"weir/fastpath"
)

// aspects says which limits of the packet path a metric sets; the others are judged by control.
var aspects = map[rate.Metric]struct {
	aspect fastpath.Aspect
	bits   bool
}{
	rate.PPS: {fastpath.Total, false}, rate.BPS: {fastpath.Total, true},
	rate.TCPPPS: {fastpath.TCP, false}, rate.TCPBPS: {fastpath.TCP, true},
	rate.UDPPPS: {fastpath.UDP, false}, rate.UDPBPS: {fastpath.UDP, true},
	rate.ICMPPPS: {fastpath.ICMP, false}, rate.ICMPBPS: {fastpath.ICMP, true},
	rate.SYNPPS: {fastpath.SYN, false}, rate.SYNBPS: {fastpath.SYN, true},
	rate.FragPPS: {fastpath.Frag, false}, rate.FragBPS: {fastpath.Frag, true},
}

// fastGroups translates the policy's hostgroups for the packet path: bits become bytes.
func fastGroups(p *detect.Policy) []fastpath.Group {
	groups := make([]fastpath.Group, len(p.Groups))
	for g := range p.Groups {
		groups[g].Prefixes = p.Groups[g].Prefixes
		for d := range groups[g].Limits {
			groups[g].Limits[d] = fastLimits(&p.Groups[g].Thresholds[d])
		}
	}
	return groups
}

func fastLimits(from *detect.Limits) (l fastpath.Limits) {
	for m, a := range aspects {
		switch limit := from.Value[m]; {
		case !from.Set[m]:
		case a.bits:
			l.Bytes[a.aspect] = (limit + 7) / 8
		default:
			l.Packets[a.aspect] = limit
		}
	}
	if from.Set[rate.FPS] {
		l.Flows = from.Value[rate.FPS]
	}
	return l
}
