package tune

import (
	"slices"
	"strings"
	"testing"

	"weir/ring/nic"
)

func TestTable(t *testing.T) {
	for text, table := range map[string][]int{
		"equal 1":     {0, 0, 0, 0},
		"equal 3":     {0, 1, 2, 0, 1, 2, 0, 1},
		"0*2 1*2":     {0, 0, 1, 1},
		"2*1 0*1 1*3": {2, 0, 1, 1, 1},
		"3*4":         {3, 3, 3, 3},
	} {
		if got := formatTable(table); got != text {
			t.Errorf("%v: %q, want %q", table, got, text)
		}
		if got, err := parseTable(text, len(table)); err != nil || !slices.Equal(got, table) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if formatTable(nil) != "" {
		t.Error("a table of nothing")
	}
	for _, bad := range []string{
		"", "equal", "equal 0", "equal -1", "0*3", "0*5", "0*", "*4", "-1*4", "0*0 0*4",
		"0*99999999999", "0*4 1*1", "equal x",
	} {
		if got, err := parseTable(bad, 4); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
	if got, err := parseTable("equal 2", 0); err == nil {
		t.Error("a table of no entries:", got)
	}
}

// FuzzTable: what is read is written as it was, or as the same table's shorter name.
func FuzzTable(f *testing.F) {
	f.Add("equal 4", 128)
	f.Add("0*64 1*64", 128)
	f.Fuzz(func(t *testing.T, text string, size int) {
		if size > 1<<12 {
			return
		}
		table, err := parseTable(text, size)
		if err != nil {
			return
		}
		again, err := parseTable(formatTable(table), size)
		if err != nil || !slices.Equal(table, again) || len(table) != size {
			t.Errorf("%q: %v, then %v, %v", text, table, again, err)
		}
	})
}

func TestWeights(t *testing.T) {
	for text, table := range map[string][]int{
		"2 2": {0, 0, 1, 1}, "0 3": {1, 1, 1}, "": {1, 0}, "1 0 1": {0, 2},
	} {
		if got := strings.Join(weights(table), " "); got != text {
			t.Errorf("%v: %q, want %q", table, got, text)
		}
	}
}

func TestChannels(t *testing.T) {
	for text, c := range map[string]nic.Channels{
		"combined 4": {Combined: 4}, "rx 4 tx 2": {RX: 4, TX: 2},
		"rx 1 tx 1 combined 7": {RX: 1, TX: 1, Combined: 7},
	} {
		if got := formatChannels(c); got != text {
			t.Errorf("%+v: %q", c, got)
		}
		if got, err := parseChannels(text); err != nil || got != c {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, bad := range []string{
		"", "combined", "combined 0", "rx -1", "tx 1 rx 1", "x 4", "rx 1 ",
	} {
		if got, err := parseChannels(bad); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func TestValues(t *testing.T) {
	for _, bad := range []string{"", "autoneg on", "autoneg on rx on tx maybe"} {
		if p, err := parsePause(bad); err == nil {
			t.Errorf("%q: %+v", bad, p)
		}
	}
	for _, bad := range []string{"6", "6d5a", "6d:5", "6D:5A", "xx"} {
		if k, err := parseKey(bad); err == nil {
			t.Errorf("%q: %x", bad, k)
		}
	}
	for content, want := range map[string]string{
		"always [madvise] never\n": "madvise", "12\n": "12", "": "", "a [b": "a [b",
	} {
		if got := chosen(content); got != want {
			t.Errorf("%q: %q", content, got)
		}
	}
	for name, want := range map[string]string{
		"eth1": "eth1", "enp1s0f0": "enp1s0f0", "1e3": `"1e3"`, "on": `"on"`, "eth1.5": `"eth1.5"`,
		"No": `"No"`, "": `""`,
	} {
		if got := quote(name); got != want {
			t.Errorf("%q: %s", name, got)
		}
	}
}

// TestCommand: what the goldens do not show.
func TestCommand(t *testing.T) {
	x := &nic.Facts{
		RSS:  nic.RSS{Table: make([]int, 4)},
		IRQs: []nic.IRQ{{Queue: 0, Number: 41, Name: "mlx5_comp0@pci:0000:3b:00.0"}},
	}
	for _, c := range []struct {
		kind              Kind
		name, value, want string
	}{
		{Table, "", "0*2 1*2", "ethtool -X eth1 weight 2 2"},
		{Table, "", "1*2 0*2", "ethtool -X eth1 default # ethtool cannot say 1*2 0*2 …"},
		{Affinity, "0", "3", "echo 3 > /proc/irq/41/smp_affinity_list"},
		{Affinity, "12", "3", `echo 3 > /proc/irq/$(sed -n 's/^ *\([0-9]*\):.* ` +
			`mlx5_comp12@pci:0000:3b:00\.0$/\1/p' /proc/interrupts)/smp_affinity_list`},
		{Offload, "rx-gro-hw", "off", "ethtool -K eth1 rx-gro-hw off"},
	} {
		got := Setting{c.kind, "eth1", c.name}.command(x, c.value)
		if got != c.want {
			t.Errorf("%s\nwant\n%s", got, c.want)
		}
	}
}
