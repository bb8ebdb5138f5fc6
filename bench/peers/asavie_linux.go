//go:build !386

package main

import (
	"fmt"
	"net"
	"sync/atomic"

	"github.com/asavie/xdp"
)

// asavieLarge are frames and slots enough for the bursts that weir's ring has room for; by default
// there are 128 and 64.
const asavieLarge = 4096

// countAsavie is the loop of that module's own example dumpframes, without the printing.
func countAsavie(name string, large bool, count *atomic.Uint64) error {
	var o *xdp.SocketOptions // its defaults
	if large {
		o = &xdp.SocketOptions{
			NumFrames: asavieLarge, FrameSize: 2048,
			FillRingNumDescs: asavieLarge, CompletionRingNumDescs: 64,
			RxRingNumDescs: asavieLarge, TxRingNumDescs: 64,
		}
	}
	i, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	program, err := xdp.NewProgram(1)
	if err != nil {
		return fmt.Errorf("load asavie/xdp's program: %w", err)
	}
	defer program.Close()
	if err := program.Attach(i.Index); err != nil {
		return fmt.Errorf("attach to %s: %w", name, err)
	}
	socket, err := xdp.NewSocket(i.Index, 0, o)
	if err != nil {
		return fmt.Errorf("open socket on %s: %w", name, err)
	}
	if err := program.Register(0, socket.FD()); err != nil {
		return fmt.Errorf("register socket: %w", err)
	}
	total := uint64(0)
	for {
		if n := socket.NumFreeFillSlots(); n > 0 {
			socket.Fill(socket.GetDescs(n))
		}
		n, _, err := socket.Poll(-1)
		if err != nil {
			return fmt.Errorf("poll: %w", err)
		}
		if n > 0 {
			total += uint64(len(socket.Receive(n)))
			count.Store(total)
		}
	}
}
