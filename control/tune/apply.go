package tune

import (
	"slices"
	"time"
)

// Machine reads and writes settings.
type Machine interface {
	// Get returns the value that is in force, in the setting's canonical form.
	Get(s Setting) (string, error)
	// Set asks for a value. A driver may take another: see Get.
	Set(s Setting, value string) error
}

// State is what became of a step.
type State string

// Changed is as wanted; Already was so before; Differs was set without an error, but something else
// is in force; Failed was refused, and nothing after it was tried.
const (
	Changed State = "changed"
	Already State = "already"
	Differs State = "differs"
	Failed  State = "failed"
)

// Outcome tells what became of a setting.
type Outcome struct {
	Setting
	State     State  `json:"state"`
	Before    string `json:"before"`
	Want      string `json:"want"`
	Effective string `json:"effective"`
	Error     string `json:"error,omitempty"`
}

// Apply carries out steps in order. Before each it has the journal keep, on the disk, what was
// there before the first step: drivers change some settings with others, as a queue's interrupts
// with the number of queues. After each it reads back. It stops at the first that fails. What a
// later step has taken back is set once more in the end. It tells each outcome, and of such a
// setting another, when it is known. now stamps the journal.
func Apply(steps []Step, m Machine, j *Journal, now time.Time, tell func(Outcome)) State {
	worst := Already
	done := make([]Outcome, 0, len(steps))
	first := map[Setting]string{}
	for i := range steps {
		s := steps[i].Setting
		if value, err := m.Get(s); err == nil { // else of a queue that is still to come
			first[s] = value
		}
	}
	for i := range steps {
		o := applyOne(&steps[i], m, j, first, now)
		tell(o)
		worst = worse(worst, o.State)
		if o.State == Failed {
			return worst
		}
		done = append(done, o)
	}
	for i := range done {
		if o, lost := again(&done[i], m); lost {
			tell(o)
			worst = worse(worst, o.State)
		}
	}
	return worst
}

// worse returns the state that is worse.
func worse(a, b State) State {
	order := []State{Already, Changed, Differs, Failed}
	if slices.Index(order, a) > slices.Index(order, b) {
		return a
	}
	return b
}

func applyOne(s *Step, m Machine, j *Journal, first map[Setting]string, now time.Time) Outcome {
	o := Outcome{Setting: s.Setting, Want: s.Want}
	before, err := m.Get(s.Setting)
	if err != nil {
		return o.fail(err)
	}
	found, ok := first[s.Setting]
	if !ok {
		found = before
	}
	if o.Before = found; before == s.Want && found == s.Want {
		o.State, o.Effective = Already, before
		return o
	}
	kept := false
	if found != s.Want {
		if kept, err = j.keep(s.Setting, found, now); err != nil {
			return o.fail(err)
		}
	}
	o = o.set(m)
	if o.State == Failed && kept && untouched(m, s.Setting, found) {
		if err := j.drop(func(e *Entry) bool { return e.Setting == s.Setting }); err != nil {
			return o.fail(err)
		}
	}
	return o
}

// untouched reports whether a setting still has a value.
func untouched(m Machine, s Setting, value string) bool {
	now, err := m.Get(s)
	return err == nil && now == value
}

// set asks for what is wanted, and reads it back.
func (o Outcome) set(m Machine) Outcome {
	if err := m.Set(o.Setting, o.Want); err != nil {
		return o.fail(err)
	}
	effective, err := m.Get(o.Setting)
	if err != nil {
		return o.fail(err)
	}
	o.State, o.Effective = Changed, effective
	if effective != o.Want {
		o.State = Differs
	}
	return o
}

func (o Outcome) fail(err error) Outcome {
	o.State, o.Error = Failed, err.Error()
	return o
}

// again looks whether a setting is still as it was left, and sets it once more if not.
func again(o *Outcome, m Machine) (Outcome, bool) {
	now, err := m.Get(o.Setting)
	if err == nil && now == o.Effective {
		return *o, false
	}
	next := Outcome{Setting: o.Setting, Before: now, Want: o.Want}
	if err != nil {
		return next.fail(err), true
	}
	return next.set(m), true
}

// Undo puts back what the journal tells that was found, the last change first, of those settings
// that choose accepts. One that fails does not keep the others from being tried; it stays in the
// journal, as does one that is something else when read back. The error is of the journal.
func Undo(m Machine, j *Journal, choose func(Setting) bool, tell func(Outcome)) (State, error) {
	var outcomes []Outcome
	for _, e := range slices.Backward(j.Entries) {
		if !choose(e.Setting) {
			continue
		}
		o := restore(&e, m)
		tell(o)
		outcomes = append(outcomes, o)
	}
	worst := Already
	for i := range outcomes {
		o := &outcomes[i]
		if _, err := m.Get(o.Setting); err != nil {
			worst = worse(worst, o.State) // it was of a queue that is gone now, as before
			continue
		}
		if next, lost := again(o, m); lost && o.State != Failed {
			tell(next)
			*o = next
		}
		worst = worse(worst, o.State)
	}
	return worst, j.drop(func(e *Entry) bool {
		return slices.ContainsFunc(outcomes, func(o Outcome) bool {
			return o.Setting == e.Setting && o.Effective == e.Found && o.State != Failed
		})
	})
}

func restore(e *Entry, m Machine) Outcome {
	o := Outcome{Setting: e.Setting, Want: e.Found}
	before, err := m.Get(e.Setting)
	if err != nil {
		return o.fail(err)
	}
	if o.Before = before; before == e.Found {
		o.State, o.Effective = Already, before
		return o
	}
	return o.set(m)
}
