// Command peers compares weir with other collectors of flow exports, side by side on this machine:
// each gets the same datagrams over the loopback of a network namespace of its own, one system at
// a time, in an order that rotates from round to round. The sender has CPU 0, the collector CPU 1.
//
// It tells what a whole process – with its children – takes of CPU time per record delivered, less
// what it takes when idle, and which part of the records was lost. The collectors do different
// work: weir and FastNetMon count hosts and look for attacks, nfcapd and sfcapd store every record,
// nfacctd and sfacctd count hosts, goflow2 converts every record to protobuf and throws it away.
//
// As `peers packets` it compares systems that receive packets, on a veth with a generator in the
// kernel: weir and FastNetMon through AF_PACKET, and loops that do nothing but count what an AF_XDP
// ring has. The generator and the kernel's half of the work have CPU 0. User and system time are
// told apart by samples; user time per packet is what a system's own code takes.
//
// Configurations, logs and one JSON line per run stay in the directory that it is given. It needs
// Linux and root; a system that is not installed is named and left out.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "peers: %v\n", err)
		os.Exit(1)
	}
}
