package rate

import "weir/counters"

// Pipeline is the accounting of everything that came in: per stage what went in, what came out,
// and what was lost under which name. Received = Processed + the sum of Dropped, to the frame.
type Pipeline struct {
	Received  uint64
	Bytes     uint64 // on the wire
	Processed uint64 // had addresses
	Foreign   uint64 // of Processed: neither address is ours
	Internal  uint64 // of Processed: both addresses are ours
	Ignored   uint64 // of Processed, one address is ours: left out by a rule
	Shed      uint64 // dropped at random because a worker fell behind
	Dropped   [counters.MaxReasons]uint64
	Damaged   [counters.MaxReasons]uint64

	Unlisted    uint64 // counts made in an aggregate: the host had few packets so far
	Unplaced    uint64 // counts made in an aggregate, for want of a place in the directory
	Unmerged    uint64 // host-seconds that found no room in the merged table
	LostSamples uint64
	LostHints   uint64
}

// Since returns what p counted after it was before.
func (p *Pipeline) Since(before *Pipeline) (d Pipeline) {
	d = Pipeline{
		Received: p.Received - before.Received, Bytes: p.Bytes - before.Bytes,
		Processed: p.Processed - before.Processed, Foreign: p.Foreign - before.Foreign,
		Internal: p.Internal - before.Internal, Shed: p.Shed - before.Shed,
		Ignored:  p.Ignored - before.Ignored,
		Unlisted: p.Unlisted - before.Unlisted,
		Unplaced: p.Unplaced - before.Unplaced, Unmerged: p.Unmerged - before.Unmerged,
		LostSamples: p.LostSamples - before.LostSamples, LostHints: p.LostHints - before.LostHints,
	}
	for i := range d.Dropped {
		d.Dropped[i] = p.Dropped[i] - before.Dropped[i]
		d.Damaged[i] = p.Damaged[i] - before.Damaged[i]
	}
	return d
}

// Add adds one retired table's counts.
func (p *Pipeline) Add(s *counters.Stats) {
	p.Received += s.Received
	p.Bytes += s.Bytes
	p.Processed += s.Processed
	p.Foreign += s.Foreign
	p.Internal += s.Internal
	p.Ignored += s.Ignored
	p.Shed += s.Shed
	for i := range s.Dropped {
		p.Dropped[i] += s.Dropped[i]
		p.Damaged[i] += s.Damaged[i]
	}
	p.Unlisted += s.Unlisted
	p.Unplaced += s.Unplaced
	p.LostSamples += s.LostSamples
	p.LostHints += s.LostHints
}
