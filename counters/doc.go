// Package counters keeps what every host sent and received: slots of one cache line in tables that
// one worker writes, their generations, the flow estimate, and the merge of retired tables into
// one sorted snapshot.
//
// Concurrency: a Table and a Directory belong to the worker that writes them, without locks or
// atomics. A retired Table belongs to the goroutine that merges it; the hand-over is the worker's
// acknowledgement of its successor (package fastpath).
package counters
