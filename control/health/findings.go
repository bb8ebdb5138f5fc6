package health

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Shares from which something is a fault, and rates below which shares say nothing.
const (
	unreadableShare = 0.5  // of the frames hold nothing to count
	foreignShare    = 0.9  // of the packets are of nobody we know
	lostShare       = 1e-4 // of the frames are lost before a worker sees them
	oneWayShare     = 0.01 // of the packets go the other way
	fewFrames       = 10   // per second
	elsewherePPS    = 1000
)

// settled is how long after the start silence is no fault yet.
const settled = 2 * time.Second

// Findings returns what is wrong, the gravest first, and for each what to try next. Where nothing
// is, it says so, and what weir sees. It is never empty.
func Findings(f *Facts) []Finding {
	var out []Finding
	for _, text := range f.Stuck {
		out = append(out, Finding{"stuck", Error, StageDecode, text, "journalctl -u weir -e"})
	}
	for i := range f.Sources {
		out = f.source(out, &f.Sources[i])
	}
	out = f.frames(out)
	out = f.packets(out)
	out = f.ports(out)
	out = f.exporters(out)
	for _, text := range f.Failures {
		out = append(out, Finding{"report", Warning, StageMitigation, text, "df -h"})
	}
	out = f.outcome(out)
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Compare(gravity(a.Severity), gravity(b.Severity))
	})
	return out
}

func gravity(severity string) int { return slices.Index([]string{Error, Warning, OK}, severity) }

// source looks at one interface.
func (f *Facts) source(out []Finding, s *Source) []Finding {
	name := s.Interface
	switch s.State {
	case "missing":
		return append(out, Finding{"interface_missing", Error, StageInterface,
			fmt.Sprintf("There is no interface %s: weir attaches as soon as it appears.", name),
			"ip -brief link"})
	case "link_down":
		return append(out, Finding{"link_down", Error, StageInterface,
			fmt.Sprintf("%s is down or has no link: nothing can arrive on it.", name),
			"ip link set " + name + " up"})
	case "refused":
		return append(out, Finding{"refused", Error, StageInterface,
			fmt.Sprintf("%s cannot be captured from: %s.", name, strings.TrimSuffix(s.Reason, ".")),
			"journalctl -u weir -e"})
	}
	if s.Reason != "" {
		out = append(out, Finding{"queues", Warning, StageInterface,
			fmt.Sprintf("Not every queue of %s is held: %s.", name, s.Reason),
			"ethtool -l " + name})
	}
	out = append(out, shortfalls(s)...)
	if s.Passed.Now > 0 {
		out = append(out, Finding{"passed_to_host", Warning, StageInterface, fmt.Sprintf(
			"%s of %s arrive on queues that are not captured from, and went to the host.",
			perSecond(s.Passed.Now), name), "ethtool -l " + name})
	}
	if n := s.Lost[unattached].Now; n > 0 {
		out = append(out, Finding{unattached, Warning, StageInterface, fmt.Sprintf(
			"%s arrived on %s before weir was attached to it: it was replaced, or its queues were.",
			perSecond(n), name), "ip -s link show " + name})
	}
	out = f.losses(out, s)
	if s.Received.Now == 0 && s.Passed.Now == 0 && f.Uptime >= settled {
		out = append(out, f.silence(s))
	}
	return out
}

// losses looks at what one interface lost before a worker saw it.
func (f *Facts) losses(out []Finding, s *Source) []Finding {
	lost, worst := Count{}, ""
	for _, place := range slices.Sorted(maps.Keys(s.Lost)) {
		c := s.Lost[place]
		if place == unattached {
			continue // no worker was too slow for these
		}
		lost.N += c.N
		lost.Now += c.Now
		if worst == "" || c.Now > s.Lost[worst].Now {
			worst = place
		}
	}
	all := lost.Now + s.Received.Now
	if lost.Now == 0 || float64(lost.Now) < lostShare*float64(all) {
		return out
	}
	return append(out, Finding{"drops", Error, StageRing, fmt.Sprintf(
		"%.2f %% of the frames of %s are lost before weir sees them (%s, %s): its workers are "+
			"too slow for this traffic, or have too few cores.",
		100*float64(lost.Now)/float64(all), s.Interface, worst, perSecond(lost.Now)),
		"weir cores"})
}

// silence explains an interface that is up and receives nothing.
func (f *Facts) silence(s *Source) Finding {
	most := Elsewhere{}
	for _, e := range f.Elsewhere {
		if e.PPS > most.PPS {
			most = e
		}
	}
	if most.PPS >= elsewherePPS {
		return Finding{"wrong_interface", Error, StageInterface, fmt.Sprintf(
			"No frame arrives on %s, but %s receives %s: the mirror may be plugged in there.",
			s.Interface, most.Interface, perSecond(most.PPS)),
			"ip -s link show " + most.Interface}
	}
	return Finding{"no_input", Error, StageInterface, fmt.Sprintf(
		"No frame arrives on %s, though its link is up: the switch may not mirror to it.",
		s.Interface), "ip -s link show " + s.Interface}
}

// frames looks at what the decoder could not read.
func (f *Facts) frames(out []Finding) []Finding {
	if f.Shed.Now > 0 {
		out = append(out, Finding{"shed", Warning, StageDecode, fmt.Sprintf(
			"Workers fall behind and look at a random part of the frames only (%s left out): "+
				"rates are scaled, flows are lower bounds.", perSecond(f.Shed.Now)), "weir cores"})
	}
	unread, worst := uint64(0), ""
	for _, reason := range slices.Sorted(maps.Keys(f.Dropped)) {
		unread += f.Dropped[reason].Now
		if worst == "" || f.Dropped[reason].Now > f.Dropped[worst].Now {
			worst = reason
		}
	}
	if f.ReceivedNow < fewFrames || float64(unread) < unreadableShare*float64(f.ReceivedNow) {
		return out
	}
	return append(out, Finding{"unreadable", Error, StageDecode, fmt.Sprintf(
		"%.0f %% of the frames hold no IP packet that weir can read (%s): the mirror may wrap "+
			"them.", 100*float64(unread)/float64(f.ReceivedNow), worst),
		"tcpdump -c 10 -e -n -i " + f.firstInterface()})
}

func (f *Facts) firstInterface() string {
	if len(f.Sources) == 0 {
		return "any"
	}
	return f.Sources[0].Interface
}

// packets looks at whose packets they are.
func (f *Facts) packets(out []Finding) []Finding {
	if f.Unplaced.Now > 0 {
		out = append(out, Finding{"tables_full", Warning, StageNetworks, fmt.Sprintf(
			"The tables are full: %s of home networks are counted for their network and for no "+
				"host.", rate(f.Unplaced.Now, "packets/s")), "weir config show"})
	}
	if f.ProcessedNow < fewFrames {
		return out
	}
	if float64(f.Foreign.Now) >= foreignShare*float64(f.ProcessedNow) {
		return append(out, Finding{"foreign", Error, StageNetworks, fmt.Sprintf(
			"%.0f %% of the packets are from and to addresses outside the networks (%s): they "+
				"count for no host.", 100*float64(f.Foreign.Now)/float64(f.ProcessedNow),
			strings.Join(f.Networks, ", ")), "weir config show"})
	}
	both := f.InNow + f.OutNow
	for i := range f.Sources {
		if f.Sources[i].Direction != "both" {
			return out // somebody has thought about it
		}
	}
	way := ""
	switch {
	case float64(f.OutNow) < oneWayShare*float64(both):
		way = "goes out of"
	case float64(f.InNow) < oneWayShare*float64(both):
		way = "comes into"
	default:
		return out
	}
	return append(out, Finding{"one_way", Warning, StageNetworks, fmt.Sprintf(
		"Hardly anything %s the networks: the mirror may carry one direction only.", way),
		"weir networks"})
}

// outcome says what came of it all.
func (f *Facts) outcome(out []Finding) []Finding {
	open := len(f.Attacks)
	for _, a := range f.Attacks {
		if a.Allowed {
			out = append(out, Finding{"allowlisted", Warning, StageMitigation, fmt.Sprintf(
				"%s is under attack and on the allowlist: it is counted and recorded, and never "+
					"mitigated.", a.Target), "weir why " + a.Target})
		}
	}
	switch {
	case open > 0:
		return append(out, f.attacked(open))
	case f.Hosts == 0:
		if len(out) == 0 {
			out = append(out, Finding{"no_hosts", OK, StageLimits,
				"No host of the networks had a packet in the last second.", "weir networks"})
		}
		return out
	}
	near := "none of them near one"
	next := "weir top"
	if f.Nearest.Address != "" {
		near = fmt.Sprintf("the nearest is %s at %.0f %% of %s", f.Nearest.Address,
			f.Nearest.Percent, f.Nearest.Metric)
		next = "weir why " + f.Nearest.Address
	}
	return append(out, Finding{"below_limits", OK, StageLimits, fmt.Sprintf(
		"Nothing is over a limit: %s had packets in the last second, %s.", hosts(f.Hosts), near),
		next})
}

func (f *Facts) attacked(open int) Finding {
	what := "1 attack goes on"
	if open > 1 {
		what = fmt.Sprintf("%d attacks go on", open)
	}
	done := fmt.Sprintf("%d mitigations are in force", f.Routes)
	if f.Observe {
		done = fmt.Sprintf("mode is observe: %d mitigations are recorded, none is announced",
			f.Routes)
	}
	return Finding{"attacks", OK, StageMitigation, what + "; " + done + ".", "weir attacks list"}
}

func hosts(n int) string {
	if n == 1 {
		return "1 host"
	}
	return fmt.Sprintf("%d hosts", n)
}

// perSecond writes a rate of frames with three digits.
func perSecond(n uint64) string { return rate(n, "frames/s") }

func rate(n uint64, unit string) string {
	x, suffixes, i := float64(n), [...]string{"", " k", " M", " G"}, 0
	for ; x >= 1000 && i < len(suffixes)-1; i++ {
		x /= 1000
	}
	if i == 0 {
		return fmt.Sprintf("%d %s", n, unit)
	}
	return fmt.Sprintf("%.3g%s %s", x, suffixes[i], unit)
}
