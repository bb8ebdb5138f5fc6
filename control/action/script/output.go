package script

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// How much of a job's output is logged.
const (
	logLines = 3
	logBytes = 500
)

// tail is the end of what a job wrote.
type tail struct {
	limit int
	data  []byte // at most twice limit
	total int64
}

// read takes in all that comes from f, and reports whether f was still open at its deadline. More
// than the limit is read at some 30 MB per second only: a flood should not fill a core of ours.
func (t *tail) read(f *os.File) (open bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := f.Read(buf)
		t.add(buf[:n])
		if errors.Is(err, io.EOF) {
			return false
		}
		if err != nil {
			return errors.Is(err, os.ErrDeadlineExceeded)
		}
		if t.truncated() {
			time.Sleep(time.Millisecond)
		}
	}
}

func (t *tail) add(b []byte) {
	t.total += int64(len(b))
	t.data = append(t.data, b[max(0, len(b)-t.limit):]...)
	if len(t.data) > 2*t.limit {
		t.data = t.data[:copy(t.data, t.data[len(t.data)-t.limit:])]
	}
}

// truncated reports whether there was more than is kept.
func (t *tail) truncated() bool { return t.total > int64(t.limit) }

// lastLines returns the end of the output on one line: what a terminal would take for more than
// text is written as Go escapes.
func (t *tail) lastLines() string {
	text := strings.TrimSpace(string(t.data[max(0, len(t.data)-min(logBytes, t.limit)):]))
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-logLines):]
	quoted := strconv.Quote(strings.Join(lines, "\n"))
	return quoted[1 : len(quoted)-1]
}
