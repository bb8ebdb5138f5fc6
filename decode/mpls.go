package decode

import "encoding/binary"

// An MPLS label stack entry (RFC 3032 section 2.1) and a pseudowire's control word (RFC 4385
// section 3).
const (
	labelShift     = 12
	bottomOfStack  = 0x100
	labelLen       = 4
	controlWordLen = 4
	labelGAL       = 13 // generic associated channel (RFC 5586): no traffic
)

// mpls decodes a label stack. What it carries must be guessed.
func (d *Decoder) mpls(r *Record, b []byte, n uint, level uint8) Status {
	for {
		if len(b) < labelLen {
			return r.short(n, labelLen)
		}
		if r.NMPLS == MaxTags {
			return TooDeep
		}
		entry := binary.BigEndian.Uint32(b)
		r.MPLS[r.NMPLS] = entry >> labelShift
		r.NMPLS++
		b, n = b[labelLen:], n-labelLen
		if entry&bottomOfStack != 0 {
			switch {
			case entry>>labelShift == labelGAL:
				return NotIP
			case exactIPv4(b, n):
				return d.ipv4(r, b, n, level) // as belowLabels: nearly all, a call less
			}
			return d.belowLabels(r, b, n, level)
		}
	}
}

// exactIPv4 reports whether b is an IPv4 packet without options and of n bytes, which nothing else
// is by chance. Where addresses may look like a type field, ratherEthernet comes to the same, by
// branches that no predictor knows.
func exactIPv4(b []byte, n uint) bool {
	return len(b) >= ipv4MinLen && b[0] == ipv4NoOptions && n >= ipv4MinLen &&
		uint(binary.BigEndian.Uint16(b[offIPv4Length:])) == n
}

// belowLabels decodes what lies below the bottom of a stack: by the first nibble (RFC 4928
// section 3), unless that is the beginning of a MAC address in an Ethernet pseudowire without a
// control word.
func (d *Decoder) belowLabels(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) == 0 {
		return r.short(n, 1)
	}
	pseudowire := likelyEthernet(b)
	switch nibble := b[0] >> 4; {
	case (nibble == 4 || nibble == 6) && !(pseudowire && ratherEthernet(b, n)):
		return d.anyIP(r, b, n, level)
	case nibble == 0 && len(b) < controlWordLen:
		return r.short(n, controlWordLen)
	case nibble == 0 && (likelyEthernet(b[controlWordLen:]) || !pseudowire):
		return d.open(r, MPLSPW, typeMAC, b[controlWordLen:], n-controlWordLen, level)
	case pseudowire:
		return d.open(r, MPLSPW, typeMAC, b, n, level)
	}
	return NotIP
}

// ratherEthernet decides for what begins like an IP packet and looks like an Ethernet frame too:
// it is IP where its length says so, unless it falls short and that of the packet inside fits.
func ratherEthernet(b []byte, n uint) bool {
	length := ipLength(b)
	return length == 0 || length > n || length < n && likelyIP(b[ethernetLen:], n-ethernetLen)
}

// likelyIP reports whether b looks like an IP packet of at most n bytes.
func likelyIP(b []byte, n uint) bool {
	length := ipLength(b)
	return length > 0 && length <= n
}

// ipLength returns the length that b has as an IP packet, 0 if it cannot be one. It looks at no
// more than the first bytes, so that a cropped frame is judged as the whole one.
func ipLength(b []byte) uint {
	if len(b) < offIPv6Length+2 {
		return 0
	}
	switch {
	case b[0]-ipv4NoOptions <= 10:
		length := uint(binary.BigEndian.Uint16(b[offIPv4Length:]))
		if length >= ipv4MinLen {
			return length
		}
	case b[0]>>4 == 6:
		return ipv6Len + uint(binary.BigEndian.Uint16(b[offIPv6Length:]))
	}
	return 0
}

// likelyEthernet reports whether b looks like an Ethernet frame that leads to IP.
func likelyEthernet(b []byte) bool {
	if len(b) <= ethernetLen {
		return false
	}
	nibble := b[ethernetLen] >> 4
	switch t := ethertype(binary.BigEndian.Uint16(b[offEtherType:])); t {
	case typeIPv4:
		return nibble == 4
	case typeIPv6:
		return nibble == 6
	case typeVLAN, typeQinQ, typeQinQOld, typeMPLS, typeMPLSMulti, typePPPoE:
		return true
	default:
		return t < minType && b[ethernetLen] == sapSNAP
	}
}
