package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"weir/tools/blast"
	"weir/tools/blast/wire"
)

// blastList is what weir blast can send.
type blastList struct {
	Type      string       `json:"type"` // list
	Workloads []blastEntry `json:"workloads"`
	Vectors   []string     `json:"vectors"`
}

type blastEntry struct {
	Name   string `json:"name"`
	Text   string `json:"text"`
	MaxLen int    `json:"max_frame"` // bytes, without FCS
}

func listBlast(out io.Writer, asJSON bool) error {
	l := blastList{Type: "list", Vectors: blast.Vectors()}
	for _, w := range blast.Workloads() {
		l.Workloads = append(l.Workloads, blastEntry{w.Name, w.Text, w.MaxLen})
	}
	for _, w := range blast.ExportWorkloads() {
		l.Workloads = append(l.Workloads, blastEntry{w.Name, w.Text, blast.MaxFrame})
	}
	if asJSON {
		return json.NewEncoder(out).Encode(&l)
	}
	rows := [][]string{{"WORKLOAD", ""}}
	for _, w := range l.Workloads {
		rows = append(rows, []string{w.Name, w.Text})
	}
	columns(out, rows)
	fmt.Fprintln(out, "\nVECTOR (to a prefix each of them is carpet bombing)")
	for _, name := range l.Vectors {
		fmt.Fprintln(out, name)
	}
	return nil
}

// blastProgress returns what tells of the progress, or nil where nobody watches: in a file lines
// each second would be in the way of what went wrong.
func blastProgress(talk io.Writer) func(wire.Progress) {
	if !terminal(talk) {
		return nil
	}
	return func(p wire.Progress) {
		fmt.Fprintf(talk, "%4.0f s  %12d frames  %10s  %10s\n",
			p.Elapsed.Seconds(), p.Frames, pps(uint64(p.PPS)), bps(uint64(p.BPS)))
	}
}

// printBlast says what was sent, and where that differs from what the interface counted.
func printBlast(out io.Writer, r *wire.Result, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	if r.Via == wire.File {
		_, err := fmt.Fprintf(out, "%s to %s: %s, %d bytes, for %v at %s, %s\n",
			r.Load, r.File, plural(r.Sent, "frame"), r.Bytes, lasted(r),
			pps(uint64(r.PPS)), bps(uint64(r.BPS)))
		return err
	}
	how := r.Via
	if r.Mode != "" {
		how += ", " + r.Mode
	}
	fmt.Fprintf(out, "%s from %s by %s", r.Load, r.Interface, how)
	if r.Reason != "" {
		fmt.Fprintf(out, " (%s)", r.Reason)
	}
	fmt.Fprint(out, "\n\n")
	rows := [][]string{{" CPU", " QUEUE", " SENT", " RATE", " REFUSED", " CPU ns/frame"}}
	for i := range r.Cores {
		c := &r.Cores[i]
		rows = append(rows, []string{
			orAny(c.CPU), orAny(c.Queue), fmt.Sprint(c.Sent), pps(uint64(c.PPS)),
			fmt.Sprint(c.Refused), fmt.Sprintf("%.0f", c.NSPerFrame()),
		})
	}
	columns(out, rows)
	fmt.Fprintf(out, "\n%s in %v: %s, %s\n", plural(r.Sent, "frame"), lasted(r),
		pps(uint64(r.PPS)), bps(uint64(r.BPS)))
	if r.Padded > 0 {
		fmt.Fprintf(out, "%s below 14 bytes filled up to that\n", plural(r.Padded, "frame"))
	}
	_, err := fmt.Fprintln(out, counted(r))
	return err
}

// lasted returns how long all of it took, for people.
func lasted(r *wire.Result) time.Duration {
	return time.Duration(r.Seconds * float64(time.Second)).Round(time.Millisecond)
}

func orAny(n int) string {
	if n < 0 {
		return "any"
	}
	return fmt.Sprint(n)
}

// untaken reports whether frames are missing of which only the interface's counters can tell. By
// other ways the kernel says itself what it took.
func untaken(r *wire.Result) bool {
	return r.Via == wire.Live && r.Interfaced.TXPackets < r.Sent
}

// counted compares what was sent with what the interface counted.
func counted(r *wire.Result) string {
	i := r.Interfaced
	text := fmt.Sprintf("%s counted %d", r.Interface, i.TXPackets)
	switch {
	case i.TXPackets == r.Sent:
		text += ", as many"
	case i.TXPackets > r.Sent:
		text += fmt.Sprintf(", %d more: others send there too", i.TXPackets-r.Sent)
	default:
		text += fmt.Sprintf(", %d fewer", r.Sent-i.TXPackets)
	}
	if untaken(r) {
		text += " (the driver did not take them: a veth takes live frames while its other end has" +
			" an XDP program in the driver, or GRO)"
	}
	if i.TXDropped > 0 {
		text += fmt.Sprintf("; %d dropped", i.TXDropped)
	}
	if i.TXErrors > 0 {
		text += fmt.Sprintf("; %d errors", i.TXErrors)
	}
	return text
}
