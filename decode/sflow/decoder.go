package sflow

import (
	"encoding/binary"

	"weir/decode"
)

// Fields says what of a sample a Decoder reads.
type Fields uint8

const (
	// Counted is what counting needs: of Record.Flow the interfaces and Forwarding only, and
	// Sampling is the effective rate of the source.
	Counted Fields = iota

	// Filtered is everything that Record has room for, with the effective rate.
	Filtered

	// All is everything that Record has room for; Sampling is as exported.
	All
)

// Limits of one datagram; what is beyond them is passed over and counted as decode.TooMany.
const (
	MaxSamples = 256
	MaxRecords = 256 // of one sample
)

// Decoder reads datagrams, one after the other: Begin, then Next until it returns 0. Sequence
// numbers and pools are followed here, so that all datagrams of an agent and sub-agent should come
// to the same Decoder: of those that come to others it would think as of lost ones.
type Decoder struct {
	want    Fields
	inner   *decode.Decoder
	version uint32
	rest    []byte // samples that have not been read
	left    uint32 // how many

	override uint32 // Arrival.Sampling and Default, made sane
	fallback uint32

	sender      decode.Addr // of the datagram
	datagram    decode.Datagram
	agent       *agent // of the datagram
	first       bool   // no sample of it has been counted
	agents      agents
	sources     sources
	nInterfaces int
	interfaces  [MaxSamples]Interface
}

// NewDecoder returns a Decoder that passes sampled headers to inner; nil opens every tunnel.
func NewDecoder(want Fields, inner *decode.Decoder) *Decoder {
	if inner == nil {
		inner = new(decode.Decoder)
	}
	d := &Decoder{want: want, inner: inner}
	d.agents.init()
	d.sources.init()
	return d
}

// Begin takes up a datagram and reads its header. What was left of the one before is dropped.
func (d *Decoder) Begin(a *decode.Arrival) {
	d.sender, d.datagram = a.Source, decode.Datagram{Exporter: a.Source}
	d.nInterfaces, d.first = 0, true
	d.rest, d.left = nil, 0
	d.override = min(a.Sampling, decode.MaxSampling)
	d.fallback = min(max(a.Default, 1), decode.MaxSampling)
	d.header(a.Payload)
}

// Override has the samples of the datagram at hand count with a sampling rate of 1:n, as
// Arrival.Sampling does: for who knows it by Datagram().Exporter, the agent that Begin read.
func (d *Decoder) Override(n uint32) { d.override = min(n, decode.MaxSampling) }

// Next reads on and fills out with the records of as many flow samples as there is room for; it
// returns their number, 0 at the end of the datagram. Each record has every field that Record
// documents, whatever was in it; Flow.Start and End are 0, because sFlow tells no times. An out of
// no length reads nothing.
func (d *Decoder) Next(out []decode.Record) int {
	n := 0
	if d.version == 5 {
		n = d.next5(out)
	} else {
		n = d.next4(out)
	}
	d.datagram.Records += uint32(n)
	return n
}

// Datagram returns what is known of the datagram: complete once Next has returned 0, valid until
// Begin.
func (d *Decoder) Datagram() *decode.Datagram { return &d.datagram }

// Interfaces returns the counters of interfaces that the datagram carries, in its order: complete
// once Next has returned 0, valid until Begin.
func (d *Decoder) Interfaces() []Interface { return d.interfaces[:d.nInterfaces] }

// fault counts what is wrong.
func (d *Decoder) fault(f decode.Fault) { d.datagram.Faults[f]++ }

// stop gives up the rest of the datagram.
func (d *Decoder) stop(f decode.Fault) {
	d.fault(f)
	d.rest, d.left = nil, 0
}

// be32 reads an XDR unsigned integer (RFC 4506 section 4.2).
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// padded returns n with XDR's padding to four bytes (RFC 4506 section 4.10), but no more than most.
func padded(n, most int) int { return min((n+3)&^3, most) }
