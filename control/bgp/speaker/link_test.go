package speaker

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"weir/control/bgp/bgptest"
	"weir/control/bgp/wire"
)

var testSetup = &wire.Setup{
	AS: 65001, RouterID: netip.MustParseAddr("192.0.2.10"),
	Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
}

func testRIB(t testing.TB) *rib {
	t.Helper()
	r, err := newRIB(testSetup, &wire.Peer{AS: 65003, GracefulRestart: 120}, "key",
		slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	want := netip.MustParsePrefix("203.0.113.7/32")
	err = r.hold(map[netip.Prefix]wire.Route{
		want: {Prefix: want, NextHop: netip.MustParseAddr("192.0.2.1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// converse lets a peer say something to a GoBGP through a link, and stay for a while, and returns
// the link when it has ended.
func converse(t testing.TB, r *rib, said []byte, stay time.Duration) *link {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	gobgp, open, err := r.begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer r.end()
	near, far := net.Pipe()
	l := newLink(near, gobgp, open, newGuard(testSetup), func() {})
	go func() {
		in := bufio.NewReader(far)
		for {
			if _, err := in.ReadByte(); err != nil {
				return
			}
		}
	}()
	go func() {
		_, _ = far.Write(said) // fails where the link ends before it was heard
		time.Sleep(stay)
		_ = far.Close()
	}()
	_ = l.run() // it is remembered
	return l
}

// before is what makes a session of a peer whose AS numbers have two octets.
func before() []byte {
	raw := &bgptest.Raw{AS: 65003, Restart: 120, RouterID: netip.MustParseAddr("192.0.2.3")}
	return append(bgptest.Message(bgptest.Open, raw.OpenBody()...),
		bgptest.Message(bgptest.Keepalive)...)
}

// TestNothingThatAPeerSaysEndsGoBGP sends what did, as published, and several hundred mutations,
// before and after a session is established. A panic of GoBGP's goroutines ends the test.
func TestNothingThatAPeerSaysEndsGoBGP(t *testing.T) {
	n := 600
	if testing.Short() {
		n = 60
	}
	r, random := testRIB(t), rand.New(rand.NewPCG(3, 4))
	session := before()
	seeds := [][]byte{
		bgptest.UnknownType(), bgptest.EarlyAS4Path(65003),
		bgptest.Message(bgptest.Update, 0, 0, 0, 0), bgptest.Message(bgptest.Keepalive),
		bgptest.Message(bgptest.Notification, 6, 2, 3, 'b', 'y', 'e'),
		bgptest.Message(bgptest.Notification, 6, 4, 200), // longer than it is
		bgptest.Message(bgptest.RouteRefresh, 0, 1, 0, 1), session,
	}
	for _, s := range seeds {
		converse(t, r, slices.Concat(session, s), time.Millisecond)
	}
	established := 0
	for range n {
		said := slices.Concat(session, seeds[random.IntN(len(seeds))])
		from := 16
		if random.IntN(2) == 0 {
			from = len(session) + 16 // the session itself is sound
		}
		for range 1 + random.IntN(4) {
			said[from+random.IntN(len(said)-from)] = byte(random.Uint32())
		}
		if l := converse(t, r, said, time.Millisecond); l.state() == wire.Established {
			established++
		}
	}
	t.Logf("%d of %d sessions were established", established, n)
	l := converse(t, r, session, 100*time.Millisecond)
	if l.state() != wire.Established || len(l.standing()) != 1 {
		t.Errorf("at the end a session is %s, and %v stands", l.state(), l.standing())
	}
}

func TestUpdatesOfAPeerAreNotPassedOn(t *testing.T) {
	near, far := net.Pipe()
	inner, gobgp := net.Pipe()
	l := newLink(near, inner, before()[:openSize], newGuard(testSetup), func() {})
	go func() { _ = l.run() }()
	defer l.finish(nil)
	go func() {
		_, _ = far.Read(make([]byte, maxMessage))
		_, _ = far.Write(slices.Concat(before(), bgptest.EarlyAS4Path(65003),
			bgptest.EarlyAS4Path(65003), bgptest.UnknownType()))
	}()
	var buf [maxMessage]byte
	var kinds []byte
	for in := bufio.NewReader(gobgp); ; {
		m, err := readMessage(in, &buf)
		if err != nil {
			break
		}
		kinds = append(kinds, m.kind())
		if m.kind() == bgp.BGP_MSG_UPDATE && !bytes.Equal(m, unicast4.endOfRIB()) {
			t.Errorf("GoBGP got % x", []byte(m))
		}
	}
	if want := []byte{1, 4, 2, 4}; !bytes.Equal(kinds, want) { // the last is for the first UPDATE
		t.Errorf("GoBGP got messages of types %v, want %v", kinds, want)
	}
	if l.ignoredCount() != 2 {
		t.Errorf("%d updates were counted", l.ignoredCount())
	}
}

// TestLinkLetsNothingOutThatMayNotBe has a GoBGP that announces what nobody wanted.
func TestLinkLetsNothingOutThatMayNotBe(t *testing.T) {
	for prefix, lets := range map[string]bool{
		"203.0.113.7/32": true, "203.0.113.0/24": false, "198.51.100.1/32": false,
		"0.0.0.0/0": false, "192.0.2.10/32": false,
	} {
		p := netip.MustParsePrefix(prefix)
		update := bgp.NewBGPUpdateMessage(nil, []bgp.PathAttributeInterface{
			bgp.NewPathAttributeOrigin(0), bgp.NewPathAttributeNextHop("192.0.2.1"),
		}, []*bgp.IPAddrPrefix{bgp.NewIPAddrPrefix(uint8(p.Bits()), p.Addr().String())})
		m, err := update.Serialize()
		if err != nil {
			t.Fatal(err)
		}
		near, far := net.Pipe()
		l := newLink(near, nil, nil, newGuard(testSetup), func() {})
		heard := make(chan int, 1)
		go func() {
			n, _ := far.Read(make([]byte, maxMessage))
			heard <- n
		}()
		err = l.give(m)
		_ = near.Close()
		if n := <-heard; (n > 0) != lets || (err == nil) != lets || len(l.standing()) != n/len(m) {
			t.Errorf("%s: %d bytes were sent, error %v", prefix, n, err)
		}
	}
}

// FuzzReadMessage takes any bytes, and returns messages that are sound as far as they are read.
func FuzzReadMessage(f *testing.F) {
	f.Add(before())
	f.Add(bgptest.EarlyAS4Path(65003))
	f.Add(bgptest.UnknownType())
	f.Fuzz(func(t *testing.T, stream []byte) {
		in := bufio.NewReader(bytes.NewReader(stream))
		var buf [maxMessage]byte
		for {
			m, err := readMessage(in, &buf)
			if err != nil {
				return
			}
			switch m.kind() {
			case bgp.BGP_MSG_OPEN:
				families(m)
			case bgp.BGP_MSG_NOTIFICATION:
				if describe(m) == "" {
					t.Error("no description")
				}
			}
		}
	})
}
