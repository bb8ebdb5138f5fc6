package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// contents is what a file says.
type contents struct {
	live   map[netip.Prefix]entry
	gen    uint64 // the highest seen
	damage string // "": none
	torn   int    // bytes cut off the end
}

// parse reads a whole file. Its only error is ErrNewer.
func parse(data []byte) (c contents, err error) {
	c.live = map[netip.Prefix]entry{}
	h, err := parseHeader(data)
	switch {
	case errors.Is(err, ErrNewer):
		return c, err
	case err != nil:
		c.damage = err.Error()
		c.salvage(data, header{})
		return c, nil
	}
	c.gen = h.gen
	at, seq, why := c.records(data, h)
	if why == nil && at >= int(h.whole) {
		return c, nil
	}
	rest := data[at:]
	follows := c.salvage(rest, header{gen: h.gen, seq: seq})
	if follows || at < int(h.whole) || !torn(why) {
		if why == nil {
			why = errShort
		}
		c.damage = fmt.Sprintf("%v at byte %d", why, at)
		return c, nil
	}
	c.torn = len(rest)
	return c, nil
}

// torn reports whether an unfinished write may leave this behind, when nothing follows.
func torn(why error) bool { return errors.Is(why, errShort) || errors.Is(why, errSum) }

// records applies the intact records that follow the header, and returns where they end, the number
// that belongs there, and why they end.
func (c *contents) records(data []byte, h header) (at int, seq uint64, why error) {
	at = headerSize
	for seq = h.seq; at < len(data); seq++ {
		r, n, err := parseRecord(data[at:])
		if err != nil {
			return at, seq, err
		}
		if r.Gen != h.gen || r.Seq != seq {
			return at, seq, fmt.Errorf("%w: record %d of generation %d where %d of %d belongs",
				errContent, r.Seq, r.Gen, seq, h.gen)
		}
		c.apply(r)
		at += n
	}
	return at, seq, nil
}

func (c *contents) apply(r *record) {
	if r.Op == withdrawn {
		delete(c.live, r.Prefix)
		return
	}
	c.live[r.Prefix] = r.entry()
}

// salvage looks for intact records from a bad one on, and reports whether there is one. Those that
// belong behind what was read, by the header after, take routes away; all tell the generation. The
// work is bounded, since a file may be made so that every byte of it looks like the beginning of a
// long record.
func (c *contents) salvage(data []byte, after header) (found bool) {
	for at, budget := 0, 4*len(data)+16*MaxRecord; at < len(data); {
		if !plausible(data[at:]) {
			at++
			continue
		}
		if budget -= int(binary.BigEndian.Uint32(data[at:])); budget < 0 {
			return true
		}
		r, n, err := parseRecord(data[at:])
		if err != nil {
			at++
			continue
		}
		found = true
		c.gen = max(c.gen, r.Gen)
		if r.Op == withdrawn && r.Gen == after.gen && r.Seq >= after.seq {
			delete(c.live, r.Prefix)
		}
		at += n
	}
	return found
}
