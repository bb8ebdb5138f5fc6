package rate

import "weir/counters"

// Exports is the accounting of flow exports. Received = Processed + Shed + Denied + Invalid, to the
// datagram.
type Exports struct {
	Received  uint64 // datagrams
	Bytes     uint64 // of their payloads
	Processed uint64 // were exports
	Shed      uint64 // dropped at random because a worker fell behind
	counters.Exports

	Foreign     uint64 // of Records: neither address is ours
	Internal    uint64 // of Records: both addresses are ours
	Ignored     uint64 // of Records: left out by a rule or script
	Unlisted    uint64 // counts made in an aggregate: the host had few packets so far
	Unplaced    uint64 // counts made in an aggregate, for want of a place in the directory
	Unmerged    uint64 // host-seconds that found no room in the merged table
	LostSamples uint64
}

// Add adds one retired table's counts.
func (e *Exports) Add(s *counters.Stats) {
	e.Received += s.Received
	e.Bytes += s.Bytes
	e.Processed += s.Processed
	e.Shed += s.Shed
	e.Foreign += s.Foreign
	e.Internal += s.Internal
	e.Ignored += s.Ignored
	e.Unlisted += s.Unlisted
	e.Unplaced += s.Unplaced
	e.LostSamples += s.LostSamples
	x := &s.Exports
	e.Denied += x.Denied
	e.Invalid += x.Invalid
	e.Records += x.Records
	e.Unslotted += x.Unslotted
	for i := range x.Skipped {
		e.Skipped[i] += x.Skipped[i]
		e.Faults[i] += x.Faults[i]
	}
}

// Since returns what e counted after it was before.
func (e *Exports) Since(before *Exports) (d Exports) {
	d = Exports{
		Received: e.Received - before.Received, Bytes: e.Bytes - before.Bytes,
		Processed: e.Processed - before.Processed, Shed: e.Shed - before.Shed,
		Exports: counters.Exports{
			Denied: e.Denied - before.Denied, Invalid: e.Invalid - before.Invalid,
			Records:   e.Records - before.Records,
			Unslotted: e.Unslotted - before.Unslotted,
		},
		Foreign: e.Foreign - before.Foreign, Internal: e.Internal - before.Internal,
		Ignored:  e.Ignored - before.Ignored,
		Unlisted: e.Unlisted - before.Unlisted,
		Unplaced: e.Unplaced - before.Unplaced, Unmerged: e.Unmerged - before.Unmerged,
		LostSamples: e.LostSamples - before.LostSamples,
	}
	for i := range d.Skipped {
		d.Skipped[i] = e.Skipped[i] - before.Skipped[i]
		d.Faults[i] = e.Faults[i] - before.Faults[i]
	}
	return d
}
