package cli

import (
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/decode"
	"weir/decode/netflow"
	"weir/decode/payload"
)

// flowLine is one flow record as it is printed. Fields that do not apply to it are empty.
type flowLine struct {
	Type       string     `json:"type"`
	Proto      string     `json:"proto"`
	Exporter   netip.Addr `json:"exporter,omitzero"`
	Domain     uint32     `json:"domain"`
	Src        netip.Addr `json:"src"`
	Dst        netip.Addr `json:"dst"`
	IPProto    uint8      `json:"ipproto"`
	SrcPort    *uint16    `json:"sport,omitempty"`
	DstPort    *uint16    `json:"dport,omitempty"`
	TCPFlags   *uint8     `json:"tcp_flags,omitempty"`
	Packets    uint64     `json:"packets"`
	Bytes      uint64     `json:"bytes"`
	Sampling   uint32     `json:"sampling"`
	Start      string     `json:"start,omitempty"`
	End        string     `json:"end,omitempty"`
	InIf       uint32     `json:"in_if,omitempty"`
	OutIf      uint32     `json:"out_if,omitempty"`
	SrcAS      uint32     `json:"src_as,omitempty"`
	DstAS      uint32     `json:"dst_as,omitempty"`
	NextHop    netip.Addr `json:"next_hop,omitzero"`
	TOS        uint8      `json:"tos"`
	VLAN       uint16     `json:"vlan,omitempty"`
	Forwarding uint8      `json:"forwarding_status,omitempty"`
}

type flowSummary struct {
	Type           string            `json:"type"`
	Datagrams      uint64            `json:"datagrams"`
	Flows          uint64            `json:"flows"`
	Packets        uint64            `json:"packets"`
	Bytes          uint64            `json:"bytes"`
	Templates      uint64            `json:"templates"`
	Options        uint64            `json:"options"`
	CounterSamples uint64            `json:"counter_samples"`
	Errors         map[string]uint64 `json:"errors"`
	Skipped        map[string]uint64 `json:"skipped"`
}

// missingFragments names export datagrams of which not all fragments came.
const missingFragments = "missing_fragments"

// overTCP names TCP segments that begin with an IPFIX message: streams are not read from captures.
const overTCP = "ipfix_over_tcp"

// flowPrinter decodes export datagrams and prints what came of it.
type flowPrinter struct {
	printer
	payload string // of --payload
	cache   *netflow.Cache
	exports *exports
	finder  payload.Finder
	now     flowLine
	sum     flowSummary
}

func newFlowPrinter(w io.Writer, asJSON, naming bool) *flowPrinter {
	cache := netflow.NewCache(netflow.Limits{})
	p := &flowPrinter{
		printer: newPrinter(w, asJSON, naming, flowColumns()),
		cache:   cache,
		exports: newExports(cache),
		sum: flowSummary{
			Type: "summary", Errors: map[string]uint64{},
			Skipped: map[string]uint64{decode.NoTemplate.String(): 0},
		},
	}
	p.finder.GivenUp = func(g *payload.Datagram) {
		if _, ok := exportKind(g); ok {
			p.sum.Errors[missingFragments]++
		}
	}
	p.finder.Segment = func(g *payload.Datagram) {
		if g.Message() {
			p.sum.Skipped[overTCP]++
		}
	}
	return p
}

// datagram prints the records of one export datagram.
func (p *flowPrinter) datagram(a *decode.Arrival, kind string) (*decode.Datagram, error) {
	g, err := p.exports.decode(a, kind, p.flow)
	if err != nil {
		return nil, err
	}
	s := &p.sum
	s.Datagrams++
	s.Templates += uint64(g.Templates)
	s.Options += uint64(g.Options)
	s.CounterSamples += uint64(g.CounterSamples)
	for i, n := range g.Faults {
		if n > 0 {
			s.Errors[decode.Fault(i).String()] += uint64(n)
		}
	}
	for i, n := range g.Skipped {
		if n > 0 {
			s.Skipped[decode.Skip(i).String()] += uint64(n)
		}
	}
	return g, nil
}

// flow prints one record.
func (p *flowPrinter) flow(g *decode.Datagram, r *decode.Record) error {
	p.now.fill(g, r)
	p.sum.Flows++
	p.sum.Packets += p.now.Packets
	p.sum.Bytes += p.now.Bytes
	return p.line(&p.now)
}

// fill takes a line from a record, which it points into.
func (l *flowLine) fill(g *decode.Datagram, r *decode.Record) {
	f := &r.Flow
	*l = flowLine{
		Type: "flow", Proto: g.Proto.String(), Domain: g.Domain, IPProto: r.Proto,
		Src: address(r, r.Src), Dst: address(r, r.Dst),
		Packets: r.Packets, Bytes: r.Bytes, Sampling: r.Sampling,
		Start: timeText(f.Start), End: timeText(f.End),
		InIf: f.InIf, OutIf: f.OutIf, SrcAS: f.SrcAS, DstAS: f.DstAS, TOS: f.TOS,
		Forwarding: f.Forwarding,
	}
	if g.Exporter != (decode.Addr{}) {
		l.Exporter = g.Exporter.Netip()
	}
	if f.NextHop != (decode.Addr{}) {
		l.NextHop = f.NextHop.Netip()
	}
	if r.NVLAN > 0 {
		l.VLAN = r.VLAN[0]
	}
	sampled := g.Proto == decode.SFlow4 || g.Proto == decode.SFlow5
	if sampled {
		l.Bytes = uint64(r.Wire)
	}
	if r.Fragment == decode.LaterFragment {
		return
	}
	if protocols[r.Proto].ports || r.SrcPort|r.DstPort != 0 {
		l.SrcPort, l.DstPort = &r.SrcPort, &r.DstPort
	}
	if !sampled || r.Proto == protoTCP { // a flow record has the field whatever its protocol
		l.TCPFlags = &r.TCPFlags
	}
}

// timeText returns a time with as many decimals as it has, and nothing for 0.
func timeText(nanos int64) string {
	if nanos == 0 {
		return ""
	}
	return time.Unix(0, nanos).UTC().Format(time.RFC3339Nano)
}

func flowColumns() []column {
	return []column{
		{"EXPORTER", false}, {"PROTO", false}, {"START", false}, {"IP", false}, {"SOURCE", false},
		{"DESTINATION", false}, {"PACKETS", true}, {"BYTES", true}, {"1:N", true}, {"NOTES", false},
	}
}

// row is the line as the table has it.
func (l *flowLine) row() []string {
	exporter := ""
	if l.Exporter.IsValid() {
		exporter = l.Exporter.String()
	}
	src, dst := endpoints(l.Src, l.Dst, l.IPProto, l.SrcPort, l.DstPort)
	return []string{
		exporter, l.Proto, l.Start, protocolName(l.IPProto), src, dst,
		strconv.FormatUint(l.Packets, 10), strconv.FormatUint(l.Bytes, 10),
		strconv.FormatUint(uint64(l.Sampling), 10), l.notes(),
	}
}

// notes are what not every flow has.
func (l *flowLine) notes() string {
	var out []string
	add := func(name string, v uint32) {
		if v != 0 {
			out = append(out, fmt.Sprintf("%s %d", name, v))
		}
	}
	if l.DstPort != nil && isICMP(l.IPProto) {
		out = append(out, fmt.Sprintf("type %d code %d", *l.DstPort>>8, *l.DstPort&0xff))
	}
	if l.TCPFlags != nil && l.IPProto == protoTCP {
		out = append(out, flagsText(*l.TCPFlags))
	}
	add("domain", l.Domain)
	add("in", l.InIf)
	add("out", l.OutIf)
	add("vlan", uint32(l.VLAN))
	add("from AS", l.SrcAS)
	add("to AS", l.DstAS)
	if l.NextHop.IsValid() {
		out = append(out, "via "+l.NextHop.String())
	}
	add("tos", uint32(l.TOS))
	if l.Forwarding&decode.Consumed == decode.Dropped {
		out = append(out, "dropped")
	}
	return strings.Join(out, ", ")
}

// summary prints what it all came to.
func (p *flowPrinter) summary() {
	s := &p.sum
	if p.json != nil {
		_ = p.json.Encode(s) // flush reports what the writer said
		return
	}
	_ = p.table.flush(p.out) // flush reports what the writer said
	fmt.Fprintf(p.out, "\n%s in %s: %s, %s as exported; %s, %s, %s\n",
		count(int(s.Flows), "flow"), count(int(s.Datagrams), "datagram"),
		count(int(s.Packets), "packet"), bytesText(s.Bytes), count(int(s.Templates), "template"),
		count(int(s.Options), "options record"), count(int(s.CounterSamples), "counter sample"))
	for _, c := range []struct {
		what string
		of   map[string]uint64
	}{{"skipped", s.Skipped}, {"errors", s.Errors}} {
		if text := byName(c.of); text != "" {
			fmt.Fprintf(p.out, "%s: %s\n", c.what, text)
		}
	}
}

// byName lists counts that are not zero, in the order of their names.
func byName(counts map[string]uint64) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if counts[name] > 0 {
			out = append(out, fmt.Sprintf("%d %s", counts[name], name))
		}
	}
	return strings.Join(out, ", ")
}
