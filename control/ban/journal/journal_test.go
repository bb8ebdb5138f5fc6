package journal

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// testClock stands still unless it is moved, or unless it runs since a moment.
type testClock struct {
	mu         sync.Mutex
	wall, boot int64
	id         string
	since      time.Time // zero: stands still
}

func stillClock() *testClock {
	return &testClock{wall: 1_700_000_000e9, boot: 1000e9, id: "boot-1"}
}

func runningClock() *testClock {
	c := stillClock()
	c.since = time.Now()
	return c
}

func (c *testClock) at(base *int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since.IsZero() {
		return *base
	}
	return *base + int64(time.Since(c.since))
}

func (c *testClock) Wall() int64    { return c.at(&c.wall) }
func (c *testClock) Boot() int64    { return c.at(&c.boot) }
func (c *testClock) BootID() string { return c.id }

// mustOpen opens the journal on d, for the length of the test.
func mustOpen(t testing.TB, d disk, c Clock, o Options) (*Journal, Restored) {
	t.Helper()
	j, r, err := open(d, c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close(context.Background()) })
	return j, r
}

func mustClose(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func mustIntend(t testing.TB, j *Journal, routes ...Route) {
	t.Helper()
	for _, r := range routes {
		if err := j.Intent(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
}

// route returns the n-th route.
func route(n int) Route {
	return Route{
		Prefix:      prefix(n),
		NextHop:     netip.MustParseAddr("192.0.2.1"),
		Communities: []string{"65535:666", "64500:123:456"},
		ID:          fmt.Sprintf("%016x", n),
		Reason:      `pps 120000 > 100000, "incoming" <udp>`,
		Manual:      n%2 == 1,
		Asked:       1_700_000_000e9 + int64(n),
		Lease:       30 * time.Minute,
	}
}

func prefix(n int) netip.Prefix {
	a := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
	if n%3 == 2 {
		a = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 13: byte(n >> 16), 14: byte(n >> 8),
			15: byte(n)})
	}
	return netip.PrefixFrom(a, a.BitLen())
}

// prefixes returns those of what was restored.
func prefixes(r Restored) (all []netip.Prefix) {
	for _, s := range r.Routes {
		all = append(all, s.Prefix)
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return all
}

func expect(t testing.TB, r Restored, want ...Survivor) {
	t.Helper()
	if len(want) != len(r.Routes) || len(want) > 0 && !reflect.DeepEqual(r.Routes, want) {
		t.Errorf("restored\n %+v\nnot\n %+v", r.Routes, want)
	}
}

// TestLife walks a journal through everything, in a real directory, with a restart after the kill
// and one after Close.
func TestLife(t *testing.T) {
	dir := t.TempDir()
	clock := stillClock()
	j, r, err := Open(dir, clock, Options{})
	if err != nil || r.Damaged || r.Note != "" || j.Generation() != 1 {
		t.Fatalf("%+v, generation %d, %v", r, j.Generation(), err)
	}
	mustIntend(t, j, route(1), route(2), route(3), route(4))
	if !j.Announced(prefix(1)) || !j.Announced(prefix(2)) || !j.Withdrawn(prefix(3)) ||
		j.Withdrawn(prefix(3)) || j.Announced(prefix(9)) || !j.Renew(prefix(1), time.Hour) {
		t.Error("the journal does not know what it knows")
	}
	mustClose(t, j)
	renewed := route(1)
	renewed.Lease = time.Hour
	want := []Survivor{{renewed, true}, {route(2), true}, {route(4), false}}

	for gen := uint64(2); gen < 5; gen++ { // each leaves what the one before it left
		j, r, err := Open(dir, clock, Options{})
		if err != nil || j.Generation() != gen {
			t.Fatal(j.Generation(), err)
		}
		expect(t, r, want...)
		if r.Note != "routes restored: 3" {
			t.Errorf("note: %s", r.Note)
		}
		killed := directory(t.TempDir())
		data, err := os.ReadFile(filepath.Join(dir, fileName))
		if err == nil {
			err = os.WriteFile(killed.path(fileName), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, r = mustOpen(t, killed, clock, Options{})
		expect(t, r, want...)
		s := j.State()
		if s.Err != nil || s.Routes != 3 || s.Records != 3 || s.Bytes != int64(len(data)) {
			t.Errorf("state %+v of %d bytes", s, len(data))
		}
		mustClose(t, j)
	}
	names, err := directory(dir).list()
	if err != nil || len(names) != 1 {
		t.Errorf("left in the directory: %v, %v", names, err)
	}
}

// TestIntentReplaces asks again for a prefix that is live: the new route takes its place.
func TestIntentReplaces(t *testing.T) {
	d, clock := newMemDisk(), stillClock()
	j, _ := mustOpen(t, d, clock, Options{})
	mustIntend(t, j, route(1))
	j.Announced(prefix(1))
	other := route(1)
	other.Communities, other.Reason = nil, strings.Repeat("ä", MaxReason)
	mustIntend(t, j, other)
	mustClose(t, j)
	other.Reason = strings.Repeat("ä", MaxReason/2)
	_, r := mustOpen(t, d, clock, Options{})
	expect(t, r, Survivor{other, false})
}

func TestIntent_Failure(t *testing.T) {
	d := newMemDisk()
	j, _ := mustOpen(t, d, stillClock(), Options{})
	before := d.journal()
	f := func(want error, change func(*Route)) {
		t.Helper()
		r := route(1)
		change(&r)
		if err := j.Intent(context.Background(), r); !errors.Is(err, want) {
			t.Errorf("%v, not %v", err, want)
		}
	}
	f(ErrRoute, func(r *Route) { r.Prefix = netip.Prefix{} })
	f(ErrRoute, func(r *Route) { r.Prefix = netip.MustParsePrefix("10.0.0.1/24") })
	f(ErrRoute, func(r *Route) { r.Prefix = netip.MustParsePrefix("::ffff:10.0.0.1/128") })
	f(ErrRoute, func(r *Route) { r.Lease = 0 })
	f(ErrRoute, func(r *Route) { r.Lease = MaxLease + 1 })
	f(ErrRoute, func(r *Route) { r.ID = "\xff" })
	f(ErrRoute, func(r *Route) { r.Communities = slices.Repeat(r.Communities, 500) })

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := j.Intent(ctx, route(1)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if s := j.State(); s.Refused != 8 || s.Err != nil {
		t.Errorf("state %+v", s)
	}
	mustClose(t, j)
	f(ErrClosed, func(*Route) {})
	if !slices.Equal(d.journal(), before) {
		t.Error("something was written")
	}
}

// TestFull holds MaxRoutes, and shows that they are written, compacted and read.
func TestFull(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds under the race detector")
	}
	d, clock := newMemDisk(), stillClock()
	j, _ := mustOpen(t, d, clock, Options{Patience: time.Minute})
	var wait sync.WaitGroup
	for part := range 64 {
		wait.Go(func() {
			for n := part; n < MaxRoutes; n += 64 {
				if err := j.Intent(context.Background(), route(n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if err := j.Intent(context.Background(), route(MaxRoutes)); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	mustIntend(t, j, route(5)) // known: it takes no room
	mustClose(t, j)
	_, r := mustOpen(t, d, clock, Options{})
	if len(r.Routes) != MaxRoutes {
		t.Errorf("restored %d of %d", len(r.Routes), MaxRoutes)
	}
}

// TestRenewIsLazy renews many times: one record comes of it, without a sync, and soon enough.
func TestRenewIsLazy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		var mu sync.Mutex
		var ops []string
		done := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(ops)
		}
		j, _ := mustOpen(t, d, runningClock(), Options{})
		mustIntend(t, j, route(1))
		synctest.Wait()
		d.fail = func(op, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			ops = append(ops, op)
			return nil
		}
		for range 4 {
			j.Renew(prefix(1), time.Hour)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if s := j.State(); s.Records != 1 || s.Queued != 1 || len(done()) != 0 {
			t.Errorf("at once: %+v, %v", s, done())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		s := j.State()
		if s.Records != 2 || s.Queued != 0 || !slices.Equal(done(), []string{"write"}) {
			t.Errorf("in the end: %+v, %v", s, done())
		}
		mustClose(t, j)
		if !slices.Equal(done(), []string{"write", "fsync", "close"}) {
			t.Errorf("closed with %v", done())
		}
	})
}

// TestTogether has many callers at once; the race detector looks on.
func TestTogether(t *testing.T) {
	d, clock := newMemDisk(), stillClock()
	j, _ := mustOpen(t, d, clock, Options{CompactBytes: 4096, Patience: time.Minute})
	var wait sync.WaitGroup
	for n := range 16 {
		wait.Go(func() {
			for range 20 {
				if err := j.Intent(context.Background(), route(n)); err != nil {
					t.Error(err)
				}
				j.Announced(prefix(n))
				j.Renew(prefix(n), time.Hour)
				_ = j.State()
				if n%2 == 1 {
					j.Withdrawn(prefix(n))
				}
			}
		})
	}
	wait.Wait()
	if s := j.State(); s.Err != nil || s.Compactions == 0 {
		t.Errorf("state %+v", s)
	}
	mustClose(t, j)
	_, r := mustOpen(t, d, clock, Options{})
	if len(r.Routes) != 8 {
		t.Errorf("restored %v", prefixes(r))
	}
}

func TestSystemClock(t *testing.T) {
	c, again := SystemClock(), SystemClock()
	a := now(c)
	time.Sleep(time.Millisecond)
	if b := now(c); b.Boot-a.Boot < 1e6 || b.Wall == a.Wall || b.ID != a.ID || a.ID == "" {
		t.Errorf("%+v, then %+v", a, b)
	}
	if again.(systemClock).own != (again.BootID() != c.BootID()) {
		t.Error("the boot is another one a moment later")
	}
}

// BenchmarkIntent is what an announcement waits for on this machine's disk.
func BenchmarkIntent(b *testing.B) {
	j, _, err := Open(b.TempDir(), SystemClock(), Options{Patience: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		mustIntend(b, j, route(n%1000))
		n++
	}
	b.StopTimer()
	mustClose(b, j)
}
