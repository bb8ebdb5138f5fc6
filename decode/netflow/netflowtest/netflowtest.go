// Package netflowtest builds NetFlow v5, NetFlow v9 and IPFIX datagrams for tests, benchmarks and
// traffic generators. It allocates only what the caller's buffer cannot hold.
package netflowtest

import (
	"encoding/binary"
	"math/rand/v2"
)

// Header is what an export datagram says beside its records.
type Header struct {
	Seq      uint32 // as the protocol counts: flows (v5), datagrams (v9), data records (IPFIX)
	Domain   uint32 // of v5 only the low 16 bits: engine type and ID
	Uptime   uint32 // ms; not in IPFIX
	Seconds  uint32 // since 1970
	Sampling uint16 // v5 only: N of 1:N, 14 bits
}

// Flow is one record of the workloads. First and Last are uptimes in ms.
type Flow struct {
	Src, Dst, NextHop uint32
	SrcPort, DstPort  uint16
	Proto, Flags, TOS uint8
	Packets, Bytes    uint32
	In, Out           uint32
	SrcAS, DstAS      uint32
	First, Last       uint32
	Sampler           uint8
}

// Flows returns n flows drawn from seed: sources anywhere, destinations in 10.9.0.0/16, at the
// end of an uptime of an hour.
func Flows(seed uint64, n int) []Flow {
	r := rand.New(rand.NewPCG(seed, 0))
	list := make([]Flow, n)
	for i := range list {
		packets := 1 + r.Uint32N(1000)
		list[i] = Flow{
			Src: 11<<24 + r.Uint32N(1<<31), Dst: 10<<24 | 9<<16 | r.Uint32N(1<<16),
			NextHop: 192<<24 | 2<<8 | 1,
			SrcPort: uint16(r.Uint32()), DstPort: uint16(r.Uint32()), Proto: 17,
			Packets: packets, Bytes: packets * (40 + r.Uint32N(1400)),
			In: 1 + r.Uint32N(8), Out: 1 + r.Uint32N(8), SrcAS: 64496, DstAS: 64497,
			First: 3_540_000 + r.Uint32N(30_000), Last: 3_570_000 + r.Uint32N(30_000),
		}
		if r.Uint32N(2) == 0 {
			list[i].Proto, list[i].Flags = 6, 0x1b
		}
	}
	return list
}

// Template is the template's ID in all workloads.
const Template = 256

// fields are those of workloads F1 and F2: element and length.
var fields = [20][2]uint16{
	{1, 4}, {2, 4}, {4, 1}, {5, 1}, {6, 1}, {7, 2}, {8, 4}, {9, 1}, {10, 4}, {11, 2}, {12, 4},
	{13, 1}, {14, 4}, {15, 4}, {16, 4}, {17, 4}, {21, 4}, {22, 4}, {61, 1}, {48, 1},
}

// record appends f as fields has it: 55 bytes.
func record(b []byte, f *Flow) []byte {
	e := binary.BigEndian
	b = e.AppendUint32(e.AppendUint32(b, f.Bytes), f.Packets)
	b = e.AppendUint16(append(b, f.Proto, f.TOS, f.Flags), f.SrcPort)
	b = append(e.AppendUint32(b, f.Src), 24)
	b = e.AppendUint16(e.AppendUint32(b, f.In), f.DstPort)
	b = append(e.AppendUint32(b, f.Dst), 24)
	b = e.AppendUint32(e.AppendUint32(b, f.Out), f.NextHop)
	b = e.AppendUint32(e.AppendUint32(b, f.SrcAS), f.DstAS)
	b = e.AppendUint32(e.AppendUint32(b, f.Last), f.First)
	return append(b, 0, f.Sampler)
}

// V9 appends the header of a NetFlow v9 datagram of count records.
func V9(b []byte, h Header, count int) []byte {
	e := binary.BigEndian
	b = e.AppendUint16(e.AppendUint16(b, 9), uint16(count))
	b = e.AppendUint32(e.AppendUint32(b, h.Uptime), h.Seconds)
	return e.AppendUint32(e.AppendUint32(b, h.Seq), h.Domain)
}

// IPFIX appends the header of an IPFIX message, whose length Close sets.
func IPFIX(b []byte, h Header) []byte {
	e := binary.BigEndian
	b = e.AppendUint16(e.AppendUint16(b, 10), 0)
	return e.AppendUint32(e.AppendUint32(e.AppendUint32(b, h.Seconds), h.Seq), h.Domain)
}

// Close sets the length of the IPFIX message that begins at start.
func Close(b []byte, start int) []byte {
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b
}

// Set appends a set of body, padded to a multiple of 4 bytes.
func Set(b []byte, id uint16, body ...byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, id), 0)
	return pad(append(b, body...), start)
}

// pad ends the set that begins at start.
func pad(b []byte, start int) []byte {
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b
}

// F1Template appends the datagram that tells the template of workload F1: NetFlow v9, 20 fields.
func F1Template(b []byte, h Header) []byte {
	return Set(V9(b, h, 1), 0, template(fields[:])...)
}

// F1 appends a datagram of workload F1: 25 flows make 1400 bytes.
func F1(b []byte, h Header, flows []Flow) []byte {
	return data(V9(b, h, len(flows)), flows, record)
}

// F2Template appends the message that tells the template of workload F2: F1's in IPFIX.
func F2Template(b []byte, h Header) []byte {
	start := len(b)
	return Close(Set(IPFIX(b, h), 2, template(fields[:])...), start)
}

// F2 appends a message of workload F2.
func F2(b []byte, h Header, flows []Flow) []byte {
	start := len(b)
	return Close(data(IPFIX(b, h), flows, record), start)
}

// F2bTemplate appends the message that tells the template of workload F2b: F2's with an
// application's name of variable length in front and a field of an enterprise behind.
func F2bTemplate(b []byte, h Header) []byte {
	start := len(b)
	t := template(append([][2]uint16{{96, 65535}}, fields[:]...))
	binary.BigEndian.PutUint16(t[2:], uint16(len(fields)+2))
	t = append(t, 0x80, 110, 0, 4, 0, 0, 22, 48) // number 110 of PEN 5680
	return Close(Set(IPFIX(b, h), 2, t...), start)
}

// F2b appends a message of workload F2b.
func F2b(b []byte, h Header, flows []Flow) []byte {
	start := len(b)
	return Close(data(IPFIX(b, h), flows, func(b []byte, f *Flow) []byte {
		name := "application"[:1+f.Src%11]
		b = append(append(b, byte(len(name))), name...)
		return append(record(b, f), 0, 0, 0, 7)
	}), start)
}

// F3 appends a datagram of workload F3: NetFlow v5, with at most 30 flows.
func F3(b []byte, h Header, flows []Flow) []byte {
	e := binary.BigEndian
	b = e.AppendUint16(e.AppendUint16(b, 5), uint16(len(flows)))
	b = e.AppendUint32(e.AppendUint32(b, h.Uptime), h.Seconds)
	b = e.AppendUint32(e.AppendUint32(b, 0), h.Seq)
	b = e.AppendUint16(e.AppendUint16(b, uint16(h.Domain)), h.Sampling)
	for i := range flows {
		f := &flows[i]
		b = e.AppendUint32(e.AppendUint32(e.AppendUint32(b, f.Src), f.Dst), f.NextHop)
		b = e.AppendUint16(e.AppendUint16(b, uint16(f.In)), uint16(f.Out))
		b = e.AppendUint32(e.AppendUint32(b, f.Packets), f.Bytes)
		b = e.AppendUint32(e.AppendUint32(b, f.First), f.Last)
		b = e.AppendUint16(e.AppendUint16(b, f.SrcPort), f.DstPort)
		b = append(b, 0, f.Flags, f.Proto, f.TOS)
		b = e.AppendUint16(e.AppendUint16(b, uint16(f.SrcAS)), uint16(f.DstAS))
		b = append(b, 24, 24, 0, 0)
	}
	return b
}

func template(fields [][2]uint16) []byte {
	e := binary.BigEndian
	b := e.AppendUint16(e.AppendUint16(nil, Template), uint16(len(fields)))
	for _, f := range fields {
		b = e.AppendUint16(e.AppendUint16(b, f[0]), f[1])
	}
	return b
}

func data(b []byte, flows []Flow, record func([]byte, *Flow) []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, Template), 0)
	for i := range flows {
		b = record(b, &flows[i])
	}
	return pad(b, start)
}
