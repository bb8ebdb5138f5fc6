package blast

import "encoding/binary"

// Ethernet types (IEEE 802.3 section 3.2.6).
const (
	TypeIPv4    = 0x0800
	TypeARP     = 0x0806
	TypeVLAN    = 0x8100
	TypeIPv6    = 0x86dd
	TypeMPLS    = 0x8847
	TypeQinQ    = 0x88a8
	TypeQinQOld = 0x9100
	TypeLLDP    = 0x88cc
)

// Lengths of frames and headers in bytes.
const (
	EthernetLen = 14
	VLANLen     = 4
	MPLSLen     = 4

	// MinFrame is the length of the smallest Ethernet frame without FCS.
	MinFrame = 60
	// MTU is the greatest IP packet that this package sends in one frame.
	MTU = 1500
	// MaxFrame is the length of the longest Ethernet frame without tags and FCS.
	MaxFrame = EthernetLen + MTU
)

// Ethernet is an Ethernet II header (IEEE 802.3 section 3.1.1). A Type below 0x600 makes it an
// 802.3 frame of that length.
type Ethernet struct {
	Dst, Src [6]byte
	Type     uint16
}

// Put writes the header.
func (h *Ethernet) Put(b []byte) int {
	_ = b[EthernetLen-1]
	copy(b, h.Dst[:])
	copy(b[6:], h.Src[:])
	binary.BigEndian.PutUint16(b[12:], h.Type)
	return EthernetLen
}

// VLAN is an 802.1Q tag (IEEE 802.1Q section 9.3) behind its ethertype, which is the Type of the
// header before it; Type is that of what follows.
type VLAN struct {
	Priority uint8  // 3 bits
	ID       uint16 // 12 bits
	Type     uint16
}

// Put writes the tag.
func (h *VLAN) Put(b []byte) int {
	_ = b[VLANLen-1]
	binary.BigEndian.PutUint16(b, uint16(h.Priority)<<13|h.ID&0xfff)
	binary.BigEndian.PutUint16(b[2:], h.Type)
	return VLANLen
}

// MPLS is a label stack entry (RFC 3032 section 2.1).
type MPLS struct {
	Label  uint32 // 20 bits
	Class  uint8  // 3 bits
	Bottom bool   // of the stack
	TTL    uint8
}

// Put writes the entry.
func (h *MPLS) Put(b []byte) int {
	entry := h.Label<<12 | uint32(h.Class&7)<<9 | uint32(h.TTL)
	if h.Bottom {
		entry |= 1 << 8
	}
	binary.BigEndian.PutUint32(b, entry)
	return MPLSLen
}
