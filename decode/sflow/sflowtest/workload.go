package sflowtest

import (
	"encoding/binary"
	"net/netip"
)

// F4 is the workload of benchmarks: a datagram of version 5 with seven flow samples (1372 bytes),
// their headers 128 bytes of frames of 1000 bytes, UDP from anywhere to 10.0.0.0/8, sampled 1:1000
// on two interfaces. n is the number of the datagram, from 0, in a stream without losses.
func F4(n uint32) []byte { return head(0, n).Datagram(flows(n, 7, Flow.full)...) }

// F4b is F4 with three flow samples and four counter samples.
func F4b(n uint32) []byte {
	samples := flows(n, 3, Flow.full)
	for i := range uint32(4) {
		generic := Tagged(1, Generic(i+1, 10e9))
		errors := Tagged(2, make([]byte, 52))
		samples = append(samples, Counters(n, i+1, generic, errors))
	}
	return head(0, n).Datagram(samples...)
}

// F4c is F4 in version 4.
func F4c(n uint32) []byte { return head(4, n).Datagram(flows(n, 7, Flow.full4)...) }

func head(version, n uint32) Head {
	agent := netip.AddrFrom4([4]byte{192, 0, 2, 9})
	return Head{Version: version, Agent: agent, Sequence: n + 1, Uptime: 1000 + 10*n}
}

// flows returns samples of two interfaces in turn, each with its own pool.
func flows(n, count uint32, build func(Flow, uint32) []byte) [][]byte {
	const rate = 1000
	var all [][]byte
	for i := range count {
		serial := n*count + i
		of, source := serial/2, serial%2+1
		all = append(all, build(Flow{
			Sequence: of + 1, Source: source, Rate: rate, Pool: source*1e9 + rate*(of+1),
			In: source, Out: 3,
		}, serial))
	}
	return all
}

func (f Flow) full(serial uint32) []byte {
	return f.Sample(Header(1, 1004, 4, Frame(serial)))
}

func (f Flow) full4(serial uint32) []byte {
	return f.Sample4(Header4(1, 1004, Frame(serial)))
}

// Frame returns the first 128 bytes of a frame of 1000: UDP from a scattered source to a scattered
// host in 10.0.0.0/8.
func Frame(serial uint32) []byte {
	const length = 1000 - 14
	scattered := serial * 2654435761 // Knuth's multiplicative hash
	b := make([]byte, 128)
	copy(b, []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0})
	ip := b[14:]
	binary.BigEndian.PutUint16(ip[2:], length)
	ip[8], ip[9] = 64, 17
	binary.BigEndian.PutUint32(ip[12:], 0x60000000|scattered>>4)
	binary.BigEndian.PutUint32(ip[16:], 10<<24|scattered>>8)
	binary.BigEndian.PutUint16(ip[20:], uint16(scattered))
	binary.BigEndian.PutUint16(ip[22:], 80)
	binary.BigEndian.PutUint16(ip[24:], length-20)
	return b
}
