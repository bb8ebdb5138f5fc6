package exabgp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"weir/control/governor"
)

// Config says where ExaBGP reads.
type Config struct {
	Pipe string // absolute path of a named pipe
}

const (
	lookTime    = 100 * time.Millisecond // between looks for a reader that left, or for room
	openTime    = time.Second            // between attempts to open the pipe
	refreshTime = time.Minute
)

// State is how far ExaBGP was told what is wanted.
type State struct {
	Open      bool   // a reader is there
	Routes    int    // announced and not withdrawn
	Pending   int    // lines that are to be written and are not yet
	Unread    int    // bytes in the pipe; 0 as well where the system does not tell
	Opened    uint64 // how often a reader was there anew
	Announced uint64 // lines written, repeated ones as well
	Withdrawn uint64
	Error     string // why something is pending or will not be; empty: nothing is
}

// Pipe tells ExaBGP what routes are wanted.
//
// Concurrency: any goroutine may call its methods; Run is for one.
type Pipe struct {
	path    string
	log     *slog.Logger
	refresh time.Duration
	wake    chan struct{}
	changed chan struct{}

	mu    sync.Mutex
	stand map[netip.Prefix]bool  // told to the reader, as of the last turn that told something
	want  map[netip.Prefix]route // replaced, never changed
	stale map[netip.Prefix]route
	bad   error // of what Set was given
	state State

	// Run's own.
	file      *writer // nil: not open
	failed    error   // why it is not
	told      told
	tried     time.Time // the last attempt to open
	refreshed time.Time
	complaint string // the last one that was logged
}

// New returns a Pipe. There need be no pipe yet, nor a reader; something else in its place is an
// error.
func New(c Config, log *slog.Logger) (*Pipe, error) {
	if !filepath.IsAbs(c.Pipe) {
		return nil, fmt.Errorf("ExaBGP's pipe %q: the path is not absolute", c.Pipe)
	}
	err := check(c.Pipe)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &Pipe{
		path: c.Pipe, log: log, refresh: refreshTime,
		wake: make(chan struct{}, 1), changed: make(chan struct{}, 1),
		stale: map[netip.Prefix]route{}, told: told{prefixes: map[netip.Prefix]*news{}},
	}, nil
}

// check says why there is no named pipe at path.
func check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("ExaBGP's pipe: %w (mkfifo makes it)", err)
	}
	if info.Mode()&fs.ModeNamedPipe == 0 {
		return fmt.Errorf("ExaBGP's pipe %s: it is no named pipe", path)
	}
	return nil
}

// Set makes routes all that is wanted from now on. It never waits.
func (p *Pipe) Set(routes []governor.Approved) {
	want := make(map[netip.Prefix]route, len(routes))
	var bad error
	for i := range routes {
		a := &routes[i]
		if !a.Valid() {
			continue
		}
		r := lines(a)
		if len(r.announce) > maxLine() {
			bad = fmt.Errorf("route %s has more communities than fit in a line", a.Prefix())
			continue
		}
		want[a.Prefix()] = r
	}
	p.mu.Lock()
	p.want, p.bad = want, bad
	p.mu.Unlock()
	p.turnSoon()
}

// Withdraw has a route withdrawn that a weir before this one may have announced, unless it is
// wanted: ExaBGP does not forget it by itself. It never waits.
func (p *Pipe) Withdraw(prefix netip.Prefix, nextHop netip.Addr) {
	p.mu.Lock()
	p.stale[prefix] = route{
		withdraw: fmt.Sprintf("withdraw route %s next-hop %s\n", prefix, nextHop),
	}
	p.mu.Unlock()
	p.turnSoon()
}

func (p *Pipe) turnSoon() { signal(p.wake) }

// signal wakes who waits for c; one signal is as good as several.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Stands reports whether the reader was told the route for prefix.
func (p *Pipe) Stands(prefix netip.Prefix) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stand[prefix]
}

// Changed receives after Stands may answer otherwise.
func (p *Pipe) Changed() <-chan struct{} { return p.changed }

// State returns how far ExaBGP was told what is wanted.
func (p *Pipe) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Run tells ExaBGP what is wanted until ctx is done. It then tells what Set was given last, if
// that needs no waiting, and leaves the rest as it is.
func (p *Pipe) Run(ctx context.Context) {
	look := time.NewTicker(lookTime)
	defer look.Stop()
	for {
		p.turn(time.Now())
		select {
		case <-ctx.Done():
			p.turn(time.Now())
			p.shut()
			p.mu.Lock()
			p.state.Open = false
			p.mu.Unlock()
			return
		case <-p.wake:
		case <-look.C:
		}
	}
}

// turn does what can be done now without waiting.
func (p *Pipe) turn(now time.Time) {
	want, bad := p.wanted()
	opened, err := p.open(now)
	unread := 0
	if p.file != nil {
		unread = p.file.unread()
	}
	steps := p.told.due(want)
	if err == nil && len(steps) == 0 && unread == 0 && now.Sub(p.refreshed) >= p.refresh {
		p.renew(now)
		steps = p.told.due(want)
	}
	var announced, withdrawn, written int
	for err == nil && written < len(steps) {
		s := &steps[written]
		if err = p.write(s.line()); err != nil {
			break
		}
		written++
		p.told.note(s)
		if s.withdraw {
			withdrawn++
		} else {
			announced++
		}
	}
	err = errors.Join(err, bad)
	p.complain(err)

	p.mu.Lock()
	defer p.mu.Unlock()
	if opened {
		p.state.Opened++
	}
	p.state.Open = p.file != nil
	p.state.Announced += uint64(announced)
	p.state.Withdrawn += uint64(withdrawn)
	if written > 0 {
		p.stand = p.told.standing()
		signal(p.changed)
	}
	p.state.Routes, p.state.Unread = len(p.stand), unread
	p.state.Pending = len(steps) - written
	p.state.Error = text(err)
}

// wanted returns what Set wants, and what it could not, after taking in what Withdraw was given.
func (p *Pipe) wanted() (map[netip.Prefix]route, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for prefix, r := range p.stale {
		p.told.suspect(prefix, r)
	}
	clear(p.stale)
	return p.want, p.bad
}

// renew puts in doubt all that was told.
func (p *Pipe) renew(now time.Time) {
	p.told.round++
	p.refreshed = now
}
