package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// printPackets prints the medians of each system's runs of each workload: CPU time of those
// without loss, marked where there were none. RUNS are those, of all; TIMES is how often the user
// time of the first system of the same engine goes into a system's.
func printPackets(out io.Writer, all []packetResult) error {
	type key struct{ workload, via, system string }
	var order []key
	runs := map[key][]packetResult{}
	for _, r := range all {
		k := key{r.Workload, r.Via, r.System}
		if runs[k] == nil {
			order = append(order, k)
		}
		runs[k] = append(runs[k], r)
	}
	slices.SortStableFunc(order, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.workload, b.workload), cmp.Compare(a.via, b.via))
	})
	_, err := fmt.Fprintf(out, "\n%-9s%-10s%-21s%5s %9s %15s %10s %10s %7s %8s %9s\n", "WORKLOAD",
		"VIA", "SYSTEM", "RUNS", "USER ns ", "LOWEST–HIGHEST", "SYSTEM ns", "BOTH ns", "TIMES",
		"LOSS %", "SENT k/s")
	first := map[key]float64{}
	for _, k := range order {
		list := runs[k]
		clean := slices.DeleteFunc(slices.Clone(list), func(r packetResult) bool {
			return r.Loss > lossless
		})
		mark, used := " ", clean
		if len(clean) == 0 {
			mark, used = "*", list
		}
		user := sorted(used, func(r *packetResult) float64 { return r.UserNS })
		middle := func(list []packetResult, f func(*packetResult) float64) float64 {
			v := sorted(list, f)
			return v[len(v)/2]
		}
		group := key{workload: k.workload, via: k.via}
		if first[group] == 0 {
			first[group] = user[len(user)/2]
		}
		_, err = fmt.Fprintf(out, "%-9s%-10s%-21s%3d/%d %8.0f%s %7.0f–%7.0f %10.0f %10.0f %7.1f "+
			"%8.2f %9.0f\n", k.workload, k.via, k.system, len(clean), len(list), user[len(user)/2],
			mark, user[0], user[len(user)-1],
			middle(used, func(r *packetResult) float64 { return r.SystemNS }),
			middle(used, func(r *packetResult) float64 { return r.TotalNS }),
			user[len(user)/2]/first[group],
			100*middle(list, func(r *packetResult) float64 { return r.Loss }),
			middle(list, func(r *packetResult) float64 { return r.Rate })/1000)
	}
	return err
}
