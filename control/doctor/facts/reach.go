package facts

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"weir/control/doctor"
)

const bgpPort = 179

// patience bounds the wait for a peer.
const patience = time.Second

// reach connects to every peer at once, and says nothing to it.
func reach(ctx context.Context, p *doctor.Plan) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var all sync.WaitGroup
	for i := range p.Peers {
		peer := &p.Peers[i]
		if peer.Skipped != "" {
			continue
		}
		all.Go(func() {
			peer.Took, peer.Err = connect(ctx, netip.AddrPortFrom(peer.Address, bgpPort))
		})
	}
	all.Wait()
}

// connect returns how long a connection took, or why there is none. It comes with the greatest TTL,
// which a router that looks at the distance wants (GTSM, RFC 5082).
func connect(ctx context.Context, to netip.AddrPort) (took time.Duration, why string) {
	began := time.Now()
	d := net.Dialer{Control: farthest}
	c, err := d.DialContext(ctx, "tcp", to.String())
	took = time.Since(began)
	switch {
	case err == nil:
		_ = c.Close() // nothing was said
		return took, ""
	case errors.Is(err, syscall.ECONNREFUSED):
		return took, "it refuses the connection: no BGP speaker, or it does not know this host"
	case os.IsTimeout(err), errors.Is(err, context.DeadlineExceeded):
		return took, "no answer within " + patience.String()
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return took, err.Error()
}
