package netflow

import "weir/decode"

// A stream is one exporting process: what it sends has one sequence. NetFlow v5 counts flows, v9
// datagrams, IPFIX data records, each before the datagram that has the number. Some exporters
// count otherwise, which shows when their steps fit that.
type stream struct {
	source decode.Addr
	key    uint64
	port   uint16
	manner manner
	again  manner // another manner that fitted the last step
	open   bool   // last can be counted on from
	time   int64  // of the last datagram's receipt; 0: the entry is free
	up     uint32 // its uptime, ms
	last   tally
	late   tally // of the last that came late
}

// A tally is a datagram's sequence number and what was in it.
type tally struct {
	seq, data, options uint32
	known              bool // what was in it
}

// A manner is what an exporter's sequence numbers advance by.
type manner uint8

const (
	standard   manner = iota
	before            // data records of the last datagram: in v9, where it should be 1
	beforeData        // the same without options data
	within            // data records of the same datagram
	withinData
	numManners
)

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
type streams [streamSets][streamWays]stream

// find returns the entry of a stream, new if need be.
func (s *streams) find(seed uint64, source decode.Addr, port uint16, key uint64) *stream {
	h := mix(mix(mix(source.Hi^seed)^source.Lo)^key<<16^uint64(port)) % streamSets
	set := &s[h]
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

// follow compares the datagram, which has been read, with what its stream was at.
func (d *Decoder) follow() {
	s := d.streams.find(d.cache.seed, d.arrival.Source, d.arrival.Port, d.key)
	now := tally{seq: d.seq, data: d.data, options: d.dg.Options, known: !d.unknown}
	if s.open {
		switch {
		case d.dg.Proto != decode.IPFIX && s.reborn(d.up, d.arrival.Time):
			d.dg.Restart = true
		case !d.step(s, now):
			return
		}
	}
	s.up, s.time = d.up, max(d.arrival.Time, 1)
	s.last, s.late, s.open = now, tally{}, true
}

// step judges a step of the sequence. It reports whether to go on from there.
func (d *Decoder) step(s *stream, now tally) bool {
	want, known := s.manner.expects(d.dg.Proto, s.last, now)
	if !known {
		return true
	}
	off := int32(now.seq - s.last.seq - want)
	if off == 0 || d.otherManner(s, now) {
		s.again = standard
		return true
	}
	late := int32(lateRecords)
	if d.dg.Proto == decode.NetFlow9 {
		late = lateDatagrams
	}
	switch {
	case off > mostLost, off < -late:
		d.dg.Restart = true
	case off > 0:
		d.dg.Lost = uint32(off)
		if d.dg.Proto == decode.NetFlow9 && s.manner != standard {
			d.dg.Lost = max(1, uint32(off)/max(now.data, 1))
		}
	default:
		// A second one that goes on from the first is a new sequence, not a late datagram.
		if want, known = s.manner.expects(d.dg.Proto, s.late, now); known && s.late.known &&
			now.seq-s.late.seq == want && want != 0 {
			d.dg.Restart = true
			return true
		}
		s.late = now
		d.dg.Late = true
		return false
	}
	return true
}

// otherManner reports whether the exporter counts otherwise than was thought. What NetFlow v9
// counts by mistake are great numbers, that a loss could be once by chance: it has to fit twice.
func (d *Decoder) otherManner(s *stream, now tally) bool {
	for m := range numManners {
		want, known := m.expects(d.dg.Proto, s.last, now)
		if !known || want == 0 || now.seq-s.last.seq != want {
			continue
		}
		if d.dg.Proto == decode.NetFlow9 && m != standard && s.again != m {
			s.again = m
			return false
		}
		s.manner = m
		return true
	}
	return false
}

// expects returns by how much the sequence advances from last to now, and whether that can be
// known.
func (m manner) expects(p decode.FlowProto, last, now tally) (uint32, bool) {
	if m == standard {
		switch p {
		case decode.NetFlow9:
			return 1, true
		case decode.NetFlow5:
			return last.data, true
		}
		return last.data, last.known
	}
	if p == decode.NetFlow5 {
		return 0, false
	}
	switch m {
	case before:
		return last.data, last.known
	case beforeData:
		return last.data - last.options, last.known
	case within:
		return now.data, now.known
	}
	return now.data - now.options, now.known
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
