package speaker

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"weir/control/bgp/wire"
)

type protoMessage = proto.Message

// originIGP is the ORIGIN of a route of our own making (RFC 4271 section 4.3).
const originIGP = 0

// same reports whether two routes of one prefix look the same to a peer.
func same(a, b *wire.Route) bool {
	return a.NextHop == b.NextHop && slices.Equal(a.Communities, b.Communities)
}
