package decode

import "encoding/binary"

// TrafficClass returns the TOS (RFC 791) or traffic class (RFC 8200) of the IP packet that b is, or
// that the frame b holds behind VLAN tags at most; 0 where it has none. Decoder does not read it:
// what is counted does not depend on it.
func TrafficClass(link Link, b []byte) uint8 {
	switch link {
	case LinkIPv4, LinkIPv6, LinkRaw:
	case LinkEthernet:
		if b = behindTags(b); b == nil {
			return 0
		}
	default:
		return 0
	}
	if len(b) < 2 {
		return 0
	}
	switch b[0] >> 4 {
	case 4:
		return b[1]
	case 6:
		return b[0]<<4 | b[1]>>4
	}
	return 0
}

// behindTags returns what of an Ethernet frame is an IP packet; nil: nothing.
func behindTags(b []byte) []byte {
	for range MaxTags + 1 {
		if len(b) < ethernetLen {
			return nil
		}
		switch ethertype(binary.BigEndian.Uint16(b[offEtherType:])) {
		case typeIPv4, typeIPv6:
			return b[ethernetLen:]
		case typeVLAN, typeQinQ:
			b = b[vlanLen:]
		default:
			return nil
		}
	}
	return nil
}
