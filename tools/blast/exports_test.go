package blast

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"weir/decode"
	"weir/decode/netflow"
	"weir/decode/pcap"
	"weir/decode/sflow"
)

// collected is what the decoders make of a workload.
type collected struct {
	datagrams, templates, records, counters int
	lost, faults, skipped                   int
	hosts, exporters                        map[decode.Addr]int
	lengths                                 map[int]int // of datagrams of data
	sampling                                map[uint32]int
}

// next is either decoder.
type next interface {
	Begin(a *decode.Arrival)
	Next(out []decode.Record) int
	Datagram() *decode.Datagram
}

func collect(t *testing.T, w *ExportWorkload, n int) *collected {
	t.Helper()
	c := &collected{
		hosts: map[decode.Addr]int{}, exporters: map[decode.Addr]int{}, lengths: map[int]int{},
		sampling: map[uint32]int{},
	}
	var d next = netflow.NewDecoder(netflow.NewCache(netflow.Limits{}), netflow.All, nil)
	if w.SFlow {
		d = sflow.NewDecoder(sflow.All, &decode.Decoder{})
	}
	stream := w.Datagrams()
	out := make([]decode.Record, 64)
	for range n {
		payload, from, records := stream.Next(nil)
		d.Begin(&decode.Arrival{
			Payload: payload, Source: decode.AddrFrom(from.Addr()), Port: from.Port(),
			Time: ExportEpoch * 1e9,
		})
		got := d.Next(out)
		for i := range out[:got] {
			r := &out[i]
			c.hosts[r.Dst]++
			c.sampling[r.Sampling]++
			if !Home4().Contains(r.Dst.Netip()) || Home4().Contains(r.Src.Netip()) {
				t.Fatalf("%s: from %s to %s", w.Name, r.Src.Netip(), r.Dst.Netip())
			}
		}
		if more := d.Next(out); got != records || more != 0 {
			t.Fatalf("%s: %d records and %d, not %d", w.Name, got, more, records)
		}
		c.add(d.Datagram(), len(payload), got)
	}
	return c
}

func (c *collected) add(d *decode.Datagram, length, records int) {
	c.datagrams++
	c.templates += int(d.Templates)
	c.records += records
	c.counters += int(d.CounterSamples)
	c.lost += int(d.Lost)
	c.exporters[d.Exporter]++
	for _, n := range d.Faults {
		c.faults += int(n)
	}
	for _, n := range d.Skipped {
		c.skipped += int(n)
	}
	if records > 0 {
		c.lengths[length]++
	}
}

func TestExportWorkloads(t *testing.T) {
	f := func(name string, length, templates, exporters, counters int, sampling uint32) {
		t.Helper()
		w, err := FindExports(name)
		if err != nil {
			t.Fatal(err)
		}
		const n = 2500
		c := collect(t, &w, n)
		if c.lost != 0 || c.faults != 0 || c.skipped != 0 {
			t.Errorf("%s: %d lost, %d faults, %d skipped", name, c.lost, c.faults, c.skipped)
		}
		if c.templates != templates || len(c.exporters) != exporters || c.counters != counters {
			t.Errorf("%s: %d templates, %d exporters, %d counter samples", name, c.templates,
				len(c.exporters), c.counters)
		}
		if length > 0 && (len(c.lengths) != 1 || c.lengths[length] == 0) {
			t.Errorf("%s: datagrams of %v bytes, not %d", name, c.lengths, length)
		}
		if len(c.hosts) != min(c.records, 1<<16) {
			t.Errorf("%s: %d hosts of %d records", name, len(c.hosts), c.records)
		}
		if len(c.sampling) != 1 || c.sampling[sampling] == 0 {
			t.Errorf("%s: sampling %v, not %d", name, c.sampling, sampling)
		}
	}
	f("F1", 1400, 3, 1, 0, 1)
	f("F2", 1396, 3, 1, 0, 1)
	f("F2b", 0, 3, 1, 0, 1)
	f("F2c", 1396, 1000, 100, 0, 1)
	f("F3", 1464, 0, 1, 0, 1)
	f("F4", 1372, 0, 1, 0, 1000)
	f("F4b", 1308, 0, 1, 10_000, 1000)
	f("F4c", 0, 0, 1, 0, 1000)
	f("F5", 80, 3, 1, 0, 1)
}

// The bytes are the same for ever: figures of different versions can be compared.
func TestExportBytes(t *testing.T) {
	golden := map[string]string{
		"F1":  "888455d14aab7e0a",
		"F2":  "ccd6a82c7a859393",
		"F2b": "641a50230d298cf2",
		"F2c": "86e45fc59a60c0cb",
		"F3":  "0ddfe93927a46e19",
		"F4":  "2f2f85a0b99a71c8",
		"F4b": "142897a465fe6224",
		"F4c": "93158aa530c0010b",
		"F5":  "7dfcf3d3d2fabc77",
	}
	for _, w := range ExportWorkloads() {
		h := sha256.New()
		stream := w.Datagrams()
		for range 1500 {
			b, from, _ := stream.Next(nil)
			fmt.Fprintln(h, from, len(b))
			h.Write(b)
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)[:8]); got != golden[w.Name] {
			t.Errorf("%s: got %s, want %s", w.Name, got, golden[w.Name])
		}
		delete(golden, w.Name)
	}
	if len(golden) > 0 {
		t.Errorf("there are no %v", golden)
	}
}

// With a clock, datagrams tell its time, and flows ended within the minute before; all else is as
// without.
func TestExports_SetClock(t *testing.T) {
	const began, later = 1_900_000_000, 90
	seconds := map[string]int{"F1": 8, "F2": 4, "F3": 8, "F5": 8} // offsets
	uptimes := map[string]int{"F1": 4, "F3": 4, "F5": 4, "F4": 20, "F4c": 16}
	for _, w := range ExportWorkloads() {
		stream, plain := w.Datagrams(), w.Datagrams()
		f := func(after uint32) {
			t.Helper()
			stream.SetClock(time.Unix(began+int64(after), 999_999_999))
			got, from, n := stream.Next(nil)
			want, wantFrom, wantN := plain.Next(nil)
			if len(got) != len(want) || from != wantFrom || n != wantN {
				t.Errorf("%s: another datagram", w.Name)
			}
			if at, ok := seconds[w.Name]; ok {
				if s := binary.BigEndian.Uint32(got[at:]); s != began+after {
					t.Errorf("%s: says that it is %d", w.Name, s)
				}
			}
			if at, ok := uptimes[w.Name]; ok {
				if up := binary.BigEndian.Uint32(got[at:]); up != exportUptime+1000*after {
					t.Errorf("%s: is up for %d ms", w.Name, up)
				}
			}
		}
		f(0)
		f(later)
		const up = exportUptime + 1000*later
		for _, x := range stream.flows { // of NetFlow and IPFIX, once templates are told
			if x.Last != 0 && (x.First > x.Last || x.First < up-60_000 || x.Last > up) {
				t.Errorf("%s: a flow from %d to %d, at %d", w.Name, x.First, x.Last, up)
			}
		}
	}
}

// A capture holds the same datagrams, behind headers of their own.
func TestExportCapture(t *testing.T) {
	for _, w := range ExportWorkloads() {
		const count = 50
		var file bytes.Buffer
		if err := w.Capture(&file, count, time.Millisecond); err != nil {
			t.Fatal(err)
		}
		r, err := pcap.NewReader(w.Name, &file)
		if err != nil {
			t.Fatal(err)
		}
		stream := w.Datagrams()
		var d decode.Decoder
		var record decode.Record
		n := 0
		var p pcap.Packet
		for err = r.Next(&p); !errors.Is(err, io.EOF); err = r.Next(&p) {
			if err != nil {
				t.Fatal(err)
			}
			want, from, _ := stream.Next(nil)
			status := d.Decode(&record, decode.Link(p.Link), p.Data, p.Wire)
			if status != decode.OK || record.Src != decode.AddrFrom(from.Addr()) ||
				record.DstPort != w.Collector().Port() ||
				!bytes.HasPrefix(p.Data[EthernetLen+IPv4Len+UDPLen:], want) {
				t.Fatalf("%s: datagram %d: %s, %+v", w.Name, n, status, record)
			}
			if at := ExportEpoch*int64(time.Second) + int64(n)*1e6; p.Time != at {
				t.Fatalf("%s: datagram %d at %d, not %d", w.Name, n, p.Time, at)
			}
			n++
		}
		if n != count {
			t.Errorf("%s: %d datagrams, not %d", w.Name, n, count)
		}
	}
}

func TestFindExportsFailure(t *testing.T) {
	for _, name := range []string{"", "f1", "F9", "W1"} {
		_, err := FindExports(name)
		if err == nil || !strings.Contains(err.Error(), "F2, F2b, F2c") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
