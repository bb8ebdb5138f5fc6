package config

import (
	"fmt"
	"slices"
	"strings"
)

// Change is one key that has another value in another configuration.
type Change struct {
	Path     string
	Old, New string // as JSON has them; empty where there is none
	Restart  bool   // holds only after a restart
}

// restarts are the sections that a running daemon cannot change: sources, their memory, listeners
// and places on the disk.
func restarts() []string {
	return []string{"capture", "memory", "state_dir", "api", "metrics", "bgp", "actions"}
}

// Diff returns what newer changes of older, in the order of the file's keys.
func Diff(older, newer *Config) []Change {
	var d differ
	d.compare("", older.whole(), newer.whole())
	return d.changes
}

// KeepRestart returns newer with the sections of c that hold until a restart.
func (c *Config) KeepRestart(newer *Config) *Config {
	kept := *newer
	kept.Capture, kept.Memory, kept.StateDir = c.Capture, c.Memory, c.StateDir
	kept.API, kept.Metrics, kept.BGP, kept.Actions = c.API, c.Metrics, c.BGP, c.Actions
	return &kept
}

type differ struct{ changes []Change }

func (d *differ) compare(path string, a, b value) {
	switch {
	case a.mapping && b.mapping:
		for i, key := range a.keys {
			d.key(path, key, &a.values[i], b.at(key))
		}
		for i, key := range b.keys {
			if a.at(key) == nil {
				d.key(path, key, nil, &b.values[i])
			}
		}
	case a.list && b.list && listsOfMappings(a, b):
		for i := range max(len(a.values), len(b.values)) {
			d.pair(index(path, i), entry(a, i), entry(b, i))
		}
	default:
		if x, y := a.text(), b.text(); x != y {
			d.add(path, x, y)
		}
	}
}

func (d *differ) key(path, key string, a, b *value) { d.pair(join(path, key), a, b) }

// pair compares two values, one of which may not be there.
func (d *differ) pair(path string, a, b *value) {
	switch {
	case a == nil:
		d.add(path, "", b.text())
	case b == nil:
		d.add(path, a.text(), "")
	default:
		d.compare(path, *a, *b)
	}
}

func (d *differ) add(path, older, newer string) {
	top := path
	if at := strings.IndexAny(path, ".["); at >= 0 {
		top = path[:at]
	}
	d.changes = append(d.changes, Change{
		Path: path, Old: older, New: newer, Restart: slices.Contains(restarts(), top),
	})
}

// at returns the value of a mapping's key, nil when it has none.
func (v *value) at(key string) *value {
	if i := slices.Index(v.keys, key); i >= 0 {
		return &v.values[i]
	}
	return nil
}

func entry(list value, i int) *value {
	if i < len(list.values) {
		return &list.values[i]
	}
	return nil
}

// listsOfMappings reports whether two lists are worth a comparison entry by entry.
func listsOfMappings(a, b value) bool {
	for _, list := range []value{a, b} {
		for _, v := range list.values {
			return v.mapping
		}
	}
	return false
}

// maxChange bounds the text of one value.
const maxChange = 200

func (v *value) text() string {
	var b strings.Builder
	v.writeJSON(&b)
	if text := b.String(); len(text) <= maxChange {
		return text
	}
	return fmt.Sprintf("%s… (%d entries)", strings.ToValidUTF8(b.String()[:maxChange], ""),
		len(v.values))
}
