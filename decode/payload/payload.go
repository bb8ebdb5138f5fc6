// Package payload finds what captured frames carry over UDP, and in single segments of TCP, for
// those who read captures of export datagrams. It is not for the packet path: it searches, and it
// allocates.
package payload

import (
	"encoding/binary"

	"weir/decode"
)

// Datagram is what one UDP datagram or TCP segment carries, or as much of it as was captured.
type Datagram struct {
	Src, Dst         decode.Addr
	SrcPort, DstPort uint16
	Data             []byte // without the header; valid until the next frame
}

// Finder reads frames, one after the other, and puts the fragments of IP packets together. Its
// zero value is ready.
type Finder struct {
	decoder  decode.Decoder
	record   decode.Record
	assembly assembly

	// GivenUp, unless nil, is called with each fragmented datagram of which not all came, and what
	// came of its beginning.
	GivenUp func(*Datagram)

	// Segment, unless nil, is called with what each TCP segment carries that is not in fragments.
	Segment func(*Datagram)
}

// Lengths and offsets of IPv4 (RFC 791), IPv6 (RFC 8200) and UDP (RFC 768).
const (
	ipv4Len       = 20
	offIPv4Length = 2
	offIPv4ID     = 4
	offIPv4Frag   = 6
	offIPv4Proto  = 9
	offIPv4Src    = 12

	ipv6Len       = 40
	offIPv6Length = 4
	offIPv6Next   = 6
	offIPv6Src    = 8

	udpLen = 8

	tcpLen    = 20 // RFC 9293
	offTCPLen = 12

	protoHopByHop = 0
	protoTCP      = 6
	protoUDP      = 17
	protoRouting  = 43
	protoFragment = 44
	protoAH       = 51
	protoOptions  = 60
)

// horizon is how deep in a frame the innermost header is looked for.
const horizon = 512

// Find fills out with the UDP datagram that a frame of a link type carries, or that it is the last
// missing fragment of, and reports whether there is one. Encapsulations are those that
// decode.Decoder opens; wire is the length of the frame.
func (f *Finder) Find(out *Datagram, link decode.Link, data []byte, wire uint32) bool {
	r := &f.record
	f.decoder.Decode(r, link, data, wire)
	segment := r.Proto == protoTCP && r.Fragment == decode.NotFragment && f.Segment != nil
	if r.Version == 0 || r.Proto != protoUDP && !segment {
		return false
	}
	p, ok := f.packet(data)
	if !ok {
		return false
	}
	if segment {
		if out.segment(r.Src, r.Dst, p.body) {
			f.Segment(out)
		}
		return false
	}
	if r.Fragment == decode.NotFragment {
		return out.fill(r.Src, r.Dst, p.body)
	}
	whole, ok := f.assembly.add(f, r, &p)
	return ok && out.fill(r.Src, r.Dst, whole)
}

// End gives up the datagrams of which fragments are missing: the capture has ended.
func (f *Finder) End() { f.assembly.drain(f) }

// fill reads a UDP header and takes what is behind it.
func (g *Datagram) fill(src, dst decode.Addr, b []byte) bool {
	if len(b) < udpLen {
		return false
	}
	*g = Datagram{
		Src: src, Dst: dst, SrcPort: binary.BigEndian.Uint16(b),
		DstPort: binary.BigEndian.Uint16(b[2:]), Data: b[udpLen:],
	}
	if length := int(binary.BigEndian.Uint16(b[4:])); length >= udpLen && length < len(b) {
		g.Data = b[udpLen:length]
	}
	return true
}

// segment reads a TCP header and takes what is behind it, if there is anything.
func (g *Datagram) segment(src, dst decode.Addr, b []byte) bool {
	if len(b) < tcpLen {
		return false
	}
	header := int(b[offTCPLen]>>4) * 4
	if header < tcpLen || header >= len(b) {
		return false
	}
	*g = Datagram{
		Src: src, Dst: dst, SrcPort: binary.BigEndian.Uint16(b),
		DstPort: binary.BigEndian.Uint16(b[2:]), Data: b[header:],
	}
	return true
}

// Lengths and offsets of IPFIX (RFC 7011 section 3).
const (
	ipfixVersion = 10
	ipfixLen     = 16
	setLen       = 4
	minDataSet   = 256
)

// Message reports whether g begins like an IPFIX message, which may be longer than g.
func (g *Datagram) Message() bool {
	at := binary.BigEndian.Uint16
	if len(g.Data) < ipfixLen+setLen || at(g.Data) != ipfixVersion {
		return false
	}
	length, id, set := at(g.Data[2:]), at(g.Data[ipfixLen:]), at(g.Data[ipfixLen+2:])
	return (id == 2 || id == 3 || id >= minDataSet) && set >= setLen &&
		int(length) >= ipfixLen+int(set)
}

// packet is what of an IP packet is behind its headers.
type packet struct {
	body   []byte
	id     uint32 // of a fragment
	offset int    // of it, in bytes
	more   bool   // it is not the last
}

// packet finds the header that the decoder has read, the innermost, by what it read there: where
// it is, the decoder does not say.
func (f *Finder) packet(data []byte) (packet, bool) {
	size, read := ipv4Len, f.ipv4
	if f.record.Version == 6 {
		size, read = ipv6Len, f.ipv6
	}
	for i := 0; i < horizon && i+size <= len(data); i++ {
		if p, ok := read(data[i:]); ok {
			return p, true
		}
	}
	return packet{}, false
}

// ipv4 reads the IPv4 header at the beginning of b if it is that of the record.
func (f *Finder) ipv4(b []byte) (packet, bool) {
	r, at := &f.record, binary.BigEndian.Uint32
	length, header := int(binary.BigEndian.Uint16(b[offIPv4Length:])), int(b[0]&0xf)*4
	if length == 0 {
		length = int(r.IPLen) // segmentation offload
	}
	if b[0]>>4 != 4 || b[offIPv4Proto] != r.Proto || uint32(length) != r.IPLen ||
		header < ipv4Len || header > min(length, len(b)) ||
		decode.AddrFrom4(at(b[offIPv4Src:])) != r.Src ||
		decode.AddrFrom4(at(b[offIPv4Src+4:])) != r.Dst {
		return packet{}, false
	}
	fragment := binary.BigEndian.Uint16(b[offIPv4Frag:])
	return packet{
		body: b[header:min(length, len(b))], id: uint32(binary.BigEndian.Uint16(b[offIPv4ID:])),
		offset: int(fragment&0x1fff) * 8, more: fragment&0x2000 != 0,
	}, true
}

// ipv6 reads the IPv6 header at the beginning of b, and its extensions, if it is that of the
// record.
func (f *Finder) ipv6(b []byte) (packet, bool) {
	length := ipv6Len + int(binary.BigEndian.Uint16(b[offIPv6Length:]))
	r := &f.record
	if b[0]>>4 != 6 || uint32(length) != r.IPLen || address(b[offIPv6Src:]) != r.Src ||
		address(b[offIPv6Src+16:]) != r.Dst {
		return packet{}, false
	}
	var p packet
	next := b[offIPv6Next]
	b = b[ipv6Len:min(length, len(b))]
	for range decode.MaxExtHeaders {
		if len(b) < 8 {
			break
		}
		size := 8 + int(b[1])*8
		switch next {
		case r.Proto:
			p.body = b
			return p, true
		case protoHopByHop, protoRouting, protoOptions:
		case protoAH:
			size = 8 + int(b[1])*4
		case protoFragment:
			size = 8
			fragment := binary.BigEndian.Uint16(b[2:])
			p.offset, p.more = int(fragment&^7), fragment&1 != 0
			p.id = binary.BigEndian.Uint32(b[4:])
		default:
			return packet{}, false
		}
		if size > len(b) {
			break
		}
		next, b = b[0], b[size:]
		if p.offset > 0 { // what follows is in the first fragment
			p.body = b
			return p, next == r.Proto
		}
	}
	return packet{}, false
}

func address(b []byte) decode.Addr {
	return decode.Addr{Hi: binary.BigEndian.Uint64(b), Lo: binary.BigEndian.Uint64(b[8:])}
}
