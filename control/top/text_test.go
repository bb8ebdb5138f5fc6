package top

import (
	"math"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"weir/control/api"
)

func TestShort(t *testing.T) {
	for _, c := range []struct {
		v          uint64
		three, two string
	}{
		{0, "0", "0"}, {999, "999", "999"}, {1000, "1.00k", "1.0k"}, {1234, "1.23k", "1.2k"},
		{9994, "9.99k", "10k"}, {9996, "10.0k", "10k"}, {99_940, "99.9k", "100k"},
		{99_960, "100k", "100k"}, {999_400, "999k", "999k"}, {999_500, "1.00M", "1.0M"},
		{1_000_000, "1.00M", "1.0M"}, {math.MaxUint64, "18.4E", "18E"},
	} {
		if a, b := short(c.v, 3), short(c.v, 2); a != c.three || b != c.two {
			t.Errorf("%d: %s and %s, want %s and %s", c.v, a, b, c.three, c.two)
		}
	}
	for v := uint64(1); v < math.MaxUint64/3; v = v*3 + 1 {
		if len(short(v, 3)) > 5 || len(short(v, 2)) > 4 {
			t.Errorf("%d is too long: %s, %s", v, short(v, 3), short(v, 2))
		}
	}
}

func TestTexts(t *testing.T) {
	for _, c := range [][2]string{
		{withUnit("12", "pps"), "12 pps"}, {withUnit("1.23k", "bit/s"), "1.23 kbit/s"},
		{share(0, 0), "0%"}, {share(1, 1e9), "<0.01%"}, {share(1520, 1_900_000), "0.08%"},
		{share(1, 3), "25%"}, {share(7, 0), "100%"}, {share(math.MaxUint64, 9), "100%"},
		{percent(math.NaN()), "0%"}, {percent(math.Inf(1)), ">1kx"}, {percent(-4), "0%"},
		{percent(99.9), "99%"}, {percent(1234), "12x"},
		{age(-time.Second), "0s"}, {age(99 * time.Second), "99s"}, {age(100 * time.Second), "1m"},
		{age(99 * time.Hour), "99h"}, {age(100 * time.Hour), "4d"},
		{uptime(59), "59s"}, {uptime(61), "1m01s"}, {uptime(7380), "2h03m"},
		{uptime(90_000), "1d01h"}, {uptime(math.NaN()), "0s"},
		{millis(-1), "0ms"}, {millis(999), "999ms"}, {millis(12_345), "12.3s"},
		{millis(100_000), "100s"}, {millis(math.MaxInt64), "9999s"},
		{queues([]int{0, 1, 2, 5, 7, 8}), "0-2,5,7-8"}, {queues(nil), ""},
		{cleaned("a\x1b[2Jb\tc\u202ed\u4e16e\u0301\xff", false), "a?[2Jb?c?d?e??"},
		{cleaned("é█…", true), "???"}, {cleaned("é█…", false), "é█…"},
		{Look{}.squeeze("2001:db8:12:3400::cafe:1234", 15), "2001:db…fe:1234"},
		{Look{ASCII: true}.clip("incoming", 5), "inco~"}, {Look{}.clip("x", 0), ""},
		{hostOnly("192.0.2.1/32"), "192.0.2.1"}, {hostOnly("2001:db8::/32"), "2001:db8::/32"},
	} {
		if c[0] != c[1] {
			t.Errorf("%q, want %q", c[0], c[1])
		}
	}
	if got := wrapped("one two  three\nfour", 9); !slices.Equal(got, []string{"one two",
		"three", "four"}) {
		t.Errorf("wrapped: %q", got)
	}
}

func TestDrawings(t *testing.T) {
	u, a := Look{}, Look{ASCII: true}
	for _, c := range [][2]string{
		{u.spark([]uint64{0, 1, 50, 100}, 4), "▁▂▅█"},
		{a.spark([]uint64{0, 1, 50, 100}, 4), "_.=#"},
		{u.spark([]uint64{9, 1, 2, 3, 4, 5, 6}, 4), "█▃▄▆"}, {u.spark(nil, 4), ""},
		{u.spark([]uint64{0, 0}, 4), "▁▁"},
		{u.bar(0, 4), "░░░░"}, {u.bar(50, 4), "██░░"}, {u.bar(53, 4), "██▏░"},
		{u.bar(1e9, 4), "████"},
		{u.bar(math.NaN(), 2), "░░"}, {a.bar(50, 4), "##.."},
		{u.gauge(94, 9), "███▊  94%"}, {u.gauge(94, 3), "94%"},
		{mix(&api.Rates{PPS: 10, TCP: 5, UDP: 2}, 10), "TTTTTUU..."},
		{mix(&api.Rates{PPS: 10, TCP: 10, Frag: 10}, 4), "TTFF"}, {mix(&api.Rates{}, 4), ""},
	} {
		if c[0] != c[1] {
			t.Errorf("%q, want %q", c[0], c[1])
		}
	}
	for w := 1; w < 12; w++ {
		for p := 0.0; p < 130; p += 3 {
			if n := utf8.RuneCountInString(u.bar(p, w)); n != w {
				t.Fatalf("bar(%v, %d) has %d cells", p, w, n)
			}
		}
	}
}
