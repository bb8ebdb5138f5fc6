package health

import (
	"cmp"
	"fmt"
	"net"
	"time"
)

// Bounds beyond which an exporter, or what comes of it, is worth a word.
const (
	heardAfter   = 10 * time.Second // a port that nothing has come to by then has a fault
	invalidShare = 0.05             // of the datagrams are no exports
	deniedShare  = 0.5              // of the datagrams are of senders that are not heard
	exportsShare = 0.01             // of what an exporter sent is lost before us
	foreignFlows = 0.99             // of the records are of nobody we know
	fewRecords   = 100              // say nothing of an exporter
	mostSkew     = 5 * time.Second
	mostDelay    = 10 * time.Second
	toldAfter    = time.Minute // exporters repeat their options every so often
)

// ports looks at what came to the ports, and what became of it.
func (f *Facts) ports(out []Finding) []Finding {
	for i := range f.Ports {
		out = f.port(out, &f.Ports[i])
	}
	if len(f.Ports) == 0 {
		return out
	}
	if why := f.Exports.Script; why != "" {
		out = append(out, Finding{"script_given_up", Warning, StageRecords, fmt.Sprintf(
			"The Lua script of the filter failed too often and is not asked any more (%s): every "+
				"flow record counts.", why), "weir reload"})
	}
	x, capture := &f.Exports, "tcpdump -c 10 -n -i any udp port "+portOf(f.Ports[0].Listen)
	if x.Shed.Now > 0 {
		out = append(out, Finding{"exports_shed", Warning, StageExports, fmt.Sprintf(
			"Workers fall behind and look at a random part of the exports only (%s left out): "+
				"rates are scaled, flows are lower bounds.", datagrams(x.Shed.Now)), "weir cores"})
	}
	if n := x.Invalid.Now; n > 0 && share(n, x.Received.Now) >= invalidShare {
		out = append(out, Finding{"exports_invalid", Warning, StageExports, fmt.Sprintf(
			"%.0f %% of the datagrams are neither NetFlow 5 or 9, nor IPFIX, nor sFlow: something "+
				"else is sent to these ports.", 100*share(n, x.Received.Now)), capture})
	}
	switch n := x.Denied; {
	case n.N > 0 && n.N == x.Received.N:
		out = append(out, Finding{"exports_denied", Error, StageExports,
			"Every datagram is of a sender that exporters under capture.flows does not list: " +
				"none is read.", capture})
	case n.Now > 0 && share(n.Now, x.Received.Now) >= deniedShare:
		out = append(out, Finding{"exports_denied", Warning, StageExports, fmt.Sprintf(
			"%.0f %% of the datagrams are of senders that exporters under capture.flows does not "+
				"list: they are not read.", 100*share(n.Now, x.Received.Now)), capture})
	}
	if n := x.Foreign.Now; x.Records.Now >= fewRecords && share(n, x.Records.Now) >= foreignFlows {
		out = append(out, Finding{"flows_foreign", Error, StageRecords, fmt.Sprintf(
			"%.0f %% of the flow records are from and to addresses outside the networks: they "+
				"count for no host.", 100*share(n, x.Records.Now)), "weir config show"})
	}
	return out
}

// port looks at one port.
func (f *Facts) port(out []Finding, p *Port) []Finding {
	if p.Received.N == 0 && f.Uptime >= heardAfter {
		severity := Warning
		if !f.receives() {
			severity = Error
		}
		out = append(out, Finding{"no_exports", severity, StageExports, fmt.Sprintf(
			"No datagram has come to %s since the start: no exporter may send to this address "+
				"and port, or a firewall is in between.", p.Listen),
			"tcpdump -c 10 -n -i any udp port " + portOf(p.Listen)})
	}
	n := p.Lost[socketFull].Now
	if n == 0 {
		return out
	}
	what := "give it more cores, or a greater receive_buffer, under capture.flows"
	try := "weir cores"
	if p.Buffer < p.Wanted {
		what = fmt.Sprintf("it has %d of the %d bytes that receive_buffer asks for, as "+
			"net.core.rmem_max allows no more", p.Buffer, p.Wanted)
		try = fmt.Sprintf("sysctl -w net.core.rmem_max=%d", p.Wanted)
	}
	return append(out, Finding{socketFull, Error, StageExports, fmt.Sprintf(
		"%.2g %% of the datagrams to %s (%s) are lost because the receive buffer is full: %s.",
		100*share(n, n+p.Received.Now), p.Listen, datagrams(n), what), try})
}

// receives reports whether anything has come from anywhere.
func (f *Facts) receives() bool {
	n := uint64(0)
	for i := range f.Sources {
		n += f.Sources[i].Received.N
	}
	for i := range f.Ports {
		n += f.Ports[i].Received.N
	}
	return n > 0
}

// exporters looks at who sends. Of those with the same fault the worst is named, as there may be
// many.
func (f *Facts) exporters(out []Finding) []Finding {
	out = f.silent(out)
	if e, more := f.worst(func(e *Exporter) float64 { return float64(e.Missing) }); e != nil {
		out = append(out, exporterFinding("templates_missing", Warning, e, more, fmt.Sprintf(
			"sends data whose template has not come (%d sets lately): it counts for nobody until "+
				"the exporter repeats its templates", e.Missing)))
	}
	if e, more := f.worst(func(e *Exporter) float64 {
		return above(e.LostShare, exportsShare)
	}); e != nil {
		out = append(out, exporterFinding("exports_lost", Warning, e, more, fmt.Sprintf(
			"has sent more than came: its sequence numbers say that %.2g %% of its %s were lost "+
				"before weir", 100*e.LostShare, e.LostUnit)))
	}
	if e, more := f.worst(f.untold()); e != nil {
		out = append(out, exporterFinding("sampling_unknown", Warning, e, more,
			"has never told its sampling rate, though other exporters of its protocol have: its "+
				"flows are taken as not sampled; tell it to export its sampling options, or set "+
				"overrides under capture.flows"))
	}
	if e, more := f.worst(func(e *Exporter) float64 {
		return above(e.Skew.Abs().Seconds(), mostSkew.Seconds())
	}); e != nil {
		word := "behind"
		if e.Skew < 0 {
			word = "ahead of"
		}
		out = append(out, exporterFinding("clock_skew", Warning, e, more, fmt.Sprintf(
			"has a clock that is %v %s ours: the times of its flows are not true; NTP sets it "+
				"right", e.Skew.Abs().Round(time.Second), word)))
	}
	if e, more := f.worst(func(e *Exporter) float64 {
		if e.Records < fewRecords {
			return 0
		}
		return above(e.Delay.Seconds(), mostDelay.Seconds())
	}); e != nil {
		out = append(out, exporterFinding("slow_exports", Warning, e, more, fmt.Sprintf(
			"tells of flows up to %v after their first packet, and so late attacks are found; "+
				"lower its active timeout (cache timeout active) to 10 s or less",
			e.Delay.Round(time.Second))))
	}
	return out
}

// silent looks for exporters that have ended.
func (f *Facts) silent(out []Finding) []Finding {
	e, more := f.worst(func(e *Exporter) float64 {
		if !e.Silent || e.Records == 0 {
			return 0
		}
		return e.Idle.Seconds()
	})
	if e == nil {
		return out
	}
	severity, proven := Error, 0
	for i := range f.Exporters {
		if f.Exporters[i].Records > 0 {
			proven++
		}
	}
	for i := range f.Sources {
		if f.Sources[i].Received.Now > 0 {
			severity = Warning
		}
	}
	if more+1 < proven {
		severity = Warning
	}
	return append(out, exporterFinding("exporter_silent", severity, e, more, fmt.Sprintf(
		"has sent nothing for %v: what its router forwards is not seen",
		e.Idle.Round(time.Second))))
}

// untold returns what weighs an exporter that has never told its sampling rate. Most that do not
// are not sampled; a fault is likely only where most others of the same protocol did tell that they
// sample.
func (f *Facts) untold() func(*Exporter) float64 {
	sampled := map[string]int{} // by protocol, less those that told that they do not
	for i := range f.Exporters {
		switch e := &f.Exporters[i]; {
		case !e.Told:
		case e.Sampling > 1:
			sampled[e.Protocol]++
		default:
			sampled[e.Protocol]--
		}
	}
	return func(e *Exporter) float64 {
		if e.Told || e.Sampling > 1 || e.Records < fewRecords || e.Heard < toldAfter ||
			sampled[e.Protocol] <= 0 {
			return 0
		}
		return float64(e.Records)
	}
}

// worst returns the exporter with the greatest weight above 0, nil if none has one, and how many
// others have one.
func (f *Facts) worst(weight func(*Exporter) float64) (worst *Exporter, more int) {
	most := 0.0
	for i := range f.Exporters {
		e := &f.Exporters[i]
		w := weight(e)
		if w <= 0 {
			continue
		}
		more++
		if w > most || w == most && cmp.Less(e.Address, worst.Address) {
			worst, most = e, w
		}
	}
	return worst, more - 1
}

func exporterFinding(id, severity string, e *Exporter, more int, text string) Finding {
	who := "Exporter " + e.Address
	stage := StageExports
	if id == "templates_missing" || id == "sampling_unknown" {
		stage = StageRecords
	}
	try := "weir exporters " + e.Address
	if more > 0 {
		text += fmt.Sprintf(" (and %d more like it)", more)
		try = "weir exporters"
	}
	return Finding{id, severity, stage, who + " " + text + ".", try}
}

// above returns v if it is more than bound, else 0.
func above(v, bound float64) float64 {
	if v > bound {
		return v
	}
	return 0
}

func share(n, of uint64) float64 { return float64(n) / float64(max(1, of)) }

// portOf returns the number of the port.
func portOf(listen string) string {
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	return port
}

func datagrams(n uint64) string { return rate(n, "datagrams/s") }
