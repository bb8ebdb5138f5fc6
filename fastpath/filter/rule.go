package filter

import (
	"errors"
	"sort"

	"weir/decode"
)

// field is a field of numbers.
type field uint8

const (
	sourcePort field = iota
	destinationPort
	packetLength
	vlan
	sourceAS
	destinationAS
	inputInterface
	outputInterface
	ttl
	numFields
)

// span is a range of numbers, both ends in it.
type span struct{ first, last uint32 }

// prefix is a network of either family, in the 16-byte form of addresses.
type prefix struct {
	addr    decode.Addr
	hi, lo  uint64 // mask
	bits    uint8  // 0 to 128
	version uint8
	given   bool
}

// contains reports whether an address of a record of that version is in p.
func (p *prefix) contains(a decode.Addr, version uint8) bool {
	return version == p.version && a.Hi&p.hi == p.addr.Hi && a.Lo&p.lo == p.addr.Lo
}

// Bits of rule.fragmentation.
const (
	dontFragment = 1 << iota
	isFragment
	firstFragment
	lastFragment
	notFragment
)

// tcpFlagBits are those that tcp_flags can name; ECE and CWR (RFC 3168) do not count.
const tcpFlagBits = 0x3f

// Protocols with ports, and TCP.
const (
	protoTCP     = 6
	protoUDP     = 17
	protoDCCP    = 33
	protoSCTP    = 132
	protoUDPLite = 136
)

// rule is one rule: what is empty matches everything.
type rule struct {
	line int // in its file

	source, destination prefix
	has                 uint16 // bits of field
	hasProtocol         bool
	fragmentation       uint8
	tcpFlags            uint64    // bit n: flags n
	protocol            [4]uint64 // bits
	nextHops            []decode.Addr
	agents              []decode.Addr
	sets                [numFields][]span
}

func (r *rule) addProtocol(n uint8) {
	r.hasProtocol = true
	r.protocol[n/64] |= 1 << (n % 64)
}

// check finds rules that match everything or nothing.
func (r *rule) check() error {
	switch {
	case !r.source.given && !r.destination.given && r.has == 0 && !r.hasProtocol &&
		r.fragmentation == 0 && r.tcpFlags == 0 && len(r.nextHops) == 0 && len(r.agents) == 0:
		return errors.New("a rule that matches everything")
	case r.source.given && r.destination.given && r.source.version != r.destination.version:
		return errors.New("source_prefix, destination_prefix: IPv4 and IPv6 in one rule")
	}
	return nil
}

// matches reports whether all fields match.
func (r *rule) matches(rec *decode.Record, exporter decode.Addr) bool {
	if r.hasProtocol && r.protocol[rec.Proto/64]&(1<<(rec.Proto%64)) == 0 ||
		r.destination.given && !r.destination.contains(rec.Dst, rec.Version) ||
		r.source.given && !r.source.contains(rec.Src, rec.Version) {
		return false
	}
	for f, has := field(0), r.has; has != 0; f, has = f+1, has>>1 {
		if has&1 != 0 && !r.hasNumber(f, rec) {
			return false
		}
	}
	return (r.tcpFlags == 0 || rec.Proto == protoTCP && rec.Fragment != decode.LaterFragment &&
		r.tcpFlags&(1<<(rec.TCPFlags&tcpFlagBits)) != 0) &&
		(r.fragmentation == 0 || r.fragmentation&fragmentation(rec) != 0) &&
		(r.nextHops == nil || holds(r.nextHops, rec.Flow.NextHop)) &&
		(r.agents == nil || holds(r.agents, exporter))
}

// hasNumber reports whether a field of numbers matches.
func (r *rule) hasNumber(f field, rec *decode.Record) bool {
	if f == vlan {
		return r.hasVLAN(rec)
	}
	n, ok := number(f, rec)
	return ok && in(r.sets[f], n)
}

// number returns a record's value of a field other than vlan, and whether there is one.
func number(f field, rec *decode.Record) (n uint32, ok bool) {
	switch f {
	case sourcePort:
		return uint32(rec.SrcPort), hasPorts(rec)
	case destinationPort:
		return uint32(rec.DstPort), hasPorts(rec)
	case packetLength:
		return length(rec)
	case sourceAS:
		return rec.Flow.SrcAS, true
	case destinationAS:
		return rec.Flow.DstAS, true
	case inputInterface:
		return rec.Flow.InIf, true
	case outputInterface:
		return rec.Flow.OutIf, true
	case ttl:
		return uint32(rec.TTL), true
	}
	return 0, false
}

// hasPorts reports whether the ports of a record are ports.
func hasPorts(rec *decode.Record) bool {
	switch rec.Proto {
	case protoTCP, protoUDP, protoDCCP, protoSCTP, protoUDPLite:
		return rec.Fragment != decode.LaterFragment
	}
	return false
}

// length returns a packet's IP length, or the mean of a flow record's packets.
func length(rec *decode.Record) (uint32, bool) {
	if rec.Packets == 1 && rec.IPLen != 0 {
		return rec.IPLen, true
	}
	if rec.Packets == 0 {
		return 0, false
	}
	return uint32(min(rec.Bytes/rec.Packets, 1<<32-1)), true
}

func (r *rule) hasVLAN(rec *decode.Record) bool {
	if rec.NVLAN == 0 {
		return in(r.sets[vlan], 0)
	}
	for _, id := range rec.VLAN[:min(rec.NVLAN, decode.MaxTags)] {
		if in(r.sets[vlan], uint32(id)) {
			return true
		}
	}
	return false
}

// fragmentation returns all that is true of a record, as bits.
func fragmentation(rec *decode.Record) (bits uint8) {
	if rec.IPFlags&decode.DontFragment != 0 {
		bits = dontFragment
	}
	switch rec.Fragment {
	case decode.NotFragment:
		bits |= notFragment
	case decode.FirstFragment:
		bits |= isFragment | firstFragment
	case decode.LaterFragment:
		bits |= isFragment
		if rec.IPFlags&decode.MoreFragments == 0 {
			bits |= lastFragment
		}
	}
	return bits
}

// few is how many values are looked at one by one.
const few = 8

// in reports whether n is in a set as merge returns it.
func in(set []span, n uint32) bool {
	if len(set) > few {
		i := sort.Search(len(set), func(i int) bool { return set[i].last >= n })
		return i < len(set) && set[i].first <= n
	}
	for _, s := range set {
		if n <= s.last {
			return n >= s.first
		}
	}
	return false
}

// holds reports whether a is in a sorted set.
func holds(set []decode.Addr, a decode.Addr) bool {
	i := sort.Search(len(set), func(i int) bool {
		return set[i].Hi > a.Hi || set[i].Hi == a.Hi && set[i].Lo >= a.Lo
	})
	return i < len(set) && set[i] == a
}
