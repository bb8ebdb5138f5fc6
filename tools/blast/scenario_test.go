package blast

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/decode"
	"weir/decode/pcap"
)

// packet is a packet of a scenario, decoded.
type packet struct {
	decode.Record
	flow int
	at   time.Duration // after the start
	data []byte
}

// play returns all packets of a scenario. Each must be readable, and come in time order.
func play(t testing.TB, s *Scenario) []packet {
	t.Helper()
	packets, err := s.Packets()
	if err != nil {
		t.Fatal(err)
	}
	var all []packet
	var p pcap.Packet
	var d decode.Decoder
	last := int64(0)
	for packets.Next(&p) {
		q := packet{flow: packets.Flow(), data: slices.Clone(p.Data)}
		status := d.Decode(&q.Record, decode.Link(p.Link), p.Data, p.Wire)
		if status != decode.OK || q.Version == 0 || p.Wire < MinFrame || p.Wire > MaxFrame {
			t.Fatalf("%v, %d bytes on the wire: %x", status, p.Wire, p.Data)
		}
		if p.Time < last {
			t.Fatalf("time %d after %d", p.Time, last)
		}
		last = p.Time
		q.at = time.Duration(p.Time - defaultStart*1e9)
		all = append(all, q)
	}
	if int64(len(all)) != s.Count() || packets.Next(&p) {
		t.Fatalf("%d packets, want %d", len(all), s.Count())
	}
	return all
}

// slowTimes are the times that a flow without jitter must have.
func slowTimes(f *Flow) (times []time.Duration) {
	for i := int64(0); ; i++ {
		t := big.NewInt(i)
		t.Mul(t, big.NewInt(int64(time.Second)))
		t.Div(t, big.NewInt(int64(f.PPS)))
		if t.Int64() >= int64(f.To-f.From) {
			return times
		}
		times = append(times, f.From+time.Duration(t.Int64()))
	}
}

func TestRates(t *testing.T) {
	const ms = time.Millisecond
	s := Scenario{Flows: []Flow{
		{Dst: Host("10.0.0.1"), PPS: 1, To: 3 * time.Second},
		{Dst: Host("10.0.0.2"), PPS: 20_000, From: 1500 * ms, To: 3500 * ms},
		{Dst: Host("10.0.0.3"), PPS: 7, From: 3, To: 2*time.Second + 4},
		{Dst: Host("10.0.0.4"), PPS: 1e9, From: time.Second, To: time.Second + 12345},
		{Dst: Host("10.0.0.5"), PPS: 999, From: 1, To: 1},
		{Dst: Host("2001:db8:10::6"), PPS: 3333, From: 333 * ms, To: 3333 * ms},
	}}
	want := []int64{3, 40_000, 15, 12345, 0, 9999}
	for _, jitter := range []bool{false, true} {
		for i := range s.Flows {
			s.Flows[i].Jitter = jitter
		}
		times := make([][]time.Duration, len(s.Flows))
		for _, p := range play(t, &s) {
			times[p.flow] = append(times[p.flow], p.at)
			if p.Dst != decode.AddrFrom(s.Flows[p.flow].Dst.Prefix.Addr()) {
				t.Fatalf("flow %d goes to %v", p.flow, p.Dst.Netip())
			}
		}
		for i := range s.Flows {
			f := &s.Flows[i]
			slots := slowTimes(f)
			if int64(len(slots)) != want[i] || f.Count() != want[i] {
				t.Errorf("flow %d: slow %d, Count %d, want %d", i, len(slots), f.Count(), want[i])
			}
			if got := times[i]; !jitter && !slices.Equal(got, slots) {
				t.Errorf("flow %d: %d packets at %v", i, len(got), got[:min(len(got), 20)])
			} else {
				inSlots(t, i, got, append(slots, f.To))
			}
		}
	}
}

// inSlots fails unless packet i is between slots i and i+1.
func inSlots(t *testing.T, flow int, times, slots []time.Duration) {
	t.Helper()
	if len(times) != len(slots)-1 {
		t.Errorf("flow %d: %d packets for %d slots", flow, len(times), len(slots)-1)
		return
	}
	for i, at := range times {
		if at < slots[i] || at >= slots[i+1] {
			t.Fatalf("flow %d: packet %d at %v, not from %v to %v",
				flow, i, at, slots[i], slots[i+1])
		}
	}
}

func TestJitterIsUniform(t *testing.T) {
	s := Scenario{Flows: []Flow{{
		Dst: Host("10.0.0.1"), PPS: 100_000, To: time.Second, Jitter: true,
	}}}
	early := 0
	for _, p := range play(t, &s) {
		if p.at%(10*time.Microsecond) < 2500 {
			early++
		}
	}
	share(t, "first quarter of the slots", early, 100_000, 0.25)
}

// A flow's packets do not depend on its neighbours; seeds make others.
func TestFlowsAreIndependent(t *testing.T) {
	flood := Flow{Vector: "udp_flood", Dst: Host("10.0.0.1"), PPS: 500, To: time.Second}
	syn := Flow{Vector: "syn_flood", Dst: Host("10.0.0.2"), PPS: 300, To: time.Second}
	f := func(s Scenario) (all string) {
		for _, p := range play(t, &s) {
			if p.flow == 0 {
				all += fmt.Sprintln(p.at, p.data)
			}
		}
		return all
	}
	alone := f(Scenario{Flows: []Flow{flood}})
	if f(Scenario{Flows: []Flow{flood, syn}}) != alone {
		t.Error("a flow behind it changes a flow")
	}
	if f(Scenario{Seed: 1, Flows: []Flow{flood}}) == alone {
		t.Error("the seed changes nothing")
	}
}

func TestHosts(t *testing.T) {
	run := func(f Flow, n int) (src, dst map[netip.Addr]int) {
		t.Helper()
		f.PPS, f.To = n, time.Second
		src, dst = map[netip.Addr]int{}, map[netip.Addr]int{}
		for _, p := range play(t, &Scenario{Flows: []Flow{f}}) {
			src[p.Src.Netip()]++
			dst[p.Dst.Netip()]++
		}
		return src, dst
	}
	within := func(what, prefix string, hosts map[netip.Addr]int, want int) {
		t.Helper()
		p := netip.MustParsePrefix(prefix)
		for a := range hosts {
			if !p.Contains(a) {
				t.Errorf("%s: %v is not in %v", what, a, p)
			}
		}
		if len(hosts) != want {
			t.Errorf("%s: %d hosts, want %d", what, len(hosts), want)
		}
	}
	outside := func(what string, hosts map[netip.Addr]int, least int) {
		t.Helper()
		for a := range hosts {
			if !a.IsGlobalUnicast() || Home4().Contains(a) || Home6().Contains(a) {
				t.Errorf("%s: %v is no host outside", what, a)
			}
		}
		if len(hosts) < least {
			t.Errorf("%s: %d hosts, want %d", what, len(hosts), least)
		}
	}
	const n = 20_000
	src, dst := run(Flow{Dst: Within("10.7.3.0/24")}, n)
	within("carpet", "10.7.3.0/24", dst, 256)
	outside("carpet", src, n-5)
	src, dst = run(Flow{Dst: Within("10.0.0.0/8")}, n)
	outside("spray", src, n-5)
	if within("spray", "10.0.0.0/8", dst, len(dst)); len(dst) < n*99/100 {
		t.Errorf("spray over %d hosts", len(dst))
	}
	src, dst = run(Flow{Dst: Within("2001:db8:10::/48")}, n)
	within("IPv6 spray", "2001:db8:10::/48", dst, n)
	outside("IPv6 spray", src, n)
	src, dst = run(Flow{Src: Host("10.0.0.5")}, n)
	within("from inside", "10.0.0.5/32", src, 1)
	outside("from inside", dst, n-5)
	src, _ = run(Flow{Dst: Host("10.0.0.1"), Src: Hosts{N: 300}}, n)
	if outside("a set", src, 300); len(src) != 300 {
		t.Errorf("a set of %d hosts", len(src))
	}
	for prefix, count := range map[string]int{
		"10.0.0.0/22": 1000, "10.0.0.0/24": 256, "2001:db8:10::/48": 1000, "2001:db8::/120": 256,
	} {
		_, dst = run(Flow{Dst: Hosts{Prefix: netip.MustParsePrefix(prefix), N: count}}, n)
		within("some of "+prefix, prefix, dst, count)
	}
}

// Datagrams over the MTU come as fragments that make the whole again.
func TestFragments(t *testing.T) {
	f := func(dst string, size int, lengths ...uint32) {
		t.Helper()
		count := len(lengths) * 50
		s := Scenario{Flows: []Flow{{
			Dst: Host(dst), Size: Bytes(size), PPS: count, To: time.Second,
			Payload: strings.Repeat("payload!", 10),
		}}}
		var whole []byte
		for i, p := range play(t, &s) {
			k := i % len(lengths)
			fragment := decode.LaterFragment
			switch {
			case len(lengths) == 1:
				fragment = decode.NotFragment
			case k == 0:
				fragment = decode.FirstFragment
			}
			if p.IPLen != lengths[k] || p.Fragment != fragment {
				t.Fatalf("%s, packet %d: %d bytes, fragment %d, want %d, %d",
					dst, i, p.IPLen, p.Fragment, lengths[k], fragment)
			}
			checkSums(t, &p.Record, p.data)
			offset, more, part := fragmentOf(&p)
			if k == 0 {
				whole = whole[:0]
			}
			whole = append(whole, part...)
			if offset != len(whole)-len(part) || more != (k < len(lengths)-1) {
				t.Fatalf("%s, packet %d: offset %d, more %v", dst, i, offset, more)
			}
			if !more && messageSum(whole, ProtoUDP, p.Src, p.Dst, len(whole)) != 0xffff {
				t.Fatalf("%s, packet %d: wrong checksum of the whole", dst, i)
			}
		}
	}
	f("10.0.0.1", 0, 28)
	f("10.0.0.1", 1500, 1500)
	f("10.0.0.1", 1501, 1500, 21)
	f("10.0.0.1", 4028, 1500, 1500, 1068)
	f("10.0.0.1", 4460, 1500, 1500, 1500)
	f("2001:db8:10::1", 1500, 1500)
	f("2001:db8:10::1", 1501, 1496, 61)
	f("2001:db8:10::1", 2936, 1496, 1496)
	f("2001:db8:10::1", 2937, 1496, 1496, 49)
}

// fragmentOf returns where a packet's payload stands in its datagram.
func fragmentOf(p *packet) (offset int, more bool, part []byte) {
	ip := p.data[EthernetLen : EthernetLen+p.IPLen]
	switch {
	case p.Version == 4:
		v := binary.BigEndian.Uint16(ip[6:])
		return int(v&0x1fff) * 8, v&0x2000 != 0, ip[IPv4Len:]
	case p.Fragment == decode.NotFragment:
		return 0, false, ip[IPv6Len:]
	default:
		v := binary.BigEndian.Uint16(ip[IPv6Len+2:])
		return int(v &^ 7), v&1 != 0, ip[IPv6Len+IPv6FragmentLen:]
	}
}

func TestSizes(t *testing.T) {
	const n = 50_000
	s := Scenario{Flows: []Flow{{
		Dst: Host("10.0.0.1"), PPS: n, To: time.Second,
		Size: Sizes{{100, 100, 1}, {200, 203, 3}},
	}, {Dst: Host("10.0.0.2"), PPS: n, To: time.Second, Size: IMIX()}}}
	lengths := [2]map[uint32]int{{}, {}}
	for _, p := range play(t, &s) {
		lengths[p.flow][p.IPLen]++
	}
	share(t, "100", lengths[0][100], n, 0.25)
	for size := uint32(200); size < 204; size++ {
		share(t, fmt.Sprint(size), lengths[0][size], n, 0.75/4)
	}
	share(t, "64 B", lengths[1][46], n, 7.0/12)
	share(t, "594 B", lengths[1][576], n, 4.0/12)
	share(t, "1518 B", lengths[1][1500], n, 1.0/12)
	if len(lengths[0]) != 5 || len(lengths[1]) != 3 {
		t.Errorf("lengths %v", lengths)
	}
}

func TestScenarioFailure(t *testing.T) {
	f := func(want string, s Scenario) {
		t.Helper()
		_, err := s.Packets()
		if err == nil || !strings.HasPrefix(err.Error(), "open scenario: ") ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if _, err := s.Reader(); err == nil {
			t.Errorf("%s: Reader has no error", want)
		}
		if _, err := s.Capture("x"); err == nil {
			t.Errorf("%s: Capture has no error", want)
		}
		if _, err := s.WriteTo(&bytes.Buffer{}); err == nil {
			t.Errorf("%s: WriteTo has no error", want)
		}
	}
	one := func(change func(*Flow)) Scenario {
		ok := Flow{Name: "one", Dst: Within("10.0.0.0/24"), PPS: 1, To: time.Second}
		bad := ok
		change(&bad)
		return Scenario{Flows: []Flow{ok, bad}}
	}
	f(`flow 1 "one": 0 packets per second`, one(func(f *Flow) { f.PPS = 0 }))
	f("1000000001 packets", one(func(f *Flow) { f.PPS = 1e9 + 1 }))
	f("time from 2s to 1s", one(func(f *Flow) { f.From = 2 * time.Second }))
	f("time from -1ns", one(func(f *Flow) { f.From = -1 }))
	f("time from 0s to 2562047h", one(func(f *Flow) { f.To = 1<<63 - 1 }))
	f(`flow 1 "one": vector "flood" is none of syn_flood, `,
		one(func(f *Flow) { f.Vector = "flood" }))
	f("from ::/0 to 10.0.0.0/24", one(func(f *Flow) { f.Src = Within("::/0") }))
	f("both ends are outside", one(func(f *Flow) { f.Dst = Hosts{} }))
	f("destination: 257 hosts in 10.0.0.0/24", one(func(f *Flow) { f.Dst.N = 257 }))
	f("::ffff:10.0.0.1/128 is IPv4", one(func(f *Flow) { f.Dst = Host("::ffff:10.0.0.1") }))
	f("source: -1 hosts", one(func(f *Flow) { f.Src.N = -1 }))
	f("1048577 hosts outside", one(func(f *Flow) { f.Src.N = 1<<20 + 1 }))
	f("popularity of 1", one(func(f *Flow) { f.Dst.Zipf = 1 }))
	f("exponent NaN", one(func(f *Flow) { f.Dst.N, f.Dst.Zipf = 9, nan() }))
	f("source ports {Min:2 Max:1}", one(func(f *Flow) { f.SrcPort = Ports{2, 1} }))
	f("destination ports", one(func(f *Flow) { f.DstPort = Ports{2, 1} }))
	f("-1 conversations", one(func(f *Flow) { f.Conversations = -1 }))
	f("replies of 101 %", one(func(f *Flow) { f.Replies = 101 }))
	f("size {Min:9 Max:8 Weight:1}", one(func(f *Flow) { f.Size = Sizes{{9, 8, 1}} }))
	f("size {Min:1 Max:65536", one(func(f *Flow) { f.Size = Sizes{{1, 65536, 1}} }))
	f("size {Min:1 Max:8 Weight:0}", one(func(f *Flow) { f.Size = Sizes{{1, 8, 0}} }))
	f("start 1969", Scenario{Start: time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)})
	f("start 2200", Scenario{Start: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)})
	f("snap length -1", Scenario{SnapLen: -1})
}

func nan() float64 {
	zero := 0.0
	return zero / zero
}

func TestConstantsFailure(t *testing.T) {
	f := func(name string, call func()) {
		t.Helper()
		defer func() {
			if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "BUG: blast."+name) {
				t.Errorf("%s: %s", name, text)
			}
		}()
		call()
	}
	f("Host", func() { Host("10.0.0.0/8") })
	f("Within", func() { Within("10.0.0.1") })
}

// everything is a scenario with all that there is.
func everything() Scenario {
	s := Scenario{Seed: 7}
	for i, v := range Vectors() {
		for _, dst := range []string{"10.0.3.0/24", "2001:db8:10::/64"} {
			s.Flows = append(s.Flows, Flow{
				Vector: v, Dst: Within(dst), PPS: 100 + i, Jitter: i%2 == 0,
				From: time.Duration(i) * 10 * time.Millisecond, To: 2 * time.Second,
			})
		}
	}
	for _, home := range []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16"), Home6()} {
		s.Flows = append(s.Flows, Background(home, 200, 1000, 0, 2*time.Second)...)
	}
	return s
}

// The bytes are the same for ever.
func TestScenarioBytes(t *testing.T) {
	s := everything()
	h := sha256.New()
	n, err := s.WriteTo(h)
	if err != nil {
		t.Fatal(err)
	}
	const want = "5308008 fcaa216ba9fb10d1"
	if got := fmt.Sprintf("%d %x", n, h.Sum(nil)[:8]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestScenarioNoAllocs(t *testing.T) {
	s := everything()
	packets, err := s.Packets()
	if err != nil {
		t.Fatal(err)
	}
	var p pcap.Packet
	if n := testing.AllocsPerRun(2000, func() { packets.Next(&p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPackets(b *testing.B) {
	run := func(name string, flows ...Flow) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			packets, err := (&Scenario{Flows: flows}).Packets()
			if err != nil {
				b.Fatal(err)
			}
			var p pcap.Packet
			for b.Loop() {
				if !packets.Next(&p) {
					b.Fatal("out of packets")
				}
			}
		})
	}
	run("syn_flood", Flow{Vector: "syn_flood", Dst: Host("10.0.0.1"), PPS: 1e9, To: time.Hour})
	run("dns_amplification",
		Flow{Vector: "dns_amplification", Dst: Host("10.0.0.1"), PPS: 1e9, To: time.Hour})
	run("background", Background(Home4(), 2000, 1e6, 0, 1000*time.Hour)...)
}
