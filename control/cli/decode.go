package cli

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"weir/decode"
	"weir/decode/pcap"
)

func newDecode() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "decode",
		Short: "what the decoders see in captures",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDecodePackets(), newDecodeFlows())
	return cmd
}

func newDecodePackets() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "packets FILE...",
		Short: "one line per frame of captures, then a summary",
		Long: `Print one line per frame of captures (pcap, pcapng, gzip; "-" is standard input),
then a summary. Addresses, ports and lengths are those of the innermost IP header that could
be read, with every kind of tunnel open.

A file that is damaged ends the run with status 1 after the frames before the damage.`,
		Args: cobra.MinimumNArgs(1),
	}
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		p := newPacketPrinter(cmd.OutOrStdout(), asJSON, len(files) > 1)
		return p.files(files, p.file, p.summary)
	}
	return cmd
}

// packetLine is one frame as it is printed. Fields that do not apply to it are empty.
type packetLine struct {
	Type     string     `json:"type"`
	N        uint64     `json:"n"`
	Time     string     `json:"time"`
	Wire     uint32     `json:"wire"`
	Status   string     `json:"status"`
	VLAN     []uint16   `json:"vlan,omitempty"`
	MPLS     []uint32   `json:"mpls,omitempty"`
	Tunnel   []string   `json:"tunnel,omitempty"`
	Src      netip.Addr `json:"src,omitzero"`
	Dst      netip.Addr `json:"dst,omitzero"`
	IPProto  *uint8     `json:"ipproto,omitempty"`
	SrcPort  *uint16    `json:"sport,omitempty"`
	DstPort  *uint16    `json:"dport,omitempty"`
	TCPFlags *uint8     `json:"tcp_flags,omitempty"`
	IPLen    *uint32    `json:"ip_len,omitempty"`
	TTL      *uint8     `json:"ttl,omitempty"`
	Fragment string     `json:"fragment,omitempty"`
}

type packetSummary struct {
	Type    string            `json:"type"`
	Packets uint64            `json:"packets"`
	Bytes   uint64            `json:"bytes"`
	Status  map[string]uint64 `json:"status"`
}

// packetPrinter decodes captures and prints what came of it.
type packetPrinter struct {
	printer
	decoder decode.Decoder
	record  decode.Record
	now     packetLine

	packets, bytes uint64
	status         [decode.NumStatus]uint64
}

func newPacketPrinter(w io.Writer, asJSON, naming bool) *packetPrinter {
	return &packetPrinter{printer: newPrinter(w, asJSON, naming, packetColumns())}
}

// file prints the frames of one capture.
func (p *packetPrinter) file(path string) error { return p.frames(path, p.packet) }

// packet decodes one frame and prints it.
func (p *packetPrinter) packet(n uint64, in *pcap.Reader, frame *pcap.Packet) error {
	r := &p.record
	status := p.decoder.Decode(r, decode.Link(frame.Link), frame.Data, frame.Wire)
	p.packets++
	p.bytes += uint64(r.Wire)
	p.status[status]++
	p.now.fill(r, status)
	p.now.N = n
	layout := "2006-01-02T15:04:05.000000Z07:00"
	if in.Nanos() {
		layout = "2006-01-02T15:04:05.000000000Z07:00"
	}
	p.now.Time = time.Unix(0, frame.Time).UTC().Format(layout)
	return p.line(&p.now)
}

// fill takes everything but number and time from a record, which it points into.
func (l *packetLine) fill(r *decode.Record, status decode.Status) {
	tunnels := l.Tunnel[:0]
	for _, t := range r.Tunnels[:r.NTunnels] {
		tunnels = append(tunnels, t.String())
	}
	*l = packetLine{
		Type: "packet", Wire: r.Wire, Status: status.String(), Tunnel: tunnels,
		VLAN: r.VLAN[:r.NVLAN], MPLS: r.MPLS[:r.NMPLS],
	}
	if r.Version == 0 {
		return
	}
	l.Src, l.Dst = address(r, r.Src), address(r, r.Dst)
	l.IPProto, l.IPLen, l.TTL = &r.Proto, &r.IPLen, &r.TTL
	switch r.Fragment {
	case decode.FirstFragment:
		l.Fragment = "first"
	case decode.LaterFragment:
		l.Fragment = "later"
		return
	}
	if !protocols[r.Proto].ports {
		return
	}
	// Zeros in a damaged packet are ports, or flags, that were not reached.
	if status == decode.OK || r.SrcPort|r.DstPort != 0 {
		l.SrcPort, l.DstPort = &r.SrcPort, &r.DstPort
	}
	if r.Proto == protoTCP && (status == decode.OK || r.TCPFlags != 0) {
		l.TCPFlags = &r.TCPFlags
	}
}

// address returns an address of r; in an IPv6 header a v4-mapped one is IPv6.
func address(r *decode.Record, a decode.Addr) netip.Addr {
	ip := a.Netip()
	if r.Version == 6 {
		return netip.AddrFrom16(ip.As16())
	}
	return ip
}

func (p *packetPrinter) summary() {
	s := packetSummary{"summary", p.packets, p.bytes, byStatus(p.status[:])}
	if p.json != nil {
		_ = p.json.Encode(s) // flush reports what the writer said
		return
	}
	_ = p.table.flush(p.out) // flush reports what the writer said
	fmt.Fprintf(p.out, "\n%s, %s on the wire", count(int(s.Packets), "frame"), bytesText(s.Bytes))
	separator := ": "
	for st := range decode.NumStatus {
		if n := p.status[st]; n > 0 {
			fmt.Fprintf(p.out, "%s%d %s", separator, n, st)
			separator = ", "
		}
	}
	fmt.Fprintln(p.out)
}

const protoTCP = 6

// protocols says how the table names IP protocols, and which have what Record holds as ports.
var protocols = [256]struct {
	name  string
	ports bool
}{
	1: {"icmp", true}, 2: {"igmp", false}, protoTCP: {"tcp", true}, 17: {"udp", true},
	33: {"dccp", true}, 47: {"gre", false}, 50: {"esp", false}, 51: {"ah", false},
	58: {"icmpv6", true}, 89: {"ospf", false}, 132: {"sctp", true}, 136: {"udplite", true},
}
