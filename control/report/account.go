package report

import (
	"time"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/control/rate"
)

// Schema is the version of what stands under the key "weir". It grows when a key changes its
// meaning or goes; new keys do not change it.
const Schema = 1

// The names of the files of an incident.
const (
	TextFile     = "report.txt"
	JSONFile     = "report.json"
	EvidenceFile = "evidence.pcapng"
)

// account is weir's own account of an incident. Times are RFC 3339 in UTC.
type account struct {
	Schema      int            `json:"schema"`
	ID          string         `json:"id"`
	Target      string         `json:"target"`
	Direction   string         `json:"direction"`
	Trigger     trigger        `json:"trigger"`
	Vectors     []vector       `json:"vectors"`
	Begin       string         `json:"begin"`
	Detected    string         `json:"detected"`
	Ended       string         `json:"ended,omitempty"`
	DelayMS     int64          `json:"delay_ms"`
	Allowlisted bool           `json:"allowlisted"`
	Peak        peak           `json:"peak"`
	AtVerdict   sides          `json:"at_verdict"`
	Averages    []average      `json:"averages"` // up to the verdict
	Last        sides          `json:"last"`
	Timeline    timeline       `json:"timeline"`
	Actions     []trafficOrder `json:"actions"`
	Evidence    evidence       `json:"evidence"`
	Forwarding  bySide         `json:"forwarding,omitzero"`
}

type trigger struct {
	Metric    string `json:"metric"`
	Value     uint64 `json:"value"`
	Limit     uint64 `json:"limit"`
	Hostgroup string `json:"hostgroup"`
	View      string `json:"view"`
}

type vector struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"`
}

type peak struct {
	PPS uint64 `json:"pps"`
	BPS uint64 `json:"bps"`
	FPS uint64 `json:"fps"`
}

// average are the rates in the trigger's direction over a longer window. Distinct flows have no
// average.
type average struct {
	Seconds int `json:"seconds"`
	classes
}

// sides are rates in both directions.
type sides struct {
	Incoming rates `json:"incoming"`
	Outgoing rates `json:"outgoing"`
}

// classes are rates by class of traffic.
type classes struct {
	Total classRate `json:"total"`
	TCP   classRate `json:"tcp"`
	UDP   classRate `json:"udp"`
	ICMP  classRate `json:"icmp"`
	Other classRate `json:"other"`
	SYN   classRate `json:"syn"`
	Frag  classRate `json:"frag"`
}

type rates struct {
	classes
	FPS        uint64 `json:"fps"`
	FPSAtLeast bool   `json:"fps_at_least,omitempty"` // fps is a lower bound
}

type classRate struct {
	PPS uint64 `json:"pps"`
	BPS uint64 `json:"bps"`
}

// timeline holds points evenly chosen from those that there are.
type timeline struct {
	Of     int     `json:"of"`
	Points []point `json:"points"`
}

type point struct {
	Time string `json:"time"`
	sides
}

// trafficOrder is a change of traffic that was asked for, or would have been.
type trafficOrder struct {
	Time        string   `json:"time"`
	Event       string   `json:"event"` // a ban.EventKind
	Kind        string   `json:"kind"`
	Prefix      string   `json:"prefix"`
	Communities []string `json:"communities,omitempty"`
	Reason      string   `json:"reason,omitempty"`
	DryRun      bool     `json:"dry_run"`
}

// evidence says what EvidenceFile holds.
type evidence struct {
	File       string `json:"file"`
	Packets    int    `json:"packets"`
	Before     int    `json:"before_verdict"` // of Packets
	SeenBefore uint64 `json:"seen_before_verdict"`
	SeenAfter  uint64 `json:"seen_after_verdict"`
	Listed     int    `json:"listed"` // of Packets, in packet_dump_detailed
}

// bySide is what routers told of the evidence: a direction of which they told nothing is not there.
type bySide struct {
	Incoming *forwarding `json:"incoming,omitempty"`
	Outgoing *forwarding `json:"outgoing,omitempty"`
}

func newAccount(inc *ban.Incident, ev *capture.Snapshot, o Options) account {
	a := account{
		Schema:      Schema,
		ID:          bounded(inc.ID),
		Target:      inc.Target.String(),
		Direction:   inc.Direction(),
		Vectors:     vectors(inc.Vectors),
		Begin:       stamp(inc.Begin),
		Detected:    stamp(inc.Detected),
		DelayMS:     int64(delay(inc) / time.Millisecond),
		Allowlisted: inc.Allowed,
		Peak:        peak{inc.PeakPPS, inc.PeakBPS, inc.PeakFPS},
		AtVerdict:   newSides(&inc.AtVerdict),
		Averages:    averages(inc),
		Last:        newSides(&inc.Last),
		Timeline:    newTimeline(inc.Timeline, o.Points),
		Actions:     trafficOrders(latest(inc.Actions, o.Actions)),
		Trigger: trigger{
			inc.Trigger.Name(), inc.Trigger.Value, inc.Trigger.Limit,
			bounded(inc.Trigger.Hostgroup), bounded(inc.Trigger.View),
		},
		Evidence: evidence{
			File: EvidenceFile, Packets: len(ev.Samples), Before: ev.Before,
			SeenBefore: ev.SeenBefore, SeenAfter: ev.SeenAfter,
		},
	}
	if inc.End != 0 {
		a.Ended = stamp(inc.End)
	}
	return a
}

func vectors(vs []detect.Vector) []vector {
	out := make([]vector, 0, len(vs))
	for _, v := range vs {
		out = append(out, vector{bounded(v.Name), v.Share})
	}
	return out
}

func averages(inc *ban.Incident) []average {
	out := make([]average, 0, len(rate.Windows))
	for i, window := range rate.Windows {
		out = append(out, average{
			Seconds: int(window / rate.Second), classes: newClasses(&inc.Averages[i]),
		})
	}
	return out
}

func newSides(r *[2]rate.Rates) sides {
	return sides{newRates(&r[rate.Incoming]), newRates(&r[rate.Outgoing])}
}

func newRates(r *rate.Rates) rates {
	return rates{newClasses(r), r.Flows, r.FlowsAtMin}
}

func newClasses(r *rate.Rates) classes {
	class := func(c rate.Class) classRate { return classRate{r.Packets[c], r.Bits[c]} }
	return classes{
		Total: class(rate.Total), TCP: class(rate.TCP), UDP: class(rate.UDP),
		ICMP: class(rate.ICMP), Other: class(rate.Other), SYN: class(rate.SYN),
		Frag: class(rate.Frag),
	}
}

func newTimeline(all []ban.Point, limit int) timeline {
	t := timeline{Of: len(all), Points: []point{}}
	for _, p := range evenly(all, limit) {
		t.Points = append(t.Points, point{stamp(p.Time), newSides(&p.Rates)})
	}
	return t
}

func trafficOrders(all []ban.Action) []trafficOrder {
	out := make([]trafficOrder, 0, len(all))
	for _, a := range all {
		o := trafficOrder{
			Time: stamp(a.Time), Event: a.Event.String(), Kind: bounded(a.Kind),
			Prefix: a.Prefix.String(), Reason: bounded(a.Reason), DryRun: a.DryRun,
		}
		for _, c := range a.Communities {
			o.Communities = append(o.Communities, bounded(c))
		}
		out = append(out, o)
	}
	return out
}
