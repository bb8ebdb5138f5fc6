package speaker

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"
	"google.golang.org/protobuf/types/known/anypb"

	"weir/control/bgp/wire"
)

// inside is the address at which GoBGP and the link to a peer meet: GoBGP takes the link for its
// neighbor, and never has a socket to the outside.
const inside = "127.0.0.1"

// rib is a GoBGP of its own for each peer. What one peer says can never reach another, and each
// session begins with a clean state of graceful restart.
type rib struct {
	server *server.BgpServer
	port   int    // where it listens, inside
	key    string // TCP MD5 on the way there, so that no other process of this machine comes in
	setup  *wire.Setup
	peer   *wire.Peer
	routes map[netip.Prefix]wire.Route // what it holds
}

// startTries bounds the search for a free port, which somebody else may take in between.
const startTries = 20

func newRIB(setup *wire.Setup, p *wire.Peer, key string, log *slog.Logger) (*rib, error) {
	r := &rib{setup: setup, peer: p, key: key, routes: map[netip.Prefix]wire.Route{}}
	r.server = server.NewBgpServer(server.LoggerOption(logger{log}))
	go r.server.Serve()
	var err error
	for range startTries {
		if r.port, err = freePort(); err != nil {
			return nil, err
		}
		err = r.server.StartBgp(context.Background(), &api.StartBgpRequest{Global: &api.Global{
			Asn: setup.AS, RouterId: setup.RouterID.String(),
			ListenPort: int32(r.port), ListenAddresses: []string{inside},
		}})
		if err == nil {
			return r, r.onlyLocal()
		}
	}
	return nil, fmt.Errorf("start GoBGP: %w", err)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp4", inside+":0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// onlyLocal lets nothing in or out but routes of our own making. Links give GoBGP no route of a
// peer in the first place.
func (r *rib) onlyLocal() error {
	ctx := context.Background()
	policy := &api.Policy{Name: "local", Statements: []*api.Statement{{
		Name:       "local",
		Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ACCEPT},
	}}}
	if err := r.server.AddPolicy(ctx, &api.AddPolicyRequest{Policy: policy}); err != nil {
		return fmt.Errorf("add policy: %w", err)
	}
	for _, way := range []api.PolicyDirection{
		api.PolicyDirection_IMPORT, api.PolicyDirection_EXPORT,
	} {
		err := r.server.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{
			Assignment: &api.PolicyAssignment{
				Name: "global", Direction: way, Policies: []*api.Policy{policy},
				DefaultAction: api.RouteAction_REJECT,
			},
		})
		if err != nil {
			return fmt.Errorf("assign policy: %w", err)
		}
	}
	return nil
}

// hold makes want what it holds. A route that is there already, with the same content, is left
// alone: nothing is sent for it.
func (r *rib) hold(want map[netip.Prefix]wire.Route) error {
	ctx := context.Background()
	for prefix, route := range r.routes {
		if _, ok := want[prefix]; ok {
			continue
		}
		path, err := newPath(&route)
		if err != nil {
			return err
		}
		request := &api.DeletePathRequest{
			TableType: api.TableType_GLOBAL, Family: path.Family, Path: path,
		}
		if err := r.server.DeletePath(ctx, request); err != nil {
			return fmt.Errorf("withdraw %v: %w", prefix, err)
		}
		delete(r.routes, prefix)
	}
	for prefix, route := range want {
		if have, ok := r.routes[prefix]; ok && same(&have, &route) {
			continue
		}
		path, err := newPath(&route)
		if err != nil {
			return err
		}
		request := &api.AddPathRequest{TableType: api.TableType_GLOBAL, Path: path}
		if _, err := r.server.AddPath(ctx, request); err != nil {
			return fmt.Errorf("announce %v: %w", prefix, err)
		}
		r.routes[prefix] = route
	}
	return nil
}

// beginTime bounds the wait for GoBGP at a session's begin, which takes some milliseconds.
const beginTime = 2 * time.Second

// begin makes GoBGP ready for one session, and returns the link's connection to it, and the OPEN
// that it said. Only with that is the connection surely the session's: one that GoBGP has accepted
// and not yet looked at would become that of the next.
func (r *rib) begin(ctx context.Context) (net.Conn, message, error) {
	if err := r.server.AddPeer(ctx, &api.AddPeerRequest{Peer: r.neighbor()}); err != nil {
		return nil, nil, fmt.Errorf("add peer: %w", err)
	}
	// Before it is active GoBGP closes what connects.
	for end := time.Now().Add(beginTime); ; time.Sleep(time.Millisecond) {
		conn, open, err := r.connect(ctx, end)
		if err == nil || time.Now().After(end) || ctx.Err() != nil {
			return conn, open, err
		}
	}
}

func (r *rib) connect(ctx context.Context, end time.Time) (net.Conn, message, error) {
	d := net.Dialer{Deadline: end, Control: secure(inside, r.key)}
	conn, err := d.DialContext(ctx, "tcp4", fmt.Sprintf("%s:%d", inside, r.port))
	if err != nil {
		return nil, nil, fmt.Errorf("connect to GoBGP: %w", err)
	}
	open, err := hear(conn, end)
	if err != nil {
		_ = conn.Close() // it was never used
		return nil, nil, fmt.Errorf("begin session with GoBGP: %w", err)
	}
	return conn, open, nil
}

// hear reads GoBGP's OPEN. Nothing follows that before it is answered: no reader keeps any back.
func hear(conn net.Conn, end time.Time) (message, error) {
	if err := conn.SetReadDeadline(end); err != nil {
		return nil, err
	}
	var buf [maxMessage]byte
	open, err := readMessage(bufio.NewReader(conn), &buf)
	if err != nil {
		return nil, err
	}
	return open, conn.SetReadDeadline(time.Time{})
}

// end forgets the session that begin made.
func (r *rib) end() {
	// The only error is that there is none.
	_ = r.server.DeletePeer(context.Background(), &api.DeletePeerRequest{Address: inside})
}

// alive asks GoBGP's own loop for an answer.
func (r *rib) alive(ctx context.Context) {
	_, _ = r.server.GetBgp(ctx, &api.GetBgpRequest{})
}

// holdTime is how long a silent peer is taken for alive: RFC 4271's suggestion.
const holdTime = 90

func (r *rib) neighbor() *api.Peer {
	p := &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: inside, PeerAsn: r.peer.AS, AuthPassword: r.key,
		},
		Transport: &api.Transport{PassiveMode: true},
		Timers: &api.Timers{Config: &api.TimersConfig{
			HoldTime: holdTime, KeepaliveInterval: holdTime / 3,
		}},
	}
	graceful := r.peer.GracefulRestart > 0
	if graceful {
		// LocalRestarting sets the bits by which the peer keeps what it has until End-of-RIB. It is
		// set in each session, for each may follow one that ended badly. The deferral never runs
		// out: the link gives GoBGP the markers that it waits for.
		p.GracefulRestart = &api.GracefulRestart{
			Enabled: true, RestartTime: uint32(r.peer.GracefulRestart),
			DeferralTime: 1, LocalRestarting: true,
		}
	}
	for _, afi := range []api.Family_Afi{api.Family_AFI_IP, api.Family_AFI_IP6} {
		if !r.announces(afi) {
			continue
		}
		p.AfiSafis = append(p.AfiSafis, &api.AfiSafi{
			Config: &api.AfiSafiConfig{
				Family: &api.Family{Afi: afi, Safi: api.Family_SAFI_UNICAST}, Enabled: true,
			},
			MpGracefulRestart: &api.MpGracefulRestart{
				Config: &api.MpGracefulRestartConfig{Enabled: graceful},
			},
		})
	}
	return p
}

// announces reports whether there is a network of a family.
func (r *rib) announces(afi api.Family_Afi) bool {
	for _, n := range r.setup.Networks {
		if n.Addr().Is4() == (afi == api.Family_AFI_IP) {
			return true
		}
	}
	return false
}

func newPath(r *wire.Route) (*api.Path, error) {
	addr := r.Prefix.Addr()
	var failed error
	pack := func(m protoMessage) *anypb.Any {
		packed, err := anypb.New(m)
		if err != nil {
			failed = fmt.Errorf("pack %v: %w", r.Prefix, err)
		}
		return packed
	}
	nlri := pack(&api.IPAddressPrefix{Prefix: addr.String(), PrefixLen: uint32(r.Prefix.Bits())})
	path := &api.Path{
		Family: &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST},
		Nlri:   nlri,
		Pattrs: []*anypb.Any{pack(&api.OriginAttribute{Origin: originIGP})},
	}
	if addr.Is6() {
		path.Family.Afi = api.Family_AFI_IP6
		path.Pattrs = append(path.Pattrs, pack(&api.MpReachNLRIAttribute{
			Family: path.Family, NextHops: []string{r.NextHop.String()}, Nlris: []*anypb.Any{nlri},
		}))
	} else {
		path.Pattrs = append(path.Pattrs, pack(&api.NextHopAttribute{NextHop: r.NextHop.String()}))
	}
	var plain []uint32
	var large []*api.LargeCommunity
	for _, c := range r.Communities {
		if c.Large {
			large = append(large, &api.LargeCommunity{
				GlobalAdmin: c.A, LocalData1: c.B, LocalData2: c.C,
			})
		} else {
			plain = append(plain, c.A<<16|c.B)
		}
	}
	if plain != nil {
		path.Pattrs = append(path.Pattrs, pack(&api.CommunitiesAttribute{Communities: plain}))
	}
	if large != nil {
		path.Pattrs = append(path.Pattrs, pack(&api.LargeCommunitiesAttribute{Communities: large}))
	}
	return path, failed
}
