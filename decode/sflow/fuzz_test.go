package sflow

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/decode"
	"weir/decode/sflow/sflowtest"
)

// seeds returns datagrams of every kind, good and damaged.
func seeds() [][]byte {
	raw := sflowtest.Header(1, 146, 4, frame(isIPv4, udp4()))
	raw4 := sflowtest.Header4(1, 142, frame(isIPv4, udp4()))
	path := sflowtest.U32(64500, 64501, 64502, 2, 2, 1, 64503, 1, 1, 64504, 1, 7, 100)
	return [][]byte{
		nil, one(), sflowtest.F4(0), sflowtest.F4b(0), sflowtest.F4c(0),
		one(sampled.Sample(raw, sflowtest.Tagged(1003, sflowtest.Address(hop), path))),
		one(sampled.Sample(sflowtest.Tagged(3, ip4Record), sflowtest.Tagged(2, make([]byte, 24)),
			sflowtest.Tagged(1001, sflowtest.U32(5, 0, 6, 0)),
			sflowtest.Tagged(1002, sflowtest.Address(hop), sflowtest.U32(24, 24)))),
		one(sampled.Expanded(1, sflowtest.Tagged(4, ip6Record)),
			sflowtest.Tagged(5, make([]byte, 40))),
		one(put(sampled.Sample(raw), 60, 1<<31), put(sampled.Sample(raw), 44, 1<<32-1)),
		one(sflowtest.Counters(1, 3, sflowtest.Tagged(1, sflowtest.Generic(7, 10e9)),
			sflowtest.Tagged(2, dot3), sflowtest.Tagged(1001, processor))),
		sflowtest.Head{Version: 4, Agent: hop}.Datagram(
			sampled.Sample4(raw4, sflowtest.U32(1, 5, 0, 6, 0), append(sflowtest.U32(3), path...)),
			sampled.Sample4(append(sflowtest.U32(3), ip6Record...), sflowtest.U32(4, 1, 0, 0)),
			append(sflowtest.U32(2, 1, 3, 20, 2), make([]byte, 140)...)),
		sflowtest.Head{Version: 2}.Datagram(
			sampled.Sample4(raw4, sflowtest.U32(3, 64500, 64501, 64502, 2, 64503, 64504))),
	}
}

// FuzzSFlow decodes any datagram, twice and with little room, and holds it to what it promises.
func FuzzSFlow(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s, uint8(3), uint32(0))
	}
	addCorpus(f)
	counted, all := NewDecoder(Counted, &decode.Decoder{}), NewDecoder(All, &decode.Decoder{})
	f.Fuzz(func(t *testing.T, payload []byte, room uint8, override uint32) {
		a := decode.Arrival{Payload: payload, Source: socket, Sampling: override}
		begun := time.Now()
		for _, d := range []*Decoder{counted, all} {
			check(t, d, &a, 64)
			check(t, d, &a, int(room%8)+1)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("%d bytes took %v", len(payload), took)
		}
		if !sameFaults(counted.datagram.Faults, all.datagram.Faults) {
			t.Errorf("faults of counted %v, of all %v", counted.datagram, all.datagram)
		}
	})
}

// sameFaults compares the faults of both kinds of Decoder: Counted reads less of extended data.
func sameFaults(counted, all [decode.NumFaults]uint32) bool {
	less := counted[decode.BadField] <= all[decode.BadField]
	counted[decode.BadField] = all[decode.BadField]
	return less && counted == all
}

// addCorpus adds the sFlow datagrams of the captures from the wild, where there are any.
func addCorpus(f *testing.F) {
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	_ = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".sflow5.bin") {
			if b, err := os.ReadFile(path); err == nil {
				f.Add(b, uint8(1), uint32(0))
			}
		}
		return nil
	})
}

// check decodes a datagram with room for so many records at a time.
func check(t *testing.T, d *Decoder, a *decode.Arrival, room int) {
	t.Helper()
	must := func(ok bool, what string) {
		t.Helper()
		if !ok {
			t.Errorf("%s: %+v", what, d.datagram)
		}
	}
	d.Begin(a)
	total := 0
	out := make([]decode.Record, room)
	for i := range out {
		out[i] = scribbled()
	}
	for {
		before := len(d.rest)
		n := d.Next(out)
		must(len(d.rest) <= before && len(d.rest) <= len(a.Payload), "it reads backwards")
		if n == 0 {
			break
		}
		for i := range out[:n] {
			checkRecord(t, d, &out[i])
			out[i] = scribbled()
		}
		total += n
	}
	g := &d.datagram
	must(total == int(g.Records) && total <= MaxSamples, "records")
	must(d.left == 0, "samples are left")
	must(len(d.Interfaces()) <= int(g.CounterSamples), "interfaces")
	must(g.Records+g.CounterSamples+g.Discarded+g.Skipped[decode.NoHeader]+
		g.Skipped[decode.NoAddresses] <= MaxSamples, "samples")
	must(g.Valid || total == 0, "records of a datagram that is none")
	must(g.Proto == decode.SFlow4 || g.Proto == decode.SFlow5 || !g.Valid, "protocol")
	must(total == 0 || g.Rate >= 1 && g.Learned >= decode.RateUnknown, "rate")
}

// checkRecord holds a record against its documentation.
func checkRecord(t *testing.T, d *Decoder, r *decode.Record) {
	t.Helper()
	ok := r.Packets == 1 && r.Sampling >= 1 && r.Sampling <= decode.MaxSampling &&
		(r.Version == 4 || r.Version == 6) && r.Bytes <= uint64(r.IPLen) &&
		r.Bytes <= uint64(r.Wire) && r.NVLAN <= decode.MaxTags && r.NMPLS <= decode.MaxTags &&
		r.NTunnels <= decode.MaxTunnels && (r.TCPFlags == 0 || r.Proto == 6) &&
		r.Flow.Start == 0 && r.Flow.End == 0 && r.Src != scribbled().Src &&
		(r.Version == 6 || r.Src.Is4() && r.Dst.Is4())
	if d.want == Counted {
		f := r.Flow
		ok = ok && f.NextHop == decode.Addr{} && f.SrcAS == 0 && f.DstAS == 0
	}
	if !ok {
		t.Errorf("%+v", *r)
	}
}

// TestNoAllocs: neither good nor damaged datagrams allocate.
func TestNoAllocs(t *testing.T) {
	var out [4]decode.Record
	var all [][]byte
	for _, s := range seeds() {
		all = append(all, s)
		for _, n := range []int{3, 20, 40, 70, 100} {
			all = append(all, s[:min(n, len(s))])
		}
		if len(s) > 80 {
			all = append(all, put(s, 24, 1<<31), put(s, 32, 1<<31), put(s, 68, 1<<31))
		}
	}
	for _, want := range []Fields{Counted, All} {
		d := NewDecoder(want, &decode.Decoder{})
		a := decode.Arrival{Source: socket}
		n := testing.AllocsPerRun(10, func() {
			for _, s := range all {
				a.Payload = s
				d.Begin(&a)
				for d.Next(out[:]) > 0 {
				}
			}
		})
		if n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}
