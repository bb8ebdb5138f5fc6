package netflow

import (
	"encoding/binary"

	"weir/decode"
)

// Fields says how much of a record a Decoder reads.
type Fields uint8

// The choices.
const (
	// Counted is what counting needs: it leaves out next hop, autonomous systems, TOS, TTL,
	// VLANs and MPLS labels, which are then zero.
	Counted Fields = iota
	All
)

// Decoder turns export datagrams into records.
//
// Concurrency: one goroutine at a time. Sequence numbers are followed here, so that all
// datagrams of an exporter's stream should come to the same Decoder.
type Decoder struct {
	cache   *Cache
	all     bool
	inner   *decode.Decoder // for sections of sampled packets
	cropped decode.Decoder  // inner, where the length on the wire is not told

	arrival decode.Arrival
	dg      decode.Datagram
	b       []byte // the datagram, to the end that its header gives
	pos     int    // of the next set, or v5 record
	up      uint32 // its header's uptime, ms
	upKnown bool
	left    int    // v5: records
	count   uint16 // v9: records that the header promises
	sets    uint16 // v9: read
	data    uint32 // data records, with those of options; counted by IPFIX
	done    bool   // Next returned 0
	unknown bool   // there were data records that could not be counted

	key    uint64 // of the domain
	domain *domain
	rates  *rates // that records may look theirs up in
	seq    uint32 // its header's sequence number

	t   *template // of the set being read; nil: none
	at  int       // of its next record
	end int       // of the set

	uptimes  bool   // t's records have both times as uptimes
	constant bool   // rate is that of every record
	rate     uint32 // N
	source   decode.RateSource
	memo     rateKey
	memoRate uint32
	memoFrom decode.RateSource
	memoized bool

	lastRate uint32 // N of the last record
	lastFrom decode.RateSource

	pending bool          // other has not been returned yet
	other   decode.Record // a biflow's other direction

	buf     [2*maxDatagram + lead]byte // the datagram, and room for a window at its end
	places  [numFields]place           // of a record that varies
	delta   [maxFields]uint16
	streams *streams
}

// NewDecoder returns a Decoder that learns into c and reads sections of sampled packets with
// inner; nil opens every tunnel.
func NewDecoder(c *Cache, want Fields, inner *decode.Decoder) *Decoder {
	if inner == nil {
		inner = new(decode.Decoder)
	}
	d := &Decoder{
		cache: c, all: want == All, inner: inner, cropped: *inner, streams: new(streams),
	}
	d.cropped.LengthFromIP = true
	return d
}

const (
	header5     = 24
	record5     = 48
	header9     = 20
	headerIPFIX = 16
	setHeader   = 4
)

// Begin starts on the datagram a: Next then returns its records. What was left of the one before
// is dropped.
func (d *Decoder) Begin(a *decode.Arrival) {
	d.arrival = *a
	d.dg = decode.Datagram{Exporter: a.Source}
	d.b, d.pos, d.left, d.data, d.sets = a.Payload, 0, 0, 0, 0
	d.t, d.domain = nil, nil
	d.unknown, d.pending, d.done = false, false, false
	d.lastRate = 0
	if len(d.b) < 2 {
		d.stop(decode.ShortDatagram)
		return
	}
	switch binary.BigEndian.Uint16(d.b) {
	case 5:
		d.begin5()
	case 9:
		d.own()
		d.begin9()
	case 10:
		d.own()
		d.beginIPFIX()
	default:
		d.stop(decode.BadVersion)
	}
}

// own copies the datagram to where windows are.
func (d *Decoder) own() { d.b = d.buf[:copy(d.buf[:maxDatagram], d.b)] }

// Datagram says what came of the datagram, and is complete once Next has returned 0. It is valid
// until the next Begin.
func (d *Decoder) Datagram() *decode.Datagram { return &d.dg }

// stop gives up what is left of the datagram.
func (d *Decoder) stop(f decode.Fault) {
	d.dg.Faults[f]++
	d.pos = len(d.b)
}

// Next fills out with the next records and returns how many; 0 is the end of the datagram. It
// sets every field of a record, whatever was in it.
func (d *Decoder) Next(out []decode.Record) int {
	n := 0
	for n < len(out) {
		switch {
		case d.pending:
			out[n] = d.other
			d.pending = false
			n++
		case d.t != nil:
			n += d.records(out[n:])
		case d.left > 0:
			n += d.records5(out[n:])
		case !d.nextSet():
			d.account(n)
			d.finish()
			return n
		}
	}
	d.account(n)
	return n
}

// account notes that n records are returned.
func (d *Decoder) account(n int) {
	if n == 0 {
		return
	}
	d.dg.Records += uint32(n)
	d.dg.Rate, d.dg.Learned = d.rate, d.source
	if d.lastRate != 0 {
		d.dg.Rate, d.dg.Learned = d.lastRate, d.lastFrom
	}
}

func (d *Decoder) begin9() {
	d.dg.Proto = decode.NetFlow9
	if len(d.b) < header9 {
		d.stop(decode.ShortDatagram)
		return
	}
	d.dg.Valid = true
	d.count = binary.BigEndian.Uint16(d.b[2:])
	d.up, d.upKnown = binary.BigEndian.Uint32(d.b[4:]), true
	d.dg.Exported = int64(binary.BigEndian.Uint32(d.b[8:])) * second
	d.dg.Domain = binary.BigEndian.Uint32(d.b[16:])
	d.pos = header9
	d.enter()
	d.seq = binary.BigEndian.Uint32(d.b[12:])
}

func (d *Decoder) beginIPFIX() {
	d.dg.Proto = decode.IPFIX
	if len(d.b) < headerIPFIX {
		d.stop(decode.ShortDatagram)
		return
	}
	length := int(binary.BigEndian.Uint16(d.b[2:]))
	if length < headerIPFIX {
		d.stop(decode.ShortDatagram)
		return
	}
	d.dg.Valid = true
	switch {
	case length > len(d.b):
		d.dg.Faults[decode.ShortDatagram]++
	case length < len(d.b):
		d.dg.Faults[decode.BadCount]++
		d.b = d.b[:length]
	}
	d.dg.Exported = int64(binary.BigEndian.Uint32(d.b[4:])) * second
	d.dg.Domain = binary.BigEndian.Uint32(d.b[12:])
	d.pos = headerIPFIX
	d.up, d.upKnown = 0, false
	d.enter()
	d.known()
	d.seq = binary.BigEndian.Uint32(d.b[8:])
}

// enter finds the domain of the datagram, and the sampling rate if that is the same throughout.
func (d *Decoder) enter() {
	d.key = domainKey(d.dg.Proto, d.dg.Domain)
	d.domain = d.cache.domain(d.arrival.Source, d.key)
	d.settle()
}

// known finds the uptime of an IPFIX exporter that told when it began.
func (d *Decoder) known() {
	if d.dg.Proto != decode.IPFIX || d.domain == nil {
		return
	}
	if boot := d.domain.rates.boot.Load(); boot != 0 {
		d.up, d.upKnown = uint32((d.dg.Exported-boot)/milli), true
	}
}

// finish does what can be done only once the datagram has been read to its end.
func (d *Decoder) finish() {
	if d.done {
		return
	}
	d.done = true
	if !d.dg.Valid {
		return
	}
	// RFC 3954 counts records, but exporters count data records only, or sets. A set has one
	// record at least.
	if d.dg.Proto == decode.NetFlow9 && d.count < d.sets {
		d.dg.Faults[decode.BadCount]++
	}
	d.follow()
}
