package host

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tree is the root directory that facts are read below.
type tree string

// maxText bounds what is read of one file: /proc/interrupts of the largest machines fits.
const maxText = 16 << 20

// text returns a file's content without white space around it, or "".
func (t tree) text(path string) string {
	file, err := os.Open(string(t) + "/" + path) // path may go through a link and up again
	if err != nil {
		return ""
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxText))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// lines returns a file's lines, or none.
func (t tree) lines(path string) []string {
	text := t.text(path)
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// number returns what a file says in decimal, or other.
func (t tree) number(path string, other int) int {
	n, err := strconv.Atoi(t.text(path))
	if err != nil {
		return other
	}
	return n
}

// cpus returns the list of CPUs that a file holds, or nil.
func (t tree) cpus(path string) []int { return ParseCPUs(t.text(path)) }

// names returns what a directory holds, sorted; or nothing.
func (t tree) names(path string) []string {
	entries, err := os.ReadDir(string(t) + "/" + path)
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// numbered returns the numbers n, sorted, of entries of a directory that are called prefix + n.
func (t tree) numbered(path, prefix string) (out []int) {
	for _, name := range t.names(path) {
		digits, ok := strings.CutPrefix(name, prefix)
		if n, err := strconv.Atoi(digits); ok && err == nil && n >= 0 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// link returns the last part of what a symbolic link points to, or "".
func (t tree) link(path string) string {
	to, err := os.Readlink(string(t) + "/" + path)
	if err != nil {
		return ""
	}
	return filepath.Base(to)
}

// maxCPU bounds the numbers in a list: more than any kernel has been built for.
const maxCPU = 1 << 16

// ParseCPUs reads a list of CPUs in the kernel's form, e.g. "0-3,8", and returns it sorted, each
// once. What cannot be read is nil.
func ParseCPUs(text string) (out []int) {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err1 != nil || err2 != nil || from < 0 || to > maxCPU || from > to ||
			len(out) > maxCPU {
			return nil
		}
		for c := from; c <= to; c++ {
			out = append(out, c)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// FormatCPUs writes a list of CPUs, which must be sorted, in the kernel's form.
func FormatCPUs(cpus []int) string {
	var b strings.Builder
	for i := 0; i < len(cpus); {
		end := i
		for end+1 < len(cpus) && cpus[end+1] == cpus[end]+1 {
			end++
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(cpus[i]))
		if end > i {
			b.WriteString("-" + strconv.Itoa(cpus[end]))
		}
		i = end + 1
	}
	return b.String()
}
