package decode

import "net/netip"

// Addr is an IP address as one 16-byte key, as two big-endian halves. IPv4 is v4-mapped
// (RFC 4291 section 2.5.5.2): Hi is 0 and Lo is 0x0000ffff followed by the 32 address bits.
type Addr struct{ Hi, Lo uint64 }

// v4Prefix is the upper half of Lo in a v4-mapped address.
const v4Prefix = 0x0000ffff << 32

// AddrFrom4 returns the v4-mapped form of the 32 bits of an IPv4 address.
func AddrFrom4(ip uint32) Addr { return Addr{0, v4Prefix | uint64(ip)} }

// Is4 reports whether a is a v4-mapped IPv4 address.
func (a Addr) Is4() bool { return a.Hi == 0 && a.Lo>>32 == 0xffff }

// Netip returns a as the standard library has it; a v4-mapped address becomes plain IPv4.
func (a Addr) Netip() netip.Addr {
	var b [16]byte
	for i := range 8 {
		b[i] = byte(a.Hi >> (56 - 8*i))
		b[8+i] = byte(a.Lo >> (56 - 8*i))
	}
	return netip.AddrFrom16(b).Unmap()
}

// AddrFrom returns the key of a standard library address; zones are dropped.
func AddrFrom(ip netip.Addr) Addr {
	b := ip.As16()
	var a Addr
	for i := range 8 {
		a.Hi = a.Hi<<8 | uint64(b[i])
		a.Lo = a.Lo<<8 | uint64(b[8+i])
	}
	return a
}

// Nesting limits: what lies deeper ends with TooDeep.
const (
	MaxTags       = 8 // VLAN tags, and MPLS labels
	MaxTunnels    = 4
	MaxExtHeaders = 8 // IPv6 extension headers, AH included
)

// Fragment says which part of a fragmented IP packet a record is.
type Fragment uint8

// An IPv6 packet whose fragment header has offset 0 and no more fragments (RFC 6946, atomic) is
// NotFragment.
const (
	NotFragment Fragment = iota
	FirstFragment
	LaterFragment
)

// The bits of Record.IPFlags, as in IPv4's header (RFC 791 section 3.1). IPv6 has the latter alone,
// in its fragment header (RFC 8200 section 4.5).
const (
	MoreFragments = 1 << iota
	DontFragment
)

// Record is what the decoders make of one packet or one flow record: the same struct, so that
// there is one accounting path. The caller owns it and reuses it; a decoder overwrites every
// field that it documents as its own.
//
// Addresses, ports, protocol and lengths are those of the innermost IP header that could be
// read, never of one quoted inside an ICMP error. A Record holds what was seen: packets and
// bytes are never multiplied by the sampling rate.
type Record struct {
	Src, Dst Addr // valid iff Version != 0

	Packets  uint64 // 1 for a packet or sFlow sample; Decoder.Decode leaves it alone
	Bytes    uint64 // what counts as bps: IPLen, but never more than was on the wire
	IPLen    uint32 // as the header says: IPv4 total length, or 40 + IPv6 payload length
	Sampling uint32 // N of 1:N; Decoder.Decode leaves it alone
	Wire     uint32 // bytes of the frame on the wire, without FCS; see Decoder.LengthFromIP

	SrcPort, DstPort uint16 // TCP, UDP, SCTP, DCCP, UDP-Lite; ICMP: 0 and type × 256 + code
	Proto            uint8  // after all extension headers
	TCPFlags         uint8  // low 8 bits; valid iff Proto is TCP and not LaterFragment
	TTL              uint8  // IPv4 TTL or IPv6 hop limit
	Version          uint8  // 4 or 6; 0: no IP header was read and there are no addresses
	Fragment         Fragment
	NVLAN            uint8 // valid entries of VLAN, outer → inner
	NMPLS            uint8
	NTunnels         uint8
	IPFlags          uint8 // DontFragment and MoreFragments of the header that Fragment is of

	VLAN    [MaxTags]uint16    // VLAN IDs, 12 bits
	MPLS    [MaxTags]uint32    // labels, 20 bits
	Tunnels [MaxTunnels]Tunnel // those around the header that the addresses are of, outer → inner

	Flow Flow // of a flow record or sample; Decoder.Decode leaves it alone
}

// Tunnel is a kind of encapsulation that Decoder opens.
type Tunnel uint8

// The kinds, in the order of tunnelNames.
const (
	GRE Tunnel = iota
	ERSPAN
	IPIP // any of 4in4, 6in4, 4in6, 6in6
	L2TP // v2 and v3
	VXLAN
	Geneve
	GTP
	PPPoE
	MPLSPW
	NumTunnels
)

var tunnelNames = [NumTunnels]string{
	"gre", "erspan", "ipip", "l2tp", "vxlan", "geneve", "gtp", "pppoe", "mpls_pw",
}

// String returns the name used in the configuration and in JSON.
func (k Tunnel) String() string { return tunnelNames[k] }

// ParseTunnel returns the kind with that name, and false if there is none.
func ParseTunnel(name string) (Tunnel, bool) {
	for t, n := range tunnelNames {
		if n == name {
			return Tunnel(t), true
		}
	}
	return 0, false
}
