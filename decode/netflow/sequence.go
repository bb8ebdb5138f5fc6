package netflow

import "weir/decode"

// A stream is one exporting process: what it sends has one sequence. NetFlow v5 counts flows,
// v9 datagrams, IPFIX data records.
type stream struct {
	source decode.Addr
	key    uint64
	port   uint16
	open   bool // next is known
	next   uint32
	up     uint32 // the last datagram's uptime, ms
	time   int64  // of its receipt; 0: the entry is free
}

const (
	streamSets = 1024
	streamWays = 8

	lateDatagrams = 1 << 10 // a step back by no more is a datagram that comes late
	lateRecords   = 1 << 15
	mostLost      = 1 << 26 // a step ahead by more is another sequence
	uptimeSlack   = 60_000  // ms by which an uptime may contradict the time of receipt
)

// streams are those that a Decoder follows: a set-associative table in which the one that was
// silent for longest goes. One that went is taken up again without a loss reported.
type streams struct {
	sets [streamSets][streamWays]stream
}

func newStreams() *streams { return new(streams) }

// find returns the entry of a stream, new if need be.
func (s *streams) find(seed uint64, source decode.Addr, port uint16, key uint64) *stream {
	h := mix(mix(mix(source.Hi^seed)^source.Lo)^key<<16^uint64(port)) % streamSets
	set := &s.sets[h]
	oldest := &set[0]
	for i := range set {
		e := &set[i]
		if e.time != 0 && e.source == source && e.key == key && e.port == port {
			return e
		}
		if e.time < oldest.time {
			oldest = e
		}
	}
	*oldest = stream{source: source, key: key, port: port}
	return oldest
}

// sequence compares the datagram's sequence number with what its stream was at. timed tells that
// there is an uptime.
func (d *Decoder) sequence(n uint32, timed bool) {
	s := d.streams.find(d.cache.seed, d.arrival.Source, d.arrival.Port, d.key)
	if timed && s.time != 0 && s.reborn(d.up, d.arrival.Time) {
		d.dg.Restart = true
		s.open = false
	}
	if s.open {
		late := int32(lateRecords)
		if d.dg.Proto == decode.NetFlow9 {
			late = lateDatagrams
		}
		switch step := int32(n - s.next); {
		case step > mostLost, step < -late:
			d.dg.Restart = true
		case step > 0:
			d.dg.Lost = uint32(step)
		case step < 0:
			d.dg.Late = true
			return
		}
	}
	s.up, s.time = d.up, max(d.arrival.Time, 1)
	s.next, s.open = n, true
	d.stream = s
}

// reborn reports whether an uptime shows that the exporter began anew: it went back, or ahead of
// what time has passed.
func (s *stream) reborn(up uint32, now int64) bool {
	ahead := int64(int32(up - s.up))
	passed := max(0, now-s.time) / milli
	if passed > 1<<30 {
		return false // the counter may have wrapped
	}
	return ahead < -uptimeSlack || ahead > passed+3600*1000
}

// close notes where the stream is once d has read all of the datagram.
func (s *stream) close(d *Decoder) {
	switch d.dg.Proto {
	case decode.NetFlow9:
		s.next++
	default:
		s.next += d.data
		s.open = !d.unknown
	}
}
