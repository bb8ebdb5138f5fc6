package netflow

// A clock is how an exporter writes a time.
type clock uint8

// The clocks, from the least to the most wanted.
const (
	noClock   clock = iota
	uptimes         // ms since the exporter began
	deltas          // µs before the datagram was sent
	seconds         // since 1970
	millis          // since 1970
	microsNTP       // RFC 7011 section 6.1.9: seconds since 1900 in 32.32 bits
	nanosNTP        // RFC 7011 section 6.1.10, the same
)

// A shape is what a value of a field looks like, where it is no plain number.
type shape uint8

const (
	number shape = iota
	addr4
	addr6
	label   // an MPLS label stack entry without TTL
	octets  // of any length
	sampler // the number of a sampler
	selector
	linkFrame // octets: a frame from its link header on
	ipPacket  // octets: a packet from its IP header on
)

// A meaning is what an information element tells. Where several of a template tell the same, the
// lowest rank counts, and among equals the first: RFC 7011 section 8 lists them in the order in
// which the device came to them.
type meaning struct {
	field field
	rank  uint8
	clock clock
	shape shape
	known bool
}

func is(f field) meaning               { return meaning{field: f, known: true} }
func like(f field, rank uint8) meaning { return meaning{field: f, rank: rank, known: true} }

func (m meaning) as(s shape) meaning { m.shape = s; return m }

func when(f field, c clock) meaning {
	return meaning{field: f, clock: c, rank: uint8(nanosNTP - c), known: true}
}

const (
	rankOut       = 2
	rankInitiator = 3
	rankResponder = 4
)

// elements are the information elements of the IANA registry of IPFIX entities that decoding
// wants, by their numbers, which are those of NetFlow v9 too.
var elements = [...]meaning{
	1: is(fBytes), 85: like(fBytes, 1), 23: is(fOutBytes),
	2: is(fPackets), 86: like(fPackets, 1), 24: is(fOutPackets),
	352: is(fL2Bytes), 353: like(fL2Bytes, 1),

	4: is(fProto), 193: like(fProto, 1),
	5: is(fTOS), 6: is(fFlags),
	7: is(fSrcPort), 180: like(fSrcPort, 1), 182: is(fSrcPort2),
	11: is(fDstPort), 181: like(fDstPort, 1), 183: is(fDstPort2),

	8: is(fSrcLo).as(addr4), 44: like(fSrcLo, 1).as(addr4),
	12: is(fDstLo).as(addr4), 45: like(fDstLo, 1).as(addr4),
	27: is(fSrc6Lo).as(addr6), 170: like(fSrc6Lo, 1).as(addr6),
	28: is(fDst6Lo).as(addr6), 169: like(fDst6Lo, 1).as(addr6),
	15: is(fNextLo).as(addr4), 18: like(fNextLo, 1).as(addr4),
	62: is(fNext6Lo).as(addr6), 63: like(fNext6Lo, 1).as(addr6),

	10: is(fInIf), 252: is(fInIf2),
	14: is(fOutIf), 253: is(fOutIf2),
	16: is(fSrcAS), 17: is(fDstAS),
	61: is(fEgress), 89: is(fForwarding),

	21: when(fEnd, uptimes), 22: when(fStart, uptimes),
	150: when(fStart, seconds), 151: when(fEnd, seconds),
	152: when(fStart, millis), 153: when(fEnd, millis),
	154: when(fStart, microsNTP), 155: when(fEnd, microsNTP),
	156: when(fStart, nanosNTP), 157: when(fEnd, nanosNTP),
	158: when(fStart, deltas), 159: when(fEnd, deltas),
	160: is(fBoot), 161: is(fDurationMs), 162: is(fDurationUs),

	32: is(fICMP4), 176: is(fType4), 177: is(fCode4),
	139: is(fICMP6), 178: is(fType6), 179: is(fCode6),
	88: is(fFragOffset), 197: is(fFragFlags),
	192: is(fTTL), 52: like(fTTL, 1),
	224: is(fPacketLen),

	243: is(fVLAN), 58: is(fVLAN2), 245: is(fInnerVLAN),
	254: is(fPostVLAN), 59: is(fPostVLAN2),
	70: is(fMPLS).as(label), 71: is(fMPLS + 1).as(label), 72: is(fMPLS + 2).as(label),
	73: is(fMPLS + 3).as(label), 74: is(fMPLS + 4).as(label), 75: is(fMPLS + 5).as(label),
	76: is(fMPLS + 6).as(label), 77: is(fMPLS + 7).as(label),

	230: is(fNATEvent), 233: is(fEvent),
	231: like(fBytes, rankInitiator), 298: like(fPackets, rankInitiator),
	232: like(fRevBytes, rankResponder), 299: like(fRevPackets, rankResponder),

	34: is(fRate), 35: is(fAlgorithm), 50: is(fRandom),
	48: is(fSampler).as(sampler), 302: like(fSampler, 1).as(selector),
	305: is(fInterval), 306: is(fSpace), 307: is(fTimeInterval), 308: is(fTimeSpace),
	309: is(fSampleSize), 310: is(fPopulation), 311: is(fProbability),
	318: is(fObserved), 319: is(fSelected),

	104: like(fSection, 2).as(linkFrame), 103: like(fSectionUsed, 1),
	315: is(fSection).as(linkFrame), 312: is(fSectionSize),
	313: like(fSection, 1).as(ipPacket),
	410: is(fSectionUsed), 408: is(fSectionLink),
}

// observed are the times at which a record's one event or packet was seen: both ends of its flow
// where nothing else tells them.
var observed = map[uint16]clock{322: seconds, 323: millis, 324: microsNTP, 325: nanosNTP}

// reversePEN marks an element of the other direction of a biflow (RFC 5103 section 6.1).
const reversePEN = 29305

// reversed returns what element id means under reversePEN.
func reversed(id uint16) meaning {
	m := meaningOf(id, 0)
	switch m.field {
	case fBytes, fOutBytes:
		m.field = fRevBytes
	case fPackets, fOutPackets:
		m.field = fRevPackets
	case fFlags:
		m.field = fRevFlags
	case fStart:
		m.field = fRevStart
	case fEnd:
		m.field = fRevEnd
	default:
		return meaning{}
	}
	return m
}

// meaningOf returns what element id of the enterprise pen means; pen 0 is IANA's registry.
func meaningOf(id uint16, pen uint32) meaning {
	switch {
	case pen == reversePEN:
		return reversed(id)
	case pen != 0 || int(id) >= len(elements):
		return meaning{}
	}
	return elements[id]
}
