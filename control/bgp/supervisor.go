package bgp

import (
	"context"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/control/bgp/wire"
	"weir/control/governor"
)

// Supervisor keeps a speaker running. Any goroutine may call its methods.
type Supervisor struct {
	config  Config
	cancel  context.CancelFunc
	done    chan struct{}
	wake    chan struct{} // there is a new set
	again   chan struct{} // there is a new setup
	changed chan struct{}
	state   atomic.Pointer[State]

	mu         sync.Mutex // of what follows, and of the order of states
	networks   []netip.Prefix
	routes     []governor.Approved
	generation uint64   // 0: there was no set yet
	flaps      []uint64 // of each peer, in children that ended
}

// Start starts the speaker, which announces nothing, and connects to nobody, before the first Set:
// its End-of-RIB would make routers drop what they hold. End it by Close.
func Start(c Config) (*Supervisor, error) {
	if err := c.withDefaults(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Supervisor{
		config: c, cancel: cancel, done: make(chan struct{}),
		wake: make(chan struct{}, 1), again: make(chan struct{}, 1),
		changed: make(chan struct{}, 1), networks: slices.Clone(c.Networks),
		flaps: make([]uint64, len(c.Peers)),
	}
	s.state.Store(initial(&c))
	go s.supervise(ctx)
	return s, nil
}

// Set replaces the wanted routes: all of them, or none. It never waits. If sets follow each other
// faster than the child takes them, only the newest is sent.
func (s *Supervisor) Set(routes []governor.Approved) {
	s.mu.Lock()
	s.routes = append([]governor.Approved(nil), routes...)
	s.generation++
	next := *s.state.Load()
	next.Wanted = s.generation
	s.state.Store(&next)
	s.mu.Unlock()
	signal(s.wake)
}

// SetNetworks replaces the networks that announced addresses must be in. The child is replaced by
// one that knows them: without graceful restart its routes are gone for the moment that takes.
func (s *Supervisor) SetNetworks(networks []netip.Prefix) {
	s.mu.Lock()
	changed := !slices.Equal(s.networks, networks)
	s.networks = slices.Clone(networks)
	s.mu.Unlock()
	if changed {
		signal(s.again)
	}
}

// setup returns what a new child is told first.
func (s *Supervisor) setup() *wire.Setup {
	setup := s.config.setup()
	s.mu.Lock()
	defer s.mu.Unlock()
	setup.Networks = s.networks
	return setup
}

// State returns what is known now.
func (s *Supervisor) State() *State { return s.state.Load() }

// Changed returns a channel, with room for one, that is sent to when State may have changed.
func (s *Supervisor) Changed() <-chan struct{} { return s.changed }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// withdrawTime bounds the wait for peers in Close.
const withdrawTime = 2 * time.Second

// Close ends the speaker. Routers hold the routes as long as graceful restart lets them, or, with
// withdraw, are told first that there are none; that takes two seconds at most. It reports whether
// nothing stood anywhere any more.
func (s *Supervisor) Close(withdraw bool) (withdrawn bool) {
	if withdraw {
		withdrawn = s.withdraw()
	}
	s.cancel()
	<-s.done
	return withdrawn
}

func (s *Supervisor) withdraw() bool {
	s.Set(nil)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(withdrawTime); time.Now().Before(end); <-tick.C {
		st := s.State()
		if st.Child.Alive && st.Acknowledged == st.Wanted && len(st.standing) == 0 {
			return true
		}
	}
	return false
}

// Pauses before a child is started that follows one which ended early.
const (
	minPause = 100 * time.Millisecond
	maxPause = 5 * time.Second
	steady   = 10 * time.Second // after which a child's end is no longer early
)

// supervise starts one child after the other. It stays on its thread: the kernel ends a child with
// the thread that started it, not with the process.
func (s *Supervisor) supervise(ctx context.Context) {
	runtime.LockOSThread() // for good: the thread ends with its goroutine, undressed as it is
	defer close(s.done)
	if err := undress(s.config.listens()); err != nil {
		s.config.Log.Warn("BGP speaker", "error", err)
	}
	var pause time.Duration // the first restart is at once
	for n := uint64(0); ; n++ {
		start := time.Now()
		err := s.child(ctx, n)
		if ctx.Err() != nil {
			return
		}
		s.ended(err)
		if time.Since(start) > steady {
			pause = 0
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(max(2*pause, minPause), maxPause)
	}
}

func (s *Supervisor) ended(err error) {
	s.config.Log.Error("BGP speaker ended; a new one is started", "cause", err)
	s.change(func(st *State) *State {
		next := st.ended(err.Error(), time.Now())
		for i := range next.Peers {
			s.flaps[i] = next.Peers[i].Flaps
		}
		return next
	})
}

func (s *Supervisor) change(f func(*State) *State) {
	s.mu.Lock()
	s.state.Store(f(s.state.Load()))
	s.mu.Unlock()
	signal(s.changed)
}

// newest returns the set to send, with leases that begin now, or nil before there is one.
func (s *Supervisor) newest() *wire.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.generation == 0 {
		return nil
	}
	set := &wire.Set{Generation: s.generation}
	now := s.config.Clock()
	for i := range s.routes {
		r := &s.routes[i]
		left := time.Duration(r.Lease() - now)
		if !r.Valid() || left <= 0 {
			continue
		}
		route := wire.Route{Prefix: r.Prefix(), NextHop: r.NextHop(), Lease: left}
		for _, c := range r.Communities() {
			route.Communities = append(route.Communities, wire.Community(c))
		}
		set.Routes = append(set.Routes, route)
	}
	return set
}
