package decode

import "encoding/binary"

// Decoder reads frames. Its zero value opens every kind of tunnel and believes the length on the
// wire; it holds no state between frames.
//
// Concurrency: any number of goroutines may use one Decoder as long as nobody changes it.
type Decoder struct {
	// Closed are the kinds of tunnel that stay closed: the record is then that of the header
	// outside, with status OK.
	Closed [NumTunnels]bool

	// LengthFromIP is for mirrors that crop frames and do not say how long they were: where the
	// outermost IP header claims more than came, it is believed, and Record.Wire grows by the
	// difference. The 32 bits of a jumbogram (RFC 2675) are not: one frame would be 4 GB.
	LengthFromIP bool
}

// ethertype names what a header carries: an Ethernet type (IEEE 802.3, values from 0x0600), or
// one of the kinds beyond 16 bits.
type ethertype uint32

const (
	typeIPv4      ethertype = 0x0800
	typeVLAN      ethertype = 0x8100
	typeIPv6      ethertype = 0x86dd
	typeMPLS      ethertype = 0x8847
	typeMPLSMulti ethertype = 0x8848
	typePPPoE     ethertype = 0x8864 // session stage
	typeQinQ      ethertype = 0x88a8
	typeQinQOld   ethertype = 0x9100

	// Encapsulations that stay closed.
	typeTRILL      ethertype = 0x22f3
	typeMACsec     ethertype = 0x88e5
	typePBB        ethertype = 0x88e7
	typeFabricPath ethertype = 0x8903
	typeETag       ethertype = 0x893f
	typeNSH        ethertype = 0x894f

	minType ethertype = 0x0600 // below: the length of an 802.3 frame

	// What only tunnels carry: an Ethernet frame may not lead to another by its type alone.
	typeMAC   ethertype = 1 << 16 // an Ethernet frame
	typePPP   ethertype = 2 << 16
	typeWLAN  ethertype = 3 << 16 // an IEEE 802.11 frame
	typeAnyIP ethertype = 4 << 16 // IPv4 or IPv6, as the version nibble says
)

// Decode fills r from the captured bytes data of one frame that had wire bytes on the wire; a
// wire smaller than data is taken as len(data). It sets every field of r but Packets and
// Sampling, whatever was in them, and the entries of VLAN, MPLS and Tunnels up to their counts.
//
// A status other than OK does not mean that there are no addresses: r.Version says so. OK with
// Version 0 is an encapsulation that stays closed, such as MACsec, with no IP header before it.
func (d *Decoder) Decode(r *Record, link Link, data []byte, wire uint32) Status {
	n := max(uint(wire), uint(len(data)))
	r.Wire = uint32(n)
	r.Version = 0
	r.Fragment, r.NVLAN, r.NMPLS, r.NTunnels = NotFragment, 0, 0, 0
	var s Status
	if link != LinkEthernet || len(data) < ethernetLen {
		s = d.link(r, link, data, n)
	} else {
		// Not d.ethernet: what mirrors are full of is a call less away.
		switch t := ethertype(binary.BigEndian.Uint16(data[offEtherType:])); t {
		case typeIPv4:
			s = d.ipv4(r, data[ethernetLen:], n-ethernetLen, 0)
		case typeIPv6:
			s = d.ipv6(r, data[ethernetLen:], n-ethernetLen, 0)
		case typeVLAN:
			s = d.vlan(r, data[ethernetLen:], n-ethernetLen, 0)
		default:
			s = d.tagged(r, t, data[ethernetLen:], n-ethernetLen, 0)
		}
	}
	if r.Version == 0 {
		r.clear()
	}
	return s
}

// clear empties what an IP header would have filled.
func (r *Record) clear() {
	r.Src, r.Dst = Addr{}, Addr{}
	r.Bytes, r.IPLen = 0, 0
	r.SrcPort, r.DstPort = 0, 0
	r.Proto, r.TCPFlags, r.TTL, r.IPFlags = 0, 0, 0, 0
}

// The methods below share their last parameters: b are the captured bytes from their header on,
// n is how many were on the wire or, when that is less, how many the enclosing header claims, and
// level is the number of tunnels opened so far.

// open follows a tunnel of kind k, whose content is of type t. Unless an IP header is read in
// there, the record stays as it is, and content that is merely not IP is no damage.
func (d *Decoder) open(r *Record, k Tunnel, t ethertype, b []byte, n uint, level uint8) Status {
	if d.Closed[k] {
		return OK
	}
	if level == MaxTunnels {
		return TooDeep
	}
	vlans, labels, outer := r.NVLAN, r.NMPLS, r.Version
	r.Tunnels[level] = k
	s := d.payload(r, t, b, n, level+1)
	if r.NTunnels > level || outer == 0 {
		return s
	}
	r.NVLAN, r.NMPLS = vlans, labels
	if s == NotIP || k.guessed() && (s == BadHeader || s == BadLength) {
		return OK
	}
	return s
}

// tunnelled returns what GRE and Geneve mean by a protocol type.
func tunnelled(protocol uint16) ethertype {
	switch protocol {
	case 0x6558: // transparent Ethernet bridging (RFC 7637 section 3.2)
		return typeMAC
	case 0x880b:
		return typePPP
	}
	return ethertype(protocol)
}

// guessed reports whether nothing but a port number or a first nibble says that there is a
// tunnel of kind k: what does not look like one inside is then no damage.
func (k Tunnel) guessed() bool {
	switch k {
	case L2TP, VXLAN, Geneve, GTP, MPLSPW:
		return true
	}
	return false
}

// payload decodes what a header announces as t.
func (d *Decoder) payload(r *Record, t ethertype, b []byte, n uint, level uint8) Status {
	switch t {
	case typeIPv4:
		return d.ipv4(r, b, n, level)
	case typeIPv6:
		return d.ipv6(r, b, n, level)
	case typeVLAN, typeQinQ, typeQinQOld:
		return d.vlan(r, b, n, level)
	case typeMPLS, typeMPLSMulti:
		return d.mpls(r, b, n, level)
	case typePPPoE:
		return d.pppoe(r, b, n, level)
	case typePPP:
		return d.ppp(r, b, n, level)
	case typeMAC:
		return d.ethernet(r, b, n, level)
	case typeWLAN:
		return d.wlan(r, b, n, level)
	case typeAnyIP:
		return d.anyIP(r, b, n, level)
	case typeTRILL, typeMACsec, typePBB, typeFabricPath, typeETag, typeNSH:
		return OK
	}
	return NotIP
}

// anyIP decodes an IP packet that only its version nibble tells apart.
func (d *Decoder) anyIP(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) == 0 {
		return r.short(n, 1)
	}
	switch b[0] >> 4 {
	case 4:
		return d.ipv4(r, b, n, level)
	case 6:
		return d.ipv6(r, b, n, level)
	}
	return BadHeader
}

// short is the status of a header of size bytes that the captured bytes do not hold. Inside an
// IP packet that has no room for it, the lengths contradict; in a fragment, the next has the rest.
func (r *Record) short(n, size uint) Status {
	if n < size && r.Version != 0 && r.Fragment == NotFragment {
		return BadLength
	}
	return Truncated
}

// clip returns b without what lies beyond n bytes, padding for example.
func clip(b []byte, n uint) []byte {
	if uint(len(b)) > n {
		return b[:n]
	}
	return b
}
