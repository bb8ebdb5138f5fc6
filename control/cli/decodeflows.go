package cli

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"weir/decode"
	"weir/decode/netflow"
	"weir/decode/payload"
	"weir/decode/pcap"
	"weir/decode/sflow"
)

func newDecodeFlows() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "flows FILE...",
		Short: "one line per flow record of export datagrams, then a summary",
		Long: `Print one line per flow record, or sFlow sample, then a summary. Captures (pcap,
pcapng, gzip; "-" is standard input) are searched for export datagrams: NetFlow v5 and v9, IPFIX,
sFlow v2, v4 and v5 over UDP, whatever their port; IP fragments are put together. Templates hold
from one file to the next. IPFIX over TCP is not read; the segments that begin with a message are
counted as skipped: ipfix_over_tcp.

With --payload each FILE is one bare UDP payload. Who sent it is not known then: NetFlow and IPFIX
have no exporter, sFlow names its agent.

A file that is damaged ends the run with status 1 after the flows before the damage. What is wrong
with a datagram is counted in the summary instead.`,
		Args: cobra.MinimumNArgs(1),
	}
	output := outputFlag(cmd)
	bare := cmd.Flags().String("payload", "", "FILE is one UDP payload: netflow or sflow")
	first := cmd.Flags().Bool("templates-first", false,
		"learn the templates of all files before printing")
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		switch *bare {
		case "", payloadNetFlow, payloadSFlow:
		default:
			return usageError("--payload is %q, not netflow or sflow", *bare)
		}
		p := newFlowPrinter(cmd.OutOrStdout(), asJSON, len(files) > 1)
		p.payload = *bare
		if *first {
			if err := p.learn(files); err != nil {
				return err
			}
		}
		return p.files(files, p.file, p.summary)
	}
	return cmd
}

// What --payload says that a file is.
const (
	payloadNetFlow = "netflow"
	payloadSFlow   = "sflow"
)

// exportPorts are those that exporters usually send to. What comes to them is taken for an export,
// and for a damaged one if it looks like none.
func exportPort(port uint16) bool {
	switch port {
	case 2055, 2056, 4739, 6343, 9555, 9995, 9996:
		return true
	}
	return false
}

// exports decodes export datagrams, by whatever protocol.
type exports struct {
	netflow *netflow.Decoder
	sflow   *sflow.Decoder
	out     [64]decode.Record
}

func newExports(c *netflow.Cache) *exports {
	inner := new(decode.Decoder)
	return &exports{
		netflow: netflow.NewDecoder(c, netflow.All, inner),
		sflow:   sflow.NewDecoder(sflow.All, inner),
	}
}

// decode calls each with the records of a datagram, and returns what became of it.
func (x *exports) decode(a *decode.Arrival, kind string, each func(
	*decode.Datagram, *decode.Record) error,
) (*decode.Datagram, error) {
	next, datagram := x.netflow.Next, x.netflow.Datagram
	if kind == payloadSFlow {
		x.sflow.Begin(a)
		next, datagram = x.sflow.Next, x.sflow.Datagram
	} else {
		x.netflow.Begin(a)
	}
	for n := next(x.out[:]); n > 0; n = next(x.out[:]) {
		for i := range x.out[:n] {
			if err := each(datagram(), &x.out[i]); err != nil {
				return nil, err
			}
		}
	}
	return datagram(), nil
}

// exportKind tells by its content what a UDP payload is, and reports whether it is an export. What
// comes to no usual port must look like one beyond its version: two bytes are soon alike.
func exportKind(g *payload.Datagram) (string, bool) {
	b, usual := g.Data, exportPort(g.DstPort)
	if len(b) < 4 {
		return payloadNetFlow, usual
	}
	switch binary.BigEndian.Uint32(b) {
	case 2, 4, 5:
		return payloadSFlow, usual || likelySFlow(b)
	}
	switch binary.BigEndian.Uint16(b) {
	case 5, 9, 10:
		return payloadNetFlow, usual || likelyNetFlow(b)
	}
	return payloadNetFlow, usual
}

// likelySFlow reports whether what has a version of sFlow goes on like it: with the type of the
// agent's address, and a believable number of samples.
func likelySFlow(b []byte) bool {
	samples := 24 // behind an IPv4 address, in version 5
	if len(b) < 8 || b[3] != 5 {
		samples -= 4
	}
	if len(b) < samples+16 {
		return false
	}
	switch binary.BigEndian.Uint32(b[4:]) {
	case 1:
	case 2:
		samples += 12
	default:
		return false
	}
	return len(b) >= samples+4 && binary.BigEndian.Uint32(b[samples:]) <= sflow.MaxSamples
}

// likelyNetFlow reports whether what has a version of NetFlow or IPFIX has lengths that fit it.
func likelyNetFlow(b []byte) bool {
	second := int(binary.BigEndian.Uint16(b[2:])) // a number of records, or the length
	first := 20                                   // where the first set begins
	switch b[1] {
	case 5:
		return second > 0 && len(b) == 24+48*second
	case 10:
		first = 16
		if second != len(b) {
			return false
		}
	}
	if len(b) < first+4 {
		return false
	}
	id, length := binary.BigEndian.Uint16(b[first:]), binary.BigEndian.Uint16(b[first+2:])
	return (id <= 3 || id >= 256) && length >= 4 && first+int(length) <= len(b)
}

// readPayload returns a file that is one UDP payload.
func readPayload(path string) (b []byte, err error) {
	const longest = 1<<16 - 1
	in := os.Stdin
	if path != "-" {
		if in, err = os.Open(path); err != nil {
			return nil, err // names the operation and the file
		}
		defer in.Close()
	}
	if b, err = io.ReadAll(io.LimitReader(in, longest+1)); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(b) > longest {
		return nil, fmt.Errorf("%s: offset %d: longer than a UDP payload can be", path, longest)
	}
	return b, nil
}

// learn reads all files without printing anything, for what they tell of templates and rates.
func (p *flowPrinter) learn(files []string) error {
	q := newFlowPrinter(io.Discard, true, false)
	q.payload, q.exports = p.payload, newExports(p.cache)
	for _, file := range files {
		if file == "-" {
			return usageError("--templates-first reads every file twice: not standard input")
		}
		_ = q.file(file) // damage is told when the file is read for the second time
	}
	return nil
}

// file prints the flows of one file.
func (p *flowPrinter) file(path string) error {
	if p.payload != "" {
		return p.bare(path)
	}
	err := p.frames(path, p.frame)
	p.finder.End()
	return err
}

// bare prints the flows of a file that is one UDP payload.
func (p *flowPrinter) bare(path string) error {
	b, err := readPayload(path)
	if err != nil {
		return err
	}
	if err := p.name(path); err != nil {
		return err
	}
	g, err := p.datagram(&decode.Arrival{Payload: b}, p.payload)
	if err != nil || g.Valid {
		return err
	}
	for f, n := range g.Faults {
		if n > 0 {
			return fmt.Errorf("%s: offset 0: %s", path, decode.Fault(f))
		}
	}
	return nil
}

// frame prints the flows of the datagram that a frame carries, if it is an export.
func (p *flowPrinter) frame(_ uint64, _ *pcap.Reader, frame *pcap.Packet) error {
	var g payload.Datagram
	if !p.finder.Find(&g, decode.Link(frame.Link), frame.Data, frame.Wire) {
		return nil
	}
	kind, ok := exportKind(&g)
	if !ok {
		return nil
	}
	_, err := p.datagram(&decode.Arrival{
		Payload: g.Data, Source: g.Src, Port: g.SrcPort, Time: frame.Time,
	}, kind)
	return err
}
