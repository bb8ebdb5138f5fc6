package report

import (
	"crypto/sha256"
	"fmt"

	"weir/control/ban"
	"weir/control/rate"
)

// attackDetails are the target's rates at the verdict under FastNetMon's keys; "traffic" is in
// bytes per second.
type attackDetails struct {
	AttackUUID      string `json:"attack_uuid"`
	HostGroup       string `json:"host_group"`
	ProtocolVersion string `json:"protocol_version"`

	TotalIncomingTraffic     uint64 `json:"total_incoming_traffic"`
	TotalIncomingTrafficBits uint64 `json:"total_incoming_traffic_bits"`
	TotalOutgoingTraffic     uint64 `json:"total_outgoing_traffic"`
	TotalOutgoingTrafficBits uint64 `json:"total_outgoing_traffic_bits"`
	TotalIncomingPPS         uint64 `json:"total_incoming_pps"`
	TotalOutgoingPPS         uint64 `json:"total_outgoing_pps"`
	TotalIncomingFlows       uint64 `json:"total_incoming_flows"`
	TotalOutgoingFlows       uint64 `json:"total_outgoing_flows"`

	IncomingDroppedTraffic     uint64 `json:"incoming_dropped_traffic"`
	IncomingDroppedTrafficBits uint64 `json:"incoming_dropped_traffic_bits"`
	IncomingDroppedPPS         uint64 `json:"incoming_dropped_pps"`
	OutgoingDroppedTraffic     uint64 `json:"outgoing_dropped_traffic"`
	OutgoingDroppedTrafficBits uint64 `json:"outgoing_dropped_traffic_bits"`
	OutgoingDroppedPPS         uint64 `json:"outgoing_dropped_pps"`

	IncomingFragmentedTraffic     uint64 `json:"incoming_ip_fragmented_traffic"`
	IncomingFragmentedTrafficBits uint64 `json:"incoming_ip_fragmented_traffic_bits"`
	IncomingFragmentedPPS         uint64 `json:"incoming_ip_fragmented_pps"`
	OutgoingFragmentedTraffic     uint64 `json:"outgoing_ip_fragmented_traffic"`
	OutgoingFragmentedTrafficBits uint64 `json:"outgoing_ip_fragmented_traffic_bits"`
	OutgoingFragmentedPPS         uint64 `json:"outgoing_ip_fragmented_pps"`

	IncomingTCPTraffic     uint64 `json:"incoming_tcp_traffic"`
	IncomingTCPTrafficBits uint64 `json:"incoming_tcp_traffic_bits"`
	IncomingTCPPPS         uint64 `json:"incoming_tcp_pps"`
	OutgoingTCPTraffic     uint64 `json:"outgoing_tcp_traffic"`
	OutgoingTCPTrafficBits uint64 `json:"outgoing_tcp_traffic_bits"`
	OutgoingTCPPPS         uint64 `json:"outgoing_tcp_pps"`

	IncomingSYNTraffic     uint64 `json:"incoming_syn_tcp_traffic"`
	IncomingSYNTrafficBits uint64 `json:"incoming_syn_tcp_traffic_bits"`
	IncomingSYNPPS         uint64 `json:"incoming_syn_tcp_pps"`
	OutgoingSYNTraffic     uint64 `json:"outgoing_syn_tcp_traffic"`
	OutgoingSYNTrafficBits uint64 `json:"outgoing_syn_tcp_traffic_bits"`
	OutgoingSYNPPS         uint64 `json:"outgoing_syn_tcp_pps"`

	IncomingUDPTraffic     uint64 `json:"incoming_udp_traffic"`
	IncomingUDPTrafficBits uint64 `json:"incoming_udp_traffic_bits"`
	IncomingUDPPPS         uint64 `json:"incoming_udp_pps"`
	OutgoingUDPTraffic     uint64 `json:"outgoing_udp_traffic"`
	OutgoingUDPTrafficBits uint64 `json:"outgoing_udp_traffic_bits"`
	OutgoingUDPPPS         uint64 `json:"outgoing_udp_pps"`

	IncomingICMPTraffic     uint64 `json:"incoming_icmp_traffic"`
	IncomingICMPTrafficBits uint64 `json:"incoming_icmp_traffic_bits"`
	IncomingICMPPPS         uint64 `json:"incoming_icmp_pps"`
	OutgoingICMPTraffic     uint64 `json:"outgoing_icmp_traffic"`
	OutgoingICMPTrafficBits uint64 `json:"outgoing_icmp_traffic_bits"`
	OutgoingICMPPPS         uint64 `json:"outgoing_icmp_pps"`
}

// newAttackDetails fills in the rates at the verdict, all but what of them was dropped.
func newAttackDetails(inc *ban.Incident) attackDetails {
	in, out := &inc.AtVerdict[rate.Incoming], &inc.AtVerdict[rate.Outgoing]
	return attackDetails{
		AttackUUID:      attackUUID(inc.ID),
		HostGroup:       bounded(inc.Trigger.Hostgroup),
		ProtocolVersion: protocolVersion(inc),

		TotalIncomingTraffic:     in.Bits[rate.Total] / 8,
		TotalIncomingTrafficBits: in.Bits[rate.Total],
		TotalOutgoingTraffic:     out.Bits[rate.Total] / 8,
		TotalOutgoingTrafficBits: out.Bits[rate.Total],
		TotalIncomingPPS:         in.Packets[rate.Total],
		TotalOutgoingPPS:         out.Packets[rate.Total],
		TotalIncomingFlows:       in.Flows,
		TotalOutgoingFlows:       out.Flows,

		IncomingFragmentedTraffic:     in.Bits[rate.Frag] / 8,
		IncomingFragmentedTrafficBits: in.Bits[rate.Frag],
		IncomingFragmentedPPS:         in.Packets[rate.Frag],
		OutgoingFragmentedTraffic:     out.Bits[rate.Frag] / 8,
		OutgoingFragmentedTrafficBits: out.Bits[rate.Frag],
		OutgoingFragmentedPPS:         out.Packets[rate.Frag],

		IncomingTCPTraffic:     in.Bits[rate.TCP] / 8,
		IncomingTCPTrafficBits: in.Bits[rate.TCP],
		IncomingTCPPPS:         in.Packets[rate.TCP],
		OutgoingTCPTraffic:     out.Bits[rate.TCP] / 8,
		OutgoingTCPTrafficBits: out.Bits[rate.TCP],
		OutgoingTCPPPS:         out.Packets[rate.TCP],

		IncomingSYNTraffic:     in.Bits[rate.SYN] / 8,
		IncomingSYNTrafficBits: in.Bits[rate.SYN],
		IncomingSYNPPS:         in.Packets[rate.SYN],
		OutgoingSYNTraffic:     out.Bits[rate.SYN] / 8,
		OutgoingSYNTrafficBits: out.Bits[rate.SYN],
		OutgoingSYNPPS:         out.Packets[rate.SYN],

		IncomingUDPTraffic:     in.Bits[rate.UDP] / 8,
		IncomingUDPTrafficBits: in.Bits[rate.UDP],
		IncomingUDPPPS:         in.Packets[rate.UDP],
		OutgoingUDPTraffic:     out.Bits[rate.UDP] / 8,
		OutgoingUDPTrafficBits: out.Bits[rate.UDP],
		OutgoingUDPPPS:         out.Packets[rate.UDP],

		IncomingICMPTraffic:     in.Bits[rate.ICMP] / 8,
		IncomingICMPTrafficBits: in.Bits[rate.ICMP],
		IncomingICMPPPS:         in.Packets[rate.ICMP],
		OutgoingICMPTraffic:     out.Bits[rate.ICMP] / 8,
		OutgoingICMPTrafficBits: out.Bits[rate.ICMP],
		OutgoingICMPPPS:         out.Packets[rate.ICMP],
	}
}

// drop fills in what was dropped of the rates at the verdict: the part that it is of the evidence.
func (d *attackDetails) drop(inc *ban.Incident, f *[2]fate) {
	in, out := &inc.AtVerdict[rate.Incoming], &inc.AtVerdict[rate.Outgoing]
	d.IncomingDroppedPPS, d.IncomingDroppedTrafficBits = f[rate.Incoming].of(in)
	d.OutgoingDroppedPPS, d.OutgoingDroppedTrafficBits = f[rate.Outgoing].of(out)
	d.IncomingDroppedTraffic = d.IncomingDroppedTrafficBits / 8
	d.OutgoingDroppedTraffic = d.OutgoingDroppedTrafficBits / 8
}

func protocolVersion(inc *ban.Incident) string {
	if inc.Target.Addr().Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// attackUUID returns the UUID that belongs to an incident's ID (version 8, RFC 9562 section 5.8:
// its bits are those of a hash).
func attackUUID(id string) string {
	u := sha256.Sum256([]byte("weir incident " + id))
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
