package netflow

import "encoding/binary"

// A field is a value that decoding wants of a record, whatever information element tells it.
type field uint8

// The fields. Those before firstOdd are read for every record, the others only where their
// template has them. The Hi and Lo of an address are its 64-bit halves.
const (
	fBytes field = iota
	fPackets
	fProto
	fFlags
	fSrcPort
	fDstPort
	fSrcHi
	fSrcLo
	fDstHi
	fDstLo
	fInIf
	fOutIf
	fForwarding
	fStart
	fEnd
	fSampler
	fEgress // direction: 1 is egress
	fTOS    // from here to fNextLo: for All only
	fSrcAS
	fDstAS
	fNextHi
	fNextLo
	fSrc6Hi // beside an IPv4 source in the same template
	fSrc6Lo
	fDst6Hi
	fDst6Lo
	fNext6Hi
	fNext6Lo
	fSrcPort2 // where the first is zero
	fDstPort2
	fICMP4 // type × 256 + code
	fICMP6
	fType4
	fCode4
	fType6
	fCode6
	fFragOffset
	fFragFlags
	fNATEvent
	fEvent    // a firewall's
	fRevBytes // the other direction of a biflow
	fRevPackets
	fRevFlags
	fRevStart
	fRevEnd
	fRate   // N of 1:N
	fRandom // N of a random sampler's 1:N
	fAlgorithm
	fInterval // packets that are selected, then fSpace that are not
	fSpace
	fTimeInterval
	fTimeSpace
	fSampleSize // packets that are selected of fPopulation
	fPopulation
	fProbability // floating point
	fObserved
	fSelected
	fSection     // first bytes of a sampled packet
	fSectionSize // bytes of the frame on the wire
	fSectionUsed // bytes of the section that are packet
	fSectionLink
	fBoot // the exporter's start, ms since 1970
	fDurationMs
	fDurationUs
	fPacketLen
	fL2Bytes
	fOutBytes // these four count where the first ones are zero
	fOutPackets
	fInIf2
	fOutIf2
	fTTL
	fVLAN
	fVLAN2
	fPostVLAN
	fPostVLAN2
	fInnerVLAN
	fMPLS                         // and seven more
	numFields = fMPLS + maxLabels // of places

	noField field = 255
)

const (
	firstOdd  = fSrc6Hi
	maxLabels = 8 // of decode.MaxTags

	_ = uint(64 - (numFields - firstOdd)) // a bit for each in template.odd
)

// A place is where a field's value stands in a record, by its end: a number is read as the last
// of the 8 bytes before it. Width 0 is a field that is not there, and reads as 0.
type place struct {
	end   uint16 // from the record's first byte to behind the value
	width uint16
}

// lead is how many readable bytes precede a record in its datagram, at least: those of the
// headers. The 8 bytes of a place may begin there.
const lead = 8

var masks = [16]uint64{
	0, 1<<8 - 1, 1<<16 - 1, 1<<24 - 1, 1<<32 - 1, 1<<40 - 1, 1<<48 - 1, 1<<56 - 1, 1<<64 - 1,
}

// A window is what may be read at a record: lead bytes, the record, and whatever follows. No
// place lies outside, which spares the checks.
type window [lead + maxDatagram]byte

// maxDatagram is more than UDP carries, and a place's greatest end.
const maxDatagram = 1<<16 - 1

// window returns the window of the record at at, behind the headers.
func (d *Decoder) window(at int) *window { return (*window)(d.buf[at-lead:]) }

// load returns the number at p.
func load(rec *window, p place) uint64 {
	end := int(p.end)
	return binary.BigEndian.Uint64(rec[end:end+lead]) & masks[p.width&15]
}

// fast is load for a field before firstOdd.
func fast(rec *window, p *[numFields]place, t *template, f field) uint64 {
	end := int(p[f].end)
	return binary.BigEndian.Uint64(rec[end:end+lead]) & t.masks[f]
}
