package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"weir/decode/pcap"
)

// printer writes the lines of what was decoded, as JSON or as a table.
type printer struct {
	out    *bufio.Writer
	json   *json.Encoder // nil: a table
	table  textTable
	naming bool // say which file the rows are of
}

func newPrinter(w io.Writer, asJSON, naming bool, columns []column) printer {
	p := printer{out: bufio.NewWriterSize(w, 1<<16), naming: naming}
	p.table.columns = columns
	if asJSON {
		p.json = json.NewEncoder(p.out)
		p.json.SetEscapeHTML(false)
	}
	return p
}

// tabular is a line that a table can show.
type tabular interface{ row() []string }

// line prints one line.
func (p *printer) line(l tabular) error {
	if p.json != nil {
		return p.json.Encode(l)
	}
	return p.table.add(p.out, l.row())
}

// frames calls f with each frame of a capture and its number.
func (p *printer) frames(path string, f func(n uint64, r *pcap.Reader, frame *pcap.Packet) error,
) error {
	in, err := pcap.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := p.name(in.Name()); err != nil {
		return err
	}
	var frame pcap.Packet
	for n := uint64(1); ; n++ {
		err := in.Next(&frame)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(n, in, &frame); err != nil {
			return err
		}
	}
}

// name says of which file the rows that follow are.
func (p *printer) name(file string) error {
	if p.json != nil || !p.naming {
		return nil
	}
	if err := p.table.flush(p.out); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s:\n", file)
	return nil
}

// files calls f with each file, and writes out everything; the summary is what follows the last. A
// file that is damaged ends it: what came before is still printed.
func (p *printer) files(files []string, f func(file string) error, summary func()) error {
	for _, file := range files {
		if err := f(file); err != nil {
			// What came before the damage is worth seeing; what writing says counts less.
			_ = p.flush()
			return err
		}
	}
	summary()
	return p.flush()
}

// flush writes out everything that is buffered.
func (p *printer) flush() error {
	if err := p.table.flush(p.out); err != nil {
		return err
	}
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// column is one of a textTable.
type column struct {
	head  string
	right bool // numbers stand to the right, everything else to the left
}

// rowsAtOnce is how many rows are aligned with each other; those after them are at least as wide.
const rowsAtOnce = 500

// textTable aligns rows without holding more than rowsAtOnce of them.
type textTable struct {
	columns []column
	rows    [][]string
	width   []int
	headed  bool
}

func (t *textTable) add(w *bufio.Writer, row []string) error {
	t.rows = append(t.rows, row)
	if len(t.rows) < rowsAtOnce {
		return nil
	}
	return t.flush(w)
}

func (t *textTable) flush(w *bufio.Writer) error {
	if len(t.rows) == 0 {
		return nil
	}
	if !t.headed {
		head := make([]string, len(t.columns))
		for c := range t.columns {
			head[c] = t.columns[c].head
		}
		t.rows = append([][]string{head}, t.rows...)
		t.width = make([]int, len(t.columns))
		t.headed = true
	}
	for i := range t.rows {
		for c, text := range t.rows[i] {
			t.width[c] = max(t.width[c], utf8.RuneCountInString(text))
		}
	}
	for i := range t.rows {
		if _, err := w.WriteString(t.format(t.rows[i])); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	t.rows = t.rows[:0]
	return nil
}

// format writes a row on one line.
func (t *textTable) format(row []string) string {
	var b strings.Builder
	for c, text := range row {
		gap := strings.Repeat(" ", t.width[c]-utf8.RuneCountInString(text))
		if c > 0 {
			b.WriteString("  ")
		}
		if t.columns[c].right {
			b.WriteString(gap + text)
		} else {
			b.WriteString(text + gap)
		}
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}
