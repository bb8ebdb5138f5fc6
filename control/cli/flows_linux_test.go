package cli

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"weir/decode/netflow/netflowtest"
	"weir/tools/lab"
)

// teller is an exporter that a test plays, in the namespace of weir.
type teller struct {
	t      *testing.T
	conn   net.Conn
	booted time.Time
	seq    uint32
}

func newTeller(t *testing.T, l *lab.Lab) *teller {
	t.Helper()
	x := &teller{t: t, booted: time.Now().Add(-time.Hour)}
	err := l.Sut().Do(func() (err error) {
		x.conn, err = net.Dial("udp", "127.0.0.1:2055")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.conn.Close() })
	return x
}

// header is that of the next datagram, which moves the sequence number by so much: a datagram of v9
// by one, of v5 and IPFIX by the number of its flows. One that jumps is noted and does no harm.
func (x *teller) header(flows int) netflowtest.Header {
	h := netflowtest.Header{
		Seq: x.seq, Uptime: uint32(time.Since(x.booted).Milliseconds()),
		Seconds: uint32(time.Now().Unix()),
	}
	x.seq += uint32(flows)
	return h
}

func (x *teller) send(datagram []byte) {
	x.t.Helper()
	if _, err := x.conn.Write(datagram); err != nil {
		x.t.Fatal(err)
	}
}

// flowPackets is how many packets each flow has.
const flowPackets = 500

// flows are n flows of the last second towards target.
func (x *teller) flows(target string, n int) []netflowtest.Flow {
	ip := netip.MustParseAddr(target).As4()
	flows := netflowtest.Flows(1, n)
	now := uint32(time.Since(x.booted).Milliseconds())
	for i := range flows {
		f := &flows[i]
		f.Dst = uint32(ip[0])<<24 | uint32(ip[1])<<16 | uint32(ip[2])<<8 | uint32(ip[3])
		f.SrcPort, f.Proto, f.Flags = 53, 17, 0
		f.Packets, f.Bytes = flowPackets, flowPackets*1000
		f.First, f.Last = now-1000, now
	}
	return flows
}

// collecting starts a weir whose only source are exporters.
func collecting(t *testing.T) (*rig, *teller) {
	t.Helper()
	l := lab.New(t, lab.Options{})
	return newRig(t, l, `flows: [{listen: "127.0.0.1:2055"}]`), newTeller(t, l)
}

// TestLabAttackInFlows tells weir of floods that no mirror shows: each is known within a second of
// the datagram that tells of it, with evidence.
func TestLabAttackInFlows(t *testing.T) {
	const slack = 250 * time.Millisecond // a busy machine, as in TestLabDetects
	r, x := collecting(t)
	x.send(netflowtest.F1Template(nil, x.header(1)))
	x.send(netflowtest.F2Template(nil, x.header(0)))
	const flows = 30 // of one datagram: three times the limit
	tell := []func(b []byte, h netflowtest.Header, f []netflowtest.Flow) []byte{
		netflowtest.F1, netflowtest.F2, netflowtest.F3,
	}
	rounds := 9
	if testing.Short() {
		rounds = len(tell)
	}
	var longest time.Duration
	for i := range rounds {
		time.Sleep(time.Duration(i*137%100) * 10 * time.Millisecond)
		target := fmt.Sprintf("10.0.8.%d", i+1)
		sent := time.Now()
		x.send(tell[i%len(tell)](nil, x.header(flows), x.flows(target, flows)))
		r.eventually("finds "+target, func() bool {
			_, ok := r.attack(target, "active")
			return ok
		})
		a, _ := r.attack(target, "active")
		longest = max(longest, a.Detected.Sub(sent))
		const told = flows * flowPackets // in a second, or in one that the loop ends late
		if a.Trigger.Metric != "incoming_pps" || a.PeakPPS < told/2 || a.PeakPPS > told {
			t.Errorf("%s: trigger %+v, peak %d pps", target, a.Trigger, a.PeakPPS)
		}
		r.eventually("has evidence of "+target, func() bool { return r.proved(a.ID, a.Detected) })
	}
	t.Logf("found %v after the datagram at most", longest.Round(time.Millisecond))
	if longest > time.Second+slack {
		t.Errorf("an attack was found after %v", longest)
	}
}

// TestLabTemplatesStay restarts weir between a template and the next data: the very next datagram
// counts, also after a kill.
func TestLabTemplatesStay(t *testing.T) {
	r, x := collecting(t)
	next := func(what string, counts bool) {
		t.Helper()
		x.send(netflowtest.F1(nil, x.header(1), x.flows("10.0.8.1", 10)))
		if !counts {
			time.Sleep(2500 * time.Millisecond)
		}
		r.eventually(what+": counts the datagram", func() bool {
			in, _ := r.counted()
			return in.udp == 10*flowPackets || !counts
		})
		if in, _ := r.counted(); in.udp > 0 && !counts {
			t.Errorf("%s: a datagram without a template counts: %+v", what, in)
		}
	}
	next("before any template", false)
	x.send(netflowtest.F1Template(nil, x.header(1)))
	next("at first", true)
	if err := r.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r.start()
	next("after a stop", true)
	_ = r.stop(syscall.SIGKILL)
	r.start()
	next("after a kill", true)
	_ = r.stop(syscall.SIGKILL)
	if err := os.Remove(filepath.Join(r.dir, "state", "templates")); err != nil {
		t.Fatal(err)
	}
	r.start()
	next("without the file", false)
}
