package nic

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Promiscuous keeps an interface receiving frames for all addresses until Close, or until the
// process ends in whatever way: the kernel counts memberships, and nothing of it is left behind.
type Promiscuous struct{ fd int }

// NewPromiscuous switches the interface with that index, in the calling thread's network
// namespace, to promiscuous mode.
func NewPromiscuous(index int) (*Promiscuous, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // receives nothing
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	member := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC}
	err = unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &member)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("switch interface %d to promiscuous mode: %w", index,
			err), unix.Close(fd))
	}
	return &Promiscuous{fd}, nil
}

// Close ends the membership.
func (p *Promiscuous) Close() error { return unix.Close(p.fd) }
