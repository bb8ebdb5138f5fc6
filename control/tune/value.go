package tune

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/control/host"
	"weir/ring/nic"
)

// maxEntries bounds a table that text describes.
const maxEntries = 1 << 16

// formatChannels writes the numbers of queues that are not 0.
func formatChannels(c nic.Channels) string {
	parts := []string{}
	for _, p := range []struct {
		name string
		n    int
	}{{"rx", c.RX}, {"tx", c.TX}, {"combined", c.Combined}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", p.name, p.n))
		}
	}
	return strings.Join(parts, " ")
}

func parseChannels(text string) (c nic.Channels, err error) {
	f := strings.Fields(text)
	for i := 0; i+1 < len(f); i += 2 {
		n, err := strconv.Atoi(f[i+1])
		if err != nil {
			return c, fmt.Errorf("channels %q: %w", text, err)
		}
		switch f[i] {
		case "rx":
			c.RX = n
		case "tx":
			c.TX = n
		case "combined":
			c.Combined = n
		}
	}
	if text != formatChannels(c) || text == "" {
		return c, fmt.Errorf("channels %q are not understood", text)
	}
	return c, nil
}

// formatTable writes an indirection table: "equal N" where queues 0 to N-1 take turns.
func formatTable(table []int) string {
	if len(table) == 0 {
		return ""
	}
	n := slices.Max(table) + 1
	if n > 0 && slices.Equal(table, equalTable(len(table), n)) {
		return "equal " + strconv.Itoa(n)
	}
	var b strings.Builder
	for i := 0; i < len(table); {
		end := i
		for end < len(table) && table[end] == table[i] {
			end++
		}
		fmt.Fprintf(&b, "%d*%d ", table[i], end-i)
		i = end
	}
	return strings.TrimSpace(b.String())
}

func equalTable(size, n int) []int {
	table := make([]int, size)
	for i := range table {
		table[i] = i % n
	}
	return table
}

// parseTable reads what formatTable wrote, for a table of that size.
func parseTable(text string, size int) ([]int, error) {
	if digits, ok := strings.CutPrefix(text, "equal "); ok {
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 || size < 1 {
			return nil, fmt.Errorf("table %q is not understood", text)
		}
		return equalTable(size, n), nil
	}
	table, err := parseBlocks(text)
	if err != nil {
		return nil, err
	}
	if len(table) != size || size == 0 {
		return nil, fmt.Errorf("the table has %d entries, not the %d of %q", size, len(table), text)
	}
	return table, nil
}

// parseBlocks reads a table that is written as queues and how often each comes.
func parseBlocks(text string) (table []int, err error) {
	for part := range strings.FieldsSeq(text) {
		q, times, _ := strings.Cut(part, "*")
		queue, err1 := strconv.Atoi(q)
		n, err2 := strconv.Atoi(times)
		if err1 != nil || err2 != nil || queue < 0 || n < 1 || n > maxEntries-len(table) {
			return nil, fmt.Errorf("table %q is not understood", text)
		}
		table = append(table, slices.Repeat([]int{queue}, n)...)
	}
	return table, nil
}

// weights returns what ethtool -X weight takes for a table whose queues come in blocks one after
// the other, or nil.
func weights(table []int) (w []string) {
	if !slices.IsSorted(table) || len(table) == 0 || table[0] < 0 {
		return nil
	}
	for queue := range table[len(table)-1] + 1 {
		n := 0
		for _, q := range table {
			if q == queue {
				n++
			}
		}
		w = append(w, strconv.Itoa(n))
	}
	return w
}

// formatKey writes a key as ethtool does.
func formatKey(key []byte) string {
	parts := make([]string, len(key))
	for i, b := range key {
		parts[i] = hex.EncodeToString([]byte{b})
	}
	return strings.Join(parts, ":")
}

func parseKey(text string) ([]byte, error) {
	key, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || formatKey(key) != text {
		return nil, fmt.Errorf("key %q is not understood", text)
	}
	return key, nil
}

func formatPause(p nic.Pause) string {
	return fmt.Sprintf("autoneg %s rx %s tx %s", onOff(p.Autonegotiate), onOff(p.RX), onOff(p.TX))
}

func parsePause(text string) (nic.Pause, error) {
	for i := range 8 {
		p := nic.Pause{Autonegotiate: i&1 != 0, RX: i&2 != 0, TX: i&4 != 0}
		if formatPause(p) == text {
			return p, nil
		}
	}
	return nic.Pause{}, fmt.Errorf("pause %q is not understood", text)
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// parseRule reads a Steer's name, "udp4 2055".
func parseRule(name string) (nic.FlowType, uint16, error) {
	flow, digits, _ := strings.Cut(name, " ")
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("rule %q is not understood", name)
	}
	return nic.FlowType(flow), uint16(port), nil
}

func ruleName(flow nic.FlowType, port uint16) string { return fmt.Sprintf("%s %d", flow, port) }

// check says why a value is none that a setting of that kind has; what the hardware makes of it is
// another matter.
func (s Setting) check(value string) (err error) {
	switch s.Kind {
	case Channels:
		_, err = parseChannels(value)
	case Ring:
		_, err = strconv.ParseUint(value, 10, 31)
	case Offload:
		_, err = parseSwitch(value)
	case Pause:
		_, err = parsePause(value)
	case Table:
		err = checkTable(value)
	case Key:
		_, err = parseKey(value)
	case HashOf:
		if strings.Trim(value, "abcdefghijklmnopqrstuvwxyz") != "" {
			err = fmt.Errorf("fields %q are not understood", value)
		}
	case Steer:
		err = checkRule(s.Name, value)
	case Affinity:
		if cpus := host.ParseCPUs(value); len(cpus) == 0 || list(cpus...) != value {
			err = fmt.Errorf("CPUs %q are not understood", value)
		}
	case File:
		if len(strings.Fields(value)) != 1 {
			err = fmt.Errorf("%q is not one word", value)
		}
	default:
		err = errors.New("settings of this kind are not known")
	}
	return err
}

func parseSwitch(text string) (on bool, err error) {
	if text != onOff(true) && text != onOff(false) {
		return false, fmt.Errorf("%q is neither on nor off", text)
	}
	return text == onOff(true), nil
}

func checkTable(text string) error {
	if strings.HasPrefix(text, "equal ") {
		_, err := parseTable(text, 1)
		return err
	}
	table, err := parseBlocks(text)
	if err == nil && len(table) == 0 {
		err = errors.New("a table of no entries")
	}
	return err
}

func checkRule(name, queue string) error {
	_, _, err := parseRule(name)
	if err == nil && queue != "" { // none: there was no rule
		_, err = strconv.ParseUint(queue, 10, 31)
	}
	return err
}

// chosen returns what a file says: of a choice, "always [madvise] never", what is in brackets.
func chosen(content string) string {
	content = strings.TrimSpace(content)
	if _, after, ok := strings.Cut(content, "["); ok {
		if choice, _, ok := strings.Cut(after, "]"); ok {
			return choice
		}
	}
	return content
}
