package announce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/control/ban"
	"weir/control/ban/journal"
	"weir/control/governor"
)

// book is a journal that notes what it is told, and lets tests say how the disk fares.
type book struct {
	mu    sync.Mutex
	lines []string
	disk  func(p netip.Prefix) error // may wait
}

func (b *book) note(format string, a ...any) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, fmt.Sprintf(format, a...))
	return true
}

func (b *book) Intent(_ context.Context, r journal.Route) error {
	if b.disk != nil {
		if err := b.disk(r.Prefix); err != nil {
			return err
		}
	}
	b.note("intent %s %v %s", r.Prefix, r.Lease, r.ID)
	return nil
}

func (b *book) Announced(p netip.Prefix) bool { return b.note("announced %s", p) }
func (b *book) Withdrawn(p netip.Prefix) bool { return b.note("withdrawn %s", p) }
func (b *book) Renew(p netip.Prefix, left time.Duration) bool {
	return b.note("renew %s %v", p, left)
}

// router is a speaker whose routes stand when the test says so.
type router struct {
	book    *book
	mu      sync.Mutex
	sets    []string
	stand   map[netip.Prefix]bool
	changed chan struct{}
}

func (r *router) Set(routes []governor.Approved) {
	r.mu.Lock()
	defer r.mu.Unlock()
	set := []string{}
	for i := range routes {
		set = append(set, fmt.Sprint(routes[i].Prefix(), " ", routes[i].Lease()/second))
	}
	r.sets = append(r.sets, fmt.Sprint(set))
	r.book.note("set %v", set)
}

func (r *router) Stands(p netip.Prefix) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stand[p]
}

func (r *router) Changed() <-chan struct{} { return r.changed }

func (r *router) standing(p netip.Prefix) {
	r.mu.Lock()
	r.stand[p] = true
	r.mu.Unlock()
	signal(r.changed)
}

const second = int64(time.Second)

var home = netip.MustParsePrefix("10.0.0.0/8")

// approved returns a route for p that the governor let pass.
func approved(t testing.TB, p string, lease int64) governor.Approved {
	t.Helper()
	g := governor.New(governor.Rules{
		Networks: []netip.Prefix{home}, MaxActive: 1, MaxPerMinute: 1, MaxShare: 100,
		MaxLease: time.Hour,
	})
	a, refusal := g.Ask(governor.Route{
		Prefix: netip.MustParsePrefix(p), NextHop: netip.MustParseAddr("192.0.2.1"),
		Lease: lease, ID: "id",
	}, governor.Detector, 0)
	if refusal != governor.None {
		t.Fatal(refusal)
	}
	return a
}

// play runs f with an announcer, in a bubble whose clock stands still while anything can happen.
func play(t *testing.T, speakers int, f func(n *Announcer, b *book, r *router)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		r := &router{book: b, stand: map[netip.Prefix]bool{}, changed: make(chan struct{}, 1)}
		var all []Speaker
		if speakers > 0 {
			all = append(all, r)
		}
		n := New(b, all, func() int64 { return second }, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { n.Run(ctx) })
		synctest.Wait()
		want(t, "at first", b.lines[:speakers], []string{"set []"}[:speakers]...)
		b.lines, r.sets = nil, nil
		f(n, b, r)
		cancel()
		running.Wait()
	})
}

// results returns what the loop is told, once everything has settled.
func results(n *Announcer) (lines []string) {
	synctest.Wait()
	n.Results(func(p netip.Prefix, seq uint64, became ban.EventKind, reason string) {
		lines = append(lines, fmt.Sprint(became, " ", p, " ", seq, reason))
	})
	return lines
}

func want(t *testing.T, what string, got []string, lines ...string) {
	t.Helper()
	if !slices.Equal(got, lines) {
		t.Errorf("%s: got %q, want %q", what, got, lines)
	}
}

const one, two = "10.0.0.1/32", "10.0.0.2/32"

func TestLife(t *testing.T) {
	play(t, 1, func(n *Announcer, b *book, r *router) {
		n.Announce(approved(t, one, 61*second), 7)
		want(t, "on its way", results(n), "asked "+one+" 7")
		want(t, "written down first", b.lines, "intent "+one+" 1m0s id", "set ["+one+" 61]")
		r.standing(netip.MustParsePrefix(one))
		want(t, "it stands", results(n), "announced "+one+" 7")
		signal(r.changed)
		want(t, "told once", results(n))
		if c := n.State(); c != (Counts{Wanted: 1, Standing: 1, Announced: 1}) {
			t.Errorf("counts %+v", c)
		}
		n.Renew(approved(t, one, 91*second))
		n.Renew(approved(t, two, 91*second)) // is not wanted
		synctest.Wait()
		n.Withdraw(netip.MustParsePrefix(one))
		n.Withdraw(netip.MustParsePrefix(two))
		want(t, "withdrawn", results(n))
		want(t, "all of it", b.lines[2:], "announced "+one, "renew "+one+" 1m30s",
			"set ["+one+" 91]", "withdrawn "+one, "set []")
		if c := n.State(); c != (Counts{Announced: 1, Withdrawn: 1}) {
			t.Errorf("counts %+v", c)
		}
	})
}

func TestJournalRefuses(t *testing.T) {
	f := func(err error, reason string) {
		t.Helper()
		play(t, 1, func(n *Announcer, b *book, r *router) {
			b.disk = func(p netip.Prefix) error {
				if p == netip.MustParsePrefix(one) {
					return fmt.Errorf("write: %w", err)
				}
				return nil
			}
			n.Announce(approved(t, one, 61*second), 1)
			n.Announce(approved(t, two, 61*second), 2)
			got := results(n)
			slices.Sort(got)
			want(t, "results", got, "asked "+two+" 2", "refused "+one+" 1"+reason)
			for _, set := range r.sets {
				if set != "["+two+" 61]" {
					t.Errorf("announced %s", set)
				}
			}
			if c := n.State(); c != (Counts{Wanted: 1, Announced: 1, Refused: 1}) {
				t.Errorf("counts %+v", c)
			}
		})
	}
	f(journal.ErrSlow, "journal_slow")
	f(journal.ErrFull, "journal_full")
	f(errors.New("no space left on device"), "journal_failed")
}

// A disk that hangs delays no withdrawal, and what was withdrawn meanwhile is not announced.
func TestDiskHangs(t *testing.T) {
	play(t, 1, func(n *Announcer, b *book, r *router) {
		n.Announce(approved(t, two, 61*second), 1)
		want(t, "before", results(n), "asked "+two+" 1")
		hang := make(chan struct{})
		b.disk = func(netip.Prefix) error { <-hang; return nil }
		n.Announce(approved(t, one, 61*second), 2)
		synctest.Wait()
		n.Withdraw(netip.MustParsePrefix(one))
		n.Withdraw(netip.MustParsePrefix(two))
		synctest.Wait()
		want(t, "set", r.sets[len(r.sets)-1:], "[]")
		close(hang)
		want(t, "after", results(n))
		if last := b.lines[len(b.lines)-1]; last != "withdrawn "+one && last != "set []" {
			t.Errorf("the intent that came late was not cancelled: %q", b.lines)
		}
		if !slices.Contains(b.lines[slices.Index(b.lines, "intent "+one+" 1m0s id"):],
			"withdrawn "+one) {
			t.Errorf("the journal goes on with %s: %q", one, b.lines)
		}
		for _, set := range r.sets {
			if set == "["+one+" 61]" {
				t.Error("announced after its withdrawal")
			}
		}
	})
}

// Withdrawn and asked for again while the disk hangs: the second one counts.
func TestAskedAgain(t *testing.T) {
	play(t, 1, func(n *Announcer, b *book, r *router) {
		hang := make(chan struct{})
		b.disk = func(netip.Prefix) error { <-hang; return nil }
		n.Announce(approved(t, one, 61*second), 1)
		synctest.Wait()
		n.Withdraw(netip.MustParsePrefix(one))
		n.Announce(approved(t, one, 91*second), 2)
		synctest.Wait()
		close(hang)
		want(t, "results", results(n), "asked "+one+" 2")
		if last := r.sets[len(r.sets)-1]; last != "["+one+" 91]" {
			t.Errorf("announced %s", last)
		}
	})
}

// What stood before a restart is in the first set, whatever the disk does.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{disk: func(netip.Prefix) error { return errors.New("broken") }}
		r := &router{book: b, stand: map[netip.Prefix]bool{}, changed: make(chan struct{}, 1)}
		n := New(b, []Speaker{r}, func() int64 { return second }, slog.New(slog.DiscardHandler))
		n.Resume(approved(t, one, 61*second), 1)
		n.Resume(approved(t, two, 61*second), 2)
		n.Withdraw(netip.MustParsePrefix(two))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { n.Run(ctx) })
		want(t, "results", results(n), "asked "+one+" 1")
		want(t, "no intent is written", b.lines, "withdrawn "+two, "set ["+one+" 61]")
		cancel()
		running.Wait()
	})
}

func TestNoSpeakers(t *testing.T) {
	play(t, 0, func(n *Announcer, b *book, _ *router) {
		n.Announce(approved(t, one, 61*second), 1)
		want(t, "results", results(n), "asked "+one+" 1", "announced "+one+" 1")
		want(t, "journal", b.lines, "intent "+one+" 1m0s id", "announced "+one)
	})
}

// Many at once are all carried.
func TestBurst(t *testing.T) {
	play(t, 1, func(n *Announcer, b *book, r *router) {
		b.disk = func(netip.Prefix) error { time.Sleep(400 * time.Millisecond); return nil }
		a := home.Addr()
		begin := time.Now()
		for i := range uint64(64) {
			a = a.Next()
			n.Announce(approved(t, netip.PrefixFrom(a, 32).String(), 61*second), i)
		}
		time.Sleep(450 * time.Millisecond)
		if got := results(n); len(got) != 64 {
			t.Errorf("%d results after %v", len(got), time.Since(begin))
		}
	})
}
