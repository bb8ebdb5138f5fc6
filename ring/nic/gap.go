package nic

// Gap counts the frames that arrived at an interface while nobody was attached to it: the advance
// of the interface's own count meanwhile. Its zero value has counted nothing, and does not until
// Absent or Begin.
//
// When exactly somebody was attached, in terms of that count, is known to lie between two looks at
// it only. What the attached have taken since narrows it down, from below: a frame is never
// counted here that somebody has got, and none is left out once a look finds a quiet moment.
type Gap struct {
	before uint64 // of earlier gaps
	here   uint64 // of this one: so many at least
	most   uint64 // of this one
	from   uint64 // the interface's count when it began
	open   bool   // nobody is attached
	index  int    // of the interface
	began  uint64 // its Interface.Began, by which one is known that comes back
}

// Begin begins a gap at a count that the interface had.
func (g *Gap) Begin(i *Interface, from uint64) {
	*g = Gap{before: g.N(), from: from, open: true, index: i.Index, began: i.Began}
}

// Absent notes that nobody is attached to the interface. A gap begins where there was none, and
// where the interface is another: when that appeared.
func (g *Gap) Absent(i *Interface) {
	if !g.open || g.index != i.Index || g.began != i.Began {
		g.Begin(i, i.Began)
	}
	g.here = max(g.here, since(i.Received, g.from))
}

// Present notes that somebody is attached, from before the interface was found to be i.
func (g *Gap) Present(i *Interface) {
	if g.open {
		g.open, g.most = false, since(i.Received, g.from)
	}
}

// Open reports whether a gap goes on: nobody is attached.
func (g *Gap) Open() bool { return g.open }

// Exact reports whether somebody is attached, and no look can find more.
func (g *Gap) Exact() bool { return !g.open && g.here >= g.most }

// Look notes that, after the interface was found to be i, taken frames were known to be with those
// who are attached since the gap began.
func (g *Gap) Look(i *Interface, taken uint64) {
	if !g.open && g.index == i.Index {
		g.here = max(g.here, min(g.most, since(i.Received, g.from+taken)))
	}
}

// N returns how many frames arrived in all gaps so far.
func (g *Gap) N() uint64 { return g.before + g.here }

// since returns how far a count came from another, of which it may fall short.
func since(now, from uint64) uint64 { return now - min(now, from) }
