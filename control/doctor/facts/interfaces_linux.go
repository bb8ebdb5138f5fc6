package facts

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"weir/control/doctor"
	"weir/ring/afxdp"
	"weir/ring/nic"
)

// interfaces asks about those named, or those of the plan, or else all hardware that is up.
func interfaces(names []string, p *doctor.Plan) []doctor.NIC {
	h, err := nic.Open()
	if err != nil {
		return unanswered(names, err)
	}
	defer h.Close()
	named := len(names) > 0
	if !named {
		names = chosen(h, p)
	}
	out := make([]doctor.NIC, 0, len(names))
	for _, name := range names {
		n := ask(h, name)
		n.Named = named
		out = append(out, n)
	}
	return out
}

func unanswered(names []string, err error) (out []doctor.NIC) {
	for _, name := range names {
		n := doctor.NIC{Named: true, Err: err.Error()}
		n.Name = name
		out = append(out, n)
	}
	return out
}

// chosen returns the interfaces that matter where none are named.
func chosen(h *nic.Handle, p *doctor.Plan) (names []string) {
	for i := range p.Mirrors {
		names = append(names, p.Mirrors[i].Interface)
	}
	if len(names) > 0 {
		return names
	}
	all, err := h.List()
	if err != nil {
		return nil
	}
	for i := range all {
		if all[i].Kind == "device" && all[i].Up && all[i].Encapsulation == "ether" {
			names = append(names, all[i].Name)
		}
	}
	return names
}

// ask asks about one interface.
func ask(h *nic.Handle, name string) (n doctor.NIC) {
	facts, err := h.Facts(name)
	n.Facts = facts
	n.Name = name
	if err != nil {
		n.Err = err.Error()
		if errors.Is(err, nic.ErrMissing) {
			n.Err = "there is no such interface"
		}
		return n
	}
	if id, err := h.Program(name); err == nil {
		n.Attached = doctor.Attached{Known: true, Program: id}
		if id != 0 {
			n.Attached.Name, _ = afxdp.ProgramName(id) // without the right to ask it has none
		}
	}
	return n
}

// prove binds a socket to a queue of the interface as weir run would, and lets go of it.
func prove(n *doctor.NIC, p *doctor.Plan) {
	proof := &doctor.Proof{}
	n.Proof = proof
	c := afxdp.Config{
		Interface: n.Name, Workers: 1, ZeroCopy: afxdp.Prefer,
		Clock: func() int64 { return time.Now().UnixNano() },
	}
	for i := range p.Mirrors {
		m := &p.Mirrors[i]
		if m.Interface == n.Name {
			c.Force = m.Force
			if len(m.Queues) > 0 {
				proof.Queue = m.Queues[0]
			}
		}
	}
	c.Queues = []int{proof.Queue}
	switch {
	case n.Err != "":
		proof.Skipped = n.Err
		return
	case strings.HasPrefix(n.Attached.Name, "weir"):
		proof.Skipped = "weir holds the interface: weir status says what it was granted"
		return
	}
	mirror, err := afxdp.Open(c)
	switch {
	case errors.Is(err, os.ErrPermission):
		proof.Skipped = "it takes CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF"
		return
	case errors.Is(err, afxdp.ErrDefaultRoute):
		proof.Skipped = "it carries the default route: a bind would take frames from this host"
		return
	case err != nil:
		proof.Err = err.Error()
		return
	}
	for _, q := range mirror.Status().Queues {
		if q.Queue == proof.Queue {
			proof.Mode, proof.Reason = q.Mode, q.Reason
		}
	}
	if err := mirror.Close(); err != nil {
		proof.Err = fmt.Sprintf("granted %s, but: %v", proof.Mode, err)
	}
}
