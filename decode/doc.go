// Package decode turns frames into Records: one file per header, no allocation, no error but a
// Status, and malformed input that costs no more than good.
//
// It owns the vocabulary that every decoder shares (Record, Status, Link, Tunnel); decode/netflow
// and decode/sflow fill the same Record from flow exports. It is called on the packet path, on
// the worker that owns the frames, and imports nothing of weir.
package decode
