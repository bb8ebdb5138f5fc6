package config

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"weir/control/ban"
)

// problemOf returns a problem's message and suggestion in one line.
func problemOf(p *problem) string {
	if p == nil {
		return ""
	}
	return strings.TrimSpace(p.message + " " + p.hint)
}

// parses holds parse(text) to want, and want's own text to parse as want again.
func parses[T comparable](t *testing.T, text string, want T, parse func(string) (T, *problem)) {
	t.Helper()
	got, p := parse(text)
	if got != want || p != nil {
		t.Errorf("%q is %v (%s), not %v", text, got, problemOf(p), want)
	}
	again, _ := scalarText(reflect.ValueOf(&want).Elem(), "")
	if got, p := parse(strings.Trim(again, `"`)); got != want || p != nil {
		t.Errorf("%q, which is %q, is %v (%s)", text, again, got, problemOf(p))
	}
}

func refuses[T comparable](t *testing.T, text, want string, parse func(string) (T, *problem)) {
	t.Helper()
	got, p := parse(text)
	var none T
	if got != none || p == nil || !strings.Contains(problemOf(p), want) {
		t.Errorf("%q is %v (%s), want %q", text, got, problemOf(p), want)
	}
}

func TestParseRate_Success(t *testing.T) {
	f := func(text string, want Rate) { t.Helper(); parses(t, text, want, parseRate) }
	f("0", 0)
	f("3500", 3500)
	f("20k", 20_000)
	f("1.5M", 1_500_000)
	f("1G", 1_000_000_000)
	f("0.001k", 1)
	f("007", 7)
	f("1000000G", 1e15)
	f("1.50000000000000000000k", 1500)
}

func TestParseRate_Failure(t *testing.T) {
	f := func(text, want string) { t.Helper(); refuses(t, text, want, parseRate) }
	f("", "not a rate")
	f("k", "not a rate")
	f("-5", "negative")
	f("-0", "negative")
	f("+5", "not a rate")
	f("20K", "write 20k")
	f("20kb", "write 20k")
	f("20 k", "write 20k")
	f("20kpps", "write 20k")
	f("1Gbit/s", "write 1G")
	f("1Gbit", "write 1G")
	f("5apples", "not a rate")
	f("100Mbps", "write 100M")
	f("1T", "write 1000G")
	f("20,000", "write 20000")
	f("20_000", "write 20k")
	f("1.5e0", "not a rate")
	f("1e6", "write 1M")
	f("5m", "write 5M")
	f(".5k", "not a rate")
	f("5.", "not a rate")
	f("1.2.3k", "not a rate")
	f("0x10", "not a rate")
	f("NaN", "not a rate")
	f("Inf", "not a rate")
	f("1.0005k", "not a whole number")
	f("1000000.001G", "more than 1000000G")
	f("99999999999999999999999", "out of range")
	f(strings.Repeat("9", 50), "more than 40 digits")
	f("20kk", "not a rate")
	f("٣", "not a rate") // a digit, but not one of ours
}

func TestParseSize_Success(t *testing.T) {
	f := func(text string, want Size) { t.Helper(); parses(t, text, want, parseSize) }
	f("4GiB", 4<<30)
	f("512MiB", 512<<20)
	f("64KiB", 64<<10)
	f("1.5TiB", 3<<39)
	f("2MB", 2_000_000)
	f("3GB", 3_000_000_000)
	f("1kB", 1000)
	f("1KB", 1000)
	f("17", 17)
	f("17B", 17)
}

func TestParseSize_Failure(t *testing.T) {
	f := func(text, want string) { t.Helper(); refuses(t, text, want, parseSize) }
	f("4G", "write 4GiB")
	f("4gib", "write 4GiB")
	f("4 GiB", "write 4GiB")
	f("4gb", "write 4GB")
	f("4Gbit", "not a size")
	f("1.3KiB", "not a whole number")
	f("-1", "negative")
	f("99999999TiB", "out of range")
	f("auto", "not a size")
}

func TestParseDuration_Success(t *testing.T) {
	f := func(text string, want time.Duration) { t.Helper(); parses(t, text, want, parseDuration) }
	f("0", 0)
	f("30m", 30*time.Minute)
	f("1h30m", 90*time.Minute)
	f("1.5s", 1500*time.Millisecond)
	f("90s", 90*time.Second)
	f("10h", 10*time.Hour)
	f("100m", 100*time.Minute)
	f("1h0m1s", time.Hour+time.Second)
}

func TestParseDuration_Failure(t *testing.T) {
	f := func(text, want string) { t.Helper(); refuses(t, text, want, parseDuration) }
	f("30", "write 30s")
	f("1d", "write 24h")
	f("30min", "write 30m")
	f("10 sec", "write 10s")
	f("2 hours", "write 2h")
	f("-3s", "negative")
	f("99999999h", "not a duration")
	f("", "not a duration")
	f("soon", "not a duration")
}

func TestParseCommunity_Success(t *testing.T) {
	f := func(text string, want ban.Community) { t.Helper(); parses(t, text, want, parseCommunity) }
	f("65535:666", ban.Community{A: 65535, B: 666})
	f("blackhole", ban.Community{A: 65535, B: 666})
	f("no-export", ban.Community{A: 65535, B: 65281})
	f("no-advertise", ban.Community{A: 65535, B: 65282})
	f("0:0", ban.Community{})
	f("4200000001:1:666", ban.Community{Large: true, A: 4200000001, B: 1, C: 666})
	f("65535:65281:0", ban.Community{Large: true, A: 65535, B: 65281})
}

func TestParseCommunity_Failure(t *testing.T) {
	f := func(text, want string) { t.Helper(); refuses(t, text, want, parseCommunity) }
	f("65536:1", "a large community")
	f("1:4294967296:1", "does not fit in 32 bits")
	f("no_export", `did you mean "no-export"?`)
	f("1:2:3:4", "not a community")
	f("1:-2", "not a community")
	f("1", "not a community")
	f(":", "not a community")
	f("", "not a community")
}

func TestParsePrefix_Failure(t *testing.T) {
	f := func(text, want string) { t.Helper(); refuses(t, text, want, parsePrefix) }
	f("10.0.0.5/16", "write 10.0.0.0/16")
	f("2001:db8::1/32", "write 2001:db8::/32")
	f("10.0/16", "write 10.0.0.0/16")
	f("10/8", "write 10.0.0.0/8")
	f("10.0.0.0/255.255.0.0", "write 10.0.0.0/16")
	f("10.0.0.0/255.0.255.0", "not a prefix")
	f("::ffff:10.0.0.0/104", "write 10.0.0.0/8")
	f("::ffff:10.0.0.1", "write 10.0.0.1")
	f("::ffff:0:0/90", "IPv4 in the form of IPv6")
	f("fe80::1%eth0", "zone")
	f("10.0.0.0/33", "not a prefix")
	f("10.0.0.0/", "not a prefix")
	f("/8", "not a prefix")
	f("", "not an IP address")
	f("10.0.0.1 10.0.0.2", "put a comma between")
}

// slowDistance is distance by its definition.
func slowDistance(a, b string) int {
	if a == "" || b == "" {
		return len(a) + len(b)
	}
	m, n := len(a)-1, len(b)-1
	if a[m] == b[n] {
		return slowDistance(a[:m], b[:n])
	}
	d := 1 + min(slowDistance(a[:m], b), slowDistance(a, b[:n]), slowDistance(a[:m], b[:n]))
	if m > 0 && n > 0 && a[m] == b[n-1] && a[m-1] == b[n] {
		d = min(d, 1+slowDistance(a[:m-1], b[:n-1]))
	}
	return d
}

func TestDistance(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	word := func() string {
		b := make([]byte, rng.IntN(7))
		for i := range b {
			b[i] = "abc"[rng.IntN(3)]
		}
		return string(b)
	}
	for range 2000 {
		a, b := word(), word()
		got, want := distance([]rune(a), []rune(b)), slowDistance(a, b)
		if got != want || got != distance([]rune(b), []rune(a)) {
			t.Fatalf("distance of %q and %q is %d, not %d", a, b, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"pps", "udp_pps", "udp_bps", "thresholds", "größe"}
	f := func(text, want string) {
		t.Helper()
		if got := nearest(text, names); got != want {
			t.Errorf("nearest to %q is %q, not %q", text, got, want)
		}
	}
	f("udp_ppps", "udp_pps")
	f("udp_psp", "udp_pps")
	f("psp", "pps")
	f("treshholds", "thresholds")
	f("grösse", "größe")
	f("xyz", "")
	f("", "")
	f("p", "")
	f(strings.Repeat("x", 1<<20), "")
}
