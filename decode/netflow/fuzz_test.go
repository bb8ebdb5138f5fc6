package netflow

import (
	"bytes"
	"encoding/binary"
	"testing"

	"weir/decode"
)

// FuzzNetFlow decodes a sequence of datagrams, each behind its length in 2 bytes, as two decoders
// of one cache do, with and without what counting leaves out.
func FuzzNetFlow(f *testing.F) {
	join := func(list ...[]byte) (b []byte) {
		for _, d := range list {
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(d))), d...)
		}
		return b
	}
	for _, w := range workloads() {
		f.Add(join(w.template, w.data[:min(len(w.data), 300)]))
	}
	f.Add(join(datagram(true, templateSet(true, 300, 1, f2(48, 1, 50, 4)), []byte{1, 44, 0, 9, 1, 0,
		0, 0, 9})))
	all, counted := newDecoder(), NewDecoder(nil, Counted, nil) // not per run: they are large
	f.Fuzz(func(t *testing.T, b []byte) {
		limits := Limits{Exporters: 4, DomainsPerExporter: 4, TemplatesPerDomain: 8, Bytes: 1 << 17}
		c := NewCache(limits)
		all.cache, counted.cache = c, c
		for i := byte(0); len(b) >= 2; i++ {
			n := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
			a := decode.Arrival{
				Payload: b[2 : 2+n], Source: decode.AddrFrom4(uint32(i % 3)), Time: exported,
			}
			b = b[2+n:]
			x, y := fuzzOne(t, all, &a, 3), fuzzOne(t, counted, &a, 64)
			if x != y {
				t.Fatalf("%+v of all fields, %+v of those that count", x, y)
			}
		}
		if c.stats.Bytes > limits.Bytes || c.stats.Bytes < 0 {
			t.Fatalf("%+v", c.stats)
		}
		var file bytes.Buffer
		if err := c.Save(&file, exported); err != nil {
			t.Fatal(err)
		}
		if err := NewCache(limits).Load(&file, exported); err != nil {
			t.Fatal(err)
		}
	})
}

// fuzzOne decodes one datagram and checks what always holds.
func fuzzOne(t *testing.T, d *Decoder, a *decode.Arrival, size int) (s sum) {
	for _, r := range decodeAll(d, a, size) {
		if r.Sampling == 0 || r.Sampling > decode.MaxSampling {
			t.Fatalf("sampling %d", r.Sampling)
		}
		if r.Version != 4 && r.Version != 6 || r.NVLAN > decode.MaxTags ||
			r.NMPLS > decode.MaxTags || r.Fragment > decode.LaterFragment {
			t.Fatalf("%+v", r)
		}
		s.flows++
		s.packets += r.Packets
		s.bytes += r.Bytes
	}
	g := d.Datagram()
	if s.flows > 2*uint64(len(a.Payload)) || uint64(g.Records) != s.flows {
		t.Fatalf("%d records of %d bytes: %+v", s.flows, len(a.Payload), g)
	}
	if d.pos > len(d.b) {
		t.Fatal("read beyond the end")
	}
	if !g.Valid && s.flows > 0 {
		t.Fatal("records without a header")
	}
	return s
}

func FuzzCacheLoad(f *testing.F) {
	c := NewCache(Limits{})
	decodeAll(NewDecoder(c, All, nil), arrivalOf(datagram(true, templateSet(true, 256, -1, pair),
		templateSet(true, 300, 1, f2(48, 1, 50, 4)), []byte{1, 44, 0, 9, 1, 0, 0, 0, 9})), 1)
	var file bytes.Buffer
	if err := c.Save(&file, exported); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	d := newDecoder()
	f.Fuzz(func(t *testing.T, b []byte) {
		c := NewCache(Limits{Exporters: 4, Bytes: 1 << 17})
		if err := c.Load(bytes.NewReader(b), exported); err != nil {
			if s := err.Error(); len(s) > 200 {
				t.Fatal(s)
			}
		}
		// With the checksums set right, what is behind them is reached.
		l := loader{c: c, now: exported}
		for len(b) > 2 {
			n := min(int(b[1]), len(b)-2)
			l.take(b[0], b[2:2+n])
			b = b[2+n:]
		}
		if c.stats.Bytes > 1<<17 {
			t.Fatalf("%+v", c.stats)
		}
		d.cache = c
		for _, w := range workloads() {
			fuzzOne(t, d, arrivalOf(w.data), 64)
		}
	})
}
