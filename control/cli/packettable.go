package cli

import (
	"bufio"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The columns of the table that `weir decode packets` prints.
const (
	colN = iota
	colTime
	colWire
	colStatus
	colProto
	colSrc
	colDst
	colLen
	colTTL
	colNotes
	tableColumns
)

var tableHead = tableRow{
	"N", "TIME", "WIRE", "STATUS", "PROTO", "SOURCE", "DESTINATION", "LEN", "TTL", "NOTES",
}

type tableRow [tableColumns]string

// rowsAtOnce is how many rows are aligned with each other; those after them are at least as wide.
const rowsAtOnce = 500

// packetTable aligns rows without holding more than rowsAtOnce of them.
type packetTable struct {
	rows   []tableRow
	width  [tableColumns]int
	headed bool
}

func (t *packetTable) add(w *bufio.Writer, l *packetLine) error {
	t.rows = append(t.rows, l.row())
	if len(t.rows) < rowsAtOnce {
		return nil
	}
	return t.flush(w)
}

func (t *packetTable) flush(w *bufio.Writer) error {
	if len(t.rows) == 0 {
		return nil
	}
	if !t.headed {
		t.rows = append([]tableRow{tableHead}, t.rows...)
		t.headed = true
	}
	for i := range t.rows {
		for c, text := range t.rows[i] {
			t.width[c] = max(t.width[c], utf8.RuneCountInString(text))
		}
	}
	for i := range t.rows {
		if _, err := w.WriteString(t.format(&t.rows[i])); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	t.rows = t.rows[:0]
	return nil
}

// format writes a row on one line: numbers to the right, everything else to the left.
func (t *packetTable) format(row *tableRow) string {
	var b strings.Builder
	for c, text := range row {
		gap := strings.Repeat(" ", t.width[c]-utf8.RuneCountInString(text))
		if c > 0 {
			b.WriteString("  ")
		}
		switch c {
		case colN, colWire, colLen, colTTL:
			b.WriteString(gap + text)
		default:
			b.WriteString(text + gap)
		}
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}

// row is the line as the table has it.
func (l *packetLine) row() tableRow {
	row := tableRow{
		colN: strconv.FormatUint(l.N, 10), colTime: l.Time,
		colWire: strconv.FormatUint(uint64(l.Wire), 10), colStatus: l.Status, colNotes: l.notes(),
	}
	if l.IPProto == nil {
		return row
	}
	p := *l.IPProto
	if row[colProto] = protocols[p].name; row[colProto] == "" {
		row[colProto] = strconv.Itoa(int(p))
	}
	row[colSrc], row[colDst] = l.Src.String(), l.Dst.String()
	if l.SrcPort != nil && !isICMP(p) {
		row[colSrc] = netip.AddrPortFrom(l.Src, *l.SrcPort).String()
		row[colDst] = netip.AddrPortFrom(l.Dst, *l.DstPort).String()
	}
	row[colLen] = strconv.FormatUint(uint64(*l.IPLen), 10)
	row[colTTL] = strconv.Itoa(int(*l.TTL))
	return row
}

func isICMP(p uint8) bool { return p == 1 || p == 58 }

// tcpFlagLetters are those of the low 8 bits, from the lowest: FIN, SYN, RST, PSH, ACK, URG, ECE,
// CWR.
const tcpFlagLetters = "FSRPAUEC"

// notes are what few packets have.
func (l *packetLine) notes() string {
	var out []string
	for _, id := range l.VLAN {
		out = append(out, fmt.Sprintf("vlan %d", id))
	}
	for _, label := range l.MPLS {
		out = append(out, fmt.Sprintf("mpls %d", label))
	}
	out = append(out, l.Tunnel...)
	if l.DstPort != nil && isICMP(*l.IPProto) {
		out = append(out, fmt.Sprintf("type %d code %d", *l.DstPort>>8, *l.DstPort&0xff))
	}
	if l.TCPFlags != nil {
		var flags []byte
		for bit := range 8 {
			if *l.TCPFlags>>bit&1 != 0 {
				flags = append(flags, tcpFlagLetters[bit])
			}
		}
		out = append(out, "["+string(flags)+"]")
	}
	if l.Fragment != "" {
		out = append(out, l.Fragment+" fragment")
	}
	return strings.Join(out, ", ")
}
