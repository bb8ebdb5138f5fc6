package blast

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"weir/decode"
	"weir/decode/pcap"
)

// open returns a stream, or fails.
func open(t *testing.T, l *Load, seed uint64, part int) Stream {
	t.Helper()
	s, err := l.Stream(seed, part)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// frames returns the next n frames of a stream.
func frames(l *Load, s Stream, n int) (all []string) {
	b := make([]byte, l.MaxLen)
	for range n {
		all = append(all, string(b[:s.Next(b)]))
	}
	return all
}

func same(a, b []string) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// allLoads are all workloads and vectors.
func allLoads(t *testing.T) (all []Load) {
	t.Helper()
	for _, w := range Workloads() {
		all = append(all, w.Load())
	}
	for _, w := range ExportWorkloads() {
		all = append(all, w.Load(netip.AddrPort{}))
	}
	for _, name := range Vectors() {
		for _, dst := range []string{"10.9.0.0/16", "2001:db8:10::7/128"} {
			l, err := (&Flow{Vector: name, Dst: Within(dst)}).Load()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, l)
		}
	}
	return all
}

// A workload's load is the workload, and a vector's is the scenario of that flow.
func TestLoadsAreTheSame(t *testing.T) {
	const n = 3000
	for _, w := range Workloads() {
		l := w.Load()
		want := frames(&l, w.Frames(), n)
		if !same(frames(&l, open(t, &l, 0, 0), n), want) {
			t.Errorf("%s: other frames", w.Name)
		}
	}
	for _, name := range Vectors() {
		flow := Flow{Vector: name, Dst: Host("10.0.3.4"), PPS: n, To: time.Second}
		l, err := flow.Load()
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		s := Scenario{Seed: 5, Flows: []Flow{flow}}
		for _, p := range play(t, &s) {
			want = append(want, string(p.data))
		}
		if !same(frames(&l, open(t, &l, 5, 0), n), want) {
			t.Errorf("%s: other frames", name)
		}
	}
}

// Seeds and parts make other frames, each the same every time, and none longer than MaxLen.
func TestLoadSeedsAndParts(t *testing.T) {
	const n = 100
	for _, l := range allLoads(t) {
		seen := map[string]bool{}
		parts := 3
		if l.Parts > 0 {
			parts = l.Parts
		}
		for seed := range uint64(3) {
			for part := range parts {
				got := frames(&l, open(t, &l, seed, part), n)
				if !same(got, frames(&l, open(t, &l, seed, part), n)) {
					t.Errorf("%s: seed %d part %d is not the same twice", l.Name, seed, part)
				}
				text := strings.Join(got, "")
				if seen[text] {
					t.Errorf("%s: seed %d part %d is no other", l.Name, seed, part)
				}
				seen[text] = true
			}
		}
		if _, err := l.Stream(0, -1); err == nil {
			t.Errorf("%s: a part before the first", l.Name)
		}
		if _, err := l.Stream(0, l.Parts); err == nil && l.Parts > 0 {
			t.Errorf("%s: a part too many", l.Name)
		}
	}
}

// Parts go to the same hosts.
func TestLoadPartsShareHosts(t *testing.T) {
	w, err := Find("W2")
	if err != nil {
		t.Fatal(err)
	}
	l := w.Load()
	for part := range 3 {
		hosts := map[decode.Addr]bool{}
		decoder, b := decode.Decoder{}, make([]byte, l.MaxLen)
		for s, i := open(t, &l, 1, part), 0; i < 1<<16; i++ {
			var r decode.Record
			n := s.Next(b)
			if st := decoder.Decode(&r, decode.LinkEthernet, b[:n], uint32(n)); st != decode.OK {
				t.Fatal(st)
			}
			hosts[r.Dst] = true
		}
		if len(hosts) != 1<<16 {
			t.Errorf("part %d: %d hosts", part, len(hosts))
		}
	}
}

// Everything but W8 is decoded, and what has checksums has the right ones.
func TestLoadsDecode(t *testing.T) {
	for _, l := range allLoads(t) {
		decoder, b := decode.Decoder{}, make([]byte, l.MaxLen)
		for s, i := open(t, &l, 0, 0), 0; i < 500; i++ {
			var r decode.Record
			n := s.Next(b)
			st := decoder.Decode(&r, decode.LinkEthernet, b[:n], uint32(n))
			if st != decode.OK && l.Name != "W8" {
				t.Fatalf("%s: %v", l.Name, st)
			}
			plain := r.NTunnels+r.NVLAN+r.NMPLS == 0 && r.Fragment == decode.NotFragment
			if st == decode.OK && plain && l.Name != "W6b" && l.Name != "W8" {
				checkSums(t, &r, b[:n])
			}
		}
	}
}

func TestLoop(t *testing.T) {
	w, err := Find("W5")
	if err != nil {
		t.Fatal(err)
	}
	plain := w.Load()
	l := plain.Loop(100)
	want := frames(&plain, open(t, &plain, 3, 1), 100)
	got := frames(&l, open(t, &l, 3, 1), 250)
	if !same(got[:100], want) || !same(got[100:200], want) || !same(got[200:], want[:50]) {
		t.Error("not the first frames again and again")
	}
}

// A capture has the frames that are sent, with their times, in either format.
func TestLoadCapture(t *testing.T) {
	const n, gap = 300, 7 * time.Microsecond
	at := func(i uint64) time.Duration { return time.Duration(i) * gap }
	for _, l := range allLoads(t) {
		want := frames(&l, open(t, &l, 2, 0), n)
		for _, classic := range []bool{false, true} {
			var out bytes.Buffer
			o := CaptureOptions{Seed: 2, Frames: n, At: at, Classic: classic}
			size, err := l.Capture(&out, o)
			if err != nil {
				t.Fatal(err)
			}
			captured(t, l.Name, &out, want, gap)
			if all := len(strings.Join(want, "")); size != uint64(all) {
				t.Errorf("%s: %d bytes, want %d", l.Name, size, all)
			}
		}
	}
}

// captured wants frames in a capture, gap apart.
func captured(t *testing.T, name string, in io.Reader, want []string, gap time.Duration) {
	t.Helper()
	r, err := pcap.NewReader("load", in)
	if err != nil {
		t.Fatal(err)
	}
	var p pcap.Packet
	for i := range want {
		if err := r.Next(&p); err != nil {
			t.Fatal(err)
		}
		if string(p.Data) != want[i] || p.Time != defaultStart*1e9+int64(i)*int64(gap) {
			t.Fatalf("%s: frame %d at %d is another", name, i, p.Time)
		}
	}
	if err := r.Next(&p); !errors.Is(err, io.EOF) {
		t.Errorf("%s: after the last: %v", name, err)
	}
}

// Hardware addresses are replaced, also in frames that end within them.
func TestReaddress(t *testing.T) {
	dst, src := &[6]byte{1, 1, 1, 1, 1, 1}, &[6]byte{2, 2, 2, 2, 2, 2}
	f := func(n int, dst, src *[6]byte, want string) {
		t.Helper()
		frame := make([]byte, n)
		readdress(frame, dst, src)
		if got := string(frame); got != want {
			t.Errorf("%d bytes: % x, want % x", n, got, want)
		}
	}
	f(14, dst, src, "\x01\x01\x01\x01\x01\x01\x02\x02\x02\x02\x02\x02\x00\x00")
	f(14, nil, src, "\x00\x00\x00\x00\x00\x00\x02\x02\x02\x02\x02\x02\x00\x00")
	f(7, dst, src, "\x01\x01\x01\x01\x01\x01\x02")
	f(3, dst, src, "\x01\x01\x01")
	f(3, dst, nil, "\x01\x01\x01")
	f(0, dst, src, "")
}

// A load at a time tells that, also where its frames are repeated; what tells none is as it was.
func TestLoadAt(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	const offSeconds = EthernetLen + IPv4Len + UDPLen + 8
	exports, err := FindExports("F5")
	if err != nil {
		t.Fatal(err)
	}
	plain := exports.Load(netip.AddrPort{})
	f := func(l Load, want int64) {
		t.Helper()
		for i, frame := range frames(&l, open(t, &l, 0, 0), 5) {
			got := binary.BigEndian.Uint32([]byte(frame[offSeconds:]))
			if int64(got) != want {
				t.Errorf("frame %d tells %d, want %d", i, got, want)
			}
		}
	}
	f(plain, ExportEpoch)
	f(plain.At(now), now.Unix())
	f(plain.At(now).Loop(2), now.Unix())
	w, err := Find("W2")
	if err != nil {
		t.Fatal(err)
	}
	never, at := w.Load(), w.Load().At(now)
	want, got := frames(&never, open(t, &never, 0, 0), 50), frames(&at, open(t, &at, 0, 0), 50)
	if !same(got, want) {
		t.Error("a workload that tells no time is another")
	}
}

func TestLoad_Failure(t *testing.T) {
	for _, f := range []Flow{
		{Vector: "nothing", Dst: Host("10.0.0.1")},
		{Vector: "syn_flood"},
		{Vector: "syn_flood", Dst: Host("10.0.0.1"), Src: Host("2001:db8::1")},
		{Vector: "syn_flood", Dst: Host("10.0.0.1"), Size: Bytes(1 << 17)},
	} {
		if _, err := f.Load(); err == nil {
			t.Errorf("%+v: no error", f)
		}
	}
	w, err := FindExports("F1")
	if err != nil {
		t.Fatal(err)
	}
	l := w.Load(netip.MustParseAddrPort("[2001:db8::1]:2055"))
	if _, err := l.Stream(0, 0); err == nil {
		t.Error("exports to IPv6: no error")
	}
}

func TestLoadNoAllocs(t *testing.T) {
	for _, l := range allLoads(t) {
		if l.Parts > 0 {
			continue // builders of exports are for tests, and allocate
		}
		s, b := open(t, &l, 0, 0), make([]byte, l.MaxLen)
		if n := testing.AllocsPerRun(1000, func() { s.Next(b) }); n != 0 {
			t.Errorf("%s: %v allocations", l.Name, n)
		}
	}
}

// Each vector's own sizes are in its range; to IPv6 its smallest are as small as headers let them,
// which is in no range. At both ends packets are as long as was asked.
func TestSizeRange_Success(t *testing.T) {
	for _, name := range Vectors() {
		for _, host := range []string{"10.0.0.1", "2001:db8::1"} {
			f := Flow{Vector: name, Dst: Host(host)}
			least, most, err := f.SizeRange()
			if err != nil {
				t.Fatal(err)
			}
			own := f
			if err := own.preset(); err != nil {
				t.Fatal(err)
			}
			for _, z := range own.Size {
				if z.Min < least && host == "10.0.0.1" || z.Max > most {
					t.Errorf("%s to %s: %+v is not from %d to %d", name, host, z, least, most)
				}
			}
			for _, size := range []int{least, most} {
				f.Size = Bytes(size)
				if got := datagramLen(t, &f); got != size {
					t.Errorf("%s to %s: %d bytes, want %d", name, host, got, size)
				}
			}
		}
	}
}

// datagramLen returns the length of a flow's first IP packet, as it was before it was fragmented.
func datagramLen(t *testing.T, f *Flow) int {
	t.Helper()
	flow := *f
	flow.PPS, flow.To = 1, time.Second
	e, err := newEmitter(flow, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	e.frame(make([]byte, MaxFrame))
	return e.ipLen() + e.datagram.length
}

func TestSizeRange_Failure(t *testing.T) {
	for _, f := range []Flow{{Vector: "nothing", Dst: Host("10.0.0.1")}, {Vector: "syn_flood"}} {
		if least, most, err := f.SizeRange(); err == nil {
			t.Errorf("%+v: from %d to %d", f, least, most)
		}
	}
}
