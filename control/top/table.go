package top

// column describes one column of a table.
type column struct {
	title    string // fits min
	long     string // shown where there is room
	min, max int
	right    bool
	wide     bool // left out unless every other column has room
	early    bool // grows before the others
	sorted   bool
}

// cell is one value. fit, where there is one, writes it for a width; text is then the longest
// that it may be, or empty for a drawing of any width.
type cell struct {
	text  string
	style style
	fit   func(w int) string
}

// placed is a column with its place in a row and its width.
type placed struct{ col, width int }

// layout chooses the columns that fit into width and gives them theirs. The first one always
// stays; left others are scrolled away.
func layout(cols []column, want []int, width, left int) []placed {
	room := width - 1 - cols[0].min // the marker
	out := []placed{{0, cols[0].min}}
	skipped, full := 0, true
	for i := 1; i < len(cols); i++ {
		c := &cols[i]
		if c.wide || !full {
			continue
		}
		if skipped < left {
			skipped++
			continue
		}
		if c.min+1 > room {
			full = false
			continue
		}
		room -= c.min + 1
		out = append(out, placed{i, c.min})
	}
	if full && left == 0 {
		out, room = addWide(cols, room)
	}
	for _, early := range []bool{true, false} {
		for i := range out {
			p, c := &out[i], &cols[out[i].col]
			if c.early == early {
				grow := max(0, min(want[p.col]-p.width, c.max-p.width, room))
				p.width += grow
				room -= grow
			}
		}
	}
	return out
}

// addWide places every column, and the wide ones among them while there is room.
func addWide(cols []column, room int) ([]placed, int) {
	var out []placed
	for i := range cols {
		c := &cols[i]
		if c.wide {
			if c.min+1 > room {
				continue
			}
			room -= c.min + 1
		}
		out = append(out, placed{i, c.min})
	}
	return out, room
}

// narrowest is the width at which every column but the wide ones has room.
func narrowest(cols []column) int {
	n := 0 // the marker stands for the first separator
	for i := range cols {
		if !cols[i].wide {
			n += cols[i].min + 1
		}
	}
	return n
}

// wanted is how wide each column would like to be for these rows.
func wanted(cols []column, rows [][]cell) []int {
	want := make([]int, len(cols))
	for i := range cols {
		want[i] = len(cols[i].long)
		for _, r := range rows {
			want[i] = max(want[i], len(r[i].text))
			if r[i].text == "" && r[i].fit != nil {
				want[i] = cols[i].max // a drawing
			}
		}
	}
	return want
}

// table draws the rows first, first+1, … with the selected one marked; -1 is none.
func (k Look) table(cols []column, rows [][]cell, width, left, selected int) []line {
	left = min(left, max(0, len(cols)-2))
	if width >= narrowest(cols) {
		left = 0
	}
	places := layout(cols, wanted(cols, rows), width, left)
	out := make([]line, 0, len(rows)+1)
	out = append(out, k.titles(cols, places))
	for i, r := range rows {
		l := make(line, 0, 2*len(places)+2)
		mark, base := " ", style(0)
		if i == selected {
			mark, base = k.marker(), reverse
		}
		l = append(l, span{mark, base})
		used := 1
		for j, p := range places {
			if j > 0 {
				l = append(l, span{" ", base})
				used++
			}
			c := &r[p.col]
			text := c.text
			if c.fit != nil {
				text = c.fit(p.width)
			}
			text = k.clip(cleaned(text, k.ASCII), p.width)
			l = append(l, span{padded(text, p.width, cols[p.col].right), base | c.style})
			used += p.width
		}
		if i == selected {
			l = append(l, span{padded("", width-used, false), base})
		}
		out = append(out, l)
	}
	return out
}

func (k Look) titles(cols []column, places []placed) line {
	l := line{{text: " "}}
	for j, p := range places {
		c := &cols[p.col]
		text, t := c.title, faint
		if len(c.long) > 0 && len(c.long) <= p.width {
			text = c.long
		}
		if c.sorted {
			t = bold
		}
		if j > 0 {
			l = append(l, span{text: " "})
		}
		l = append(l, span{padded(k.clip(text, p.width), p.width, c.right), t})
	}
	return l
}

func (k Look) marker() string {
	if k.ASCII {
		return ">"
	}
	return "▸"
}
