package netflow

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"weir/decode"
)

// The file that Save writes begins with this line. Blocks follow, each of
//
//	kind (1 byte), length of the body (2 bytes), body, CRC-32C of all that (4 bytes)
//
// in network order. A domain's block comes before those of its templates and rates; the end
// block counts the others.
const magic = "weir flow state 1\n"

const (
	blockDomain   = 'D' // address (16), protocol (1), ID (4), start of the exporter (8)
	blockTemplate = 'S' // port (2), and as blockPortless
	blockPortless = 'T' // ID (2), scopes (2), fields (2), options (1), seen (8), specifiers
	blockRate     = 'R' // scope (1), key (8), N (4)
	blockEnd      = 'E' // blocks (4)

	blockHead, blockTail = 3, 4

	maxSpecifiers = maxFields * 8
	maxBody       = 17 + maxSpecifiers
)

// ErrDamaged is what Load returns of a file that Save did not write, or not to its end.
var ErrDamaged = errors.New("damaged flow state")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// saver writes blocks.
type saver struct {
	w      *bufio.Writer
	b      []byte
	blocks uint32
}

// block writes one block; the error is the Writer's, which Flush returns.
func (s *saver) block(kind byte, body ...[]byte) {
	s.b = append(s.b[:0], kind, 0, 0)
	for _, part := range body {
		s.b = append(s.b, part...)
	}
	binary.BigEndian.PutUint16(s.b[1:], uint16(len(s.b)-blockHead))
	s.b = binary.BigEndian.AppendUint32(s.b, crc32.Checksum(s.b, castagnoli))
	_, _ = s.w.Write(s.b)
	s.blocks++
}

// Save writes all templates and sampling rates that have not expired at now, in nanoseconds
// since 1970, and forgets those that have. It does not hold up decoding, and learning no longer
// than it takes to list the domains.
func (c *Cache) Save(w io.Writer, now int64) error {
	c.mu.Lock()
	changes := c.changes
	var domains []*domain
	for _, e := range c.exporters {
		for _, d := range *e.domains.Load() {
			c.expire(d, now)
			domains = append(domains, d)
		}
	}
	c.mu.Unlock()
	s := saver{w: bufio.NewWriter(w)}
	_, _ = s.w.WriteString(magic)
	for _, d := range domains {
		s.domain(d)
	}
	s.block(blockEnd, binary.BigEndian.AppendUint32(nil, s.blocks))
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("save flow state: %w", err)
	}
	c.mu.Lock()
	c.saved, c.savedAt = changes, now
	c.mu.Unlock()
	return nil
}

// expire forgets the templates of d that have expired.
func (c *Cache) expire(d *domain, now int64) {
	list := *d.templates.Load()
	if !slices.ContainsFunc(list, func(t *template) bool { return t.expired(now) }) {
		return
	}
	rest := slices.DeleteFunc(slices.Clone(list), func(t *template) bool {
		if !t.expired(now) {
			return false
		}
		c.account(d.exporter, -t.cost(), -1)
		c.stats.Expired++
		return true
	})
	d.templates.Store(&rest)
}

func (s *saver) domain(d *domain) {
	e := binary.BigEndian
	b := e.AppendUint64(e.AppendUint64(nil, d.exporter.addr.Hi), d.exporter.addr.Lo)
	b = e.AppendUint32(append(b, byte(d.key>>32)), uint32(d.key))
	s.block(blockDomain, e.AppendUint64(b, uint64(d.rates.boot.Load())))
	for _, t := range *d.templates.Load() {
		b = e.AppendUint16(e.AppendUint16(b[:0], t.port), t.id)
		b = e.AppendUint16(e.AppendUint16(b, t.scopes), t.fields)
		about := byte(0)
		if t.about {
			about = 1
		}
		s.block(blockTemplate, e.AppendUint64(append(b, about), uint64(t.seen.Load())), t.raw)
	}
	rate := func(scope scope, key uint64, n uint32) {
		if n != 0 {
			s.block(blockRate, e.AppendUint32(e.AppendUint64(append(b[:0], byte(scope)), key), n))
		}
	}
	if t := d.rates.table.Load(); t != nil {
		for i := range t.entries {
			v := t.entries[i].value.Load()
			rate(scope(v>>32), t.entries[i].key.Load(), uint32(v))
		}
	}
	rate(0, 0, d.rates.whole.Load())
	rate(lastTold, 0, d.rates.last.Load())
}

// lastTold is the scope under which the rate of the sampler told last is saved.
const lastTold scope = 255

// loader reads blocks.
type loader struct {
	r      *bufio.Reader
	c      *Cache
	now    int64
	offset int64
	blocks uint32
	body   [maxBody + blockTail]byte

	addr   decode.Addr
	proto  decode.FlowProto
	id     uint32
	boot   int64
	inside bool // a domain's block has been read
}

// Load takes up what Save wrote, as of now in nanoseconds since 1970: the next datagram of an
// exporter is then read as if there had been no restart. What c has learned meanwhile is newer
// and stays. The error of a damaged file is ErrDamaged and names the offset; what stands before
// the damage is taken up.
func (c *Cache) Load(r io.Reader, now int64) error {
	l := loader{r: bufio.NewReader(r), c: c, now: now}
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(l.r, head); err != nil || string(head) != magic {
		return l.damaged("it does not begin as one", err)
	}
	l.offset = int64(len(magic))
	for {
		done, err := l.block()
		if done || err != nil {
			return err
		}
	}
}

func (l *loader) damaged(what string, err error) error {
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("load flow state at offset %d: %w", l.offset, err)
	}
	return fmt.Errorf("%w at offset %d: %s", ErrDamaged, l.offset, what)
}

// block reads one block; done is the end block.
func (l *loader) block() (done bool, err error) {
	head, err := l.r.Peek(blockHead)
	if err != nil {
		return false, l.damaged("it ends without an end block", err)
	}
	kind, n := head[0], int(binary.BigEndian.Uint16(head[1:]))
	if n > maxBody {
		return false, l.damaged("a block is too long", nil)
	}
	sum := crc32.Checksum(head, castagnoli)
	if _, err := l.r.Discard(blockHead); err != nil {
		return false, l.damaged("a block is torn", err)
	}
	b := l.body[:n+blockTail]
	if _, err := io.ReadFull(l.r, b); err != nil {
		return false, l.damaged("a block is torn", err)
	}
	sum = crc32.Update(sum, castagnoli, b[:n])
	if binary.BigEndian.Uint32(b[n:]) != sum {
		return false, l.damaged("a block's checksum is wrong", nil)
	}
	if kind == blockEnd {
		if n != 4 || binary.BigEndian.Uint32(b) != l.blocks {
			return false, l.damaged("blocks are missing", nil)
		}
		return true, nil
	}
	if !l.take(kind, b[:n]) {
		return false, l.damaged("a block is not as Save writes it", nil)
	}
	l.blocks++
	l.offset += int64(blockHead + n + blockTail)
	return false, nil
}

// take keeps what a block tells, unless it is known. It reports whether the block is sound.
func (l *loader) take(kind byte, b []byte) bool {
	e := binary.BigEndian
	switch {
	case kind == blockDomain && len(b) == 29:
		l.addr = decode.Addr{Hi: e.Uint64(b), Lo: e.Uint64(b[8:])}
		l.proto, l.id, l.boot = decode.FlowProto(b[16]), e.Uint32(b[17:]), int64(e.Uint64(b[21:]))
		l.inside = l.proto == decode.NetFlow9 || l.proto == decode.IPFIX
		return l.inside
	case kind == blockTemplate && len(b) > 17 && l.inside:
		return l.template(e.Uint16(b), b[2:])
	case kind == blockPortless && len(b) > 15 && l.inside:
		return l.template(0, b)
	case kind == blockRate && len(b) == 13 && l.inside:
		return l.rate(rate{scope: scope(b[0]), key: e.Uint64(b[1:]), n: e.Uint32(b[9:])})
	}
	return false
}

func (l *loader) template(port uint16, b []byte) bool {
	e := binary.BigEndian
	w := wording{
		proto: l.proto, id: e.Uint16(b), scopes: e.Uint16(b[2:]), fields: e.Uint16(b[4:]),
		about: b[6] == 1, port: port,
	}
	seen := int64(e.Uint64(b[7:]))
	whole, sane := w.measure(b[15:])
	if !whole || !sane || len(w.raw) != len(b)-15 || b[6] > 1 || w.scopes > w.fields ||
		w.id < minTemplate {
		return false
	}
	seen = min(seen, l.now) // by a clock that was ahead
	if l.now-seen > int64(TemplateLifetime) || int(w.fields) > l.c.limits.FieldsPerTemplate {
		return true
	}
	l.c.admit(l.addr, l.id, &w, seen, false)
	if d := l.c.domain(l.addr, domainKey(l.proto, l.id)); d != nil && l.boot != 0 {
		d.rates.boot.CompareAndSwap(0, l.boot)
	}
	return true
}

func (l *loader) rate(r rate) bool {
	if r.n == 0 || r.n > decode.MaxSampling || r.scope > perInterface && r.scope != lastTold {
		return false
	}
	d := l.c.domain(l.addr, domainKey(l.proto, l.id))
	switch {
	case d == nil: // its templates have expired
	case r.scope == lastTold:
		d.rates.last.CompareAndSwap(0, r.n)
	case r.scope == 0:
		d.rates.whole.CompareAndSwap(0, r.n)
	case d.rates.table.Load().find(l.c.seed, r.key, r.scope) == 0:
		last := d.rates.last.Load()
		l.c.learnRate(d, r)
		d.rates.last.Store(last)
	}
	return true
}
