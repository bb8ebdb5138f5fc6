package netflow

import (
	"encoding/binary"
	"slices"

	"weir/decode"
	"weir/decode/netflow/netflowtest"
)

// A spec is a field of a test's template: element, length, and enterprise.
type spec struct {
	id, length int
	pen        uint32
}

// f makes specs of pairs of element and length.
func f(pairs ...int) (list []spec) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, spec{id: pairs[i], length: pairs[i+1]})
	}
	return list
}

// fieldsOf returns the field specifiers of a template.
func fieldsOf(specs []spec) (b []byte) {
	for _, s := range specs {
		if s.pen == 0 {
			b = binary.BigEndian.AppendUint16(b, uint16(s.id))
			b = binary.BigEndian.AppendUint16(b, uint16(s.length))
			continue
		}
		b = binary.BigEndian.AppendUint16(b, uint16(s.id)|1<<15)
		b = binary.BigEndian.AppendUint16(b, uint16(s.length))
		b = binary.BigEndian.AppendUint32(b, s.pen)
	}
	return b
}

// templateSet returns a set of one template, of options if scopes is not negative.
func templateSet(v9 bool, id, scopes int, specs []spec) []byte {
	n := len(specs)
	switch {
	case v9 && scopes < 0:
		return netflowtest.Set(nil, 0, slices.Concat(u16(id, n), fieldsOf(specs))...)
	case v9:
		b := slices.Concat(u16(id, 4*scopes, 4*(n-scopes)), fieldsOf(specs))
		return netflowtest.Set(nil, 1, b...)
	case scopes < 0:
		return netflowtest.Set(nil, 2, slices.Concat(u16(id, n), fieldsOf(specs))...)
	}
	return netflowtest.Set(nil, 3, slices.Concat(u16(id, n, scopes), fieldsOf(specs))...)
}

func u16(values ...int) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, uint16(v))
	}
	return b
}

func u32(values ...uint32) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func u64(values ...uint64) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

// The time of export, and of arrival, of the datagrams of tests.
const (
	exported = int64(1_767_323_044) * second
	uptime   = 3_600_000
)

var testHeader = netflowtest.Header{Domain: 1, Seconds: 1_767_323_044, Uptime: uptime}

// datagram returns a datagram of sets.
func datagram(v9 bool, sets ...[]byte) []byte {
	body := slices.Concat(sets...)
	if v9 {
		return append(netflowtest.V9(nil, testHeader, len(sets)), body...)
	}
	return netflowtest.Close(append(netflowtest.IPFIX(nil, testHeader), body...), 0)
}

func arrivalOf(payload []byte) *decode.Arrival {
	return &decode.Arrival{Payload: payload, Source: decode.AddrFrom4(1), Time: exported}
}

// one decodes a template and a set of data, and returns the records.
func one(d *Decoder, v9 bool, specs []spec, data ...[]byte) []decode.Record {
	set := netflowtest.Set(nil, 256, slices.Concat(data...)...)
	return decodeAll(d, arrivalOf(datagram(v9, templateSet(v9, 256, -1, specs), set)), 3)
}

func newDecoder() *Decoder { return NewDecoder(NewCache(Limits{}), All, nil) }
