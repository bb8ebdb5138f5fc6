package netflow

import (
	"math"
	"math/bits"

	"weir/decode"
)

// options reads a set of options data records, and learns from them.
func (d *Decoder) options(t *template, at, end int) {
	p := &t.places
	for at+int(t.size) <= end {
		size := int(t.size)
		if t.vary != nil {
			p = (*[numFields]place)(d.places[:])
			if size = d.walk(t, at, end); size == 0 {
				d.unknown = true
				break
			}
		}
		d.option(t, p, d.window(at))
		at += size
		d.data++
		d.dg.Options++
	}
	d.settle()
}

// option learns from one options data record.
func (d *Decoder) option(t *template, p *[numFields]place, rec *window) {
	if boot := load(rec, p[fBoot]); boot != 0 {
		d.domain.rates.boot.Store(int64(boot) * milli)
		d.known()
	}
	n := d.rateOf(t, p, rec, false)
	if n == 0 {
		return
	}
	r := rate{n: n}
	in, out := load(rec, p[fInIf]), load(rec, p[fOutIf])
	switch {
	case p[fSampler].width != 0:
		r.key, r.scope = load(rec, p[fSampler]), perSampler
		if t.selector {
			r.scope = perSelector
		}
	case in != 0:
		r.key, r.scope = in, perInterface
	case out != 0:
		r.key, r.scope = out, perInterface
	}
	if !d.cache.learnRate(d.domain, r) {
		d.dg.Faults[decode.TooMany]++
	}
}

// rateOf returns N of 1:N as a record, which may be one of data, tells it, in any of the ways that
// there are; 0 where it does not, or not to be believed. The elements are those of RFC 5477
// section 8.2 and of NetFlow v9.
func (d *Decoder) rateOf(t *template, p *[numFields]place, rec *window, data bool) uint32 {
	v := func(f field) uint64 { return load(rec, p[f]) }
	n := uint64(0)
	if v(fAlgorithm) <= lastAlgorithm {
		if n = v(fRate); p[fRate].width == 4 {
			n = uint64(orderly(uint32(n), data))
		}
	}
	if n == 0 {
		n = v(fRandom)
	}
	if n == 0 {
		if n = ratio(v(fInterval)+v(fSpace), v(fInterval)); !t.has(fSpace) {
			n = v(fInterval) // Cisco NCS: it is N
		}
	}
	if n == 0 {
		n = ratio(v(fTimeInterval)+v(fTimeSpace), v(fTimeInterval))
	}
	if n == 0 {
		n = ratio(v(fPopulation), v(fSampleSize))
	}
	if n == 0 {
		n = inverse(v(fProbability), p[fProbability].width)
	}
	if n == 0 {
		// The elements have been used the other way round, too.
		a, b := v(fObserved), v(fSelected)
		n = ratio(max(a, b), min(a, b))
	}
	if n > decode.MaxSampling {
		d.dg.Faults[decode.BadField]++
		return 0
	}
	return uint32(n)
}

// lastAlgorithm is the greatest value of samplingAlgorithm (element 35) that is one: RFC 3954 has 1
// and 2, Huawei two more. FortiGates have running numbers there, and beside it.
const lastAlgorithm = 4

// orderly returns N of 1:N in the byte order that it was meant in. MikroTik's RouterOS 6 has it
// upside down in records of data: 1 as 0x01000000, 256 as 0x00010000.
func orderly(n uint32, data bool) uint32 {
	if n >= decode.MaxSampling || data && n > math.MaxUint16 && uint16(n) == 0 {
		return bits.ReverseBytes32(n)
	}
	return n
}

// ratio returns a/b, rounded, and at least 1; 0 where either is 0.
func ratio(a, b uint64) uint64 {
	if a == 0 || b == 0 {
		return 0
	}
	n := a / b
	if a%b >= b-b/2 {
		n++
	}
	return max(n, 1)
}

// inverse returns 1/p of a probability in floating point of so many bytes.
func inverse(bits uint64, width uint16) uint64 {
	p := math.Float64frombits(bits)
	if width == 4 {
		p = float64(math.Float32frombits(uint32(bits)))
	}
	if !(p > 0 && p <= 1) {
		return 0
	}
	return uint64(math.Round(min(1/p, 2*decode.MaxSampling))) // which nobody believes
}
