package payload

import (
	"slices"

	"weir/decode"
)

// Bounds of what is kept of datagrams whose fragments are coming in.
const (
	maxPartial   = 64
	maxFragments = 64 // of one datagram: more are an attack on those who reassemble
	maxLength    = 1<<16 - 1
)

// assembly is the datagrams whose fragments are coming in, the oldest first.
type assembly struct{ partial []*partial }

// key is what the fragments of a packet have in common.
type key struct {
	src, dst decode.Addr
	id       uint32
}

// partial is a datagram of which fragments have come.
type partial struct {
	key
	pieces []piece // by offset, none of them overlapping
	length int     // of the whole; 0: not known
	have   int     // bytes
}

type piece struct {
	offset int
	data   []byte
}

// add takes a fragment, and returns the datagram if that is whole now.
func (a *assembly) add(f *Finder, r *decode.Record, p *packet) ([]byte, bool) {
	k := key{r.Src, r.Dst, p.id}
	i := slices.IndexFunc(a.partial, func(d *partial) bool { return d.key == k })
	if i < 0 {
		if len(a.partial) == maxPartial {
			a.giveUp(f, 0)
		}
		a.partial = append(a.partial, &partial{key: k})
		i = len(a.partial) - 1
	}
	d := a.partial[i]
	if !d.insert(p) {
		a.giveUp(f, i)
		return nil, false
	}
	if d.have != d.length {
		return nil, false
	}
	a.partial = slices.Delete(a.partial, i, i+1)
	return d.head(), true
}

// insert takes a fragment, and reports whether it fits with the others. One that came before is
// passed over; one that overlaps another is no honest fragment (RFC 5722, RFC 9099 section 2.1.3).
func (d *partial) insert(p *packet) bool {
	end := p.offset + len(p.body)
	if end > maxLength || len(d.pieces) == maxFragments || d.length > 0 && end > d.length {
		return false
	}
	i, same := slices.BinarySearchFunc(d.pieces, p.offset, func(x piece, off int) int {
		return x.offset - off
	})
	if same {
		return len(d.pieces[i].data) == len(p.body)
	}
	if i > 0 && d.pieces[i-1].offset+len(d.pieces[i-1].data) > p.offset ||
		i < len(d.pieces) && d.pieces[i].offset < end {
		return false
	}
	if !p.more {
		if d.length > 0 || i < len(d.pieces) {
			return false
		}
		d.length = end
	}
	d.pieces = slices.Insert(d.pieces, i, piece{p.offset, slices.Clone(p.body)})
	d.have += len(p.body)
	return true
}

// head returns what came of the beginning without a gap.
func (d *partial) head() []byte {
	var b []byte
	for _, p := range d.pieces {
		if p.offset != len(b) {
			break
		}
		b = append(b, p.data...)
	}
	return b
}

// giveUp drops a datagram of which not all came.
func (a *assembly) giveUp(f *Finder, i int) {
	d := a.partial[i]
	a.partial = slices.Delete(a.partial, i, i+1)
	var g Datagram
	if f.GivenUp != nil && g.fill(d.src, d.dst, d.head()) {
		f.GivenUp(&g)
	}
}

// drain gives up everything.
func (a *assembly) drain(f *Finder) {
	for len(a.partial) > 0 {
		a.giveUp(f, 0)
	}
}
