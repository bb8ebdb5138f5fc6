package speaker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// Sizes of RFC 4271 section 4.
const (
	headerSize       = 19
	maxMessage       = 4096
	openSize         = 29
	notificationSize = 21
	refreshSize      = 23
)

// message is a BGP message with its header, whose length and type are sound.
type message []byte

func (m message) kind() byte { return m[18] }

var errMarker = errors.New("no BGP message: the marker is not all ones")

// readMessage reads one message into buf, which has room for the longest. It is what stands
// between a peer and GoBGP: the length and the type are checked here, and the fixed sizes of
// those messages that have one.
func readMessage(r *bufio.Reader, buf *[maxMessage]byte) (message, error) {
	head := buf[:headerSize]
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	for _, b := range head[:16] {
		if b != 0xff {
			return nil, errMarker
		}
	}
	n, kind := int(binary.BigEndian.Uint16(head[16:])), head[18]
	least, most := headerSize, maxMessage
	switch kind {
	case bgp.BGP_MSG_OPEN:
		least = openSize
	case bgp.BGP_MSG_UPDATE:
		least = headerSize + 4
	case bgp.BGP_MSG_NOTIFICATION:
		least = notificationSize
	case bgp.BGP_MSG_KEEPALIVE:
		most = headerSize
	case bgp.BGP_MSG_ROUTE_REFRESH:
		least = refreshSize
	default:
		return nil, fmt.Errorf("message of unknown type %d", kind)
	}
	if n < least || n > most {
		return nil, fmt.Errorf("message of type %d has a length of %d", kind, n)
	}
	if _, err := io.ReadFull(r, buf[headerSize:n]); err != nil {
		return nil, err
	}
	return buf[:n], nil
}

// newMessage returns a message of a kind, with a body.
func newMessage(kind byte, body ...byte) message {
	m := make(message, headerSize, headerSize+len(body))
	for i := range 16 {
		m[i] = 0xff
	}
	binary.BigEndian.PutUint16(m[16:], uint16(headerSize+len(body)))
	m[18] = kind
	return append(m, body...)
}

// family is an address family and a subsequent one (RFC 4760).
type family struct {
	afi  uint16
	safi uint8
}

var (
	unicast4 = family{1, 1}
	unicast6 = family{2, 1}
)

// endOfRIB is the marker of RFC 4724 section 2.
func (f family) endOfRIB() message {
	if f == unicast4 {
		return newMessage(bgp.BGP_MSG_UPDATE, 0, 0, 0, 0)
	}
	// No withdrawn routes, six bytes of attributes: an MP_UNREACH_NLRI of a family and no prefix.
	return newMessage(bgp.BGP_MSG_UPDATE, 0, 0, 0, 6,
		0x80, byte(bgp.BGP_ATTR_TYPE_MP_UNREACH_NLRI), 3, byte(f.afi>>8), byte(f.afi), f.safi)
}

// Types of an OPEN's optional parameters and capabilities that matter here.
const (
	paramCapabilities = 2
	paramExtended     = 255 // RFC 9072
	capMultiprotocol  = 1
)

// families returns those that an OPEN offers. One that says nothing offers IPv4 unicast.
func families(open message) []family {
	var found []family
	params := open[openSize:]
	for len(params) >= 2 && params[0] != paramExtended {
		n := 2 + int(params[1])
		if n > len(params) {
			break
		}
		if params[0] == paramCapabilities {
			found = appendFamilies(found, params[2:n])
		}
		params = params[n:]
	}
	if found == nil {
		return []family{unicast4}
	}
	return found
}

func appendFamilies(found []family, caps []byte) []family {
	for len(caps) >= 2 {
		n := 2 + int(caps[1])
		if n > len(caps) {
			break
		}
		if caps[0] == capMultiprotocol && n == 6 {
			found = append(found, family{binary.BigEndian.Uint16(caps[2:]), caps[5]})
		}
		caps = caps[n:]
	}
	return found
}

// describe says what a NOTIFICATION means.
func describe(m message) string {
	n := bgp.NewNotificationErrorCode(m[19], m[20])
	return fmt.Sprintf("%v (%d/%d)", n, m[19], m[20])
}
