package cli

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// The columns of the table that `weir decode packets` prints.
const (
	colN = iota
	colTime
	colWire
	colStatus
	colProto
	colSrc
	colDst
	colLen
	colTTL
	colNotes
)

func packetColumns() []column {
	return []column{
		colN: {"N", true}, colTime: {"TIME", false}, colWire: {"WIRE", true},
		colStatus: {"STATUS", false}, colProto: {"PROTO", false}, colSrc: {"SOURCE", false},
		colDst: {"DESTINATION", false}, colLen: {"LEN", true}, colTTL: {"TTL", true},
		colNotes: {"NOTES", false},
	}
}

// row is the line as the table has it.
func (l *packetLine) row() []string {
	row := []string{
		colN: strconv.FormatUint(l.N, 10), colTime: l.Time,
		colWire: strconv.FormatUint(uint64(l.Wire), 10), colStatus: l.Status, colNotes: l.notes(),
	}
	if l.IPProto == nil {
		return row
	}
	row[colProto] = protocolName(*l.IPProto)
	row[colSrc], row[colDst] = endpoints(l.Src, l.Dst, *l.IPProto, l.SrcPort, l.DstPort)
	row[colLen] = strconv.FormatUint(uint64(*l.IPLen), 10)
	row[colTTL] = strconv.Itoa(int(*l.TTL))
	return row
}

// protocolName returns how a table calls an IP protocol.
func protocolName(p uint8) string {
	if name := protocols[p].name; name != "" {
		return name
	}
	return strconv.Itoa(int(p))
}

// endpoints returns source and destination, with their ports where there are any.
func endpoints(src, dst netip.Addr, proto uint8, srcPort, dstPort *uint16) (string, string) {
	if srcPort == nil || isICMP(proto) {
		return src.String(), dst.String()
	}
	return netip.AddrPortFrom(src, *srcPort).String(), netip.AddrPortFrom(dst, *dstPort).String()
}

func isICMP(p uint8) bool { return p == 1 || p == 58 }

// tcpFlagLetters are those of the low 8 bits, from the lowest: FIN, SYN, RST, PSH, ACK, URG, ECE,
// CWR.
const tcpFlagLetters = "FSRPAUEC"

// flagsText returns TCP flags as letters in brackets.
func flagsText(bits uint8) string {
	var flags []byte
	for bit := range 8 {
		if bits>>bit&1 != 0 {
			flags = append(flags, tcpFlagLetters[bit])
		}
	}
	return "[" + string(flags) + "]"
}

// notes are what few packets have.
func (l *packetLine) notes() string {
	var out []string
	for _, id := range l.VLAN {
		out = append(out, fmt.Sprintf("vlan %d", id))
	}
	for _, label := range l.MPLS {
		out = append(out, fmt.Sprintf("mpls %d", label))
	}
	out = append(out, l.Tunnel...)
	if l.DstPort != nil && isICMP(*l.IPProto) {
		out = append(out, fmt.Sprintf("type %d code %d", *l.DstPort>>8, *l.DstPort&0xff))
	}
	if l.TCPFlags != nil {
		out = append(out, flagsText(*l.TCPFlags))
	}
	if l.Fragment != "" {
		out = append(out, l.Fragment+" fragment")
	}
	return strings.Join(out, ", ")
}
