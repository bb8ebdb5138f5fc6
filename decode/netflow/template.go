package netflow

import (
	"encoding/binary"
	"sync/atomic"

	"weir/decode"
)

const (
	minTemplate = 256   // template and data set IDs begin here; below are the sets of templates
	variable    = 65535 // length of fields whose records say it themselves (RFC 7011 section 7)

	// maxRecord is what a record can have at most in a UDP datagram, behind a set's header.
	maxRecord = 65535 - 8 - headerIPFIX - setHeader

	family4, family6 = 1, 2 // bits of template.family

	v4Mapped = 0xffff << 32 // in the lower half of an IPv4 address, as in decode.Addr
)

// A wording is a template as the exporter sent it.
type wording struct {
	proto  decode.FlowProto
	id     uint16
	scopes uint16 // of an options template: how many of the fields say what it is about
	fields uint16
	port   uint16 // that it came from
	about  bool   // an options template
	raw    []byte // the field specifiers
}

// A template is a wording and the plan made of it. It never changes, but for seen.
type template struct {
	wording
	seen atomic.Int64 // when it was last used or sent, ns since 1970

	places   [numFields]place
	masks    [firstOdd]uint64 // of the places before firstOdd
	odd      uint64           // the fields from firstOdd on that have a place, by bit
	size     uint16           // of a record; of those that vary, the least
	start    clock
	end      clock
	revStart clock
	revEnd   clock
	version  uint8  // 4 or 6: what the addresses are; 0: there are none
	family   uint8  // families of addresses that are there
	selector bool   // fSampler is a selector's number
	frames   bool   // fSection begins with a link header
	event    bool   // tells of an event rather than of traffic: no counts
	srcBits  uint64 // makes a source or destination an IPv4 one
	dstBits  uint64
	nextBits uint64
	vary     *varying // nil: every record has the same size
}

// has reports whether records have odd field f.
func (t *template) has(f field) bool { return t.odd>>(f-firstOdd)&1 != 0 }

// varying is what finds the places in records whose fields have no fixed length.
type varying struct {
	at   []uint16 // bytes of fixed length before each field of variable length
	own  []field  // the field that each is, or noField
	move []moved
}

// moved is a field behind the first after fields of variable length.
type moved struct {
	field field
	after uint16 // how many
	end   uint16 // of its place, without them
}

// specifier is one field of a wording.
type specifier struct {
	id     uint16
	length uint16
	pen    uint32
}

// next takes one field specifier off b, and returns 0 bytes where b ends too early.
func (w *wording) next(b []byte) (s specifier, n int) {
	if len(b) < 4 {
		return s, 0
	}
	s.id, s.length = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if w.proto != decode.IPFIX || s.id < 1<<15 {
		return s, 4
	}
	if len(b) < 8 {
		return s, 0
	}
	s.id &= 1<<15 - 1
	s.pen = binary.BigEndian.Uint32(b[4:])
	return s, 8
}

// measure finds the end of w's field specifiers in b and sets w.raw. It reports whether they are
// all there and describe records that can be: of one byte at least (RFC 7011 does not say so,
// but a record of none would never end) and no longer than a datagram.
func (w *wording) measure(b []byte) (whole, sane bool) {
	pos, size := 0, 0
	sane = w.fields > 0
	for range w.fields {
		s, n := w.next(b[pos:])
		if n == 0 {
			return false, false
		}
		pos += n
		if s.length == variable { // of NetFlow v9 too: H3C's NetStream has strings
			size++
		} else {
			size += int(s.length)
		}
	}
	w.raw = b[:pos]
	return true, sane && size > 0 && size <= maxRecord
}

// same reports whether w and o say the same.
func (w *wording) same(o *wording) bool {
	return w.about == o.about && w.scopes == o.scopes && string(w.raw) == string(o.raw)
}

// compiler is a template in the making.
type compiler struct {
	t     *template
	rank  [numFields]uint8
	after [numFields]uint16 // fields of variable length before it
	clock [numFields]clock
	vary  varying
	size  int
	ntop  bool  // it has elements that only nProbe sends
	seen  clock // of an observation time
	at    place // its place
}

// compile makes a template of a sane wording, with raw bytes of its own.
func compile(w *wording) *template {
	t := &template{wording: *w}
	t.raw = append([]byte(nil), w.raw...)
	c := compiler{t: t}
	for i := range c.rank {
		c.rank[i] = 255
	}
	b := t.raw
	for i := range t.fields {
		s, n := t.next(b)
		b = b[n:]
		c.add(s, i < t.scopes)
	}
	t.size = uint16(c.size)
	c.times()
	c.addresses()
	c.opposite()
	c.substitutes()
	c.directions()
	for f := firstOdd; f < numFields; f++ {
		if t.places[f].width != 0 {
			t.odd |= 1 << (f - firstOdd)
		}
	}
	for f := range firstOdd {
		t.masks[f] = masks[t.places[f].width&15]
	}
	if len(c.vary.at) > 0 {
		c.movers()
	}
	return t
}

// add gives one more field its place.
func (c *compiler) add(s specifier, scope bool) {
	m := c.meaning(s, scope)
	c.ntop = c.ntop || s.pen == ntopPEN || s.pen == 0 && c.t.proto == decode.NetFlow9 &&
		s.id >= ntopFirst && s.id <= ntopLast
	p := place{width: s.length}
	if s.length == variable {
		c.vary.at = append(c.vary.at, uint16(c.size-len(c.vary.at)))
		c.vary.own = append(c.vary.own, noField)
		c.size++
		p.end = uint16(c.size - len(c.vary.at))
	} else {
		c.size += int(s.length)
		p.end = uint16(c.size - len(c.vary.at))
	}
	if s.pen == 0 && observed[s.id] > c.seen && s.length <= 8 {
		c.seen, c.at = observed[s.id], p
	}
	if !m.known || s.length == 0 || m.rank >= c.rank[m.field] || !m.fits(s.length) {
		return
	}
	c.rank[m.field], c.clock[m.field] = m.rank, m.clock
	c.after[m.field] = uint16(len(c.vary.at))
	if s.length == variable {
		c.vary.own[len(c.vary.own)-1] = m.field
	}
	c.put(m, p)
}

// put sets the places of m's field: two for an address of 16 bytes.
func (c *compiler) put(m meaning, p place) {
	switch m.shape {
	case addr6:
		lo, hi := m.field, m.field-1
		c.t.places[lo] = place{p.end, 8}
		c.t.places[hi] = place{p.end - 8, 8}
		c.after[hi] = c.after[lo]
		return
	case selector:
		c.t.selector = true
	case sampler:
		c.t.selector = false
	case linkFrame:
		c.t.frames = true
	case ipPacket:
		c.t.frames = false
	}
	if m.shape != linkFrame && m.shape != ipPacket {
		p.width = min(p.width, 8)
	}
	c.t.places[m.field] = p
}

// oldEvent is fEvent in NetFlow v9 of Cisco ASA before 8.3.
const oldEvent = 40005

// scopeInterface is NetFlow v9's scope of options that are about one interface (RFC 3954
// section 6.1). Its other scopes, 1 to 5, are no elements either.
const scopeInterface = 2

func (c *compiler) meaning(s specifier, scope bool) meaning {
	if scope && c.t.proto == decode.NetFlow9 && s.id <= 5 {
		if s.id == scopeInterface {
			return is(fInIf)
		}
		return meaning{}
	}
	if s.id == oldEvent && c.t.proto == decode.NetFlow9 {
		return like(fEvent, 1)
	}
	return meaningOf(s.id, s.pen)
}

// fits reports whether a field that is length bytes long can be read as m.
func (m meaning) fits(length uint16) bool {
	switch m.shape {
	case addr4:
		return length == 4
	case addr6:
		return length == 16
	case label:
		return length == 3
	case linkFrame, ipPacket:
		return true
	}
	return length != variable
}

// times gives the ends of the flow the record's only time where they have none of their own.
func (c *compiler) times() {
	t := c.t
	if c.seen != noClock && t.places[fStart].width == 0 && t.places[fEnd].width == 0 {
		c.clock[fStart], c.clock[fEnd] = c.seen, c.seen
		t.places[fStart], t.places[fEnd] = c.at, c.at
	}
	t.start, t.end = c.clock[fStart], c.clock[fEnd]
	t.revStart, t.revEnd = c.clock[fRevStart], c.clock[fRevEnd]
}

// addresses moves IPv6 addresses to where they are read without asking, unless there are IPv4
// ones too, and says which there are.
func (c *compiler) addresses() {
	t := c.t
	for _, f := range []field{fSrcLo, fDstLo} {
		if t.places[f].width != 0 {
			t.family |= family4
		}
	}
	for _, f := range []field{fSrc6Lo, fDst6Lo} {
		if t.places[f].width != 0 {
			t.family |= family6
		}
	}
	t.srcBits = c.either(fSrcLo, fSrc6Lo)
	t.dstBits = c.either(fDstLo, fDst6Lo)
	t.nextBits = c.either(fNextLo, fNext6Lo)
	switch t.family {
	case family4:
		t.version = 4
		t.srcBits, t.dstBits = v4Mapped, v4Mapped // of the one that is missing, too
	case family6:
		t.version = 6
	case family4 | family6:
		t.version = 4 // unless the record says otherwise
	}
}

// either moves the address at from to to, if nothing is there, and returns what makes that an
// IPv4 address: 0 for one of IPv6, or none.
func (c *compiler) either(to, from field) uint64 {
	t := c.t
	if t.places[to].width != 0 {
		return v4Mapped
	}
	c.move(to, from)
	c.move(to-1, from-1)
	return 0
}

// move makes from's place to's.
func (c *compiler) move(to, from field) {
	t := c.t
	t.places[to], t.places[from] = t.places[from], place{}
	c.after[to] = c.after[from]
}

// nProbe's own elements: of its enterprise in IPFIX, and behind 57472 in NetFlow v9 (ntop's guide,
// "Flow Information Elements").
const (
	ntopPEN   = 35632
	ntopFirst = 57472
	ntopLast  = ntopFirst + 1<<11 - 1
)

// opposite has the counts of what left the device be those of the other direction where nProbe sent
// them: it has one record for both. Elsewhere they are of the same packets, counted again behind
// the device, and a template that does not prove to be nProbe's is taken for such.
func (c *compiler) opposite() {
	p := &c.t.places
	if !c.ntop || c.rank[fBytes] >= rankOut || c.rank[fPackets] >= rankOut ||
		p[fRevBytes].width != 0 || p[fRevPackets].width != 0 {
		return
	}
	for to, from := range map[field]field{fRevBytes: fOutBytes, fRevPackets: fOutPackets} {
		if p[from].width != 0 {
			c.move(to, from)
			c.rank[to] = 0
		}
	}
}

// substitutes puts fields that count where others are zero in the place of those that are missing.
// The counts of what left the device are better than an initiator's.
func (c *compiler) substitutes() {
	for to, from := range map[field]field{
		fBytes: fOutBytes, fPackets: fOutPackets, fInIf: fInIf2, fOutIf: fOutIf2,
	} {
		if c.t.places[from].width != 0 && c.rank[to] > rankOut {
			c.rank[to] = rankOut
			c.move(to, from)
		}
	}
}

// directions drops the responder's counts where the others are not the initiator's, and finds
// out whether there are counts at all.
func (c *compiler) directions() {
	t := c.t
	if c.rank[fBytes] < rankInitiator || c.rank[fPackets] < rankInitiator {
		for _, f := range []field{fRevBytes, fRevPackets} {
			if c.rank[f] == rankResponder {
				t.places[f] = place{}
			}
		}
	}
	counts := false
	for _, f := range []field{
		fBytes, fPackets, fRevBytes, fRevPackets, fL2Bytes, fPacketLen, fSectionSize,
	} {
		counts = counts || t.places[f].width != 0
	}
	t.event = t.places[fEvent].width != 0 && !counts
}

// movers lists the fields that stand behind one of variable length.
func (c *compiler) movers() {
	for f := range numFields {
		if c.after[f] > 0 && c.t.places[f].width != 0 {
			c.vary.move = append(c.vary.move, moved{f, c.after[f], c.t.places[f].end})
		}
	}
	c.t.vary = &c.vary
}
