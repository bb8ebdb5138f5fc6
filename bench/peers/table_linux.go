package main

import (
	"fmt"
	"io"
	"slices"
)

// printTable prints the median of each system's runs of each workload.
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
	_, err := fmt.Fprintf(out, "\n%-9s%-12s%5s %10s%18s %8s %9s\n", "WORKLOAD", "SYSTEM", "RUNS",
		"CPU ns/rec", "LOWEST–HIGHEST", "LOSS %", "SENT k/s")
	for _, k := range order {
		list := runs[k]
		of := func(f func(*result) float64) []float64 {
			values := make([]float64, len(list))
			for i := range list {
				values[i] = f(&list[i])
			}
			slices.Sort(values)
			return values
		}
		ns := of(func(r *result) float64 { return r.NSPerRecord })
		loss := of(func(r *result) float64 { return r.Loss })
		rate := of(func(r *result) float64 { return r.Rate })
		_, err = fmt.Fprintf(out, "%-9s%-12s%5d %10.0f%11.0f–%6.0f %8.2f %9.0f\n", k.workload,
			k.system, len(list), ns[len(ns)/2], ns[0], ns[len(ns)-1], 100*loss[len(loss)/2],
			rate[len(rate)/2]/1000)
	}
	return err
}
