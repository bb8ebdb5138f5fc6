package main

import (
	"fmt"
	"io"
	"slices"
)

// lossless is the part of the records that a run may lose and still count for CPU time: what was
// done for records that were lost then would be told of the others.
const lossless = 0.01

// printTable prints the median of each system's runs of each workload: CPU time of those without
// loss, marked where there were none. RUNS are those, of all.
func printTable(out io.Writer, all []result) error {
	type key struct{ workload, system string }
	var order []key
	runs := map[key][]result{}
	for _, r := range all {
		k := key{r.Workload, r.System}
		if runs[k] == nil {
			order = append(order, k)
		}
		runs[k] = append(runs[k], r)
	}
	_, err := fmt.Fprintf(out, "\n%-9s%-12s%6s %11s%18s %8s %9s\n", "WORKLOAD", "SYSTEM", "RUNS",
		"CPU ns/rec ", "LOWEST–HIGHEST", "LOSS %", "SENT k/s")
	for _, k := range order {
		list := runs[k]
		clean := slices.DeleteFunc(slices.Clone(list), func(r result) bool {
			return r.Loss > lossless
		})
		mark, used := " ", clean
		if len(clean) == 0 {
			mark, used = "*", list
		}
		ns := sorted(used, func(r *result) float64 { return r.NSPerRecord })
		loss := sorted(list, func(r *result) float64 { return r.Loss })
		rate := sorted(list, func(r *result) float64 { return r.Rate })
		_, err = fmt.Fprintf(out, "%-9s%-12s%4d/%d %10.0f%s%11.0f–%6.0f %8.2f %9.0f\n",
			k.workload, k.system, len(clean), len(list), ns[len(ns)/2], mark, ns[0], ns[len(ns)-1],
			100*loss[len(loss)/2], rate[len(rate)/2]/1000)
	}
	return err
}

func sorted[T any](list []T, f func(*T) float64) []float64 {
	values := make([]float64, len(list))
	for i := range list {
		values[i] = f(&list[i])
	}
	slices.Sort(values)
	return values
}
