package netflow

import (
	"math"

	"weir/decode"
)

const (
	second = int64(1e9) // in nanoseconds
	milli  = int64(1e6)
	micro  = int64(1e3)

	protoICMP  = 1
	protoTCP   = 6
	protoICMP6 = 58
)

// records fills out with records of the set being read, and returns how many.
func (d *Decoder) records(out []decode.Record) int {
	t := d.t
	if t.vary != nil || t.odd&d.wanted() != 0 {
		return d.oddRecords(out)
	}
	size, at := int(t.size), d.at
	n := 0
	for n < len(out) && at+size <= d.end {
		sound := d.common(&out[n], t, &t.places, d.window(at))
		at += size
		d.data++
		if sound {
			n++
		}
	}
	d.at = at
	if at+size > d.end {
		d.t = nil
	}
	return n
}

// impossible is the first bit of a count that no flow reaches: 2^48 bytes take 6 hours at
// 100 Gbit/s. Times the sampling rate, such counts would overflow.
const impossible = 48

// common fills r from the fields that most templates have. rec are lead bytes and the record.
// Fields are set in the order of memory, so that the compiler can join the stores. It reports
// whether the counts are possible.
func (d *Decoder) common(r *decode.Record, t *template, p *[numFields]place, rec *window) bool {
	r.Src = decode.Addr{Lo: fast(rec, p, t, fSrcLo) | t.srcBits}
	r.Dst = decode.Addr{Lo: fast(rec, p, t, fDstLo) | t.dstBits}
	if t.family != family4 {
		r.Src.Hi, r.Dst.Hi = fast(rec, p, t, fSrcHi), fast(rec, p, t, fDstHi)
	}
	bytes, packets := fast(rec, p, t, fBytes), fast(rec, p, t, fPackets)
	r.Packets, r.Bytes = packets, bytes
	r.IPLen = mean(bytes, packets)
	r.Wire = r.IPLen
	r.SrcPort, r.DstPort = uint16(fast(rec, p, t, fSrcPort)), uint16(fast(rec, p, t, fDstPort))
	r.Proto, r.TCPFlags = uint8(fast(rec, p, t, fProto)), uint8(fast(rec, p, t, fFlags))
	if r.Proto == protoICMP || r.Proto == protoICMP6 {
		r.SrcPort = 0
	}
	r.TTL, r.IPFlags, r.Version = 0, 0, t.version
	r.Fragment, r.NVLAN, r.NMPLS, r.NTunnels = decode.NotFragment, 0, 0, 0

	f := &r.Flow
	start, end := fast(rec, p, t, fStart), fast(rec, p, t, fEnd)
	if d.uptimes {
		up := d.up
		if !d.upKnown {
			up = uint32(end)
		}
		f.Start = d.dg.Exported + int64(int32(uint32(start)-up))*milli
		f.End = d.dg.Exported + int64(int32(uint32(end)-up))*milli
	} else {
		f.Start, f.End = d.time(t.start, start, end), d.time(t.end, end, end)
	}
	if d.all {
		f.NextHop = decode.Addr{Hi: fast(rec, p, t, fNextHi), Lo: fast(rec, p, t, fNextLo)}
		if f.NextHop.Lo != 0 {
			f.NextHop.Lo |= t.nextBits
		}
		f.SrcAS, f.DstAS = uint32(fast(rec, p, t, fSrcAS)), uint32(fast(rec, p, t, fDstAS))
		f.TOS = uint8(fast(rec, p, t, fTOS))
	} else {
		f.NextHop, f.SrcAS, f.DstAS, f.TOS = decode.Addr{}, 0, 0, 0
	}
	f.InIf, f.OutIf = uint32(fast(rec, p, t, fInIf)), uint32(fast(rec, p, t, fOutIf))
	f.Forwarding = 0
	if w := p[fForwarding].width; w != 0 {
		f.Forwarding = forwarding(load(rec, p[fForwarding]), w)
	}
	if d.constant {
		r.Sampling = d.rate
	} else {
		d.lookUp(r, t, p, rec)
	}
	if (bytes|packets)>>impossible != 0 {
		d.dg.Faults[decode.BadField]++
		return false
	}
	return true
}

// mean returns the length of a packet of bytes/packets; 0 where that is unknown.
func mean(bytes, packets uint64) uint32 {
	switch {
	case packets == 0:
		return 0
	case (bytes|packets)>>32 == 0:
		return uint32(bytes) / uint32(packets)
	}
	return uint32(min(bytes/packets, math.MaxUint32))
}

// forwarding returns the status in one byte. An exporter that gives it four has it in the first
// or, as RFC 7270 section 4.12 has reduced sizes, in the last.
func forwarding(v uint64, width uint16) uint8 {
	if width > 1 && v <= math.MaxUint32 && uint8(v) == 0 {
		return uint8(v >> (8 * (width - 1)))
	}
	return uint8(v)
}

// time returns v in nanoseconds since 1970. last is the value that ends the flow: where an
// exporter does not tell when it began, that is taken for the time of export.
func (d *Decoder) time(c clock, v, last uint64) int64 {
	switch c {
	case uptimes:
		up := d.up
		if !d.upKnown {
			if up = uint32(last); up == 0 {
				return 0
			}
		}
		return d.dg.Exported + int64(int32(uint32(v)-up))*milli
	case millis:
		return int64(v) * milli
	case seconds:
		return int64(v) * second
	case deltas:
		return d.dg.Exported - int64(uint32(v))*micro
	case microsNTP, nanosNTP:
		return ntp(v)
	}
	return 0
}

// since1970 are the seconds from 1900 to 1970.
const since1970 = 2208988800

// ntp returns a time of RFC 7011 section 6.1.9 in nanoseconds since 1970. Some exporters write
// plain micro- or nanoseconds since 1970 instead, which would be years far from any export:
// before 1932, or the first days after 2036.
func ntp(v uint64) int64 {
	s := v >> 32
	switch {
	case v == 0:
		return 0
	case s < 1<<22:
		return int64(v) * micro
	case s < 1<<30:
		return int64(v)
	case s < since1970: // the era that begins in 2036
		s += 1 << 32
	}
	return (int64(s)-since1970)*second + int64(v&math.MaxUint32*uint64(second)>>32)
}

// settle finds out whether all records of the datagram have the same sampling rate.
func (d *Decoder) settle() {
	d.memoized = false
	d.constant, d.rates = true, nil
	if n := d.arrival.Sampling; n != 0 {
		d.rate, d.source = min(n, decode.MaxSampling), decode.RateConfigured
		return
	}
	d.rate = min(max(d.arrival.Default, 1), decode.MaxSampling)
	d.source = decode.RateUnknown
	if d.rates = d.told(); d.rates == nil {
		return
	}
	if d.rates.table.Load() != nil || d.domain.exporter.samplers.Load() {
		d.constant = false
		return
	}
	d.rate, d.source = d.rates.whole.Load(), decode.RateOptions
}

// told returns the rates of the domain or, if there are none, of another of the exporter's.
func (d *Decoder) told() *rates {
	if d.domain == nil {
		return nil
	}
	if d.domain.rates.told() {
		return &d.domain.rates
	}
	for _, o := range *d.domain.exporter.domains.Load() {
		if o.key>>32 == d.key>>32 && o.rates.told() {
			return &o.rates
		}
	}
	return nil
}

// lookUp gives r the sampling rate of its interface or sampler.
func (d *Decoder) lookUp(r *decode.Record, t *template, p *[numFields]place, rec *window) {
	k := rateKey{
		sampler: load(rec, p[fSampler]), named: p[fSampler].width != 0, scope: perSampler,
	}
	if d.rates.interfaces.Load() {
		k.first, k.second = r.Flow.InIf, r.Flow.OutIf
		if load(rec, p[fEgress]) == 1 {
			k.first, k.second = k.second, k.first
		}
	}
	if t.selector {
		k.scope = perSelector
	}
	if !d.memoized || k != d.memo {
		d.memo, d.memoized = k, true
		d.memoRate, d.memoFrom = d.rateFor(&k)
	}
	r.Sampling = d.memoRate
	d.lastRate, d.lastFrom = d.memoRate, d.memoFrom
}

// rateFor returns the sampling rate that k stands for, and where it was told: what it names comes
// before what holds for others.
func (d *Decoder) rateFor(k *rateKey) (uint32, decode.RateSource) {
	seed := d.cache.seed
	if n, from := d.rates.exact(seed, k); n != 0 {
		return n, from
	}
	if n := d.domain.exporter.sampler(seed, k, d.dg.Proto); n != 0 {
		return n, decode.RateSampler
	}
	if n, from := d.rates.general(k); n != 0 {
		return n, from
	}
	return min(max(d.arrival.Default, 1), decode.MaxSampling), decode.RateUnknown
}
