package ban

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"weir/control/detect"
	"weir/control/rate"
)

const victim = "198.51.100.7"

func TestLife(t *testing.T) {
	f := func(name string, lease, quiet time.Duration, play func(d *diary), want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			d := newDiary(lease, quiet)
			play(d)
			d.want(t, want...)
			if _, routed := d.Deadline(); routed || d.Open() != 0 {
				t.Errorf("%d incidents open, routes %v", d.Open(), routed)
			}
		})
	}
	const s = time.Second
	f("the lease outlasts the attack", 10*s, 3*s, func(d *diary) {
		d.seconds(5, victim)
		d.seconds(20)
	}, "1 started "+victim, "1 announced "+victim, "8 ended "+victim, "11 withdrawn "+victim)

	f("the attack outlasts the lease", 5*s, 3*s, func(d *diary) {
		d.seconds(20, victim)
		d.seconds(20)
	}, "1 started "+victim, "1 announced "+victim, "23 withdrawn "+victim, "23 ended "+victim)

	f("the lease ends in the quiet", 6*s, 3*s, func(d *diary) {
		d.seconds(5, victim)
		d.seconds(20)
	}, "1 started "+victim, "1 announced "+victim, "8 withdrawn "+victim, "8 ended "+victim)

	f("one second", 2*s, 1*s, func(d *diary) {
		d.second(victim)
		d.seconds(5)
	}, "1 started "+victim, "1 announced "+victim, "2 ended "+victim, "3 withdrawn "+victim)

	f("pulses shorter than the quiet are one attack", 4*s, 3*s, func(d *diary) {
		for range 10 {
			d.second(victim)
			d.seconds(2)
		}
		d.seconds(10)
	}, "1 started "+victim, "1 announced "+victim, "31 withdrawn "+victim, "31 ended "+victim)

	f("found between two ticks", 5*s, 3*s, func(d *diary) {
		d.seconds(1)
		d.now += 300e6
		d.report(victim)
		d.now += 700e6
		d.tick()
		d.seconds(10)
	}, "1.3 started "+victim, "1.3 announced "+victim, "5 ended "+victim, "7 withdrawn "+victim)

	f("verdicts between two ticks hold it open", 5*s, 2*s, func(d *diary) {
		for range 6 {
			d.now += 300e6
			d.report(victim)
			d.now += 700e6
			d.tick()
		}
		d.seconds(10)
	}, "0.3 started "+victim, "0.3 announced "+victim, "8 withdrawn "+victim, "8 ended "+victim)

	f("allowlisted: recorded, never mitigated", 5*s, 3*s, func(d *diary) {
		d.allow = []string{victim}
		d.seconds(5, victim)
		d.seconds(20)
	}, "1 started "+victim, "8 ended "+victim)

	f("IPv6", 5*s, 3*s, func(d *diary) {
		d.seconds(5, "2001:db8::7")
		d.seconds(20)
	}, "1 started 2001:db8::7", "1 announced 2001:db8::7", "8 withdrawn 2001:db8::7",
		"8 ended 2001:db8::7")
}

func TestAttackedAgain(t *testing.T) {
	d := newDiary(10*time.Second, 3*time.Second)
	d.seconds(2, victim)
	d.seconds(4) // over at 5, the route stands until 11
	d.seconds(2, victim)
	d.seconds(20)
	// No second announcement; the lease counts from the second verdict at 7.
	d.want(t, "1 started "+victim, "1 announced "+victim, "5 ended "+victim, "7 started "+victim,
		"11 ended "+victim, "17 withdrawn "+victim)
	if d.ids[3] == d.ids[0] || d.ids[5] != d.ids[3] {
		t.Errorf("incidents %v: two of them, and the route ends with the second", d.ids)
	}
	first, second := &d.incidents[0], &d.incidents[1]
	if len(first.Actions) != 1 || len(second.Actions) != 0 {
		t.Errorf("actions: %+v, then %+v; want the announcement in the first", first.Actions,
			second.Actions)
	}

	d.seconds(1, victim) // after the withdrawal everything begins anew
	d.seconds(20)
	n := len(d.lines)
	if got := d.lines[n-4:]; !slices.Equal(got, []string{"29 started " + victim,
		"29 announced " + victim, "32 ended " + victim, "39 withdrawn " + victim}) {
		t.Errorf("the third time: %v", got)
	}
}

// A lease that runs out during a second attack waits for that one's end.
func TestLeaseOfTheAttackBefore(t *testing.T) {
	d := newDiary(6*time.Second, 2*time.Second)
	d.second(victim)
	d.seconds(3)
	d.allow = []string{victim} // what stands is not renewed for it, and not taken from it
	d.seconds(6, victim)
	d.seconds(10)
	d.want(t, "1 started "+victim, "1 announced "+victim, "3 ended "+victim, "5 started "+victim,
		"12 withdrawn "+victim, "12 ended "+victim)
	if d.ids[4] != d.ids[0] {
		t.Errorf("the route is the first incident's, withdrawn with %s", d.ids[4])
	}

	d = newDiary(20*time.Second, 2*time.Second)
	d.second(victim)
	d.seconds(3)
	d.allow = []string{victim}
	d.second(victim)
	d.seconds(20)
	d.want(t, "1 started "+victim, "1 announced "+victim, "3 ended "+victim, "5 started "+victim,
		"7 ended "+victim, "21 withdrawn "+victim)
	if d.ids[5] != d.ids[0] || d.incidents[0].Allowed || !d.incidents[1].Allowed {
		t.Errorf("the route is the first incident's, withdrawn with %s; allowed %v, then %v",
			d.ids[5], d.incidents[0].Allowed, d.incidents[1].Allowed)
	}
}

// Blind is not calm: the quiet clock stands still. A lease still ends.
func TestBlind(t *testing.T) {
	d := newDiary(10*time.Second, 3*time.Second)
	d.seconds(2, victim)
	d.second()
	d.dark(60)
	d.second()
	d.dark(60)
	d.want(t, "1 started "+victim, "1 announced "+victim, "12 withdrawn "+victim)
	d.second() // the third second of calm
	d.want(t, "1 started "+victim, "1 announced "+victim, "12 withdrawn "+victim,
		"125 ended "+victim)
	if d.incidents[0].End != epoch+2*rate.Second {
		t.Errorf("it ended at %d s, want the last second over a limit",
			(d.incidents[0].End-epoch)/rate.Second)
	}

	// An attack that goes on after the darkness is the same one.
	d = newDiary(40*time.Second, 3*time.Second)
	d.seconds(2, victim)
	d.dark(30)
	d.second(victim)
	d.seconds(2)
	d.want(t, "1 started "+victim, "1 announced "+victim)
	d.second()
	d.want(t, "1 started "+victim, "1 announced "+victim, "36 ended "+victim)
	d.seconds(10)
	d.want(t, "1 started "+victim, "1 announced "+victim, "36 ended "+victim,
		"41 withdrawn "+victim)

	// The time of a route whose attack is over counts on in the dark.
	d = newDiary(10*time.Second, 3*time.Second)
	d.second(victim)
	d.seconds(4)
	d.dark(30)
	d.want(t, "1 started "+victim, "1 announced "+victim, "4 ended "+victim,
		"11 withdrawn "+victim)
}

// Late ticks are longer than a second; the quiet clock stands still for all of a blind one.
func TestBlindLateTicks(t *testing.T) {
	d := newDiary(time.Minute, 3*time.Second)
	d.second(victim)
	d.now += 400e6
	d.report(victim) // the quiet begins here, not at the tick before
	for range 20 {
		d.now += 1500e6
		d.note(d.Tick(d.now, true, nil))
	}
	d.second()
	d.second()
	d.want(t, "1 started "+victim, "1 announced "+victim)
	d.second()
	d.want(t, "1 started "+victim, "1 announced "+victim, "34.4 ended "+victim)
}

func TestOrderOfAddresses(t *testing.T) {
	d := newDiary(5*time.Second, 2*time.Second)
	targets := []string{"2001:db8::1", "10.0.0.9", "2001:db8::", "192.0.2.1", "10.0.0.10"}
	d.second(targets...)
	var each []string
	d.Each(func(in *Incident) { each = append(each, in.Target.Addr().String()) })
	order := []string{"10.0.0.9", "10.0.0.10", "192.0.2.1", "2001:db8::", "2001:db8::1"}
	if !slices.Equal(each, order) {
		t.Errorf("each: %v", each)
	}
	d.second(targets[:4]...)
	d.second(targets[:4]...)
	d.lines = nil
	d.seconds(10)
	d.want(t, "5 ended 10.0.0.9", "5 ended 192.0.2.1", "5 ended 2001:db8::",
		"5 ended 2001:db8::1", "6 withdrawn 10.0.0.9", "6 withdrawn 10.0.0.10",
		"6 withdrawn 192.0.2.1", "6 withdrawn 2001:db8::", "6 withdrawn 2001:db8::1")
}

// An incident says what it knows at every moment of its life.
func TestIncident(t *testing.T) {
	b := NewBook(Config{Time: 5 * time.Second, Quiet: 2 * time.Second, DryRun: true,
		Communities: []Community{Blackhole}})
	v := verdict("2001:db8::7", epoch)
	v.Vectors = []detect.Vector{{Name: "udp_flood", Share: 1}}
	v.Averages[1] = pps(33)[0]
	events := b.Mitigate(epoch, &diary{}, b.Report(v, nil))
	if len(events) != 2 || events[0].Kind != Started || events[1].Kind != Announced {
		t.Fatalf("events %+v", events)
	}
	in := events[0].Incident
	if in.Target != netip.MustParsePrefix("2001:db8::7/128") || in.Trigger != v.Trigger ||
		in.Begin != v.Begin || in.Detected != epoch || in.End != 0 || in.Allowed ||
		!slices.Equal(in.Vectors, v.Vectors) || in.AtVerdict != v.Rates || in.Last != v.Rates ||
		in.Averages != v.Averages || len(in.Timeline) != 0 {
		t.Errorf("at the verdict: %+v", in)
	}
	a := events[1].Action
	if a.Kind != "blackhole" || a.Prefix != in.Target || a.Event != Announced || !a.DryRun ||
		a.Time != epoch || !slices.Equal(a.Communities, []string{"65535:666"}) {
		t.Errorf("announced %+v", a)
	}

	b.Second(v.Target, epoch+1e9, pps(300), true)
	b.Second(v.Target, epoch+2e9, pps(200), true)
	b.Tick(epoch+2e9, false, nil)
	b.Each(func(in *Incident) {
		if in.End != 0 || in.Last != pps(200) || len(in.Timeline) != 2 {
			t.Errorf("while it goes on: %+v", in)
		}
	})
	events = b.Tick(epoch+4e9, false, nil)
	if len(events) != 1 || events[0].Kind != Ended || events[0].Incident.End != epoch+2e9 ||
		len(events[0].Incident.Timeline) != 2 {
		t.Fatalf("the end: %+v", events)
	}
	events = b.Tick(epoch+5e9, false, nil)
	if len(events) != 1 || events[0].Kind != Withdrawn {
		t.Fatalf("after the end: %+v", events)
	}
	in, a = events[0].Incident, events[0].Action
	if a.Reason != "attack_over" || a.Event != Withdrawn || !a.DryRun || a.Time != epoch+5e9 {
		t.Errorf("withdrawn %+v", a)
	}
	if len(in.Actions) != 2 || in.Actions[1].Event != Withdrawn || in.End != epoch+2e9 ||
		in.PeakPPS != 300 || in.Timeline != nil {
		t.Errorf("at the withdrawal: %+v", in)
	}
}

// Peaks are those of the trigger's direction, of the verdict and of every second.
func TestPeaks(t *testing.T) {
	b := NewBook(Config{Time: time.Second, Quiet: 9 * time.Second})
	v := verdict(victim, epoch)
	v.Trigger.Direction = rate.Outgoing
	measured := func(packets, bits, flows uint64) (r [2]rate.Rates) {
		r = pps(1 << 40)
		r[rate.Outgoing].Packets[rate.Total] = packets
		r[rate.Outgoing].Bits[rate.Total] = bits
		r[rate.Outgoing].Flows = flows
		return r
	}
	f := func(packets, bits, flows uint64) {
		t.Helper()
		b.Each(func(in *Incident) {
			if in.PeakPPS != packets || in.PeakBPS != bits || in.PeakFPS != flows {
				t.Errorf("peaks %d pps, %d bps, %d fps; want %d, %d, %d", in.PeakPPS, in.PeakBPS,
					in.PeakFPS, packets, bits, flows)
			}
		})
	}
	v.Rates = measured(10, 80, 3)
	b.Report(v, nil)
	f(10, 80, 3)
	b.Second(v.Target, epoch+1e9, measured(5, 100, 2), true)
	f(10, 100, 3)
	b.Second(v.Target, epoch+2e9, measured(12, 1, 1), false)
	f(12, 100, 3)
	b.Second(v.Target, epoch+3e9, measured(1, 1, 9), true)
	f(12, 100, 9)
	b.Second(netip.MustParseAddr("10.0.0.1"), epoch+3e9, measured(99, 999, 99), true)
	f(12, 100, 9)
}

func TestID(t *testing.T) {
	id := func(policy uint64, change func(v *Verdict)) string {
		b := NewBook(Config{Policy: policy})
		v := verdict(victim, epoch)
		change(v)
		return b.Report(v, nil)[0].Incident.ID
	}
	same := func(*Verdict) {}
	first := id(1, same)
	if again := id(1, same); again != first || len(first) != 16 {
		t.Errorf("the same incident is %s and %s", first, again)
	}
	if again := id(1, func(v *Verdict) { v.Now++; v.Rates = pps(7) }); again != first {
		t.Error("when it was found is part of its name")
	}
	seen := map[string]bool{first: true}
	f := func(policy uint64, change func(v *Verdict)) {
		t.Helper()
		got := id(policy, change)
		if seen[got] {
			t.Errorf("the name %s is another's", got)
		}
		seen[got] = true
	}
	f(2, same)
	f(1<<63, same)
	f(1, func(v *Verdict) { v.Begin++ })
	f(1, func(v *Verdict) { v.Begin += rate.Second })
	f(1, func(v *Verdict) { v.Target = v.Target.Next() })
	f(1, func(v *Verdict) { v.Target = netip.MustParseAddr("2001:db8::7") })
}

func hostAddr(n int) netip.Addr {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 10<<24+uint32(n))
	return netip.AddrFrom4(a)
}

func TestMaxOpen(t *testing.T) {
	d := newDiary(5*time.Second, 2*time.Second)
	for n := range MaxOpen {
		d.report(hostAddr(n).String())
	}
	if d.Open() != MaxOpen || d.Refused != 0 || len(d.lines) != 2*MaxOpen {
		t.Fatalf("%d open, %d refused, %d events", d.Open(), d.Refused, len(d.lines))
	}
	d.lines = nil
	d.report(victim)
	d.report(victim)
	d.report(hostAddr(7).String()) // has its place
	if d.Open() != MaxOpen || d.Refused != 2 || len(d.lines) != 0 ||
		d.Has(netip.MustParseAddr(victim)) {
		t.Errorf("full: %d open, %d refused, events %v", d.Open(), d.Refused, d.lines)
	}
	d.seconds(2, hostAddr(7).String())
	d.lines = nil
	d.report(victim)
	if d.Open() != 2 || d.Refused != 2 || len(d.lines) == 0 {
		t.Errorf("with room: %d open, %d refused, events %v", d.Open(), d.Refused, d.lines)
	}
}

// Leases outlast attacks, so routes have a bound of their own: one attack a second on ever new
// hosts must not fill the memory.
func TestMaxRoutes(t *testing.T) {
	d := newDiary(24*time.Hour, time.Second)
	for n := range MaxRoutes + 10 {
		d.report(hostAddr(n).String())
		d.seconds(1)
	}
	if len(d.routes) != MaxRoutes || d.Unrouted != 10 {
		t.Fatalf("%d routes, %d without room", len(d.routes), d.Unrouted)
	}
	d.lines = nil
	d.report(hostAddr(3).String()) // has its route
	d.report(victim)
	d.want(t, fmt.Sprintf("%d started 10.0.0.3", MaxRoutes+10),
		fmt.Sprintf("%d started %s", MaxRoutes+10, victim),
		fmt.Sprintf("%d refused %s", MaxRoutes+10, victim))
	if d.Unrouted != 11 || d.Refused != 0 {
		t.Errorf("%d without room, %d refused", d.Unrouted, d.Refused)
	}
	for _, r := range d.routes {
		if r.incident.End != 0 && r.incident.Timeline != nil {
			t.Fatalf("the route of %s keeps a timeline", r.incident.Target)
		}
	}
}
