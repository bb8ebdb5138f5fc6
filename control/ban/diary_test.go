package ban

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/control/detect"
	"weir/control/rate"
)

// epoch is second 0 of every test.
const epoch = int64(1_700_000_000e9)

// diary drives a Book with a clock of its own, the way the control loop does, and writes down what
// happens: "12 started 10.0.0.1".
type diary struct {
	*Book
	now   int64
	allow []string

	refusals map[netip.Prefix]string
	lines    []string
	ids      []string // of the events, in order

	incidents []Incident // as they ended
}

func newDiary(lease, quiet time.Duration) *diary {
	return &diary{now: epoch, Book: NewBook(Config{
		Time: lease, Quiet: quiet, DryRun: true, Policy: 1,
		Communities: []Community{Blackhole, NoExport},
	})}
}

func pps(n uint64) (r [2]rate.Rates) {
	r[rate.Incoming].Packets[rate.Total] = n
	r[rate.Incoming].Bits[rate.Total] = 1000 * n
	r[rate.Incoming].Flows = n / 2
	return r
}

func verdict(target string, now int64) *Verdict {
	return &Verdict{
		Target: netip.MustParseAddr(target), Begin: now - 500e6, Now: now, Rates: pps(100),
		Trigger: detect.Trigger{Direction: rate.Incoming, Metric: rate.PPS, Value: 100, Limit: 50,
			Hostgroup: detect.Global},
	}
}

// note writes events down, and holds them to what every event promises.
func (d *diary) note(events []Event) {
	names := [...]string{
		Started: "started", Refused: "refused", Asked: "asked", Announced: "announced",
		Withdrawn: "withdrawn", Ended: "ended",
	}
	for _, e := range events {
		in := e.Incident
		d.lines = append(d.lines, fmt.Sprintf("%v %s %s", float64(e.Time-epoch)/1e9, names[e.Kind],
			in.Target.Addr()))
		d.ids = append(d.ids, in.ID)
		if e.Time != d.now {
			d.lines = append(d.lines, "at another time")
		}
		action := e.Kind != Started && e.Kind != Ended
		if action != (e.Action.Kind == "blackhole") || action && e.Action.Prefix != in.Target {
			d.lines = append(d.lines, fmt.Sprintf("with the action %+v", e.Action))
		}
		if e.Kind == Ended {
			d.incidents = append(d.incidents, *in)
		}
	}
}

// report brings a verdict about target.
func (d *diary) report(target string) {
	v := verdict(target, d.now)
	v.Allowed = slices.Contains(d.allow, target)
	d.note(d.Report(v, nil))
	d.note(d.Mitigate(d.now, d, nil))
}

// Ask and Renew implement Asker: what refusals name is refused.
func (d *diary) Ask(in *Incident, _ int64, _ uint64) string { return d.refusals[in.Target] }

func (d *diary) Renew(p netip.Prefix, _ int64, _ bool) bool { return d.refusals[p] == "" }

// tick ends a second that was not blind; over are the targets above a limit in it.
func (d *diary) tick(over ...string) {
	for _, target := range over {
		d.report(target)
	}
	var open []netip.Addr
	d.Each(func(in *Incident) { open = append(open, in.Target.Addr()) })
	for _, a := range open {
		is := slices.Contains(over, a.String())
		n := uint64(10)
		if is {
			n = 100
		}
		d.Second(a, d.now, pps(n), is)
	}
	d.note(d.Mitigate(d.now, d, nil))
	d.note(d.Tick(d.now, false, nil))
}

// second lets a second pass.
func (d *diary) second(over ...string) {
	d.now += rate.Second
	d.tick(over...)
}

// seconds lets n of them pass.
func (d *diary) seconds(n int, over ...string) {
	for range n {
		d.second(over...)
	}
}

// dark lets n seconds pass in which nothing came in.
func (d *diary) dark(n int) {
	for range n {
		d.now += rate.Second
		d.Each(func(in *Incident) { d.Second(in.Target.Addr(), d.now, pps(0), false) })
		d.note(d.Tick(d.now, true, nil))
	}
}

// want compares what has happened so far.
func (d *diary) want(t *testing.T, lines ...string) {
	t.Helper()
	if !slices.Equal(d.lines, lines) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(d.lines, "\n\t"),
			strings.Join(lines, "\n\t"))
	}
}
