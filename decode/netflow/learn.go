package netflow

import (
	"slices"

	"weir/decode"
)

// What the parts of a Cache take, about, in bytes; a test holds them to the sizes of the types.
const (
	costExporter = 144
	costDomain   = 160
	costTemplate = 640
	costVarying  = 80
	costMoved    = 6
	costRate     = 16
)

func (t *template) cost() int64 {
	n := int64(costTemplate + len(t.raw))
	if t.vary != nil {
		n += costVarying + int64(len(t.vary.move))*costMoved + int64(len(t.vary.at))*3
	}
	return n
}

// learn keeps the template that w words, of the exporter at a. It reports whether there is room
// for it. A wording that is known costs no allocation and no lock.
func (c *Cache) learn(a decode.Addr, id uint32, w *wording, now int64) bool {
	t := c.domain(a, domainKey(w.proto, id)).told(w.id, w.port, now)
	if t != nil && t.same(w) {
		use(&t.seen, now)
		return true
	}
	return c.admit(a, id, w, now, true)
}

// admit is learn for a wording that is not known, or was not. newer tells that it takes the
// place of another.
func (c *Cache) admit(a decode.Addr, id uint32, w *wording, now int64, newer bool) bool {
	key := domainKey(w.proto, id)
	t := compile(w)
	t.seen.Store(now)
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.cost()+costExporter+costDomain > c.limits.Bytes/exporterShare {
		c.stats.Refused++
		return false
	}
	old := c.domain(a, key).told(w.id, w.port, now)
	if !newer && old != nil && old.port == w.port {
		return true
	}
	e := c.grantExporter(a, now)
	c.keep(e, c.grantDomain(e, key, now), t, newer)
	c.changes++
	return true
}

// keep puts t into d of e, for the one that its port told with its ID if there was one, and makes
// room. What is newer comes before the other variants.
func (c *Cache) keep(e *exporter, d *domain, t *template, newer bool) {
	list := slices.Clone(*d.templates.Load())
	low, high := span(list, t.id)
	if old, count := c.displaced(list[low:high], t); old >= 0 {
		*count++
		c.account(e, -list[low+old].cost(), -1)
		list = slices.Delete(list, low+old, low+old+1)
		high--
	} else if len(list) >= c.limits.TemplatesPerDomain {
		list = c.evictTemplate(e, list)
		low, high = span(list, t.id)
	}
	if !newer {
		low = high
	}
	c.account(e, t.cost(), 1)
	list = slices.Insert(list, low, t)
	d.templates.Store(&list)
	c.shrink(e, d, t)
}

// displaced returns which of the variants of its ID goes for t, and the count of such; -1: none. It
// counts t as learned unless that is another layout of its own port.
func (c *Cache) displaced(variants []*template, t *template) (int, *uint64) {
	now := t.seen.Load()
	old := slices.IndexFunc(variants, func(o *template) bool { return o.port == t.port })
	if old >= 0 && !variants[old].expired(now) {
		return old, &c.stats.Replaced
	}
	c.stats.Learned++
	if old < 0 {
		old = slices.IndexFunc(variants, func(o *template) bool { return o.expired(now) })
	}
	switch {
	case old >= 0:
		return old, &c.stats.Expired
	case len(variants) == maxVariants:
		return 0, &c.stats.Evicted
	}
	return -1, nil
}

// account notes that e takes so many bytes and templates more.
func (c *Cache) account(e *exporter, bytes int64, templates int) {
	e.bytes += bytes
	c.stats.Bytes += bytes
	c.stats.Templates += templates
}

// shrink makes c and e fit their bounds again, sparing t of d.
func (c *Cache) shrink(e *exporter, d *domain, t *template) {
	for e.bytes > c.limits.Bytes/exporterShare {
		if old := oldestDomain(*e.domains.Load(), d); old != nil {
			c.dropDomain(e, old)
			continue
		}
		list := slices.Clone(*d.templates.Load())
		i := oldestTemplate(list, t)
		if i < 0 {
			break
		}
		c.account(e, -list[i].cost(), -1)
		c.stats.Evicted++
		list = slices.Delete(list, i, i+1)
		d.templates.Store(&list)
	}
	for c.stats.Bytes > c.limits.Bytes && len(c.exporters) > 1 {
		c.dropExporter(c.victim(e))
	}
}

// evictTemplate takes the least recently used template off list, which is the caller's own.
func (c *Cache) evictTemplate(e *exporter, list []*template) []*template {
	i := oldestTemplate(list, nil)
	c.account(e, -list[i].cost(), -1)
	c.stats.Evicted++
	return slices.Delete(list, i, i+1)
}

func oldestTemplate(list []*template, but *template) int {
	found := -1
	for i, t := range list {
		if t != but && (found < 0 || t.seen.Load() < list[found].seen.Load()) {
			found = i
		}
	}
	return found
}

func oldestDomain(list []*domain, but *domain) *domain {
	var found *domain
	for _, d := range list {
		if d != but && (found == nil || d.sooner(&found.life)) {
			found = d
		}
	}
	return found
}

// sooner reports whether what lived l is to go before what lived o: what is not yet settled
// first, else the least recently used.
func (l *life) sooner(o *life) bool {
	if a, b := l.settled(), o.settled(); a != b {
		return b
	}
	return l.seen.Load() < o.seen.Load()
}

// grantExporter returns the exporter at a, which it makes if need be.
func (c *Cache) grantExporter(a decode.Addr, now int64) *exporter {
	if e := c.exporter(a); e != nil {
		use(&e.seen, now)
		return e
	}
	if len(c.exporters) >= c.limits.Exporters {
		c.dropExporter(c.victim(nil))
	}
	e := &exporter{addr: a, slot: len(c.exporters), life: life{born: now}}
	e.seen.Store(now)
	e.domains.Store(new([]*domain))
	c.exporters = append(c.exporters, e)
	c.stats.Exporters++
	c.account(e, costExporter, 0)
	head := c.bucket(a)
	e.next.Store(head.Load())
	head.Store(e)
	return e
}

// grantDomain returns the domain of e with that key, which it makes if need be.
func (c *Cache) grantDomain(e *exporter, key uint64, now int64) *domain {
	if d := e.domain(key); d != nil {
		use(&d.seen, now)
		return d
	}
	if list := *e.domains.Load(); len(list) >= c.limits.DomainsPerExporter {
		c.dropDomain(e, oldestDomain(list, nil))
	}
	d := &domain{key: key, exporter: e, life: life{born: now}}
	d.seen.Store(now)
	d.templates.Store(new([]*template))
	list := slices.Clone(*e.domains.Load())
	i, _ := slices.BinarySearchFunc(list, key, byKey)
	list = slices.Insert(list, i, d)
	e.domains.Store(&list)
	c.stats.Domains++
	c.account(e, costDomain, 0)
	return d
}

// sample is how many exporters victim looks at. Up to so many, the choice is exact.
const sample = 64

// victim returns the exporter that has to go: of the next few, the one to go first.
func (c *Cache) victim(but *exporter) *exporter {
	var found *exporter
	for range min(sample, len(c.exporters)) {
		c.hand = (c.hand + 1) % len(c.exporters)
		e := c.exporters[c.hand]
		if e != but && (found == nil || e.sooner(&found.life)) {
			found = e
		}
	}
	return found
}

// dropExporter forgets e. Decoders that hold a template of it keep that to the end of their set.
func (c *Cache) dropExporter(e *exporter) {
	for _, d := range *e.domains.Load() {
		c.stats.Evicted += uint64(len(*d.templates.Load()))
		c.forget(e, d)
	}
	c.account(e, -costExporter, 0)
	c.stats.Exporters--
	last := c.exporters[len(c.exporters)-1]
	c.exporters[e.slot], last.slot = last, e.slot
	c.exporters[len(c.exporters)-1] = nil
	c.exporters = c.exporters[:len(c.exporters)-1]
	at := c.bucket(e.addr)
	for at.Load() != e {
		at = &at.Load().next
	}
	at.Store(e.next.Load())
}

// dropDomain forgets d of e.
func (c *Cache) dropDomain(e *exporter, d *domain) {
	c.stats.Evicted += uint64(len(*d.templates.Load()))
	c.forget(e, d)
	list := slices.DeleteFunc(slices.Clone(*e.domains.Load()), func(o *domain) bool {
		return o == d
	})
	e.domains.Store(&list)
}

// forget takes d out of the accounts.
func (c *Cache) forget(e *exporter, d *domain) {
	for _, t := range *d.templates.Load() {
		c.account(e, -t.cost(), -1)
	}
	c.account(e, -costDomain-d.rates.cost(), 0)
	c.stats.Domains--
}

func (r *rates) cost() int64 {
	if t := r.table.Load(); t != nil {
		return int64(len(t.entries)) * costRate
	}
	return 0
}

// withdraw forgets the template with that ID of a port, or with id 0 all of it that are about
// options or not.
func (c *Cache) withdraw(a decode.Addr, port uint16, domainID uint32, id uint16, about bool) {
	d := c.domain(a, domainKey(decode.IPFIX, domainID))
	meant := func(t *template) bool {
		return t.about == about && (id == 0 || t.id == id) && d.alone(t, port)
	}
	if d == nil || !slices.ContainsFunc(*d.templates.Load(), meant) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.domain(a, d.key) != d { // evicted meanwhile
		return
	}
	var rest []*template
	for _, t := range *d.templates.Load() {
		if !meant(t) {
			rest = append(rest, t)
			continue
		}
		c.account(d.exporter, -t.cost(), -1)
		c.stats.Withdrawn++
		c.changes++
	}
	d.templates.Store(&rest)
}

// alone reports whether t is of that port, or the only one with its ID.
func (d *domain) alone(t *template, port uint16) bool {
	list := *d.templates.Load()
	low, high := span(list, t.id)
	return t.port == port || high-low == 1
}

// A rate is one that options data told, and for what.
type rate struct {
	n     uint32
	scope scope // 0: the whole domain
	key   uint64
}

// learnRate keeps r for the domain with that key. It reports whether there is room for it. What
// is known already takes no lock.
func (c *Cache) learnRate(d *domain, r rate) bool {
	if r.scope == 0 && d.rates.whole.Load() == r.n {
		return true
	}
	if r.scope != 0 && d.rates.table.Load().find(c.seed, r.key, r.scope) == r.n &&
		(r.scope == perInterface || d.rates.last.Load() == r.n) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	if r.scope == 0 {
		d.rates.whole.Store(r.n)
		return true
	}
	if r.scope != perInterface {
		d.rates.last.Store(r.n)
		d.exporter.samplers.Store(true)
	}
	before := d.rates.cost()
	room := min(c.limits.Bytes-c.stats.Bytes, c.limits.Bytes/exporterShare-d.exporter.bytes)
	_, full := d.rates.set(c.seed, r, room)
	if full {
		c.stats.Refused++
	}
	if c.domain(d.exporter.addr, d.key) == d { // not evicted meanwhile
		c.account(d.exporter, d.rates.cost()-before, 0)
	}
	return !full
}
