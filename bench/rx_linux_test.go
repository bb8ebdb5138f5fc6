package bench

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/ring/afpacket"
	"weir/ring/afxdp"
	"weir/tools/blast"
	"weir/tools/lab"
)

// network skips where there can be no lab.
func network(t *testing.T) { lab.New(t, lab.Options{}) }

// What is sent is received or lost at a named place, to the packet.
func TestRx(t *testing.T) {
	network(t)
	for _, via := range []string{ViaAFXDP, ViaAFPacket} {
		t.Run(via, func(t *testing.T) {
			w, err := blast.Find("W2")
			if err != nil {
				t.Fatal(err)
			}
			r, err := Rx(t.Context(), &RxConfig{
				Via: via, Workload: w, Rate: 20_000, Seconds: 1.2, Runs: 2,
				Degraded: []string{"a reason"},
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.Granted == "" || r.Interface != "veth" || r.NSPerPacket <= 0 || len(r.Each) != 2 ||
				r.Workload != "W2" || r.Packets < 10_000 || len(r.RunsNS) != 2 {
				t.Errorf("%+v", r)
			}
			copied := slices.Contains(r.Degraded, "interface granted "+r.Granted+" mode")
			if !slices.Contains(r.Degraded, "a reason") || copied != (via == ViaAFXDP) {
				t.Errorf("degraded: %q", r.Degraded)
			}
			for _, run := range r.Each {
				in := run.Received + run.Lost.Total() - run.Lost[LostTable]
				if run.Sent < 10_000 || in != run.Sent || run.Seconds < 1.2 || run.MPPS <= 0 {
					t.Errorf("%+v", run)
				}
			}
		})
	}
}

func TestRxSearch(t *testing.T) {
	network(t)
	w, err := blast.Find("W1")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Rx(t.Context(), &RxConfig{
		Via: ViaAFXDP, Workload: w, Rate: 1, Seconds: 0.2, Runs: 1,
		Searches: []Search{
			{Highest: 50_000, Within: 0.5, Tries: 3},
			{Highest: 50_000, Within: 0.5, Tries: 3, Allowed: 0.9},
		},
	})
	if err != nil || len(r.Rates) != 2 || r.Rates[1].PPS <= 0 || len(r.Rates[1].Trials) == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if r.NSPerPacket <= 0 || r.MPPS <= 0 || r.Packets == 0 || len(r.RunsNS) != 1 ||
		r.Seconds <= 0 || r.Loss != r.Rates[0].Loss {
		t.Errorf("no figures of the trial that passed: %+v", r)
	}
}

// An interface at which nothing happens, or which goes away, has no figures.
func TestRxNothing(t *testing.T) {
	f := func(c RxConfig, while func(l *lab.Lab) error, want string) {
		t.Helper()
		l := lab.New(t, lab.Options{})
		c.Interface, c.Home, c.Runs = lab.Sut.Interface(0), blast.Home4(), 1
		over := make(chan error, 1)
		go func() { over <- while(l) }()
		err := l.Sut().Do(func() error {
			_, err := Rx(t.Context(), &c)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", c.Via, err, want)
		}
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
	for _, via := range []string{ViaAFXDP, ViaAFPacket} {
		f(RxConfig{Via: via, Seconds: 0.2}, func(*lab.Lab) error { return nil },
			"no packet came to mirror0 in 200ms")
		f(RxConfig{Via: via, Seconds: 1.5}, func(l *lab.Lab) error {
			time.Sleep(700 * time.Millisecond)
			return l.Remove(0)
		}, "interface mirror0 is gone")
	}
}

// What comes to an interface that is not ours is "live", at no rate that we know.
func TestRxLive(t *testing.T) {
	l := lab.New(t, lab.Options{})
	src, dst := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.0.0.1")
	frame := lab.UDPFrame(src, dst, 1, 2, 60)
	stream := l.Stream(0, [][]byte{frame})
	c := RxConfig{
		Via: ViaAFPacket, Interface: lab.Sut.Interface(0), Home: blast.Home4(), Rate: 5e5,
		Seconds: 0.5, Runs: 1,
	}
	var r RxResult
	err := l.Sut().Do(func() (err error) {
		r, err = Rx(t.Context(), &c)
		return err
	})
	if err != nil || r.Workload != LiveWorkload || r.Offered != 0 || r.Packets == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := stream.Stop(); err != nil {
		t.Error(err)
	}
}

func TestRxFailure(t *testing.T) {
	f := func(c RxConfig) {
		t.Helper()
		if _, err := Rx(t.Context(), &c); err == nil {
			t.Errorf("%+v is received", c)
		}
	}
	f(RxConfig{Via: "pcap", Rate: 1, Seconds: 1, Runs: 1})
	f(RxConfig{Via: ViaAFXDP, Seconds: 1, Runs: 1})
	f(RxConfig{Via: ViaAFXDP, Rate: 1, Runs: 1})
	f(RxConfig{Via: ViaAFXDP, Rate: 1, Seconds: 1})
	f(RxConfig{Via: ViaAFXDP, Interface: "weir-none", Seconds: 1, Runs: 1, Home: blast.Home4()})
}

func TestRxAccount(t *testing.T) {
	before := drops{named: map[string]uint64{afxdp.DropRing: 5, afxdp.DropFill: 1}, passed: 2}
	now := drops{passed: 4, named: map[string]uint64{
		afxdp.DropRing: 15, afxdp.DropFill: 1, afxdp.DropMissed: 3, afxdp.DropUnattached: 7,
	}}
	want := Lost{LostLink: 3, LostXDP: 9, LostRing: 10, LostTable: 6}
	r := RxRun{Received: 100}
	r.account(now.since(before), 6, false)
	if !maps.Equal(r.Lost, want) || r.Sent != 122 {
		t.Errorf("an interface: %+v, not %v", r, want)
	}
	r = RxRun{Sent: 130, Received: 100}
	r.account(now.since(before), 6, true)
	want[LostLink] += 8 // that nobody has counted
	if !maps.Equal(r.Lost, want) || r.loss() != float64(36)/130 {
		t.Errorf("our own: %+v, not %v", r, want)
	}
}

func TestHoldAccount(t *testing.T) {
	before := map[string]float64{"weir_core_packets_total": 10, metricDropped + "x": 1}
	after := map[string]float64{
		"weir_core_packets_total": 110, "weir_shed_packets_total": 2,
		"weir_rx_passed_packets_total": 3, "weir_late_flips_total": 1,
		metricDropped + afpacket.DropRing: 4, metricDropped + afxdp.DropMissed: 5,
		metricDropped + "x": 1,
	}
	h := Hold{Sent: 120}
	h.account(before, after)
	want := Lost{LostLink: 5 + 8, LostXDP: 3, LostRing: 4, LostTable: 2}
	if !maps.Equal(h.Lost, want) || h.Received != 100 || h.LateFlips != 1 {
		t.Errorf("%+v, not %v", h, want)
	}
}
