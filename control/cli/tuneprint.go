package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"weir/control/tune"
)

// tunePrinter writes plans and outcomes: as text, of which a plan is a shell script that says in
// comments why, or as JSON.
type tunePrinter struct {
	out, talk io.Writer
	json      *json.Encoder // nil: text
	counts    map[tune.State]int
	failed    []tune.Setting
}

func newTunePrinter(out, talk io.Writer, asJSON bool) *tunePrinter {
	p := &tunePrinter{out: out, talk: talk, counts: map[tune.State]int{}}
	if asJSON {
		p.json = json.NewEncoder(out)
		p.json.SetEscapeHTML(false)
	}
	return p
}

type (
	tuneLayout struct {
		Type string `json:"type"` // layout
		tune.Layout
	}
	tuneStep struct {
		Type string `json:"type"` // step
		N    int    `json:"n"`
		tune.Step
	}
	tuneAdvice struct {
		Type string `json:"type"` // advice
		tune.Advice
	}
	tunePlan struct {
		Type   string `json:"type"` // plan
		Steps  int    `json:"steps"`
		Stanza string `json:"stanza"`
	}
	tuneOutcome struct {
		Type string `json:"type"` // outcome
		tune.Outcome
	}
	tuneSummary struct {
		Type    string             `json:"type"` // summary
		States  map[tune.State]int `json:"states"`
		Journal string             `json:"journal"`
		Undo    int                `json:"undo"` // settings that --undo would put back
	}
)

// plan prints a plan.
func (p *tunePrinter) plan(plan *tune.Plan) error {
	if p.json != nil {
		return p.planJSON(plan)
	}
	for i := range plan.Layout {
		p.comment("", describeLayout(&plan.Layout[i]))
	}
	if len(plan.Steps) == 0 {
		p.comment("", "nothing to change: all is as planned")
	}
	for i := range plan.Steps {
		s := &plan.Steps[i]
		fmt.Fprintln(p.out)
		subject := ""
		if s.Interface != "" {
			subject = s.Interface + ": "
		}
		p.comment("", fmt.Sprintf("%d. %s%s; found %s", i+1, subject, s.What, short(s.Found)))
		if i == 0 || s.Why != plan.Steps[i-1].Why { // once for all queues
			p.comment("   ", s.Why)
		}
		fmt.Fprintln(p.out, s.Command)
	}
	if len(plan.Advice) > 0 {
		fmt.Fprintln(p.out)
		p.comment("", "Left to you, or left alone:")
	}
	for _, a := range plan.Advice {
		p.comment("- ", a.What+": "+a.Why)
		if a.Command != "" {
			fmt.Fprintln(p.out, "#     "+a.Command)
		}
	}
	if plan.Stanza != "" {
		fmt.Fprintln(p.out)
		p.comment("", "In weir.yaml:")
		for line := range strings.Lines(plan.Stanza) {
			fmt.Fprint(p.out, "#     "+line)
		}
	}
	return nil
}

// comment prints text as comments of a shell script, within 100 columns.
func (p *tunePrinter) comment(lead, text string) {
	line := "# " + lead
	indent := "# " + strings.Repeat(" ", len(lead))
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 100 && line != indent {
			fmt.Fprintln(p.out, strings.TrimRight(line, " "))
			line = indent
		}
		if !strings.HasSuffix(line, " ") {
			line += " "
		}
		line += word
	}
	fmt.Fprintln(p.out, line)
}

// short cuts what is too long for a line of text: keys and tables.
func short(value string) string {
	const limit = 40
	if value == "" {
		return "none"
	}
	if len(value) > limit {
		return value[:limit] + "…"
	}
	return value
}

func describeLayout(l *tune.Layout) string {
	parts := []string{fmt.Sprintf("%s: %d queues", l.Interface, len(l.Queues)+len(l.FlowQueues))}
	switch len(l.Queues) + len(l.FlowQueues) {
	case 0:
		parts[0] = l.Interface + ": left as it is"
	case 1:
		parts[0] = l.Interface + ": 1 queue"
	}
	if len(l.FlowQueues) > 0 {
		parts = append(parts, fmt.Sprintf("flow exports to queues %v on CPUs %v", l.FlowQueues,
			l.FlowCores))
	}
	if len(l.Cores) > 0 {
		parts = append(parts, fmt.Sprintf("weir on CPUs %v", l.Cores))
	}
	if len(l.IRQ) > 0 {
		parts = append(parts, fmt.Sprintf("interrupts on CPUs %v", l.IRQ))
	}
	if l.Node >= 0 {
		parts = append(parts, fmt.Sprintf("NUMA node %d", l.Node))
	}
	return strings.Join(parts, "; ")
}

func (p *tunePrinter) planJSON(plan *tune.Plan) error {
	for i := range plan.Layout {
		if err := p.json.Encode(tuneLayout{"layout", plan.Layout[i]}); err != nil {
			return err
		}
	}
	for i := range plan.Steps {
		if err := p.json.Encode(tuneStep{"step", i + 1, plan.Steps[i]}); err != nil {
			return err
		}
	}
	for i := range plan.Advice {
		if err := p.json.Encode(tuneAdvice{"advice", plan.Advice[i]}); err != nil {
			return err
		}
	}
	return p.json.Encode(tunePlan{"plan", len(plan.Steps), plan.Stanza})
}

// outcome prints what became of a setting.
func (p *tunePrinter) outcome(o tune.Outcome) {
	p.counts[o.State]++
	if o.State == tune.Failed {
		p.failed = append(p.failed, o.Setting)
	}
	if p.json != nil {
		_ = p.json.Encode(tuneOutcome{"outcome", o}) // the end tells of a broken pipe
		return
	}
	text := fmt.Sprintf("%-8s %s", o.State, o.Setting)
	switch o.State {
	case tune.Changed:
		text += fmt.Sprintf(": %s → %s", short(o.Before), short(o.Effective))
	case tune.Already:
		text += ": " + short(o.Effective)
	case tune.Differs:
		text += fmt.Sprintf(": %s wanted, %s in force", short(o.Want), short(o.Effective))
	case tune.Failed:
		text += fmt.Sprintf(": %s wanted: %s", short(o.Want), o.Error)
	}
	fmt.Fprintln(p.out, text)
}

// end says what all came to, and gives the exit status.
func (p *tunePrinter) end(worst tune.State, j *tune.Journal, undone bool) error {
	if p.json != nil {
		err := p.json.Encode(tuneSummary{"summary", p.counts, j.Path(), len(j.Entries)})
		if err != nil {
			return err
		}
	} else if len(p.counts) == 0 {
		fmt.Fprintln(p.out, "nothing to change")
	}
	if n := len(j.Entries); n > 0 && !undone {
		settings := fmt.Sprintf("%d settings", n)
		if n == 1 {
			settings = "1 setting"
		}
		fmt.Fprintf(p.talk, "weir: tune --undo puts %s back to what was found (%s)\n", settings,
			j.Path())
	}
	switch {
	case worst == tune.Failed && undone:
		return fmt.Errorf("%d settings are not back; they stay in %s", len(p.failed), j.Path())
	case worst == tune.Failed:
		at := p.failed[len(p.failed)-1]
		return fmt.Errorf("stopped at %s; --skip %s goes on without such settings", at, at.Kind)
	case worst == tune.Differs:
		fmt.Fprintln(p.talk, "weir: some settings are in force with other values than asked for")
		return &exitError{status: exitWarnings}
	}
	return nil
}
