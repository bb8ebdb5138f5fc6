//go:build !linux

package facts

import "weir/control/doctor"

// interfaces knows no more than the names: only Linux is asked.
func interfaces(names []string, _ *doctor.Plan) (out []doctor.NIC) {
	for _, name := range names {
		n := doctor.NIC{Named: true, Err: "capture from interfaces needs Linux"}
		n.Name = name
		out = append(out, n)
	}
	return out
}

func prove(n *doctor.NIC, _ *doctor.Plan) {
	n.Proof = &doctor.Proof{Skipped: "capture from interfaces needs Linux"}
}
