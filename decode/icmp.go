package decode

import "encoding/binary"

// icmpLen is what every ICMP message begins with: type, code, checksum (RFC 792, RFC 4443
// section 2.1).
const icmpLen = 4

// icmp decodes an ICMP or ICMPv6 message: type and code as NetFlow has them, in DstPort. The
// packet that an error quotes is not looked at.
func (r *Record) icmp(b []byte, n uint) Status {
	if len(b) >= 2 {
		r.DstPort = binary.BigEndian.Uint16(b)
	}
	if len(b) < icmpLen {
		return r.short(n, icmpLen)
	}
	return OK
}
