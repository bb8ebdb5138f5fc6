package decode

import "encoding/binary"

// An IEEE 802.11 header of a data frame (IEEE 802.11 section 9.2.3), as it comes without radio in
// tunnels between access points and controllers.
const (
	wlanMinLen     = 24 // with three addresses
	wlanAddressLen = 6  // the fourth, between access points
	wlanQoSLen     = 2
	wlanHTLen      = 4

	wlanType      = 0x0c // of the first byte
	wlanData      = 0x08
	wlanQoS       = 0x80
	wlanNull      = 0x40 // no data
	wlanBothDS    = 0x03 // of the second
	wlanProtected = 0x40
	wlanOrder     = 0x80 // with QoS: there is an HT control field
	wlanAMSDU     = 0x80 // of the QoS field: several frames in one
)

// wlan decodes an 802.11 data frame that is not encrypted. Of an aggregate the first is read.
func (d *Decoder) wlan(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) < wlanMinLen {
		return r.short(n, wlanMinLen)
	}
	if b[0]&(wlanType|wlanNull) != wlanData || b[1]&wlanProtected != 0 {
		return NotIP
	}
	size := uint(wlanMinLen)
	if b[1]&wlanBothDS == wlanBothDS {
		size += wlanAddressLen
	}
	qos := b[0]&wlanQoS != 0
	if qos {
		size += wlanQoSLen
	}
	if uint(len(b)) < size {
		return r.short(n, size)
	}
	aggregate := qos && b[size-wlanQoSLen]&wlanAMSDU != 0
	if qos && b[1]&wlanOrder != 0 {
		size += wlanHTLen
	}
	if aggregate {
		// Each frame has addresses and a length of its own, laid out as in 802.3.
		size += ethernetLen
	}
	if uint(len(b)) < size {
		return r.short(n, size)
	}
	left := n - size
	if aggregate {
		left = min(left, uint(binary.BigEndian.Uint16(b[size-2:])))
	}
	return d.llc(r, b[size:], left, level)
}
