package fastpath

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"weir/counters"
	"weir/decode"
	"weir/decode/netflow"
	"weir/decode/netflow/netflowtest"
	"weir/decode/sflow/sflowtest"
	"weir/ring"
	"weir/ring/ringtest"
)

// flowRig is a FlowWorker with its tables.
type flowRig struct {
	*FlowWorker
	tb        testing.TB
	source    *ringtest.Source
	layout    *counters.Layout
	tables    [2]*counters.Table
	merger    *counters.Merger
	exporters *Exporters
	policy    *Policy
	dir       *counters.Directory
	seq       uint64
	now       int64
}

func newFlowRig(tb testing.TB, limits Limits, rules *ExportRules, networks ...string) *flowRig {
	tb.Helper()
	var nets []netip.Prefix
	for _, n := range networks {
		nets = append(nets, netip.MustParsePrefix(n))
	}
	check := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	r := &flowRig{
		tb: tb, source: ringtest.NewSource(), exporters: NewExporters(4, 5), seq: 1, now: 1e18,
	}
	r.source.End = nil
	var err error
	r.layout, err = counters.NewFlowLayout(nets, 1, 256<<20)
	check(err)
	r.policy, err = NewPolicy(r.layout, []Group{{Limits: [2]Limits{limits, limits}}},
		&decode.Decoder{}, 1)
	check(err)
	m := &counters.Memory{}
	tb.Cleanup(func() { check(m.Close()) })
	for i := range r.tables {
		r.tables[i], err = counters.NewTable(m, r.layout)
		check(err)
	}
	r.merger, err = counters.NewMerger(m, r.layout)
	check(err)
	r.dir, err = counters.NewDirectory(m, r.layout, 7)
	check(err)
	if rules == nil {
		rules, err = NewExportRules(nil, nil, 1)
		check(err)
	}
	r.FlowWorker = NewFlowWorker(&FlowConfig{
		Config: Config{
			Source: r.source, Seed: 7,
			First: Epoch{Seq: 1, Policy: r.policy, Table: r.tables[0], Directory: r.dir},
		},
		Cache: netflow.NewCache(netflow.Limits{}), Exporters: r.exporters, Rules: rules,
		Links: NewInterfaces(8),
		Inner: &decode.Decoder{},
	})
	return r
}

// from offers datagrams of one sender, and lets the worker count them.
func (r *flowRig) from(sender string, payloads ...[]byte) {
	r.tb.Helper()
	for _, p := range payloads {
		b := make([]byte, ring.SenderLen, ring.SenderLen+len(p))
		ring.PutSender(b, netip.MustParseAddrPort(sender))
		r.now += 1e6
		r.source.Add(ringtest.Frame{Time: r.now, Link: ring.LinkDatagram, Data: append(b, p...)})
	}
	for n := 1; n > 0; {
		var err error
		if n, err = r.Step(); err != nil {
			r.tb.Fatal(err)
		}
	}
}

// flip retires the table and merges it.
func (r *flowRig) flip() counters.Stats {
	r.tb.Helper()
	old := r.tables[(r.seq-1)&1]
	r.seq++
	r.Publish(&Epoch{
		Seq: r.seq, Policy: r.policy, Table: r.tables[(r.seq-1)&1], Directory: r.dir,
	})
	if _, err := r.Step(); err != nil || r.Acked() != r.seq {
		r.tb.Fatalf("flip to %d: acknowledged %d, %v", r.seq, r.Acked(), err)
	}
	stats := old.Stats
	r.merger.Reset(0)
	r.merger.Add(old, 1)
	r.merger.Sort()
	x := &stats.Exports
	if stats.Received != stats.Processed+stats.Shed+x.Denied+x.Invalid {
		r.tb.Errorf("received %d, processed %d, shed %d, denied %d, invalid %d", stats.Received,
			stats.Processed, stats.Shed, x.Denied, x.Invalid)
	}
	return stats
}

// sum returns what was told of one host in a span.
func (r *flowRig) sum(ip string, outgoing bool, span counters.Span) (s counters.FlowSum) {
	a := netip.MustParseAddr(ip)
	slot, direct, _ := r.layout.Slot(a)
	if e := r.merger.Find(counters.KeyOf(a), slot, direct, outgoing); e != nil {
		s = r.merger.Told(e).Sum(span)
	}
	return s
}

// header is that of datagrams in the rig's year, with an uptime of an hour.
func (r *flowRig) header() netflowtest.Header {
	return netflowtest.Header{Uptime: 3_600_000, Seconds: uint32(r.now / 1e9)}
}

func ip4(text string) uint32 {
	a := netip.MustParseAddr(text).As4()
	return binary.BigEndian.Uint32(a[:])
}

// Both sides of a record are counted, with what sampling left out and in the span of its duration.
func TestFlowSides(t *testing.T) {
	r := newFlowRig(t, Limits{}, nil, "10.0.0.0/24")
	h := r.header()
	h.Sampling = 100
	flow := netflowtest.Flow{
		Src: ip4("10.0.0.1"), Dst: ip4("10.0.0.2"), Proto: 17, Packets: 7, Bytes: 700,
		First: 3_590_000, Last: 3_600_000,
	}
	away := flow
	away.Dst = ip4("8.8.8.8")
	foreign := away
	foreign.Src = ip4("9.9.9.9")
	r.from("192.0.2.1:9", netflowtest.F3(nil, h, []netflowtest.Flow{flow, away, foreign}))
	s := r.flip()
	if s.Exports.Records != 3 || s.Internal != 1 || s.Foreign != 1 || s.Processed != 1 {
		t.Errorf("%+v", s)
	}
	f := func(ip string, outgoing bool, packets uint64) {
		t.Helper()
		got := r.sum(ip, outgoing, counters.UpTo64s)
		if got.Packets[counters.UDP] != packets || got.Bytes[counters.UDP] != packets*100 {
			t.Errorf("%s outgoing=%v: %+v, want %d packets", ip, outgoing, got, packets)
		}
		if packets > 0 && (got.Noise == 0 || got.BNoise == 0 || got.Seconds != 10) {
			t.Errorf("%s outgoing=%v: %+v", ip, outgoing, got)
		}
	}
	f("10.0.0.2", false, 700)
	f("10.0.0.1", true, 1400)
	f("10.0.0.1", false, 0)
	f("10.0.0.2", true, 0)
}

// The flags of a flow are those of all its packets.
func TestFlowSYN(t *testing.T) {
	f := func(flags uint8, want uint64) {
		t.Helper()
		r := newFlowRig(t, Limits{}, nil, "10.0.0.0/24")
		h := r.header()
		r.from("192.0.2.1:9", netflowtest.F3(nil, h, []netflowtest.Flow{{
			Dst: ip4("10.0.0.2"), Proto: 6, Flags: flags, Packets: 50, Bytes: 5000,
			First: h.Uptime, Last: h.Uptime,
		}}))
		r.flip()
		if got := r.sum("10.0.0.2", false, counters.UpTo1s).Packets[counters.SYN]; got != want {
			t.Errorf("flags %#x: %d SYNs, want %d", flags, got, want)
		}
	}
	f(0x02, 50) // nothing but SYN
	f(0x12, 50) // SYN and ACK: answers to a spoofed flood
	f(0xc2, 50) // with ECE and CWR
	f(0x1b, 1)  // a connection
	f(0x10, 0)
	f(0x06, 1)
}

// Every datagram has a name, whoever sends what.
func TestFlowEveryDatagramHasAName(t *testing.T) {
	allow := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	rules, err := NewExportRules(allow, []ExporterRate{{allow[0], 50}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	r := newFlowRig(t, Limits{}, rules, "10.9.0.0/16")
	h := r.header()
	good := netflowtest.F3(nil, h, netflowtest.Flows(1, 3))
	r.from("192.0.2.1:9", good, good[:10], []byte("hello"), nil, []byte{0, 9})
	r.from("198.51.100.1:9", good)
	r.from("[2001:db8::1]:9", good)
	r.from("192.0.2.1:9", netflowtest.F1(nil, h, netflowtest.Flows(2, 4))) // without its template
	r.from("192.0.2.1:9", sflowtest.F4(1))
	s := r.flip()
	x := &s.Exports
	if s.Received != 9 || x.Denied != 2 || x.Invalid != 4 || s.Processed != 3 {
		t.Errorf("%+v", s)
	}
	if x.Records != 3+7 || x.Skipped[decode.NoTemplate] != 1 {
		t.Errorf("%d records, skipped %v", x.Records, x.Skipped)
	}
	for _, e := range r.exporters.All() {
		if e.Addr.Netip().String() == "192.0.2.1" &&
			(e.Rate.Load() != 50 || decode.RateSource(e.From.Load()) != decode.RateConfigured) {
			t.Errorf("rate %d", e.Rate.Load())
		}
	}
}

// The rate of an sFlow agent is told by its own address, which status shows, or by who sends.
func TestOverrideOfAgent(t *testing.T) {
	agent, sender := netip.MustParsePrefix("192.0.2.9/32"), netip.MustParsePrefix("192.0.2.1/32")
	f := func(want uint32, rates ...ExporterRate) {
		t.Helper()
		rules, err := NewExportRules(nil, rates, 1)
		if err != nil {
			t.Fatal(err)
		}
		r := newFlowRig(t, Limits{}, rules, "10.9.0.0/16")
		d := sflowtest.Head{Agent: agent.Addr(), Sequence: 1, Uptime: 1}
		sample := sflowtest.Flow{Rate: 512, Pool: 512}.Sample(
			sflowtest.Header(1, 64, 4, make([]byte, 60)))
		r.from("192.0.2.1:9", d.Datagram(sample))
		all := r.exporters.All()
		if len(all) != 1 || all[0].Addr.Netip() != agent.Addr() || all[0].Rate.Load() != want {
			t.Errorf("%v: %d exporters, the first %+v, want a rate of %d", rates, len(all), all[0],
				want)
		}
	}
	f(100, ExporterRate{agent, 100})
	f(50, ExporterRate{sender, 50})
	f(100, ExporterRate{sender, 50}, ExporterRate{agent, 100})
}

// Spoofed senders get no more places than there are, and those who are there stay.
func TestExportersBounded(t *testing.T) {
	r := newFlowRig(t, Limits{}, nil, "10.9.0.0/16")
	good := netflowtest.F3(nil, r.header(), netflowtest.Flows(1, 3))
	r.from("192.0.2.1:9", good)
	for i := range 200 {
		spoofed := netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
		r.from(netip.AddrPortFrom(spoofed, 9).String(), good)
	}
	if n := len(r.exporters.All()); n != 4 {
		t.Errorf("%d exporters of 4", n)
	}
	if n := r.exporters.Unlisted.Load(); n != 197 {
		t.Errorf("%d datagrams of exporters without a place", n)
	}
	if s := r.flip(); s.Exports.Records != 201*3 {
		t.Errorf("%d records: who has no place is counted all the same", s.Exports.Records)
	}
	r.now += 2 * exporterIdle
	r.from("192.0.2.1:9", good)
	r.exporters.Forget(r.now)
	all := r.exporters.All()
	if len(all) != 1 || all[0].Addr.Netip().String() != "192.0.2.1" {
		t.Errorf("%d exporters are left", len(all))
	}
	if got := all[0].Datagrams.Load(); got != 2 {
		t.Errorf("%d datagrams", got)
	}
}

// Records of warm hosts are evidence: packets that the decoder reads as the record says.
func TestFlowEvidence(t *testing.T) {
	r := newFlowRig(t, Limits{Packets: [NumAspects]uint64{UDP: 1000}}, nil, "10.0.0.0/24")
	for _, proto := range []uint8{1, 6, 17, 47} {
		h := r.header()
		flow := netflowtest.Flow{
			Src: ip4("198.51.100.7"), Dst: ip4("10.0.0.9"), Proto: proto, SrcPort: 53, DstPort: 80,
			Flags: 2, Packets: 5000, Bytes: 500_000, First: h.Uptime - 1000, Last: h.Uptime,
		}
		r.from("192.0.2.1:9", netflowtest.F3(nil, h, []netflowtest.Flow{flow}))
		s := r.Samples.Front()
		if s == nil {
			t.Fatalf("protocol %d: no sample", proto)
		}
		var got decode.Record
		d := decode.Decoder{LengthFromIP: true}
		d.Decode(&got, decode.Link(s.Link), s.Data[:s.Cap], s.Wire)
		if got.Src.Netip().String() != "198.51.100.7" || got.Dst.Netip().String() != "10.0.0.9" ||
			got.Proto != proto || got.IPLen != 100 || s.Stream != ring.Warm || s.Sampling != 5000 {
			t.Errorf("protocol %d: %+v of %+v", proto, got, s)
		}
		if proto == 6 && (got.TCPFlags != 2 || got.SrcPort != 53) {
			t.Errorf("%+v", got)
		}
		r.Samples.Advance()
		r.flip()
	}
}

// What the router did with a flow is told of its evidence.
func TestFlowEvidenceForwarding(t *testing.T) {
	r := newFlowRig(t, Limits{Packets: [NumAspects]uint64{Total: 1000}}, nil, "10.0.0.0/24")
	be := binary.BigEndian
	var template []byte
	for _, v := range []uint16{256, 5, 8, 4, 12, 4, 2, 4, 1, 4, 89, 1} {
		template = be.AppendUint16(template, v)
	}
	for _, status := range []uint8{decode.Dropped | 10, 0} {
		data := be.AppendUint32(be.AppendUint32(nil, ip4("198.51.100.7")), ip4("10.0.0.9"))
		data = append(be.AppendUint32(be.AppendUint32(data, 5000), 500_000), status)
		b := netflowtest.Set(netflowtest.V9(nil, r.header(), 2), 0, template...)
		r.from("192.0.2.1:9", netflowtest.Set(b, 256, data...))
		s := r.Samples.Front()
		if s == nil || s.Forwarding != status {
			t.Fatalf("status %d: %+v", status, s)
		}
		r.Samples.Advance()
		r.flip()
	}
}

// Hosts of a wide network are listed by what one record tells.
func TestFlowDirectory(t *testing.T) {
	r := newFlowRig(t, Limits{Packets: [NumAspects]uint64{Total: 6400}}, nil, "10.0.0.0/8")
	if r.layout.Directory == 0 {
		t.Fatal("the network is direct under this budget: nothing is listed")
	}
	h := r.header()
	r.from("192.0.2.1:9", netflowtest.F3(nil, h, []netflowtest.Flow{{
		Dst: ip4("10.1.2.3"), Proto: 17, Packets: 5000, Bytes: 500_000, First: h.Uptime,
		Last: h.Uptime,
	}}))
	r.flip()
	if got := r.sum("10.1.2.3", false, counters.UpTo1s).Packets[counters.UDP]; got != 5000 {
		t.Errorf("%d packets", got)
	}
}

func TestFlowWorkerNoAllocs(t *testing.T) {
	r := newFlowRig(t, Limits{Packets: [NumAspects]uint64{Total: 10}}, nil, "10.9.0.0/16",
		"2001:db8::/32")
	h := r.header()
	frames := [][]byte{
		netflowtest.F1Template(nil, h), netflowtest.F1(nil, h, netflowtest.Flows(3, 25)),
		netflowtest.F3(nil, h, netflowtest.Flows(4, 30)), sflowtest.F4(1), {0, 9, 0}, nil,
		[]byte("garbage that is no export"),
	}
	var batch []ringtest.Frame
	for i, p := range frames {
		b := make([]byte, ring.SenderLen)
		ring.PutSender(b, netip.MustParseAddrPort("192.0.2.1:9"))
		batch = append(batch, ringtest.Frame{
			Time: r.now + int64(i), Link: ring.LinkDatagram, Data: append(b, p...),
		})
	}
	r.source.Add(batch...)
	step := func() {
		if _, err := r.Step(); err != nil {
			t.Fatal(err)
		}
		for r.Samples.Front() != nil {
			r.Samples.Advance()
		}
	}
	step()
	held := &again{batch: batch}
	r.FlowWorker.source = held
	step()
	if n := testing.AllocsPerRun(200, step); n != 0 {
		t.Errorf("%v allocations a burst", n)
	}
	r.flip()
}

// again lends the same frames for ever.
type again struct {
	batch []ringtest.Frame
	mem   []byte
}

func (a *again) Poll(b *ring.Batch) (int, error) {
	a.mem = a.mem[:0]
	for i, f := range a.batch {
		b.Frames[i] = ring.Frame{
			Time: f.Time, Off: uint32(len(a.mem)), Cap: uint32(len(f.Data)),
			Wire: uint32(len(f.Data)), Link: f.Link,
		}
		a.mem = append(a.mem, f.Data...)
	}
	b.Mem, b.N, b.Now = a.mem, len(a.batch), a.batch[0].Time
	return b.N, nil
}
func (a *again) Release(*ring.Batch) {}
func (a *again) Stats() ring.Stats   { return ring.Stats{} }
func (a *again) Close() error        { return nil }
