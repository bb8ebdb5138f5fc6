// Package blast makes traffic: the one generator of what weir's tests, benchmarks, demo and
// traffic sender put into memory, into captures and on the wire. Everything is deterministic: the
// same seed gives the same bytes on every platform.
//
// A Workload is an endless stream of frames without time, for benchmarks, an ExportWorkload one of
// flow-export datagrams. A Scenario is timed traffic, attacks among everyday packets, for replay.
// Frames are made of headers, each a struct with a method Put, which writes the header at the start
// of b and returns its length. b holds all that the header covers, up to the end of the packet:
// where there is a length field, len(b) is what it says. Put panics when b is shorter than the
// header, and it allocates nothing. So a frame is written from the outside in:
//
//	n := eth.Put(b)
//	n += ip.Put(b[n:])
//	n += udp.Put(b[n:])
//	clear(b[n:])
//
// Frames never include the FCS: Ethernet's smallest frame of 64 bytes has 60 here.
//
// Concurrency: Frames, Exports, Packets and readers are for one goroutine each; everything else is
// only read.
package blast
