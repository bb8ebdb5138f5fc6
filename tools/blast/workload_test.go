package blast

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"weir/decode"
)

// tally is what the decoder sees of a workload.
type tally struct {
	Workload
	frames   int
	status   [decode.NumStatus]int
	proto    [256]int
	fragment [3]int
	length   map[int]int
	hosts    map[decode.Addr]int
	others   map[decode.Addr]int
	flows    map[flow]int // of W5
	top      [256]int     // first byte of the other end's address
	srcPort  [256]int     // and of both ports
	dstPort  [256]int
	tunnels  [decode.NumTunnels]int
	outgoing int
}

// flow is a 5-tuple, whichever way its packets go.
type flow struct {
	host, other         decode.Addr
	hostPort, otherPort uint16
	proto               uint8
}

// observe decodes the first n frames of a workload. Every packet must have one end in its home.
func observe(t *testing.T, name string, n int) *tally {
	t.Helper()
	w, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	s := &tally{
		Workload: w, length: map[int]int{}, hosts: map[decode.Addr]int{},
		others: map[decode.Addr]int{}, flows: map[flow]int{},
	}
	frames := w.Frames()
	buf := bytes.Repeat([]byte{0xee}, w.MaxLen+1)
	var d decode.Decoder
	var r decode.Record
	for range n {
		b := buf[:frames.Next(buf[:w.MaxLen])]
		s.frames++
		s.length[len(b)]++
		status := d.Decode(&r, decode.LinkEthernet, b, uint32(len(b)))
		s.status[status]++
		if status == decode.OK {
			s.add(t, &r, b)
		}
	}
	if buf[w.MaxLen] != 0xee {
		t.Errorf("%s wrote beyond %d bytes", name, w.MaxLen)
	}
	return s
}

func (s *tally) add(t *testing.T, r *decode.Record, b []byte) {
	t.Helper()
	src, dst := s.Home.Contains(r.Src.Netip()), s.Home.Contains(r.Dst.Netip())
	if src == dst {
		t.Fatalf("%s: frame %d goes from %v to %v", s.Name, s.frames, r.Src.Netip(), r.Dst.Netip())
	}
	host, other, hostPort, otherPort := r.Dst, r.Src, r.DstPort, r.SrcPort
	if src {
		s.outgoing++
		host, other, hostPort, otherPort = other, host, otherPort, hostPort
	}
	s.hosts[host]++
	if s.Hosts <= 1<<16 {
		s.others[other]++
	}
	if s.Zipf != 0 {
		s.flows[flow{host, other, hostPort, otherPort, r.Proto}]++
	}
	s.top[uint8(other.Lo>>24)]++
	s.srcPort[r.SrcPort>>8]++
	s.dstPort[r.DstPort>>8]++
	s.proto[r.Proto]++
	s.fragment[r.Fragment]++
	for _, k := range r.Tunnels[:r.NTunnels] {
		s.tunnels[k]++
	}
	if r.Version == 4 && r.NVLAN+r.NMPLS+r.NTunnels == 0 {
		checkSums(t, r, b)
	}
}

// checkSums verifies the checksums of an untagged frame that is no later fragment, and whose
// datagram ends with zeros if it is a first one.
func checkSums(t *testing.T, r *decode.Record, b []byte) {
	t.Helper()
	message, header := b[EthernetLen:EthernetLen+r.IPLen], IPv4Len
	if r.Version == 6 {
		header = IPv6Len
	} else if slowSum(message[:IPv4Len]) != 0xffff {
		t.Fatalf("wrong header checksum: %x", b)
	}
	message = message[header:]
	length := len(message)
	switch r.Fragment {
	case decode.LaterFragment:
		return
	case decode.NotFragment:
		if r.Proto == ProtoGRE {
			return // without a checksum
		}
	case decode.FirstFragment:
		if r.Version == 6 {
			message = message[IPv6FragmentLen:]
		}
		if r.Proto != ProtoUDP {
			return
		}
		length = int(binary.BigEndian.Uint16(message[4:]))
	}
	if messageSum(message, r.Proto, r.Src, r.Dst, length) != 0xffff {
		t.Fatalf("wrong checksum: %x", b)
	}
}

// all fails unless every frame was OK and of one length.
func (s *tally) all(t *testing.T, length int) {
	t.Helper()
	if s.status[decode.OK] != s.frames || s.length[length] != s.frames || s.MaxLen != length {
		t.Errorf("%s: status %v, lengths %v, at most %d", s.Name, s.status, s.length, s.MaxLen)
	}
}

// share fails unless got is the share that is expected of n, within 5 standard deviations.
func share(t *testing.T, what string, got, n int, want float64) {
	t.Helper()
	if off := float64(got) - want*float64(n); off*off > 25*want*(1-want)*float64(n) {
		t.Errorf("%s: %d of %d, want %v", what, got, n, want)
	}
}

// evenly fails unless the hosts are all there and have the same number of packets, and the
// sources are as good as all different.
func (s *tally) evenly(t *testing.T, hosts int) {
	t.Helper()
	if len(s.hosts) != hosts || s.Hosts != hosts {
		t.Errorf("%s: %d hosts, %d promised, want %d", s.Name, len(s.hosts), s.Hosts, hosts)
	}
	for host, n := range s.hosts {
		if n != s.frames/hosts {
			t.Fatalf("%s: %d packets to %v", s.Name, n, host.Netip())
		}
	}
	distinct := float64(len(s.others)) / float64(s.frames)
	if hosts <= 1<<16 && distinct < 0.999 || s.outgoing > 0 {
		t.Errorf("%s: %v of the sources are distinct, %d outgoing", s.Name, distinct, s.outgoing)
	}
}

const someFrames = 1 << 16

func TestW1toW3(t *testing.T) {
	for name, hosts := range map[string]int{"W1": 1, "W2": 1 << 16, "W3": 1 << 20} {
		if testing.Short() && hosts > someFrames {
			continue // a million frames take their time
		}
		s := observe(t, name, max(hosts, someFrames))
		s.all(t, 60)
		s.evenly(t, hosts)
		if s.proto[ProtoUDP] != s.frames || s.fragment[decode.NotFragment] != s.frames {
			t.Errorf("%s: %v fragments, protocols %v", name, s.fragment, s.proto)
		}
		outsideSpread(t, s)
	}
	if s := observe(t, "W1", 1); s.hosts[addr("10.0.0.1")] != 1 {
		t.Errorf("W1 goes to %v", s.hosts)
	}
	s := observe(t, "W3b", someFrames)
	s.all(t, 60)
	if len(s.hosts) < someFrames*99/100 || s.Hosts != 10e6 || s.Cycle != 10e6 {
		t.Errorf("W3b: %d hosts", len(s.hosts))
	}
}

// outsideSpread fails unless the sources are uniform over all first bytes but 10, and the ports
// over all values.
func outsideSpread(t *testing.T, s *tally) {
	t.Helper()
	for i := range s.top {
		want := 1.0 / 255
		if i == home4 {
			want = 0
		}
		share(t, fmt.Sprintf("%s: sources in %d/8", s.Name, i), s.top[i], s.frames, want)
		share(t, s.Name+": source ports", s.srcPort[i], s.frames, 1.0/256)
		share(t, s.Name+": destination ports", s.dstPort[i], s.frames, 1.0/256)
	}
}

func TestW4(t *testing.T) {
	w, err := Find("W4")
	if err != nil {
		t.Fatal(err)
	}
	frames := w.Frames()
	var d decode.Decoder
	var r decode.Record
	b := make([]byte, w.MaxLen)
	for range 1000 {
		n := frames.Next(b)
		s := d.Decode(&r, decode.LinkEthernet, b[:n], uint32(n))
		if s != decode.OK || n != 60 || r.IPLen != 40 || r.Dst != addr("10.0.0.1") ||
			r.Proto != ProtoTCP || r.TCPFlags != SYN || r.DstPort != 80 {
			t.Fatalf("%v: %+v", s, r)
		}
	}
	s := observe(t, "W4", someFrames)
	s.all(t, 60)
	s.evenly(t, 1)
}

func TestW5(t *testing.T) {
	s := observe(t, "W5", 4*someFrames)
	n := s.frames
	if s.status[decode.OK] != n || s.MaxLen != 1514 {
		t.Errorf("status %v", s.status)
	}
	share(t, "64 B", s.length[60], n, 7.0/12)
	share(t, "594 B", s.length[590], n, 4.0/12)
	share(t, "1518 B", s.length[1514], n, 1.0/12)
	share(t, "UDP", s.proto[ProtoUDP], n, 4.0/12)
	share(t, "outgoing", s.outgoing, n, 0.2)
	if len(s.hosts) != 2000 || s.Hosts != 2000 || len(s.length) != 3 {
		t.Errorf("%d hosts, lengths %v", len(s.hosts), s.length)
	}
	// The most popular host has met everyone it knows, in both directions and both protocols.
	popular := decode.AddrFrom4(hosts16)
	servers, flows := map[decode.Addr]bool{}, 0
	for flow := range s.flows {
		if flow.host == popular {
			servers[flow.other] = true
			flows++
		}
	}
	if len(servers) != 64 || flows != 2*64 || len(s.others) > 64*2000 {
		t.Errorf("%d flows with %d servers, %d in all", flows, len(servers), len(s.others))
	}
	checkZipf(t, s.hosts, n, 1.1)
}

// checkZipf fails unless the most popular hosts have what is theirs.
func checkZipf(t *testing.T, hosts map[decode.Addr]int, n int, exponent float64) {
	t.Helper()
	total := 0.0
	for k := 1; k <= len(hosts); k++ {
		total += math.Pow(float64(k), -exponent)
	}
	counts := slices.SortedFunc(maps.Values(hosts), func(a, b int) int { return b - a })
	for k := range 20 { // their order among the next ones is not certain
		share(t, fmt.Sprintf("rank %d", k+1), counts[k], n,
			math.Pow(float64(k+1), -exponent)/total)
	}
}

func TestW6(t *testing.T) {
	s := observe(t, "W6", someFrames)
	s.all(t, 74)
	s.evenly(t, 1<<16)
	if s.Home.String() != "2001:db8:10::/48" || s.proto[ProtoUDP] != s.frames {
		t.Errorf("home %v, protocols %v", s.Home, s.proto)
	}
	s = observe(t, "W6b", someFrames)
	s.all(t, 94)
	s.evenly(t, 1<<16)
	for k, n := range s.fragment {
		share(t, fmt.Sprintf("W6b: fragments of kind %d", k), n, s.frames, 1.0/3)
	}
	if s.proto[ProtoUDP] != s.frames {
		t.Errorf("W6b: protocols %v", s.proto)
	}
}

func TestW7(t *testing.T) {
	f := func(name string, length int, vlan []uint16, mpls []uint32) {
		t.Helper()
		s := observe(t, name, someFrames)
		s.all(t, length)
		s.evenly(t, 1<<16)
		frames := s.Frames()
		var d decode.Decoder
		var r decode.Record
		b := make([]byte, s.MaxLen)
		d.Decode(&r, decode.LinkEthernet, b[:frames.Next(b)], 0)
		got := fmt.Sprint(r.VLAN[:r.NVLAN], r.MPLS[:r.NMPLS], r.IPLen)
		if want := fmt.Sprint(vlan, mpls, 46); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	f("W7", 72, []uint16{100}, []uint32{24001, 24002})
	f("W7b", 68, []uint16{200, 100}, []uint32{})

	s := observe(t, "W7c", someFrames)
	if s.status[decode.OK] != s.frames || len(s.length) != 2 {
		t.Errorf("W7c: status %v, lengths %v", s.status, s.length)
	}
	s.evenly(t, 1<<16)
	share(t, "GRE", s.tunnels[decode.GRE], s.frames, 0.5)
	share(t, "L2TP", s.tunnels[decode.L2TP], s.frames, 0.5)
	if s.length[84] != s.tunnels[decode.GRE] || s.length[100] != s.tunnels[decode.L2TP] {
		t.Errorf("W7c: lengths %v, tunnels %v", s.length, s.tunnels)
	}
}

func TestW8(t *testing.T) {
	s := observe(t, "W8", 4*someFrames)
	n := s.frames
	bad := s.status[decode.Truncated] + s.status[decode.BadLength] + s.status[decode.BadHeader]
	share(t, "fragments", s.status[decode.OK], n, 0.90)
	share(t, "broken", bad, n, 0.05)
	share(t, "not IP", s.status[decode.NotIP], n, 0.05)
	share(t, "bad header", s.status[decode.BadHeader], n, 0.05/2/6)
	share(t, "first", s.fragment[decode.FirstFragment], n, 0.30)
	share(t, "later", s.fragment[decode.LaterFragment], n, 0.60)
	if s.fragment[decode.NotFragment] != 0 || s.MaxLen != 60 || s.length[60] < n*97/100 {
		t.Errorf("fragments %v, lengths %v", s.fragment, s.length)
	}
	if len(s.hosts) > 1<<16 || len(s.hosts) < 65_500 { // of a few only broken frames were seen
		t.Errorf("%d hosts", len(s.hosts))
	}
}

// The bytes are the same for ever: figures of different versions can be compared.
func TestWorkloadBytes(t *testing.T) {
	golden := map[string]string{
		"W1":  "03600ae691d70d43",
		"W2":  "1716b072a824aedb",
		"W3":  "b832123b98acd937",
		"W3b": "7c7b227203e8c690",
		"W4":  "6a2011c717c5a010",
		"W5":  "4b72b00b25f59c0b",
		"W6":  "33ed1bda1fa8efaf",
		"W6b": "47c915e8a0b8a525",
		"W7":  "0a4a47ce06e9a3a3",
		"W7b": "ce4198cf87536eed",
		"W7c": "5578c88166373a58",
		"W8":  "93e7333451951d5e",
	}
	for _, w := range Workloads() {
		const stride, count = 1536, 3000
		mem := make([]byte, stride*count)
		lengths := w.Generate(mem, stride, count)
		h := sha256.New()
		for i, n := range lengths {
			if err := binary.Write(h, binary.BigEndian, n); err != nil {
				t.Fatal(err)
			}
			h.Write(mem[i*stride : i*stride+int(n)])
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

// What was in the memory does not matter, and what lies between the frames stays.
func TestGenerate(t *testing.T) {
	for _, w := range Workloads() {
		const count = 500
		stride := w.MaxLen + 3
		clean := make([]byte, count*stride)
		dirty := bytes.Repeat([]byte{0xee}, count*stride)
		lengths := w.Generate(clean, stride, count)
		if again := w.Generate(dirty, stride, count); fmt.Sprint(again) != fmt.Sprint(lengths) {
			t.Errorf("%s: lengths differ", w.Name)
		}
		for i, n := range lengths {
			a, b := clean[i*stride:][:n], dirty[i*stride:][:n]
			if !bytes.Equal(a, b) || dirty[(i+1)*stride-1] != 0xee {
				t.Fatalf("%s: frame %d differs:\n%x\n%x", w.Name, i, a, b)
			}
		}
	}
}

func TestGenerateFailure(t *testing.T) {
	w, err := Find("W1")
	if err != nil {
		t.Fatal(err)
	}
	f := func(size, stride, count int) {
		t.Helper()
		defer func() {
			if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "BUG: blast.Generate") {
				t.Errorf("%d frames of %d bytes in %d: %s", count, stride, size, text)
			}
		}()
		w.Generate(make([]byte, size), stride, count)
	}
	f(640, 64, 11)
	f(640, 59, 1)
}

func TestFindFailure(t *testing.T) {
	for _, name := range []string{"", "w1", "W9"} {
		_, err := Find(name)
		if err == nil || !strings.Contains(err.Error(), "W3, W3b, W4") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func BenchmarkFrames(b *testing.B) {
	for _, w := range Workloads() {
		b.Run(w.Name, func(b *testing.B) {
			b.ReportAllocs()
			frames := w.Frames()
			buf := make([]byte, w.MaxLen)
			for b.Loop() {
				frames.Next(buf)
			}
		})
	}
}
