// Package bgptest is a router for tests and demonstrations: a BGP peer in this process that takes
// every route, and one that says whatever bytes it is told to.
package bgptest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	bgplog "github.com/osrg/gobgp/v3/pkg/log"
	"github.com/osrg/gobgp/v3/pkg/server"
	"google.golang.org/protobuf/types/known/anypb"
)

// Options say what router is wanted.
type Options struct {
	AS       uint32
	RouterID netip.Addr     // the zero value: 192.0.2.254
	Listen   netip.AddrPort // where it listens; port 0: any free one
	// Neighbor is where the speaker under test comes from.
	Neighbor        netip.Addr
	NeighborAS      uint32
	Password        string        // TCP MD5; empty: none
	GracefulRestart time.Duration // 0: off
}

// Peer is a router. Any goroutine may call its methods.
type Peer struct {
	options Options
	server  *server.BgpServer
	changed chan struct{}
	cancel  context.CancelFunc

	mu          sync.Mutex
	established bool
	sessions    int
	updates     int
}

// New starts a router that waits for its neighbor. End it by Close.
func New(o Options) (*Peer, error) {
	if !o.RouterID.IsValid() {
		o.RouterID = netip.AddrFrom4([4]byte{192, 0, 2, 254})
	}
	if o.Listen.Port() == 0 {
		port, err := freePort(o.Listen.Addr())
		if err != nil {
			return nil, err
		}
		o.Listen = netip.AddrPortFrom(o.Listen.Addr(), port)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Peer{
		options: o, changed: make(chan struct{}, 1), cancel: cancel,
		server: server.NewBgpServer(server.LoggerOption(quiet{})),
	}
	go p.server.Serve()
	if err := p.start(ctx); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func freePort(a netip.Addr) (uint16, error) {
	l, err := net.Listen("tcp", netip.AddrPortFrom(a, 0).String())
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return uint16(l.Addr().(*net.TCPAddr).Port), nil
}

func (p *Peer) start(ctx context.Context) error {
	o := &p.options
	err := p.server.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{
		Asn: o.AS, RouterId: o.RouterID.String(),
		ListenPort: int32(o.Listen.Port()), ListenAddresses: []string{o.Listen.Addr().String()},
	}})
	if err != nil {
		return fmt.Errorf("start router: %w", err)
	}
	watch := &api.WatchEventRequest{
		Peer: &api.WatchEventRequest_Peer{},
		Table: &api.WatchEventRequest_Table{Filters: []*api.WatchEventRequest_Table_Filter{
			{Type: api.WatchEventRequest_Table_Filter_ADJIN},
		}},
	}
	if err := p.server.WatchEvent(ctx, watch, p.event); err != nil {
		return fmt.Errorf("watch router: %w", err)
	}
	graceful := o.GracefulRestart > 0
	neighbor := &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: o.Neighbor.String(), PeerAsn: o.NeighborAS, AuthPassword: o.Password,
		},
		Transport:    &api.Transport{PassiveMode: true},
		EbgpMultihop: &api.EbgpMultihop{Enabled: true, MultihopTtl: 255},
		GracefulRestart: &api.GracefulRestart{
			Enabled: graceful, RestartTime: uint32(o.GracefulRestart / time.Second),
		},
	}
	for _, afi := range []api.Family_Afi{api.Family_AFI_IP, api.Family_AFI_IP6} {
		neighbor.AfiSafis = append(neighbor.AfiSafis, &api.AfiSafi{
			Config: &api.AfiSafiConfig{Family: familyOf(afi), Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{
				Config: &api.MpGracefulRestartConfig{Enabled: graceful},
			},
		})
	}
	if err := p.server.AddPeer(ctx, &api.AddPeerRequest{Peer: neighbor}); err != nil {
		return fmt.Errorf("add neighbor: %w", err)
	}
	return nil
}

func familyOf(afi api.Family_Afi) *api.Family {
	return &api.Family{Afi: afi, Safi: api.Family_SAFI_UNICAST}
}

func (p *Peer) event(r *api.WatchEventResponse) {
	p.mu.Lock()
	if peer := r.GetPeer(); peer != nil && peer.Type == api.WatchEventResponse_PeerEvent_STATE {
		up := peer.Peer.State.SessionState == api.PeerState_ESTABLISHED
		if up && !p.established {
			p.sessions++
		}
		p.established = up
	}
	if r.GetTable() != nil {
		p.updates++
	}
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Close ends the router; its neighbor is told.
func (p *Peer) Close() {
	_ = p.server.StopBgp(context.Background(), &api.StopBgpRequest{}) // it always succeeds
	p.cancel()
}

// Address returns where the router listens.
func (p *Peer) Address() netip.AddrPort { return p.options.Listen }

// Changed returns a channel, with room for one, that is sent to when routes or the session may
// have changed.
func (p *Peer) Changed() <-chan struct{} { return p.changed }

// Established reports whether the session is up, and Sessions how often it came up.
func (p *Peer) Established() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.established
}

// Sessions returns how often the session came up.
func (p *Peer) Sessions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions
}

// Updates returns how many UPDATE messages with routes or End-of-RIB have arrived.
func (p *Peer) Updates() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.updates
}

// Route is a route that the router was told of.
type Route struct {
	Prefix      netip.Prefix
	NextHop     netip.Addr
	Communities []string // "65535:666"
	Large       []string // "4200000001:1:666"
	Path        []uint32 // AS path
}

// Routes returns the adj-rib-in, in order.
func (p *Peer) Routes() []Route {
	var routes []Route
	for _, afi := range []api.Family_Afi{api.Family_AFI_IP, api.Family_AFI_IP6} {
		// The only error is that the router was closed.
		_ = p.server.ListPath(context.Background(), &api.ListPathRequest{
			TableType: api.TableType_ADJ_IN, Family: familyOf(afi),
			Name: p.options.Neighbor.String(),
		}, func(d *api.Destination) {
			for _, path := range d.Paths {
				routes = append(routes, routeOf(d.Prefix, path))
			}
		})
	}
	slices.SortFunc(routes, func(a, b Route) int { return a.Prefix.Compare(b.Prefix) })
	return routes
}

func routeOf(prefix string, path *api.Path) Route {
	r := Route{}
	r.Prefix, _ = netip.ParsePrefix(prefix)
	for _, packed := range path.Pattrs {
		attr, err := packed.UnmarshalNew()
		if err != nil {
			continue
		}
		switch a := attr.(type) {
		case *api.NextHopAttribute:
			r.NextHop, _ = netip.ParseAddr(a.NextHop)
		case *api.MpReachNLRIAttribute:
			r.NextHop, _ = netip.ParseAddr(a.NextHops[0])
		case *api.AsPathAttribute:
			for _, s := range a.Segments {
				r.Path = append(r.Path, s.Numbers...)
			}
		case *api.CommunitiesAttribute:
			for _, c := range a.Communities {
				r.Communities = append(r.Communities, fmt.Sprintf("%d:%d", c>>16, c&0xffff))
			}
		case *api.LargeCommunitiesAttribute:
			for _, c := range a.Communities {
				r.Large = append(r.Large,
					fmt.Sprintf("%d:%d:%d", c.GlobalAdmin, c.LocalData1, c.LocalData2))
			}
		}
	}
	return r
}

// String returns a route in one line.
func (r Route) String() string {
	return fmt.Sprintf("%v via %v [%s]", r.Prefix, r.NextHop,
		strings.Join(append(slices.Clone(r.Communities), r.Large...), " "))
}

// Wait returns when ok does, which is asked at each change and each 5 ms, or with ctx's error.
func (p *Peer) Wait(ctx context.Context, ok func(routes []Route) bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok(p.Routes()) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for routes, have %v: %w", p.Routes(), ctx.Err())
		case <-p.changed:
		case <-tick.C:
		}
	}
	return nil
}

// Announce makes the router announce an IPv4 route of its own.
func (p *Peer) Announce(prefix netip.Prefix, nextHop netip.Addr) error {
	nlri, err := anypb.New(&api.IPAddressPrefix{
		Prefix: prefix.Addr().String(), PrefixLen: uint32(prefix.Bits()),
	})
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	origin, err := anypb.New(&api.OriginAttribute{})
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	next, err := anypb.New(&api.NextHopAttribute{NextHop: nextHop.String()})
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	_, err = p.server.AddPath(context.Background(), &api.AddPathRequest{Path: &api.Path{
		Family: familyOf(api.Family_AFI_IP), Nlri: nlri, Pattrs: []*anypb.Any{origin, next},
	}})
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return nil
}

// quiet takes GoBGP's words and forgets them.
type quiet struct{}

func (quiet) Panic(msg string, _ bgplog.Fields) { panic("gobgp: " + msg) }
func (quiet) Fatal(msg string, _ bgplog.Fields) { panic("gobgp: " + msg) }
func (quiet) Error(string, bgplog.Fields)       {}
func (quiet) Warn(string, bgplog.Fields)        {}
func (quiet) Info(string, bgplog.Fields)        {}
func (quiet) Debug(string, bgplog.Fields)       {}
func (quiet) SetLevel(bgplog.LogLevel)          {}
func (quiet) GetLevel() (level bgplog.LogLevel) { return bgplog.PanicLevel }
