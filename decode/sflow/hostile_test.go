package sflow

import (
	"slices"
	"testing"

	"weir/decode"
	"weir/decode/sflow/sflowtest"
)

// put returns a copy of b with an integer at off.
func put(b []byte, off int, v uint32) []byte {
	b = slices.Clone(b)
	copy(b[off:], sflowtest.U32(v))
	return b
}

// TestDamage: a sample or record that is damaged costs nothing but itself.
func TestDamage(t *testing.T) {
	raw := sflowtest.Header(1, 146, 4, frame(isIPv4, udp4()))
	good := sampled.Sample(raw)
	f := func(records int, want string, samples ...[]byte) {
		t.Helper()
		d := NewDecoder(All, &decode.Decoder{})
		all := read(d, one(samples...))
		if len(all) != records || counts(d.Datagram()) != want {
			t.Errorf("%d records, %s; want %d, %s", len(all), counts(d.Datagram()), records, want)
		}
	}
	const offSize, offRecords, offRecordSize, offHeaderSize = 4, 36, 44, 60
	f(2, "", good, good)
	f(2, "foreign=3", good, sflowtest.Tagged(1<<12|1, make([]byte, 64)), sflowtest.Tagged(6),
		sflowtest.Tagged(1<<31), good)
	for n := uint32(1); n <= 3; n++ { // lengths that need padding
		f(2, "foreign=1", good, sflowtest.Tagged(77, make([]byte, n)), good)
		f(2, "", sampled.Sample(sflowtest.Tagged(1004, make([]byte, n)), raw), good)
		f(2, "", sampled.Sample(sflowtest.Header(1, 146, 4, udp4frame(n))), good)
	}
	for _, n := range []uint32{1 << 31, 1<<32 - 1, 1<<32 - 3, uint32(len(good))*2 - 7} {
		f(0, "bad_set_length=1", put(good, offSize, n), good)
		f(1, "no_addresses=1 bad_set_length=1", put(good, offRecordSize, n), good)
		// A header that claims more than its record is read as far as that goes.
		f(2, "bad_field=1", put(good, offHeaderSize, n), good)
	}
	f(2, "bad_field=1", put(good, offHeaderSize, be32(good[offHeaderSize:])+4), good)
	f(1, "no_addresses=1", put(good, offHeaderSize, 0), good)
	f(1, "no_addresses=1 bad_count=1", put(sampled.Sample(), offRecords, 3), good)
	f(1, "no_addresses=1 bad_count=1 too_many=1", put(sampled.Sample(), offRecords, 257), good)
	f(1, "no_addresses=1 bad_count=1 too_many=1", put(sampled.Sample(), offRecords, 1<<31), good)
	f(2, "bad_count=1", put(good, offRecords, 2), good)
	f(1, "no_addresses=1", put(good, offRecords, 0), good)
	for more := uint32(1); more <= 8; more++ { // a record that reaches into the next sample
		f(1, "no_addresses=1 bad_set_length=1",
			put(good, offRecordSize, be32(good[offRecordSize:])+more), good)
	}
	f(1, "bad_set_length=1", sflowtest.Tagged(1, make([]byte, 31)), good)
	f(1, "bad_set_length=1", sflowtest.Tagged(3, make([]byte, 43)), good)
	f(1, "bad_set_length=2", sflowtest.Tagged(2, make([]byte, 11)),
		sflowtest.Tagged(4, make([]byte, 15)), good)
	for _, format := range []uint32{1, 2, 3, 4, 1001, 1002, 1003} {
		f(2, "bad_field=1", sampled.Sample(raw, sflowtest.Tagged(format, make([]byte, 3))), good)
	}
	path := sflowtest.U32(0, 1, 2, 3, 1<<31)
	f(2, "bad_field=1", sampled.Sample(raw, sflowtest.Tagged(1003, path)), good)
	f(2, "bad_field=1", sampled.Sample(raw, sflowtest.Tagged(1003, put(path, 16, 1), sflowtest.U32(
		2, 1<<30))), good)
}

// udp4frame returns a frame with n bytes of padding.
func udp4frame(n uint32) []byte { return append(frame(isIPv4, udp4()), make([]byte, n)...) }

// TestDatagrams_Failure: headers that cannot be read, and counts that lie.
func TestDatagrams_Failure(t *testing.T) {
	good := one(sampled.Sample(sflowtest.Header(1, 146, 4, frame(isIPv4, udp4()))))
	f := func(payload []byte, records int, valid bool, want string) {
		t.Helper()
		d := NewDecoder(All, &decode.Decoder{})
		all := read(d, payload)
		g := d.Datagram()
		if len(all) != records || g.Valid != valid || counts(g) != want {
			t.Errorf("%d records, valid %t, %s; want %d, %t, %s", len(all), g.Valid, counts(g),
				records, valid, want)
		}
	}
	const offVersion, offKind, offCount = 0, 4, 24
	f(nil, 0, false, "short_datagram=1")
	f(good[:3], 0, false, "short_datagram=1")
	f(good[:7], 0, false, "bad_field=1")
	f(good[:27], 0, false, "short_datagram=1")
	f(good[:28], 0, true, "bad_count=1")
	f(good[:30], 0, true, "short_datagram=1")
	f(good[:40], 0, true, "bad_set_length=1")
	for _, version := range []uint32{0, 1, 3, 6, 9, 5 << 16, 1<<32 - 5} {
		f(put(good, offVersion, version), 0, false, "bad_version=1")
	}
	f(put(good, offKind, 3), 0, false, "bad_field=1")
	f(put(good, offCount, 2), 1, true, "bad_count=1")
	f(put(good, offCount, 1<<32-1), 1, true, "bad_count=1 too_many=1")
	f(put(good, offCount, 0), 0, true, "")
	f(append(slices.Clone(good), make([]byte, 18)...), 1, true, "") // Brocade pads to a minimum
	var many [][]byte
	for range 300 {
		many = append(many, sampled.Sample(sflowtest.Tagged(3, ip4Record)))
	}
	f(one(many...), 256, true, "too_many=1")
}

// TestDiscarded: notifications of drops are counted, and make no records.
func TestDiscarded(t *testing.T) {
	d := NewDecoder(All, &decode.Decoder{})
	drop := sflowtest.Tagged(5, sflowtest.U32(1, 0, 3, 0, 3, 0, 258, 1),
		sflowtest.Header(1, 146, 4, frame(isIPv4, udp4())))
	if all := read(d, one(drop, drop)); len(all) != 0 || counts(d.Datagram()) != "discarded=2" {
		t.Errorf("%d records, %s", len(all), counts(d.Datagram()))
	}
}

// TestLittleRoom: how much room there is for records makes no difference, and a datagram that
// was not read to its end leaves nothing to the next.
func TestLittleRoom(t *testing.T) {
	d := NewDecoder(All, &decode.Decoder{})
	payload := sflowtest.F4(0)
	one := read(d, payload)
	for room := 1; room <= 8; room++ {
		d.Begin(&decode.Arrival{Payload: payload, Source: socket})
		if d.Next(nil) != 0 {
			t.Fatal("records without room")
		}
		var all []decode.Record
		for {
			out := make([]decode.Record, room)
			n := d.Next(out)
			if n == 0 {
				break
			}
			all = append(all, out[:n]...)
		}
		if listed(all) != listed(one) || d.Datagram().Records != 7 {
			t.Errorf("room for %d: %s", room, listed(all))
		}
	}
	d.Begin(&decode.Arrival{Payload: payload, Source: socket})
	d.Next(make([]decode.Record, 3))
	d.Begin(&decode.Arrival{Payload: payload[:28], Source: socket})
	if n := d.Next(make([]decode.Record, 3)); n != 0 || d.Datagram().Records != 0 {
		t.Errorf("%d records of the datagram before", n)
	}
}
