package cli

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/decode/pcap"
	"weir/tools/blast"
	"weir/tools/lab"
	"weir/tools/lab/exporter"
)

// totals are what weir counted since its start, or what was sent: of one direction.
type totals struct {
	tcp, udp, icmp, other uint64 // packets
	bytes                 uint64
}

func (c *totals) packets() uint64 { return c.tcp + c.udp + c.icmp + c.other }

// traffic is what is replayed to exporters: a second and a half of conversations over IPv4 and
// IPv6.
type traffic struct {
	frames [][]byte
	times  []int64 // when each is due, ns after the first
}

// sampleTraffic returns 12,000 packets of some hundred conversations, most of them to hosts of
// weir's networks, some from them.
func sampleTraffic(t *testing.T) *traffic {
	t.Helper()
	s := blast.Scenario{Seed: 7, Flows: conversations()}
	packets, err := s.Packets()
	if err != nil {
		t.Fatal(err)
	}
	out, p := &traffic{}, pcap.Packet{}
	first := int64(0)
	for packets.Next(&p) {
		if len(out.frames) == 0 {
			first = p.Time
		}
		out.frames = append(out.frames, bytes.Clone(p.Data))
		out.times = append(out.times, p.Time-first)
	}
	// Who takes every tenth packet in turn would always meet the same flow.
	rand.New(rand.NewPCG(7, 7)).Shuffle(len(out.frames), func(i, j int) {
		out.frames[i], out.frames[j] = out.frames[j], out.frames[i]
	})
	return out
}

func conversations() []blast.Flow {
	within := func(prefix string, n int) blast.Hosts {
		return blast.Hosts{Prefix: netip.MustParsePrefix(prefix), N: n}
	}
	const end = 1500 * time.Millisecond
	data := uint8(blast.ACK | blast.PSH)
	flows := []blast.Flow{
		{Dst: within("10.0.1.0/24", 20), Proto: blast.ProtoTCP, Flags: data, PPS: 2000,
			Size: blast.IMIX(), Conversations: 5},
		{Dst: within("10.0.2.0/24", 20), PPS: 2000, Size: blast.Sizes{{Min: 46, Max: 1400,
			Weight: 1}}, Conversations: 4},
		{Dst: within("10.0.3.0/24", 10), Proto: blast.ProtoICMP, PPS: 300, Conversations: 1,
			Size: blast.Bytes(84)},
		{Dst: within("10.0.4.0/24", 30), Proto: blast.ProtoTCP, Flags: blast.SYN, PPS: 400,
			Size: blast.Bytes(60), Conversations: 2},
		{Dst: within("2001:db8:0:1::/64", 20), Proto: blast.ProtoTCP, Flags: data, PPS: 1000,
			Size: blast.IMIX()[1:], Conversations: 4},
		{Dst: within("2001:db8:0:2::/64", 10), PPS: 1000, Size: blast.Bytes(300),
			Conversations: 4},
		{Dst: within("2001:db8:0:3::/64", 10), Proto: blast.ProtoICMP, PPS: 200,
			Size: blast.Bytes(104), Conversations: 1},
		{Src: within("10.0.5.0/24", 10), Dst: blast.Hosts{N: 20}, Proto: blast.ProtoTCP,
			Flags: data, PPS: 800, Size: blast.Bytes(1400), Conversations: 3},
		{Src: within("2001:db8:0:5::/64", 10), Dst: blast.Hosts{N: 10}, PPS: 300,
			Size: blast.Bytes(1000), Conversations: 3},
	}
	for i := range flows {
		flows[i].To = end
	}
	return flows
}

// sum counts the packets, incoming and outgoing, of IPv4 or of both families. Each has overhead
// bytes beside those of its IP packet. squares is the sum of the squares of all lengths.
func (c *traffic) sum(only4 bool, overhead uint64) (in, out totals, squares float64) {
	home := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("2001:db8::/48"),
	}
	for _, f := range c.frames {
		var src netip.Addr
		var length uint64
		var proto uint8
		switch ip := f[14:]; binary.BigEndian.Uint16(f[12:]) {
		case blast.TypeIPv4:
			length, proto = uint64(binary.BigEndian.Uint16(ip[2:])), ip[9]
			src = netip.AddrFrom4([4]byte(ip[12:]))
		case blast.TypeIPv6:
			if only4 {
				continue
			}
			length, proto = 40+uint64(binary.BigEndian.Uint16(ip[4:])), ip[6]
			src = netip.AddrFrom16([16]byte(ip[8:]))
		}
		to := &in
		if home[0].Contains(src) || home[1].Contains(src) {
			to = &out
		}
		to.bytes += length + overhead
		squares += float64(length+overhead) * float64(length+overhead)
		switch proto {
		case blast.ProtoTCP:
			to.tcp++
		case blast.ProtoUDP:
			to.udp++
		case blast.ProtoICMP, blast.ProtoICMPv6:
			to.icmp++
		default:
			to.other++
		}
	}
	return in, out, squares
}

// burst is how many frames go out at once, at most: far fewer than a packet socket has room for.
const burst = 32

// replay sends the traffic on links of the lab in the time that it takes, or slower where an
// exporter cannot keep pace. weir is a process in the exporters' namespace.
func (c *traffic) replay(t *testing.T, l *lab.Lab, weir *rig, links ...int) {
	t.Helper()
	senders := make([]*lab.Sender, len(links))
	for i, link := range links {
		s, err := l.Sender(link)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		senders[i] = s
	}
	begin := time.Now()
	for i := 0; i < len(c.frames); {
		n := 0
		for now := int64(time.Since(begin)); i+n < len(c.frames) && n < burst &&
			c.times[i+n] <= now; n++ {
		}
		if n == 0 {
			time.Sleep(time.Millisecond)
			continue
		}
		for _, s := range senders {
			if _, err := s.Send(c.frames[i : i+n]); err != nil {
				t.Fatal(err)
			}
		}
		i += n
		weir.eventually("are packets taken from the sockets", func() bool {
			return weir.waiting() < 96<<10
		})
	}
	t.Logf("%d packets in %v", len(c.frames), time.Since(begin).Round(time.Millisecond))
}

// waiting returns how many bytes of memory packets take that wait in the packet sockets of the
// daemon's namespace: those of the fullest one, which has 208 KiB.
func (r *rig) waiting() (bytes int) {
	r.t.Helper()
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/packet", r.cmd.Process.Pid))
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		// sk, RefCnt, Type, Proto, Iface, R, Rmem, User, Inode; the first line has these words.
		var memory int
		if f := strings.Fields(line); len(f) > 6 {
			_, _ = fmt.Sscan(f[6], &memory)
		}
		bytes = max(bytes, memory)
	}
	return bytes
}

// probe is an exporter under test, and the weir that it tells.
type probe struct {
	name     string
	version  int // of NetFlow; 0: none
	sampling int
	only4    bool   // it tells of IPv4 alone
	overhead uint64 // bytes that it counts beside those of an IP packet
	weir     *rig
	port     int // of weir
	in, out  totals
}

func (p *probe) options() *exporter.Options {
	return &exporter.Options{
		Interface: "mirror0", Collector: p.collector(), Version: p.version, Sampling: p.sampling,
	}
}

func (p *probe) collector() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(p.port))
}

// collect starts a weir for each probe, which listens at a port of its own and is told no rates.
func collect(t *testing.T, l *lab.Lab, probes []probe) {
	t.Helper()
	for i := range probes {
		p := &probes[i]
		p.port = 2055 + i
		capture := fmt.Sprintf(`flows: [{listen: "%v"}]`, p.collector())
		p.weir = prepareRig(t, l, capture, func(yaml, _ string) string {
			return strings.NewReplacer("pps: 5k", "pps: 100M", "512MiB", "128MiB",
				":9108", fmt.Sprintf(":%d", 9108+i)).Replace(yaml)
		})
		p.weir.launch()
	}
	for i := range probes {
		probes[i].weir.answers()
	}
}

// counted returns what weir has counted.
func (r *rig) counted() (in, out totals) {
	r.t.Helper()
	for line := range strings.Lines(r.metrics()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		to := &in
		if strings.Contains(name, `direction="outgoing"`) {
			to = &out
		}
		var v float64
		if _, err := fmt.Sscan(value, &v); err != nil {
			continue
		}
		switch {
		case strings.HasPrefix(name, "weir_traffic_bytes_total{"):
			to.bytes = uint64(v)
		case !strings.HasPrefix(name, "weir_traffic_packets_total{"):
		case strings.Contains(name, `class="tcp"`):
			to.tcp = uint64(v)
		case strings.Contains(name, `class="udp"`):
			to.udp = uint64(v)
		case strings.Contains(name, `class="icmp"`):
			to.icmp = uint64(v)
		case strings.Contains(name, `class="other"`):
			to.other = uint64(v)
		}
	}
	return in, out
}

// standstill is how long counts stand still when nothing comes any more: flows are counted over as
// many seconds as they took, and exporters speak each second.
const standstill = 3 * time.Second

// settle waits until every weir has counted what is to be expected at least, and then no more.
func settle(probes []probe, sent *traffic) {
	for begin, since := time.Now(), time.Now(); time.Since(since) < standstill; {
		for i := range probes {
			p := &probes[i]
			in, out, _ := sent.sum(p.only4, p.overhead)
			least := in.packets() + out.packets()
			if p.sampling > 1 {
				least /= 2
			}
			in, out = p.weir.counted()
			if in != p.in || out != p.out || in.packets()+out.packets() < least {
				since = time.Now()
			}
			p.in, p.out = in, out
		}
		if time.Since(begin) > 2*patience {
			return // the comparison tells what is missing
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// compare compares what every weir counted with what was sent.
func compare(t *testing.T, probes []probe, sent *traffic) {
	t.Helper()
	settle(probes, sent)
	for i := range probes {
		p := &probes[i]
		t.Run(p.name, func(t *testing.T) {
			in, out, _ := sent.sum(p.only4, p.overhead)
			switch {
			case p.sampling > 1:
				p.resembles(t, sent)
			case p.in != in || p.out != out:
				t.Errorf("counted %+v and %+v, want %+v and %+v", p.in, p.out, in, out)
			}
			if t.Failed() {
				t.Log(p.weir.weir("status", "--pipeline"))
			}
		})
	}
}

// resembles fails the test unless samples tell what was sent within four standard deviations: a
// packet counts N times with probability 1/N, so that its variance is N−1.
func (p *probe) resembles(t *testing.T, sent *traffic) {
	t.Helper()
	in, out, squares := sent.sum(p.only4, p.overhead)
	truth := in.packets() + out.packets()
	within := func(what string, got, want uint64, squares float64) {
		t.Helper()
		off := (float64(got) - float64(want)) / math.Sqrt(float64(p.sampling-1)*squares)
		t.Logf("%s: %d of %d, %+.2f standard deviations", what, got, want, off)
		if math.Abs(off) > 4 {
			t.Errorf("%s: %d of %d, %.2f standard deviations off", what, got, want, off)
		}
	}
	within("packets", p.in.packets()+p.out.packets(), truth, float64(truth))
	within("bytes", p.in.bytes+p.out.bytes, in.bytes+out.bytes, squares)
}

// TestLabSoftflowd counts what softflowd tells: lengths of IP packets. It samples one in N by
// turns, and tells N in the header of v5 and in options of v9 and IPFIX.
func TestLabSoftflowd(t *testing.T) {
	l, sent := lab.New(t, lab.Options{}), sampleTraffic(t)
	probes := []probe{
		{name: "v5", version: 5, sampling: 1, only4: true},
		{name: "v9", version: 9, sampling: 1},
		{name: "IPFIX", version: 10, sampling: 1},
		{name: "v5 1:10", version: 5, sampling: 10, only4: true},
		{name: "v9 1:10", version: 9, sampling: 10},
		{name: "IPFIX 1:10", version: 10, sampling: 10},
	}
	daemons := make([]*exporter.Softflowd, len(probes))
	collect(t, l, probes)
	for i := range probes {
		daemons[i] = exporter.StartSoftflowd(t, l.Sut(), probes[i].options())
	}
	sent.replay(t, l, probes[0].weir, 0)
	other := make([]byte, 200)
	(&blast.Ethernet{Type: 0x88b5}).Put(other) // nobody counts it: for local experiments (IEEE 802)
	for i, d := range daemons {
		least := len(sent.frames) / probes[i].sampling
		probes[i].weir.eventually("has softflowd seen all", func() bool {
			n, err := d.Packets()
			if err == nil && n >= least {
				return true
			}
			fill(t, l, other) // it reads packets when there are enough
			return false
		})
		if err := d.Expire(); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, probes, sent)
}

// fill sends enough of a frame for exporters to get on with what waits in them.
func fill(t *testing.T, l *lab.Lab, frame []byte) {
	t.Helper()
	if _, err := l.SendFrames(0, slices.Repeat([][]byte{frame}, 500)); err != nil {
		t.Fatal(err)
	}
}

// TestLabPmacct counts what pmacctd's plugins tell: lengths of IP packets.
func TestLabPmacct(t *testing.T) {
	l, sent := lab.New(t, lab.Options{}), sampleTraffic(t)
	probes := []probe{
		{name: "sfprobe", sampling: 1},
		{name: "nfprobe v5", version: 5, sampling: 1, only4: true},
		{name: "nfprobe v9", version: 9, sampling: 1},
		{name: "nfprobe IPFIX", version: 10, sampling: 1},
		{name: "sfprobe 1:10", sampling: 10},
		{name: "nfprobe v5 1:10", version: 5, sampling: 10, only4: true},
		{name: "nfprobe v9 1:10", version: 9, sampling: 10},
		{name: "nfprobe IPFIX 1:10", version: 10, sampling: 10},
	}
	collect(t, l, probes)
	for i := range probes {
		if p := &probes[i]; p.version > 0 {
			exporter.StartNFProbe(t, l.Sut(), p.options())
		} else {
			exporter.StartSFProbe(t, l.Sut(), p.options())
		}
	}
	sent.replay(t, l, probes[0].weir, 0)
	// What waits for a full datagram comes with packets that are not of weir's networks.
	foreign := lab.UDPFrame(netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("198.18.0.2"),
		1, 2, 90)
	fill(t, l, foreign)
	compare(t, probes, sent)
}

// TestLabOpenVSwitch counts what Open vSwitch tells. Its NetFlow knows only IPv4, and counts the
// Ethernet header too, which weir cannot see. Its IPFIX multiplies by N itself, and tells no rate.
func TestLabOpenVSwitch(t *testing.T) {
	l, sent := lab.New(t, lab.Options{Links: 2}), sampleTraffic(t)
	probes := []probe{
		{name: "sFlow", sampling: 1},
		{name: "NetFlow v5", sampling: 1, only4: true, overhead: blast.EthernetLen},
		{name: "IPFIX", sampling: 1},
		{name: "sFlow 1:10", sampling: 10},
		{name: "IPFIX 1:10", sampling: 10},
	}
	collect(t, l, probes)
	exporter.StartSwitch(t, l.Sut(), exporter.Bridge{
		Interface: "mirror0", SFlow: probes[0].collector(), NetFlow: probes[1].collector(),
		IPFIX: probes[2].collector(),
	}, exporter.Bridge{
		Interface: "mirror1", Sampling: 10, SFlow: probes[3].collector(),
		IPFIX: probes[4].collector(),
	})
	sent.replay(t, l, probes[0].weir, 0, 1)
	compare(t, probes, sent)
}
