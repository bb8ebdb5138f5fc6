// Package blast makes traffic: the one generator of what weir's tests, benchmarks, demo and
// traffic sender put into memory, into captures and on the wire. Everything is deterministic: the
// same seed gives the same bytes on every platform.
//
// It has three layers. Headers (Ethernet, IPv4, UDP, …) write themselves into the caller's
// buffer. A Workload is an endless stream of frames without time, for benchmarks. A Scenario is
// timed traffic, attacks among everyday packets, for replay:
//
//	s := blast.Scenario{Flows: slices.Concat(
//		blast.Background(netip.MustParsePrefix("10.0.0.0/16"), 2000, 20_000, 0, time.Minute),
//		[]blast.Flow{
//			{Vector: "syn_flood", Dst: blast.Host("10.0.3.4"), PPS: 40_000,
//				From: 10 * time.Second, To: 20 * time.Second},
//			{Vector: "dns_amplification", Dst: blast.Within("10.0.7.0/24"), // carpet bombing
//				PPS: 50_000, From: 30 * time.Second, To: 40 * time.Second},
//			{Dst: blast.Within("10.0.0.0/8"), PPS: 100_000, To: time.Minute}, // a spray
//		},
//	)}
//
// Frames never include the FCS: "64 bytes" of Ethernet's smallest frame are 60 here.
//
// Concurrency: Frames and Packets are for one goroutine each; everything else is immutable.
package blast
