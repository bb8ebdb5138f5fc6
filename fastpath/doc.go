// Package fastpath is the packet path: a Worker per queue polls, decodes, looks up, counts and
// samples in bursts, and leaves its table to control at a flip.
//
// Concurrency: a Worker's methods belong to the goroutine that runs it, except Publish, Acked,
// Samples and Hints, which belong to control. A retired table passes to control with the
// acknowledgement of its successor.
package fastpath
