package cli

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"weir/control/ban"
	"weir/control/capture"
)

// expectation is what `weir replay --expect` compares with: the attacks that must be found, each
// once, and no others. A field that is left out matches anything.
type expectation struct {
	Attacks []expectedAttack `yaml:"attacks"`
	found   []expectedAttack
}

type expectedAttack struct {
	Target    string `yaml:"target"`
	Direction string `yaml:"direction"`
	Vector    string `yaml:"vector"` // the first
	Metric    string `yaml:"metric"` // of the trigger, e.g. incoming_udp_pps
}

// loadExpectation reads an expectation; nil for no path.
func loadExpectation(path string) (*expectation, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read expectation: %w", err)
	}
	x := &expectation{}
	if err := yaml.UnmarshalWithOptions(data, x, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %s", path, strings.TrimSpace(yaml.FormatError(err, false,
			false)))
	}
	for i := range x.Attacks {
		a := &x.Attacks[i]
		p, err := netip.ParsePrefix(a.Target)
		if ip, ipErr := netip.ParseAddr(a.Target); ipErr == nil {
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: attacks[%d].target: %q is neither an address nor a prefix",
				path, i, a.Target)
		}
		a.Target = p.String()
	}
	return x, nil
}

// Event implements control.Events.
func (x *expectation) Event(e *ban.Event, _ *capture.Evidence) {
	if x == nil || e.Kind != ban.Started {
		return
	}
	found := expectedAttack{
		Target: e.Incident.Target.String(), Direction: e.Incident.Trigger.Direction.String(),
		Metric: e.Incident.Trigger.Name(),
	}
	if len(e.Incident.Vectors) > 0 {
		found.Vector = e.Incident.Vectors[0].Name
	}
	x.found = append(x.found, found)
}

// check returns exitUnmet, having written the differences to w, unless every expected attack was
// found and nothing else.
func (x *expectation) check(w io.Writer) error {
	if x == nil {
		return nil
	}
	rest := slices.Clone(x.found)
	unmet := false
	for _, want := range x.Attacks {
		if i := slices.IndexFunc(rest, want.matches); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
			continue
		}
		unmet = true
		fmt.Fprintf(w, "- expected and not found: %s\n", want)
	}
	for _, more := range rest {
		unmet = true
		fmt.Fprintf(w, "+ found and not expected: %s\n", more)
	}
	if unmet {
		return &exitError{status: exitUnmet}
	}
	return nil
}

func (a expectedAttack) matches(found expectedAttack) bool {
	same := func(want, got string) bool { return want == "" || want == got }
	return a.Target == found.Target && same(a.Direction, found.Direction) &&
		same(a.Vector, found.Vector) && same(a.Metric, found.Metric)
}

// String returns the attack on one line.
func (a expectedAttack) String() string {
	return strings.Join(strings.Fields(strings.Join(
		[]string{a.Target, a.Direction, a.Vector, a.Metric}, " ")), " ")
}
