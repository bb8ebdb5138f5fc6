package nic

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	genericHeader   = 4 // struct genlmsghdr
	attributeHeader = 4 // struct nlattr
)

// openGeneric opens the socket that NAPIs are asked and set by. A kernel that cannot set them is no
// error: netdev stays 0, or setsNAPIs false.
func (h *Handle) openGeneric() error {
	s, err := nl.Subscribe(unix.NETLINK_GENERIC)
	if err != nil {
		return fmt.Errorf("open a generic netlink socket: %w", err)
	}
	h.generic = &generic{socket: s}
	wait := unix.NsecToTimeval(requestTimeout.Nanoseconds())
	if err := errors.Join(s.SetSendTimeout(&wait), s.SetReceiveTimeout(&wait)); err != nil {
		return fmt.Errorf("bound a generic netlink socket's wait: %w", err)
	}
	_ = h.generic.ask(nl.GENL_ID_CTRL, nl.GENL_CTRL_CMD_GETFAMILY, unix.NLM_F_ACK,
		attribute(nl.GENL_CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated(netdevFamily)),
		func(answer []byte) { h.netdev, h.setsNAPIs = familyOf(answer) })
	return nil
}

// generic is a generic netlink socket. The library's own requests do not serve: they send two bytes
// of whatever lies behind a header in memory, which the kernel refuses unless they are zero; and
// take the end of a dump for after its first answer, for the kernel does not mark the others.
type generic struct {
	socket *nl.NetlinkSocket
	serial uint32
}

// ask sends a request, and calls each with every answer, until the kernel says that it is done.
func (g *generic) ask(
	family uint16, command uint8, flags uint16, attributes []byte, each func(answer []byte),
) error {
	g.serial++
	r := nl.NewNetlinkRequest(int(family), int(flags))
	r.Seq = g.serial
	r.RawData = append([]byte{command, 1, 0, 0}, attributes...) // struct genlmsghdr: version 1
	if err := g.socket.Send(r); err != nil {
		return err
	}
	for {
		messages, _, err := g.socket.Receive()
		if err != nil {
			return err
		}
		for _, m := range messages {
			switch {
			case m.Header.Seq != g.serial: // late answer to a request that was given up
			case m.Header.Type == unix.NLMSG_DONE:
				return nil
			case m.Header.Type == unix.NLMSG_ERROR && len(m.Data) >= 4:
				if code := int32(binary.NativeEndian.Uint32(m.Data)); code != 0 {
					return unix.Errno(-code)
				}
				return nil
			case each != nil:
				each(m.Data)
			}
		}
	}
}

// attribute returns a netlink attribute, padded to four bytes.
func attribute(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(attributeHeader+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	return append(b, make([]byte, -len(value)&3)...)
}

// familyOf returns the number of the family that an answer describes, and whether it can set NAPIs.
func familyOf(answer []byte) (family uint16, sets bool) {
	eachAttribute(answer[min(genericHeader, len(answer)):], func(kind uint16, value []byte) {
		switch {
		case kind == nl.GENL_CTRL_ATTR_FAMILY_ID && len(value) == 2:
			family = binary.NativeEndian.Uint16(value)
		case kind == nl.GENL_CTRL_ATTR_OPS:
			eachAttribute(value, func(_ uint16, op []byte) {
				eachAttribute(op, func(kind uint16, value []byte) {
					sets = sets || kind == nl.GENL_CTRL_ATTR_OP_ID && len(value) == 4 &&
						binary.NativeEndian.Uint32(value) == netdevNAPISet
				})
			})
		}
	})
	return family, sets
}

// eachAttribute calls f for each netlink attribute in b, up to the first that is torn.
func eachAttribute(b []byte, f func(kind uint16, value []byte)) {
	const nested = 1 << 15
	for len(b) >= attributeHeader {
		length := int(binary.NativeEndian.Uint16(b))
		if length < attributeHeader || length > len(b) {
			return
		}
		f(binary.NativeEndian.Uint16(b[2:])&^nested, b[attributeHeader:length])
		b = b[min(len(b), (length+3)&^3):]
	}
}
