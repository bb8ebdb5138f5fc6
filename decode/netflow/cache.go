package netflow

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/decode"
)

// TemplateLifetime is how long a template is kept that is neither used nor sent again: RFC 7011
// section 8.4 asks for a limit, over UDP, and leaves it to the collector.
const TemplateLifetime = time.Hour

// Limits bound what exporters can make a Cache keep. 0 is the default.
type Limits struct {
	Exporters          int   // addresses: 16384
	DomainsPerExporter int   // source IDs and observation domains: 64
	TemplatesPerDomain int   // 512
	FieldsPerTemplate  int   // 256; at most 1000
	Bytes              int64 // 64 MiB in all, and an eighth of it per exporter
}

const (
	maxFields     = 1024 // a power of two, and more than Limits allow
	exporterShare = 8
	maxVariants   = 8 // of a template in a domain
)

func (l Limits) filled() Limits {
	l.Exporters = cmp.Or(l.Exporters, 16384)
	l.DomainsPerExporter = cmp.Or(l.DomainsPerExporter, 64)
	l.TemplatesPerDomain = cmp.Or(l.TemplatesPerDomain, 512)
	l.FieldsPerTemplate = min(cmp.Or(l.FieldsPerTemplate, 256), 1000)
	l.Bytes = cmp.Or(l.Bytes, 64<<20)
	return l
}

// Cache holds the templates and sampling rates of all exporters. NewCache makes one.
//
// Templates belong to a transport session (RFC 7011 section 8): over UDP, to a source port. But
// exporters take another port when they begin anew, and some send templates from one and data from
// another. So a template holds for its whole domain until another port tells one of the same ID
// that says something else: from then on both are kept, as variants, and a port whose data has none
// of its own gets the one told last. A variant that finds no room takes that of the newest, so that
// invented ports take none from those that were there before. Sampling rates hold for the domain.
//
// Concurrency: all methods may be called from any goroutine. Looking up takes no lock, and a
// template found stays what it is; learning takes a mutex.
type Cache struct {
	limits  Limits
	seed    uint64 // so that nobody can choose addresses that share a bucket
	buckets []atomic.Pointer[exporter]

	mu        sync.Mutex
	exporters []*exporter
	hand      int // where in exporters the next one to go is looked for
	stats     Stats
	saved     uint64 // stats.changes at the last Save
	changes   uint64
	savedAt   int64 // when, ns since 1970
}

// Stats is what a Cache holds, and what it did since it was made.
type Stats struct {
	Exporters, Domains, Templates int
	Bytes                         int64 // an estimate of what they take

	Learned   uint64 // templates that were new
	Replaced  uint64 // templates that took the place of another layout
	Withdrawn uint64 // templates (RFC 7011 section 8.1)
	Expired   uint64 // templates, after TemplateLifetime
	Evicted   uint64 // templates, for want of room: the least recently used
	Refused   uint64 // templates and sampling rates that there was no room for
	Unsaved   bool   // the last Save lacks something, or much later use of what it has
}

// exporter is what one address sent. Its domains are replaced as a whole; next is the bucket's.
type exporter struct {
	addr    decode.Addr
	next    atomic.Pointer[exporter]
	domains atomic.Pointer[[]*domain] // by key
	life
	samplers atomic.Bool // a domain was told the rate of one, or of a selector
	bytes    int64
	slot     int // in Cache.exporters
}

// domain is one source ID or observation domain of an exporter.
type domain struct {
	key       uint64 // the protocol in the upper half, the ID in the lower
	exporter  *exporter
	templates atomic.Pointer[[]*template] // by ID, and of one the newest first
	rates     rates
	life
}

// life is when something began to be used, and was last.
type life struct {
	born int64
	seen atomic.Int64
}

const (
	// seenStep is how fine use is recorded: a store per data set would be shared by all workers.
	seenStep = int64(100 * time.Millisecond)

	// savedFor is how much later than saved a template may be used before that is worth another
	// Save: it would be taken for expired so much too early.
	savedFor = int64(10 * time.Minute)

	// settling is how long an exporter must be in use before it is taken for one that is real.
	settling = int64(10 * time.Second)
)

func use(seen *atomic.Int64, now int64) {
	if now-seen.Load() > seenStep {
		seen.Store(now)
	}
}

func (l *life) settled() bool { return l.seen.Load()-l.born >= settling }

// NewCache returns an empty Cache within l.
func NewCache(l Limits) *Cache {
	c := &Cache{limits: l.filled(), seed: rand.Uint64()}
	n := 1
	for n < c.limits.Exporters {
		n *= 2
	}
	c.buckets = make([]atomic.Pointer[exporter], n)
	return c
}

func domainKey(p decode.FlowProto, id uint32) uint64 { return uint64(p)<<32 | uint64(id) }

func (c *Cache) bucket(a decode.Addr) *atomic.Pointer[exporter] {
	return &c.buckets[mix(mix(a.Hi^c.seed)^a.Lo)&uint64(len(c.buckets)-1)]
}

func (c *Cache) exporter(a decode.Addr) *exporter {
	e := c.bucket(a).Load()
	for e != nil && e.addr != a {
		e = e.next.Load()
	}
	return e
}

// domain returns the domain with that key of the exporter at a, or nil.
func (c *Cache) domain(a decode.Addr, key uint64) *domain {
	if e := c.exporter(a); e != nil {
		return e.domain(key)
	}
	return nil
}

func (e *exporter) domain(key uint64) *domain {
	list := *e.domains.Load()
	low, high := 0, len(list)
	for low < high { // slices.BinarySearchFunc, without a call per step
		if mid := (low + high) / 2; list[mid].key < key {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(list) && list[low].key == key {
		return list[low]
	}
	return nil
}

func byKey(d *domain, key uint64) int { return cmp.Compare(d.key, key) }

// span returns where in list the variants of the template with that ID are.
func span(list []*template, id uint16) (low, high int) {
	low, _ = slices.BinarySearchFunc(list, id, func(t *template, id uint16) int {
		return cmp.Compare(t.id, id)
	})
	for high = low; high < len(list) && list[high].id == id; high++ {
	}
	return low, high
}

// ofPort returns the one of variants that is of that port, or the only one there is; -1: none.
func ofPort(variants []*template, port uint16) int {
	if len(variants) == 1 {
		return 0
	}
	return slices.IndexFunc(variants, func(t *template) bool { return t.port == port })
}

// told returns the template with that ID that a port told, or shares; one that has expired is
// none.
func (d *domain) told(id, port uint16, now int64) *template {
	if d == nil {
		return nil
	}
	list := *d.templates.Load()
	low, high := span(list, id)
	list = list[low:high]
	if i := ofPort(list, port); i >= 0 {
		if t := list[i]; !t.expired(now) {
			return t
		}
	}
	return nil
}

// template returns the template with that ID for data of a port, or nil; one that has expired is
// none.
func (d *domain) template(id, port uint16, now int64) *template {
	if d == nil {
		return nil
	}
	list := *d.templates.Load()
	low, high := 0, len(list)
	for low < high {
		if mid := (low + high) / 2; list[mid].id < id {
			low = mid + 1
		} else {
			high = mid
		}
	}
	var other *template
	for _, t := range list[low:] {
		switch {
		case t.id != id:
			return other
		case t.expired(now):
		case t.port == port:
			return t
		case other == nil:
			other = t
		}
	}
	return other
}

func (t *template) expired(now int64) bool {
	return now-t.seen.Load() > int64(TemplateLifetime)
}

// touch notes that t was used to read data.
func (d *domain) touch(t *template, now int64) {
	use(&t.seen, now)
	use(&d.seen, now)
	use(&d.exporter.seen, now)
}

// Stats returns what c holds and did.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Unsaved = c.changes != c.saved || slices.ContainsFunc(c.exporters, func(e *exporter) bool {
		return e.seen.Load()-c.savedAt > savedFor
	})
	return s
}
