package netflow

import (
	"bytes"
	"errors"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"weir/decode"
	"weir/decode/netflow/netflowtest"
)

func TestCosts(t *testing.T) {
	f := func(name string, size uintptr, cost int64) {
		// Pointers are half as long on 32 bits.
		generous := cost > 2*int64(size) && bits.UintSize == 64
		if int64(size) > cost || generous {
			t.Errorf("%s takes %d bytes and is counted as %d", name, size, cost)
		}
	}
	f("exporter", unsafe.Sizeof(exporter{})+2*unsafe.Sizeof(uintptr(0)), costExporter)
	f("domain", unsafe.Sizeof(domain{})+5*unsafe.Sizeof(uintptr(0)), costDomain)
	f("template", unsafe.Sizeof(template{}), costTemplate)
	f("varying", unsafe.Sizeof(varying{}), costVarying)
	f("moved", unsafe.Sizeof(moved{}), costMoved)
	f("rate", unsafe.Sizeof(rateEntry{}), costRate)
}

// from sets where a datagram came from, and when.
func from(payload []byte, exporter uint32, now int64) *decode.Arrival {
	return &decode.Arrival{Payload: payload, Source: decode.AddrFrom4(exporter), Time: now}
}

// TestTemplateFlood sends 10^6 templates under many addresses and domains while an exporter goes
// on: within bounds, and it is never forgotten.
func TestTemplateFlood(t *testing.T) {
	limits := Limits{Exporters: 256, Bytes: 4 << 20}
	c := NewCache(limits)
	d := NewDecoder(c, Counted, nil)
	out := make([]decode.Record, 64)
	h := netflowtest.Header{Domain: 1}
	template := netflowtest.F1Template(nil, h)
	data := netflowtest.F1(nil, h, netflowtest.Flows(1, 25))
	now := exported
	next := func(a *decode.Arrival) int { d.Begin(a); n := d.Next(out); d.Next(out); return n }
	for range 200 { // an exporter of some standing
		next(from(template, 7, now))
		next(from(data, 7, now))
		now += second / 10
	}
	r := rand.New(rand.NewPCG(1, 2))
	flood := templateSet(true, 300, -1, f(8, 4, 12, 4, 1, 4))
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	for i := range n {
		flood[4], flood[5] = byte(1+i%200), byte(i)
		h.Domain = r.Uint32N(64)
		b := append(netflowtest.V9(nil, h, 1), flood...)
		who := 1000 + r.Uint32N(1<<24)
		if i%2 == 0 {
			who = 8 // one address alone
		}
		next(from(b, who, now))
		if now += second / 10000; i%1000 == 0 && next(from(data, 7, now)) != 25 {
			t.Fatal("the exporter was forgotten after", i)
		}
		if s := c.stats; s.Bytes > limits.Bytes || s.Exporters > 256 {
			t.Fatalf("%+v", s)
		}
	}
	if s := c.Stats(); s.Evicted == 0 || s.Templates == 0 || s.Learned < uint64(n)/2 {
		t.Errorf("%+v", s)
	}
	for _, e := range c.exporters { // the books balance
		sum := int64(costExporter)
		for _, d := range *e.domains.Load() {
			sum += costDomain + d.rates.cost()
			for _, t := range *d.templates.Load() {
				sum += t.cost()
			}
		}
		if sum != e.bytes || sum > limits.Bytes/exporterShare {
			t.Fatalf("an exporter of %d bytes is counted as %d", sum, e.bytes)
		}
	}
}

// TestCaps fills one exporter's share, then all that there is, and a domain.
func TestCaps(t *testing.T) {
	limits := Limits{
		Exporters: 64, TemplatesPerDomain: 16, DomainsPerExporter: 1000, Bytes: 1 << 20,
	}
	c := NewCache(limits)
	d := NewDecoder(c, Counted, nil)
	tell := func(exporter, domain uint32, id int) {
		h := testHeader
		h.Domain = domain
		b := append(netflowtest.V9(nil, h, 1), templateSet(true, id, -1, pair)...)
		decodeAll(d, from(b, exporter, exported+int64(id)*second), 1)
	}
	for id := range 20 {
		tell(1, 1, 256+id)
	}
	if s := c.Stats(); s.Templates != 16 || s.Evicted != 4 {
		t.Errorf("a domain's cap: %+v", s)
	}
	for e := range uint32(20) {
		for domain := range uint32(200) {
			tell(e, domain, 256)
			share := max(2, int64(e+1)) * limits.Bytes / exporterShare
			if s := c.stats; s.Bytes > min(limits.Bytes, share) {
				t.Fatalf("%d exporters, %d domains: %+v", e, domain, s)
			}
		}
	}
	if s := c.Stats(); s.Bytes < limits.Bytes/2 || s.Exporters < exporterShare {
		t.Errorf("less is kept than there is room for: %+v", s)
	}
}

// TestMemory holds 10 000 exporters with 10 templates each.
func TestMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := NewCache(Limits{Bytes: 256 << 20})
	h := netflowtest.Header{Domain: 1}
	b := netflowtest.F1Template(nil, h)
	d := NewDecoder(c, Counted, nil)
	out := make([]decode.Record, 1)
	for e := range uint32(10_000) {
		for id := range byte(10) {
			b[header9+5] = id
			d.Begin(from(b, e, exported))
			d.Next(out)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	s := c.Stats()
	heap := int64(after.HeapAlloc - before.HeapAlloc)
	t.Logf("%d templates: %d MiB of heap, counted as %d MiB", s.Templates, heap>>20, s.Bytes>>20)
	if s.Templates != 100_000 || heap > 128<<20 {
		t.Errorf("%+v", s)
	}
	runtime.KeepAlive(d)
}

// TestHammer replaces a template while others decode with it: each datagram's records are of one
// layout, and whole.
func TestHammer(t *testing.T) {
	c := NewCache(Limits{TemplatesPerDomain: 2})
	layouts := [2][]byte{
		datagram(true, templateSet(true, 256, -1, f(8, 4, 12, 4, 1, 4))),
		datagram(true, templateSet(true, 256, -1, f(1, 4, 12, 4, 8, 4))),
	}
	other := datagram(true, templateSet(true, 300, -1, f(8, 4)),
		templateSet(true, 301, -1, f(8, 4)))
	data := datagram(true, netflowtest.Set(nil, 256, bytes.Repeat(u32(1, 2, 1), 100)...))
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			d := NewDecoder(c, All, nil)
			for !stop.Load() {
				for _, r := range decodeAll(d, arrivalOf(data), 64) {
					if r.Src != decode.AddrFrom4(1) || r.Dst != decode.AddrFrom4(2) ||
						r.Bytes != 1 {
						t.Errorf("%+v", r)
						return
					}
				}
			}
		})
	}
	d := NewDecoder(c, All, nil)
	for i := range 20_000 {
		decodeAll(d, arrivalOf(layouts[i%2]), 1)
		if i%100 == 0 {
			decodeAll(d, arrivalOf(other), 1)
			if err := c.Save(new(bytes.Buffer), exported); err != nil {
				t.Error(err)
			}
		}
	}
	stop.Store(true)
	wg.Wait()
}

// TestExpiry forgets what was not used for an hour, withdraws, and replaces.
func TestExpiry(t *testing.T) {
	c := NewCache(Limits{})
	d := NewDecoder(c, All, nil)
	data := datagram(false, netflowtest.Set(nil, 256, slicesOf(pairData)...))
	tell := datagram(false, templateSet(false, 256, -1, pair))
	hour := int64(time.Hour)
	has := func(now int64, want bool) {
		t.Helper()
		if got := len(decodeAll(d, from(data, 1, now), 4)) == 1; got != want {
			t.Errorf("a record: %v", got)
		}
	}
	has(exported, false)
	decodeAll(d, from(tell, 1, exported), 1)
	has(exported+hour, true)
	has(exported+2*hour, true)
	has(exported+3*hour+second, false)
	decodeAll(d, from(tell, 2, exported), 1)
	decodeAll(d, from(tell, 2, exported+hour/2), 1) // sent again
	if len(decodeAll(d, from(data, 2, exported+hour+second), 1)) != 1 {
		t.Error("a template that was sent again has expired")
	}
	decodeAll(d, from(tell, 1, exported), 1)
	has(exported, true)
	for _, id := range []int{256, 2} {
		decodeAll(d, from(tell, 1, exported), 1)
		has(exported, true)
		decodeAll(d, from(datagram(false, netflowtest.Set(nil, 2, u16(id, 0)...)), 1, exported), 1)
		has(exported, false)
	}
	if s := c.Stats(); s.Withdrawn != 2 || s.Templates != 1 {
		t.Errorf("%+v", s)
	}
}

func slicesOf(b []byte) []byte { return bytes.Clone(b) }

// TestSaved restarts: what was saved reads the very next datagram.
func TestSaved(t *testing.T) {
	c := NewCache(Limits{})
	d := NewDecoder(c, All, nil)
	b := datagram(true, templateSet(true, 256, -1, with(f(48, 1))),
		templateSet(true, 300, 1, f(48, 1, 50, 4)),
		netflowtest.Set(nil, 300, append([]byte{3}, u32(64)...)...))
	decodeAll(d, arrivalOf(b), 1)
	var file bytes.Buffer
	if err := c.Save(&file, exported); err != nil || c.Stats().Unsaved {
		t.Fatal(err, c.Stats())
	}
	load := func(b []byte) (*Cache, error) {
		c := NewCache(Limits{})
		return c, c.Load(bytes.NewReader(b), exported+second)
	}
	data := datagram(true, netflowtest.Set(nil, 256, append(slicesOf(pairData), 3)...))
	c2, err := load(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	got := decodeAll(NewDecoder(c2, All, nil), arrivalOf(data), 2)
	if len(got) != 1 || got[0].Sampling != 64 {
		t.Errorf("%+v", got)
	}
	var again bytes.Buffer
	if err := c2.Save(&again, exported); err != nil || !bytes.Equal(file.Bytes(), again.Bytes()) {
		t.Error("what was loaded is not what was saved:", err)
	}
	for i := range file.Len() {
		damaged := bytes.Clone(file.Bytes())
		damaged[i] ^= 0x41
		if _, err := load(damaged); !errors.Is(err, ErrDamaged) ||
			!strings.Contains(err.Error(), "offset") {
			t.Fatalf("byte %d: %v", i, err)
		}
		if _, err := load(file.Bytes()[:i]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	late := NewCache(Limits{})
	err = late.Load(&file, exported+2*int64(time.Hour))
	if err != nil || late.Stats().Templates != 0 {
		t.Error("expired templates were loaded:", err)
	}
}
