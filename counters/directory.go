package counters

import (
	"fmt"
	"math/bits"
)

// Directory lists the hosts of networks that are too wide for a slot per address: 16-way buckets
// under a seeded hash, kept across epochs while only the counters alternate. A new host is listed
// when a count-min sketch has seen it often enough; the least recently active entry of its bucket
// makes room, never one that counts in this epoch or was pinned lately.
//
// Concurrency: one worker.
type Directory struct {
	tags    []uint64 // dirWays bytes per bucket, 0 is free
	entries []listing
	mask    uint32 // buckets - 1
	seed    uint64
	seen    sketch
}

// listing is one entry. What Find compares and what Use writes share a line.
type listing struct {
	key    Key
	last   uint32 // epoch in which it was last active
	pinned uint32 // epoch until which it may not be evicted
}

const (
	tagWords  = dirWays / 8
	pinEpochs = 16
)

// sketch is a count-min sketch of recent packets to unlisted hosts, small enough for the L2
// cache. It starts anew before its counters fill up with noise.
type sketch struct {
	rows [sketchRows][]uint8
	sum  uint32
}

const (
	sketchRows = 2
	sketchBits = 16
	sketchLoad = 4 << sketchBits // packets noted before it starts anew: 4 per counter
)

// NewDirectory returns an empty directory for l out of m, nil if l needs none.
func NewDirectory(m *Memory, l *Layout, seed uint64) (*Directory, error) {
	if l.Directory == 0 {
		return nil, nil
	}
	d := &Directory{mask: l.Directory/dirWays - 1, seed: seed}
	var errs [4]error
	d.tags, errs[0] = alloc[uint64](m, uint64(l.Directory)/8)
	d.entries, errs[1] = alloc[listing](m, uint64(l.Directory))
	for i := range d.seen.rows {
		d.seen.rows[i], errs[2+i] = alloc[uint8](m, 1<<sketchBits)
	}
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("make a directory of %d hosts: %w", l.Directory, err)
		}
	}
	return d, nil
}

func (l *Layout) directoryBytes() uint64 {
	if l.Directory == 0 {
		return 0
	}
	n := uint64(l.Directory)
	return n + sizeOf[listing](n) + sketchRows<<sketchBits
}

// Sought is a host that the directory is asked for, on behalf of an op.
type Sought struct {
	Key  Key
	Hash uint64
	Op   uint8
}

// Seek returns what Prefetch takes for k.
func (d *Directory) Seek(k Key, op uint8) Sought { return Sought{k, d.Hash(k), op} }

// Prefetch asks for the buckets that Find will look into.
func (d *Directory) Prefetch(sought []Sought) {
	if len(sought) > 0 {
		prefetchBuckets(&d.tags[0], sought, d.mask)
	}
}

// Hash returns the seeded hash of k that Find and Admit take.
func (d *Directory) Hash(k Key) uint64 { return mix(k.Hi^d.seed, k.Lo+d.seed>>32) }

// Find returns the entry of k, and false if k is not listed.
func (d *Directory) Find(k Key, hash uint64) (entry uint32, ok bool) {
	b := uint32(hash) & d.mask
	tag := tagOf(hash)
	for w := range uint32(tagWords) {
		for m := matches(d.tags[b*tagWords+w], tag); m != 0; m &= m - 1 {
			if e := b*dirWays + w*8 + lowByte(m); d.entries[e].key == k {
				return e, true
			}
		}
	}
	return 0, false
}

// Admit notes a packet to or from the unlisted host k and lists it once need packets were noted
// lately. It returns the entry, which is active in epoch, and not ok when k stays unlisted: full
// when that is for want of room.
func (d *Directory) Admit(k Key, hash uint64, need, epoch uint32) (entry uint32, ok, full bool) {
	if need > 1 && d.seen.note(hash) < need {
		return 0, false, false
	}
	b := uint32(hash) & d.mask
	victim, ok := d.victim(b, epoch)
	if !ok {
		return 0, false, true
	}
	d.entries[victim] = listing{k, epoch, 0}
	w, shift := victim/8, victim%8*8
	d.tags[w] = d.tags[w]&^(0xff<<shift) | uint64(tagOf(hash))<<shift
	return victim, true, false
}

// victim returns a free entry of bucket b, else the least recently active one that may go: not in
// the epoch in which it counts, or is about to in the burst at hand.
func (d *Directory) victim(b, epoch uint32) (uint32, bool) {
	best, found := uint32(0), false
	for e := b * dirWays; e < (b+1)*dirWays; e++ {
		if byte(d.tags[e/8]>>(e%8*8)) == 0 {
			return e, true
		}
		l := &d.entries[e]
		if l.pinned > epoch || l.last == epoch {
			continue
		}
		if !found || l.last < d.entries[best].last {
			best, found = e, true
		}
	}
	return best, found
}

// Use notes that entry e is active in epoch, from the first packet on that is to be counted in it.
func (d *Directory) Use(e, epoch uint32) { d.entries[e].last = epoch }

// Key returns the key of entry e.
func (d *Directory) Key(e uint32) Key { return d.entries[e].key }

// Pin keeps entry e for a while: its host is above a fifth of a limit.
func (d *Directory) Pin(e, epoch uint32) { d.entries[e].pinned = epoch + pinEpochs }

// note counts a packet and returns how many the sketch has seen at most, saturating at 255.
func (s *sketch) note(hash uint64) uint32 {
	if s.sum++; s.sum > sketchLoad {
		for i := range s.rows {
			clear(s.rows[i])
		}
		s.sum = 1
	}
	a := &s.rows[0][hash>>16&(1<<sketchBits-1)]
	b := &s.rows[1][hash>>40&(1<<sketchBits-1)]
	// Conservative update: only counters that hold the estimate grow. Which do is what no branch
	// predictor knows.
	seen := uint32(min(*a, *b)) + 1
	least := uint8(min(seen, 255))
	*a, *b = max(*a, least), max(*b, least)
	return seen
}

// tagOf returns the byte that marks a hash in its bucket, never 0.
func tagOf(hash uint64) uint8 { return uint8(hash>>56) | 1 }

// matches returns a word with the top bit of each byte of tags that may equal tag; the caller
// compares keys, so a false match costs only time.
func matches(tags uint64, tag uint8) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	x := tags ^ ones*uint64(tag)
	return (x - ones) &^ x & tops
}

// lowByte returns the number of the byte that holds the lowest set bit of m.
func lowByte(m uint64) uint32 { return uint32(bits.TrailingZeros64(m)) / 8 }
