package report

import (
	"encoding/json"
	"io"
	"time"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/rate"
)

// document is what FastNetMon posts and stores, and weir's own account.
type document struct {
	AlertScope string        `json:"alert_scope"`
	IP         string        `json:"ip"`
	Action     string        `json:"action"`
	Details    attackDetails `json:"attack_details"`
	Packets    []packet      `json:"packet_dump_detailed,omitempty"`
	Weir       account       `json:"weir"`
}

// packet is a packet under FastNetMon's keys; those that only flow exports know have the values
// that it gives mirrored packets.
type packet struct {
	Timestamp          int64   `json:"timestamp"` // seconds since 1970
	IPVersion          string  `json:"ip_version"`
	SourceIP           string  `json:"source_ip"`
	DestinationIP      string  `json:"destination_ip"`
	SourceASN          uint32  `json:"source_asn"`
	DestinationASN     uint32  `json:"destination_asn"`
	SourceCountry      string  `json:"source_country"`
	DestinationCountry string  `json:"destination_country"`
	InputInterface     uint32  `json:"input_interface"`
	OutputInterface    uint32  `json:"output_interface"`
	SourcePort         *uint16 `json:"source_port,omitempty"` // TCP and UDP
	DestinationPort    *uint16 `json:"destination_port,omitempty"`
	AgentAddress       string  `json:"agent_address"`
	TCPFlags           string  `json:"tcp_flags,omitempty"` // TCP
	ForwardingStatus   string  `json:"forwarding_status"`
	Fragmentation      bool    `json:"fragmentation"`
	Packets            uint64  `json:"packets"`
	Length             uint32  `json:"length"`
	IPLength           uint32  `json:"ip_length"`
	TTL                uint8   `json:"ttl"`
	SampleRatio        uint64  `json:"sample_ratio"`
	Protocol           string  `json:"protocol"`
}

// JSON writes the report of an incident as one JSON document on one line. ev may be nil. The
// only error is that of w.
func JSON(w io.Writer, inc *ban.Incident, ev *capture.Snapshot, o Options) error {
	ev = orEmpty(ev)
	fate := fates(inc, ev)
	d := document{
		AlertScope: "host",
		IP:         address(inc.Target),
		Action:     "ban",
		Details:    newAttackDetails(inc),
		Packets:    packets(ev, o.Packets),
	}
	if o.Action != "" {
		d.Action = o.Action
	} else if inc.End != 0 {
		d.Action = "unban"
	}
	d.Details.drop(inc, &fate)
	d.Weir = newAccount(inc, ev, o)
	d.Weir.Forwarding = bySide{
		newForwarding(&fate[rate.Incoming]), newForwarding(&fate[rate.Outgoing]),
	}
	d.Weir.Evidence.Listed = len(d.Packets)
	return json.NewEncoder(w).Encode(&d)
}

func packets(ev *capture.Snapshot, limit int) []packet {
	listed := ev.Thin(limit).Samples
	out := make([]packet, 0, len(listed))
	for i := range listed {
		out = append(out, newPacket(&listed[i]))
	}
	return out
}

func newPacket(s *capture.Sample) packet {
	p := packet{
		Timestamp:        s.Time / int64(time.Second),
		IPVersion:        "ipv4",
		SourceIP:         capture.Src(s).String(),
		DestinationIP:    capture.Dst(s).String(),
		AgentAddress:     "0.0.0.0",
		ForwardingStatus: statusNames[statusOf(s)],
		Fragmentation:    s.Fragment != 0,
		Packets:          1,
		Length:           s.Wire,
		IPLength:         s.IPLen,
		TTL:              s.TTL,
		SampleRatio:      capture.Ratio(s),
		Protocol:         protocolName(s.Proto),
	}
	if !capture.Dst(s).Is4() {
		p.IPVersion = "ipv6"
	}
	if s.Proto == protoTCP || s.Proto == protoUDP {
		src, dst := ports(s)
		p.SourcePort, p.DestinationPort = &src, &dst
	}
	if s.Proto == protoTCP {
		p.TCPFlags = tcpFlags(s.TCPFlags)
	}
	return p
}
