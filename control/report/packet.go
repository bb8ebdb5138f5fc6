package report

import (
	"fmt"
	"strings"
	"time"

	"weir/control/capture"
)

// The protocols (IANA) that FastNetMon's documents have names for.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

func protocolName(proto uint8) string {
	switch proto {
	case protoTCP:
		return "tcp"
	case protoUDP:
		return "udp"
	case protoICMP, protoICMPv6:
		return "icmp"
	}
	return "unknown"
}

// ports returns a sample's ports, 0 where the protocol has none.
func ports(s *capture.Sample) (src, dst uint16) {
	if s.Proto != protoTCP && s.Proto != protoUDP {
		return 0, 0
	}
	return s.SrcPort, s.DstPort
}

// tcpFlagNames are in the order of their bits.
var tcpFlagNames = [...]string{"fin", "syn", "rst", "psh", "ack", "urg"}

// tcpFlags returns the names of the flags that are set, "-" for none.
func tcpFlags(flags uint8) string {
	var set []string
	for bit, name := range tcpFlagNames {
		if flags>>bit&1 != 0 {
			set = append(set, name)
		}
	}
	if set == nil {
		return "-"
	}
	return strings.Join(set, ",")
}

// packetLine returns a sample as FastNetMon prints packets, spaces included.
func packetLine(s *capture.Sample) string {
	src, dst := ports(s)
	flags := ""
	if s.Proto == protoTCP {
		flags = " flags: " + tcpFlags(s.TCPFlags)
	}
	fragment := 0
	if s.Fragment != 0 {
		fragment = 1
	}
	return fmt.Sprintf("%s %s:%d > %s:%d protocol: %s%s frag: %d  packets: 1 size: %d bytes "+
		"ttl: %d sample ratio: %d  ",
		time.Unix(0, s.Time).UTC().Format("2006-01-02 15:04:05.000000"),
		capture.Src(s), src, capture.Dst(s), dst, protocolName(s.Proto), flags,
		fragment, s.Wire, s.TTL, capture.Ratio(s))
}
