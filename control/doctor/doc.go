// Package doctor says whether a machine is ready for line rate, and what to change where it is not.
// It is pure: facts of the machine, of its interfaces and of what a configuration plans go in, and
// checks come out. What its sub-package facts finds out is all that it knows.
//
// A check whose facts are missing is skipped with the reason, never failed: a VM has no governor.
// README.md beside this file explains each check; its headings are the checks' IDs.
package doctor

import (
	"net/netip"
	"time"

	"weir/control/host"
	"weir/ring/nic"
)

// State is what a check came to.
type State string

// OK is as it should be; Warn costs speed, or may; Fail keeps weir from working, or loses traffic
// here; Skip could not be told, or does not apply.
const (
	OK   State = "ok"
	Warn State = "warn"
	Fail State = "fail"
	Skip State = "skip"
)

// Check is one thing that was looked at.
type Check struct {
	Type    string `json:"type"`              // "check"
	ID      string `json:"id"`                // e.g. nic.rings: stays from version to version
	Subject string `json:"subject,omitempty"` // the interface, port or peer
	Title   string `json:"title"`
	State   State  `json:"state"`
	Found   string `json:"found"` // when skipped: why
	Wanted  string `json:"wanted,omitempty"`
	Why     string `json:"why,omitempty"` // why it matters, and what it costs where that is known
	Fix     string `json:"fix,omitempty"` // a command, as it is typed
	Doc     string `json:"doc"`           // where more is said

	// Settings are what Apply writes; none where the fix is not a matter of the kernel's settings.
	Settings []Setting `json:"-"`
}

// Setting is a file of /proc/sys or /sys and what it is to hold.
type Setting struct{ Path, Value string }

// Summary counts checks by their state.
type Summary struct {
	Type string `json:"type"` // "summary"
	OK   int    `json:"ok"`
	Warn int    `json:"warn"`
	Fail int    `json:"fail"`
	Skip int    `json:"skip"`
}

// Summarize counts.
func Summarize(checks []Check) Summary {
	s := Summary{Type: "summary"}
	for i := range checks {
		switch checks[i].State {
		case OK:
			s.OK++
		case Warn:
			s.Warn++
		case Fail:
			s.Fail++
		case Skip:
			s.Skip++
		}
	}
	return s
}

// Facts are all that checks know.
type Facts struct {
	Host *host.Facts
	// Spent is what the CPUs did while the machine was looked at; zero: not known.
	Spent host.Times
	NICs  []NIC
	Plan  Plan
}

// NIC is an interface that was looked at.
type NIC struct {
	nic.Facts
	Named    bool   // it was asked for
	Err      string // it could not be looked at: why; Facts then has nothing but the name
	Attached Attached
	Proof    *Proof // of a real bind; nil: not asked for
}

// Attached is the XDP program on an interface.
type Attached struct {
	Known   bool
	Program uint32 // its number; 0: none
	Name    string // "": not known
}

// Proof is what binding a socket to a queue brought.
type Proof struct {
	Queue        int
	Mode, Reason string // granted, and why no better one
	Err          string // why none was
	Skipped      string // why it was not tried
}

// Plan is what a configuration asks for.
type Plan struct {
	Path     string // "": there is none
	Socket   string // where the API of a weir that runs by it answers
	Err      string // why it could not be read, or what is wrong with it
	Errors   int
	Warnings int
	First    string // of the errors, or else of the warnings: its place and what is wrong
	Enforce  bool
	Mirrors  []Mirror
	Ports    []Port
	Peers    []Peer
	Listens  []Listen
}

// Mirror is an interface that is to be captured from.
type Mirror struct {
	Interface string
	AFXDP     bool   // else AF_PACKET
	ZeroCopy  string // required, prefer, off
	Queues    []int  // none: all
	Cores     []int  // none: chosen at start
	Force     bool
}

// Port is one for flow exports.
type Port struct {
	Listen  netip.AddrPort
	TCP     bool
	Cores   []int
	Buffer  int   // receive buffer that is asked for, bytes
	Granted int   // that the kernel grants this process, bytes; 0: not tried
	Owner   Owner // whose socket is there already
}

// Owner is whose socket is where the daemon is to listen.
type Owner struct {
	Program string // its name; "?": another user's, who does not show it; "": nobody's
	Ours    bool   // it is of the weir that answers at Plan.Socket, whatever it is called
}

// Listen is where the daemon listens by TCP.
type Listen struct {
	Name  string // its key in the configuration
	At    netip.AddrPort
	Owner Owner
}

// Peer is a router.
type Peer struct {
	Address netip.Addr
	Skipped string // why no connection was tried
	Err     string // of a TCP connection to its port 179; "": it was taken
	Took    time.Duration
}

// weir is how the names of programs of ours begin.
const weir = "weir"

// Examine returns all checks, those of the machine first.
func Examine(f *Facts) []Check {
	e := &examination{Facts: f, cores: f.Plan.cores()}
	e.machine()
	e.processors()
	e.memory()
	e.settings()
	for i := range f.NICs {
		e.interfaces(&f.NICs[i])
	}
	e.configuration()
	return e.checks
}

// examination collects checks.
type examination struct {
	*Facts
	cores  []int // that workers are to run on, as often as they are named
	checks []Check
}

// cores returns the cores that workers are to run on.
func (p *Plan) cores() (all []int) {
	for i := range p.Mirrors {
		all = append(all, p.Mirrors[i].Cores...)
	}
	for i := range p.Ports {
		all = append(all, p.Ports[i].Cores...)
	}
	return all
}

// mirror returns what is planned for an interface, or nil.
func (p *Plan) mirror(name string) *Mirror {
	for i := range p.Mirrors {
		if p.Mirrors[i].Interface == name {
			return &p.Mirrors[i]
		}
	}
	return nil
}

// docs is where the checks are explained, in weir's repository.
const docs = "control/doctor/README.md#"

// add adds a check that has its ID, title, wanted, why and, perhaps, subject.
func (e *examination) add(c Check) *outcome {
	c.Type, c.Doc = "check", docs+anchor(c.ID)
	return &outcome{e, c}
}

// anchor is what a heading with an ID is linked by.
func anchor(id string) string {
	out := make([]byte, 0, len(id))
	for i := range len(id) {
		if id[i] != '.' {
			out = append(out, id[i])
		}
	}
	return string(out)
}

// outcome is a check whose state is not known yet.
type outcome struct {
	e *examination
	c Check
}

func (o *outcome) ok(found string) { o.end(OK, found) }

// skip says why nothing can be said, and keeps nothing that would need it.
func (o *outcome) skip(why string) {
	o.c.Wanted, o.c.Why = "", ""
	o.end(Skip, why)
}

func (o *outcome) warn(found, fix string, settings ...Setting) {
	o.c.Fix, o.c.Settings = fix, settings
	o.end(Warn, found)
}

func (o *outcome) fail(found, fix string, settings ...Setting) {
	o.c.Fix, o.c.Settings = fix, settings
	o.end(Fail, found)
}

// when ends in ok, or, if bad, in a warning.
func (o *outcome) when(bad bool, found, fix string, settings ...Setting) {
	if bad {
		o.warn(found, fix, settings...)
		return
	}
	o.ok(found)
}

func (o *outcome) end(s State, found string) {
	o.c.State, o.c.Found = s, found
	o.e.checks = append(o.e.checks, o.c)
}
