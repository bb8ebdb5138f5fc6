package control

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"weir/control/detect"
	"weir/control/rate"
	"weir/decode/netflow/netflowtest"
	"weir/decode/pcap"
	"weir/fastpath"
	"weir/ring/replay"
)

// exporter is a router that writes its export datagrams into a capture.
type exporter struct {
	frames []pcap.Packet
	seq    uint32
}

const bootMillis = 3_600_000 // the router's uptime at start

// uptime returns the router's uptime at a time since start.
func uptime(at time.Duration) uint32 { return uint32(bootMillis + at.Milliseconds()) }

// send writes a datagram from 192.0.2.1 to port 2055, at a time since start.
func (x *exporter) send(at time.Duration, payload []byte) {
	b := make([]byte, 42, 42+len(payload))
	e := binary.BigEndian
	e.PutUint16(b[12:], 0x0800)
	b[14], b[22], b[23] = 0x45, 64, 17
	e.PutUint16(b[16:], uint16(28+len(payload)))
	copy(b[26:], []byte{192, 0, 2, 1, 192, 0, 2, 2})
	e.PutUint16(b[34:], 40000)
	e.PutUint16(b[36:], 2055)
	e.PutUint16(b[38:], uint16(8+len(payload)))
	b = append(b, payload...)
	x.frames = append(x.frames, pcap.Packet{
		Time: start + int64(at), Wire: uint32(len(b)), Link: 1, Data: b,
	})
}

// header returns a datagram's header for a time since start.
func (x *exporter) header(at time.Duration) netflowtest.Header {
	x.seq++
	return netflowtest.Header{
		Seq: x.seq, Uptime: uptime(at), Seconds: uint32((start + int64(at)) / 1e9),
	}
}

// v9 exports a UDP flow of size bytes a packet, from the port of DNS.
func (x *exporter) v9(at, from, to time.Duration, dst string, packets, size uint32) {
	ip := netip.MustParseAddr(dst).As4()
	x.send(at, netflowtest.F1(nil, x.header(at), []netflowtest.Flow{{
		Src: 198<<24 | 51<<16 | 100<<8 | 7, Dst: binary.BigEndian.Uint32(ip[:]), SrcPort: 53,
		DstPort: 4444, Proto: 17, Packets: packets, Bytes: packets * size,
		First: uptime(from), Last: uptime(to),
	}}))
}

// ipfix6 exports the same of IPv6, with its template.
func (x *exporter) ipfix6(at, from, to time.Duration, dst string, packets, size uint64) {
	e := binary.BigEndian
	var template, data []byte
	for _, v := range []uint16{
		256, 9, 27, 16, 28, 16, 1, 8, 2, 8, 4, 1, 7, 2, 11, 2, 152, 8, 153, 8,
	} {
		template = e.AppendUint16(template, v)
	}
	src, ip := netip.MustParseAddr("2001:db8:ffff::7").As16(), netip.MustParseAddr(dst).As16()
	data = append(append(data, src[:]...), ip[:]...)
	data = append(e.AppendUint64(e.AppendUint64(data, packets*size), packets), 17)
	data = e.AppendUint16(e.AppendUint16(data, 53), 4444)
	data = e.AppendUint64(data, uint64(start+int64(from))/1e6)
	data = e.AppendUint64(data, uint64(start+int64(to))/1e6)
	b := netflowtest.Set(netflowtest.IPFIX(nil, x.header(at)), 2, template...)
	x.send(at, netflowtest.Close(netflowtest.Set(b, 256, data...), 0))
}

// captureOf returns a capture of frames.
func captureOf(t *testing.T, frames []pcap.Packet) *pcap.Reader {
	t.Helper()
	var b bytes.Buffer
	w, err := pcap.NewWriter(&b, pcap.Section{}, pcap.Interface{Link: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range frames {
		if err := w.Write(0, &frames[i], ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	r, err := pcap.NewReader("exports", &b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// replayed runs an engine on what the exporter sent, in order of time.
func (x *exporter) replayed(t *testing.T, limits detect.Thresholds) (*log, *Replay) {
	t.Helper()
	slices.SortStableFunc(x.frames, func(a, b pcap.Packet) int {
		return cmp.Compare(a.Time, b.Time)
	})
	source := replay.New([]*pcap.Reader{captureOf(t, x.frames)}, replay.Options{})
	defer source.Close()
	rules, err := fastpath.NewExportRules(nil, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	c := testConfig(limits)
	c.Inputs = []Input{{Source: source.Exports(2055), View: "edge", Exports: rules}}
	l := &log{}
	r, err := NewReplay(c, source, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return l, r
}

// An attack that only an exporter tells of is found within a second of the export that shows it,
// with evidence, and ends.
func TestExportedAttack(t *testing.T) {
	const pps, factor = 2000, 5
	f := func(dst string, timeout time.Duration) {
		t.Helper()
		x := &exporter{}
		x.send(0, netflowtest.F1Template(nil, x.header(0)))
		export := func(at, from, to time.Duration, dst string, packets uint64) {
			if netip.MustParseAddr(dst).Is4() {
				x.v9(at, from, to, dst, uint32(packets), 100)
			} else {
				x.ipfix6(at, from, to, dst, packets, 100)
			}
		}
		for i := range time.Duration(120) { // somebody else's flows, at half the limit
			at := i * time.Second / 2
			x.v9(at, at-time.Second/2, at, "10.0.7.7", pps/4, 500)
		}
		begin := 3*time.Second + 370*time.Millisecond
		end := begin + 3*timeout
		for at := begin + timeout; at <= end; at += timeout {
			export(at, at-timeout, at, dst, uint64(timeout.Seconds()*pps*factor))
		}
		l, r := x.replayed(t, limit(rate.PPS, pps))
		if len(l.started) != 1 || l.started[0].Target.Addr() != netip.MustParseAddr(dst) {
			t.Fatalf("%s: incidents %v", dst, l.lines)
		}
		in := &l.started[0]
		if in.Trigger.View != "edge" || in.Trigger.Value < pps*factor*9/10 ||
			in.Trigger.Value > pps*factor*11/10 {
			t.Errorf("%s: trigger %+v", dst, in.Trigger)
		}
		first := begin + timeout // when it could be known
		if late := time.Duration(l.times[0]-start) - first; late < 0 || late > time.Second {
			t.Errorf("%s, timeout %v: found %v after the first export", dst, timeout, late)
		}
		if len(in.Vectors) == 0 || in.Vectors[0].Name != "dns_amplification" &&
			in.Vectors[0].Name != "udp_flood" {
			t.Errorf("%s: vectors %v", dst, in.Vectors)
		}
		if n := len(l.evidence[0].Samples); n == 0 {
			t.Errorf("%s: no evidence", dst)
		}
		if last := l.lines[len(l.lines)-1]; last[:5] != "ended" {
			t.Errorf("%s: %v", dst, l.lines)
		}
		if e := &r.Exports; e.Received != uint64(len(x.frames)) || e.Processed != e.Received {
			t.Errorf("%s: %d datagrams of %d: %+v", dst, e.Received, len(x.frames), e)
		}
	}
	for _, timeout := range []time.Duration{time.Second, 2 * time.Second, 10 * time.Second} {
		f("10.0.5.5", timeout)
		f("2001:db8::5:5", timeout)
	}
}

// What sampling leaves open is no attack: a host at four fifths of its limit, of which one packet
// in ten thousand is told, is left alone; one at four times its limit is found within seconds.
func TestExportedSampling(t *testing.T) {
	const limitPPS, n, seconds = 100_000, 10_000, 120
	f := func(share float64, found bool) {
		t.Helper()
		x := &exporter{}
		random := rand.New(rand.NewPCG(1, uint64(share*10)))
		mean := share * limitPPS / n // samples a second
		for at := 0.0; at < seconds; at += random.ExpFloat64() / mean {
			when := time.Duration(at * float64(time.Second))
			h := x.header(when)
			h.Sampling = n
			x.send(when, netflowtest.F3(nil, h, []netflowtest.Flow{{
				Src: random.Uint32(), Dst: 10<<24 | 5, Proto: 17, Packets: 1, Bytes: 100,
				First: h.Uptime, Last: h.Uptime,
			}}))
		}
		l, _ := x.replayed(t, limit(rate.PPS, limitPPS))
		if !found && len(l.started) > 0 {
			t.Errorf("at %v of the limit: %v", share, l.lines)
		}
		if found && (len(l.started) == 0 || l.times[0]-start > int64(10*time.Second)) {
			t.Errorf("at %v times the limit: %v", share, l.lines)
		}
	}
	for _, share := range []float64{0.5, 0.8, 0.95} {
		f(share, false)
	}
	f(4, true)
}

// A mirror and an exporter that see the same traffic do not see twice as much.
func TestExportedTwice(t *testing.T) {
	const pps = 1500
	x := &exporter{}
	x.send(0, netflowtest.F1Template(nil, x.header(0)))
	tr := traffic(1, flow("udp_flood", "10.0.5.5", pps, 0, 10*time.Second))
	mirrored, err := tr.Capture("mirror")
	if err != nil {
		t.Fatal(err)
	}
	for i := range time.Duration(10) {
		at := (i + 1) * time.Second
		x.v9(at, at-time.Second, at, "10.0.5.5", pps, 100)
	}
	var p pcap.Packet
	for mirrored.Next(&p) == nil {
		p.Data = slices.Clone(p.Data)
		x.frames = append(x.frames, p)
	}
	l, _ := x.replayed(t, limit(rate.PPS, 2000))
	if len(l.started) > 0 {
		t.Errorf("%v", l.lines)
	}
	if l, _ = x.replayed(t, limit(rate.PPS, 1400)); len(l.started) != 1 {
		t.Errorf("%v", l.lines)
	}
}

// TestLowerBound draws samples, and counts how often the bound is above the truth.
func TestLowerBound(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	const truth, n, tries = 20_000, 500, 20_000
	above := 0
	for range tries {
		c := 0
		for at := random.ExpFloat64(); at < truth/n; at += random.ExpFloat64() {
			c++
		}
		r := rate.Rates{PacketUnit: n - 1}
		r.Packets[rate.Total] = uint64(c * n)
		if r.Lower(rate.PPS) > truth {
			above++
		}
		if got := r.Lower(rate.PPS); got > r.Packets[rate.Total] {
			t.Fatalf("%d samples: lower bound %d", c, got)
		}
	}
	if above > 1 { // a millionth is allowed
		t.Errorf("%d of %d bounds are above the truth", above, tries)
	}
	r := rate.Rates{PacketUnit: n - 1}
	r.Packets[rate.Total] = 152 * n // reliability: 152 samples prove 100
	if got := float64(r.Lower(rate.PPS)) / n; math.Abs(got-100) > 1 {
		t.Errorf("152 samples prove %v", got)
	}
}
