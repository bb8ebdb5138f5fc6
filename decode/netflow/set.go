package netflow

import (
	"encoding/binary"

	"weir/decode"
)

// The IDs of sets that are not data: NetFlow v9's (RFC 3954 section 5) and IPFIX's (RFC 7011
// section 3.3.2). The others below minTemplate are reserved.
const (
	templates9     = 0
	options9       = 1
	templatesIPFIX = 2
	optionsIPFIX   = 3
)

// nextSet begins the next set of the datagram; false is the end.
func (d *Decoder) nextSet() bool {
	if d.pos+setHeader > len(d.b) {
		d.trailer()
		return false
	}
	id := binary.BigEndian.Uint16(d.b[d.pos:])
	length := int(binary.BigEndian.Uint16(d.b[d.pos+2:]))
	if id == 0 && length == 0 && d.sets > 0 && d.padded() {
		return false
	}
	if length < setHeader || d.pos+length > len(d.b) {
		d.unknown = true
		d.stop(decode.BadSetLength)
		return false
	}
	at, end := d.pos+setHeader, d.pos+length
	d.pos = end
	d.sets++
	v9 := d.dg.Proto == decode.NetFlow9
	switch {
	case id >= minTemplate:
		d.dataSet(id, at, end)
	case v9 && id == templates9, !v9 && id == templatesIPFIX:
		d.templates(d.b[at:end])
	case v9 && id == options9, !v9 && id == optionsIPFIX:
		d.optionsTemplates(d.b[at:end])
	}
	return true
}

// trailer notes what stands behind the last set, unless it is padding.
func (d *Decoder) trailer() {
	for _, c := range d.b[min(d.pos, len(d.b)):] {
		if c != 0 {
			d.stop(decode.ShortDatagram)
			return
		}
	}
	d.pos = len(d.b)
}

// padded ends a datagram whose rest is zero: some devices send all of theirs in one size.
func (d *Decoder) padded() bool {
	b := d.b[d.pos:]
	for ; len(b) >= 8; b = b[8:] {
		if binary.BigEndian.Uint64(b) != 0 {
			return false
		}
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	d.pos = len(d.b)
	return true
}

// dataSet begins a set of data records, of a template or of options.
func (d *Decoder) dataSet(id uint16, at, end int) {
	t := d.domain.template(id, d.arrival.Port, d.arrival.Time)
	if t == nil {
		d.dg.Skipped[decode.NoTemplate]++
		d.unknown = true
		return
	}
	if at+int(t.size) > end {
		return
	}
	d.domain.touch(t, d.arrival.Time)
	if t.vary != nil {
		*(*[numFields]place)(d.places[:]) = t.places
	}
	switch {
	case t.about:
		d.options(t, at, end)
	case t.family == 0 && t.places[fSection].width == 0:
		d.dg.Skipped[decode.NoAddresses] += d.countRecords(t, at, end)
	case t.event && !t.has(fNATEvent):
		d.dg.Skipped[decode.NoTraffic] += d.countRecords(t, at, end)
	default:
		d.t, d.at, d.end = t, at, end
		d.uptimes = t.start == uptimes && t.end == uptimes
	}
}

// countRecords counts the records of a set that nobody wants.
func (d *Decoder) countRecords(t *template, at, end int) uint32 {
	n := uint32(0)
	if t.vary == nil {
		n = uint32((end - at) / int(t.size))
	} else {
		for at+int(t.size) <= end {
			size := d.walk(t, at, end)
			if size == 0 {
				break
			}
			at += size
			n++
		}
	}
	d.data += n
	return n
}

// walk finds the places of the record at at, whose fields vary in length, and returns its size;
// 0 where it does not end before end.
func (d *Decoder) walk(t *template, at, end int) int {
	v := t.vary
	delta := 0
	for i, fixed := range v.at {
		p := at + int(fixed) + delta
		if p >= end {
			return d.torn(t)
		}
		n := int(d.b[p])
		delta++
		if n == 255 { // RFC 7011 section 7
			if p+3 > end {
				return d.torn(t)
			}
			n = int(binary.BigEndian.Uint16(d.b[p+1:]))
			delta += 2
		}
		delta += n
		if at+int(fixed)+delta > end {
			return d.torn(t)
		}
		d.delta[(i+1)&(maxFields-1)] = uint16(delta)
		if f := v.own[i]; f != noField {
			d.places[f] = place{uint16(int(fixed) + delta), uint16(n)}
		}
	}
	size := int(t.size) - len(v.at) + delta
	if at+size > end {
		return d.torn(t)
	}
	for _, m := range v.move {
		d.places[m.field&127].end = m.end + d.delta[m.after&(maxFields-1)]
	}
	return size
}

// torn notes a record that its set ends within. Its addresses cannot be known.
func (d *Decoder) torn(t *template) int {
	d.dg.Faults[decode.BadField]++
	if !t.about {
		d.dg.Skipped[decode.NoAddresses]++
	}
	return 0
}

// templates reads a set of templates (RFC 3954 section 5.2, RFC 7011 section 3.4.1).
func (d *Decoder) templates(b []byte) {
	for len(b) >= 4 {
		w := wording{
			proto:  d.dg.Proto,
			id:     binary.BigEndian.Uint16(b),
			fields: binary.BigEndian.Uint16(b[2:]),
		}
		if w.fields == 0 && (w.id == 0 || w.proto == decode.IPFIX) {
			if !d.withdrawn(&w, templatesIPFIX) {
				return
			}
			b = b[4:]
			continue
		}
		whole, sane := w.measure(b[4:])
		if !whole {
			d.dg.Faults[decode.BadTemplate]++
			return
		}
		d.template(&w, sane)
		b = b[4+len(w.raw):]
	}
}

// withdrawn reads a template record without fields: padding, or in IPFIX a withdrawal (RFC 7011
// section 8.1). set is the ID of the set that it is in. It reports whether more may follow.
func (d *Decoder) withdrawn(w *wording, set uint16) bool {
	switch {
	case w.id == 0:
		return false
	case w.id == set:
		d.cache.withdraw(d.arrival.Source, d.arrival.Port, d.dg.Domain, 0, set == optionsIPFIX)
	case w.id >= minTemplate:
		d.cache.withdraw(d.arrival.Source, d.arrival.Port, d.dg.Domain, w.id, set == optionsIPFIX)
	default:
		d.dg.Faults[decode.BadTemplate]++
		return true
	}
	d.dg.Templates++
	return true
}

// template learns one template.
func (d *Decoder) template(w *wording, sane bool) {
	switch {
	case !sane || w.id < minTemplate || w.scopes > w.fields:
		d.dg.Faults[decode.BadTemplate]++
		return
	case int(w.fields) > d.cache.limits.FieldsPerTemplate:
		d.dg.Faults[decode.TooMany]++
		return
	}
	d.dg.Templates++
	w.port = d.arrival.Port
	if !d.cache.learn(d.arrival.Source, d.dg.Domain, w, d.arrival.Time) {
		d.dg.Faults[decode.TooMany]++
	}
	d.enter() // it may be new, or have made room for itself
}

// optionsTemplates reads a set of options templates. Where NetFlow v9 gives lengths in bytes of
// the scopes and the other fields (RFC 3954 section 6.1), IPFIX counts all fields and then the
// scopes (RFC 7011 section 3.4.2.2).
func (d *Decoder) optionsTemplates(b []byte) {
	for len(b) >= 6 {
		w := wording{proto: d.dg.Proto, id: binary.BigEndian.Uint16(b), about: true}
		n, m := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[4:])
		if w.proto == decode.IPFIX {
			w.fields, w.scopes = n, m
		} else {
			w.scopes = n / 4
			w.fields = uint16((int(n) + int(m)) / 4)
		}
		if w.fields == 0 && (w.id == 0 || w.proto == decode.IPFIX) {
			if !d.withdrawn(&w, optionsIPFIX) {
				return
			}
			b = b[4:]
			continue
		}
		whole, sane := w.measure(b[6:])
		if !whole || w.proto != decode.IPFIX && (n|m)%4 != 0 {
			d.dg.Faults[decode.BadTemplate]++
			return
		}
		d.template(&w, sane)
		b = b[6+len(w.raw):]
	}
	if len(b) >= 4 && d.dg.Proto == decode.IPFIX && binary.BigEndian.Uint16(b[2:]) == 0 {
		d.withdrawn(&wording{id: binary.BigEndian.Uint16(b)}, optionsIPFIX)
	}
}
