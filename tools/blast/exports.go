package blast

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"weir/decode/netflow/netflowtest"
)

// ExportWorkload is an endless stream of flow-export datagrams with a fixed seed, as it arrives at
// a collector. Every record is of traffic from outside to one of 65,536 hosts of Home4, at random.
type ExportWorkload struct {
	Name      string
	Text      string // one line for people
	Records   int    // of a datagram of data: flow records, or flow samples
	Exporters int
	SFlow     bool // NetFlow or IPFIX otherwise

	seed uint64
	kind exportKind
}

// exportKind says what the datagrams of a workload are made of. NetFlow and IPFIX have templates,
// which come first and after every 1000 datagrams; nil where there are none.
type exportKind struct {
	templates func(b []byte, h netflowtest.Header) []byte
	data      func(b []byte, h netflowtest.Header, flows []netflowtest.Flow, layout int) []byte
	step      func(records int) uint32 // by which a datagram of data moves the sequence number
	announced uint32                   // by which one of templates does
	samples   func(e *Exports) []byte  // of sFlow
}

// ExportWorkloads returns the export workloads that benchmarks are named by, in their order.
func ExportWorkloads() []ExportWorkload {
	type flows = []netflowtest.Flow
	type header = netflowtest.Header
	plain := func(f func([]byte, header, flows) []byte) func([]byte, header, flows, int) []byte {
		return func(b []byte, h header, list flows, _ int) []byte { return f(b, h, list) }
	}
	datagrams := func(int) uint32 { return 1 }
	records := func(n int) uint32 { return uint32(n) }
	v9 := exportKind{netflowtest.F1Template, plain(netflowtest.F1), datagrams, 1, nil}
	ipfix := func(
		t func([]byte, header) []byte, d func([]byte, header, flows, int) []byte,
	) exportKind {
		return exportKind{t, d, records, 0, nil}
	}
	v5 := exportKind{data: plain(netflowtest.F3), step: records}
	samples := func(f func(*Exports) []byte) exportKind { return exportKind{samples: f} }
	return []ExportWorkload{
		{"F1", "NetFlow v9, 20 fields, 25 records of 55 B", 25, 1, false, 0xf1, v9},
		{"F2", "IPFIX, F1's fields", 25, 1, false, 0xf2,
			ipfix(netflowtest.F2Template, plain(netflowtest.F2))},
		{"F2b", "F2 with a field of variable length and one of an enterprise", 19, 1, false, 0xf2b,
			ipfix(netflowtest.F2bTemplate, plain(netflowtest.F2b))},
		{"F2c", "F2 from 100 exporters with 10 templates each", 25, 100, false, 0xf2c,
			ipfix(netflowtest.F2cTemplates, func(b []byte, h header, f flows, layout int) []byte {
				return netflowtest.F2c(b, h, layout, f)
			})},
		{"F3", "NetFlow v5, 30 records", 30, 1, false, 0xf3, v5},
		{"F4", "sFlow v5, 7 flow samples with 128 B of header", 7, 1, true, 0xf4,
			samples((*Exports).sflow5)},
		{"F4b", "sFlow v5, 3 flow and 4 counter samples", 3, 1, true, 0xf4b,
			samples((*Exports).sflow5Counters)},
		{"F4c", "F4 in sFlow v4", 7, 1, true, 0xf4c, samples((*Exports).sflow4)},
		{"F5", "NetFlow v9, 1 record per datagram", 1, 1, false, 0xf5, v9},
	}
}

// FindExports returns the export workload with that name.
func FindExports(name string) (ExportWorkload, error) {
	var names []string
	for _, w := range ExportWorkloads() {
		if w.Name == name {
			return w, nil
		}
		names = append(names, w.Name)
	}
	return ExportWorkload{}, fmt.Errorf("find workload %q: it is none of %s",
		name, strings.Join(names, ", "))
}

// Datagrams returns the workload's datagrams from the first on.
func (w *ExportWorkload) Datagrams() *Exports {
	return &Exports{
		workload: w, random: newRandom(w.seed, 0), hosts: newShuffle(1 << 16),
		exporters: make([]exporter, w.Exporters), flows: make([]netflowtest.Flow, w.Records),
		seconds: ExportEpoch, uptime: exportUptime,
	}
}

// ExportEpoch is when the exporters of all workloads say that they send, seconds since 1970 UTC,
// unless they are told what time it is.
const ExportEpoch = 1_767_323_044

// templateEvery is how many datagrams of data come between two of templates.
const templateEvery = 1000

// Exports is a place in the stream of an ExportWorkload.
type Exports struct {
	workload *ExportWorkload
	random
	hosts     shuffle
	exporters []exporter
	flows     []netflowtest.Flow
	number    uint32 // datagrams, of sFlow
	taken     uint32 // flow samples
	frame     [128]byte

	seconds, uptime uint32 // of the exporters' clocks; uptime in milliseconds
	boot            uint32 // when they began, seconds since 1970; 0: at ExportEpoch less an hour
}

// SetClock sets the exporters' clocks, for what Next makes from now on: they began an hour before
// the first of these times. Seconds and uptime move together, by whole seconds, so that the times
// of flows do not tremble.
func (e *Exports) SetClock(now time.Time) {
	e.seconds = uint32(now.Unix())
	if e.boot == 0 {
		e.boot = e.seconds - exportUptime/1000
	}
	e.uptime = (e.seconds - e.boot) * 1000
}

// exporter is how far one exporter is.
type exporter struct {
	seq  uint32
	sent uint32 // datagrams of data
	told uint32 // 1 + sent when the templates were told last
}

// Next appends the next datagram to b and returns it, who sent it, and how many records or flow
// samples are in it: none in one of templates.
func (e *Exports) Next(b []byte) (datagram []byte, from netip.AddrPort, records int) {
	w := e.workload
	n := e.below(uint32(w.Exporters))
	from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(9 + n)}), 50_000)
	if w.SFlow {
		b = append(b, w.kind.samples(e)...)
		e.number++
		return b, from, w.Records
	}
	x := &e.exporters[n]
	h := netflowtest.Header{
		Domain: 1, Uptime: e.uptime, Seconds: e.seconds, Seq: x.seq,
	}
	if w.kind.templates != nil && (x.told == 0 || x.sent-x.told+1 == templateEvery) {
		x.told = x.sent + 1
		x.seq += w.kind.announced
		return w.kind.templates(b, h), from, 0
	}
	for i := range e.flows {
		e.draw(&e.flows[i])
	}
	b = w.kind.data(b, h, e.flows, int(x.sent)%netflowtest.Layouts)
	x.sent++
	x.seq += w.kind.step(w.Records)
	return b, from, w.Records
}

// exportUptime is the uptime of exporters at first, in milliseconds: an hour.
const exportUptime = 3_600_000

// draw makes f a flow of up to a minute, half of them TCP.
func (e *Exports) draw(f *netflowtest.Flow) {
	packets := 1 + e.below(1000)
	ports := e.u32()
	*f = netflowtest.Flow{
		Src: e.anywhere4(), Dst: hosts16 + e.hosts.next(), NextHop: 192<<24 | 2<<8 | 1,
		SrcPort: uint16(ports >> 16), DstPort: uint16(ports), Proto: ProtoUDP,
		Packets: packets, Bytes: packets * (40 + e.below(1400)),
		In: 1 + e.below(8), Out: 1 + e.below(8), SrcAS: 64496, DstAS: 64497,
		First: e.uptime - 60_000 + e.below(30_000),
		Last:  e.uptime - 30_000 + e.below(30_000),
	}
	if ports&(1<<16) == 0 {
		f.Proto, f.Flags = ProtoTCP, FIN|SYN|PSH|ACK
	}
}
