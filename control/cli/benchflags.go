package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/tools/blast"
)

// What flags of benchmarks may be at most: more is a slip, and takes days or too much memory.
const (
	mostRuns   = 10_000
	mostUnits  = 1_000_000_000 // packets or records of a run
	mostRate   = 1_000_000_000 // packets per second
	mostPhases = 10_000
	mostGroups = 256
	mostCores  = 256
	mostTables = 256
	mostQueues = 4096
	mostTime   = 24 * time.Hour
)

// number is the value of a flag, and what it may be.
type number struct {
	flag        string
	value       int
	least, most int
}

// checkNumbers returns what is wrong with the first that is out of its bounds.
func checkNumbers(list ...number) error {
	for _, n := range list {
		if n.value < n.least || n.value > n.most {
			return usageError("--%s is %d, not from %d to %d", n.flag, n.value, n.least, n.most)
		}
	}
	return nil
}

// checkRate returns what is wrong with a number of packets per second.
func checkRate(flag string, pps float64) error {
	if !(pps > 0 && pps <= mostRate) {
		return usageError("--%s is %v, not above 0 and up to %d packets per second", flag, pps,
			mostRate)
	}
	return nil
}

// checkNames returns which flag is an empty list, or has a name that is none of known; nil knows
// all.
func checkNames(flag string, names, known []string) error {
	if len(names) == 0 {
		return usageError("--%s is empty", flag)
	}
	for _, name := range names {
		if known != nil && !slices.Contains(known, name) {
			return usageError("--%s %q is none of %s", flag, name, strings.Join(known, ", "))
		}
	}
	return nil
}

// checkUnused returns which of flags was given, though it means nothing with what else was.
func checkUnused(cmd *cobra.Command, with string, flags ...string) error {
	for _, name := range flags {
		if cmd.Flags().Changed(name) {
			return usageError("--%s has no meaning with %s", name, with)
		}
	}
	return nil
}

// all stands for every workload.
const all = "all"

// findWorkloads returns the workloads of packets with these names; all stands for every one.
func findWorkloads(names []string) (list []blast.Workload, err error) {
	if err := checkNames("workload", names, nil); err != nil {
		return nil, err
	}
	for _, name := range names {
		if name == all {
			list = append(list, blast.Workloads()...)
			continue
		}
		w, err := blast.Find(name)
		if _, other := blast.FindExports(name); err != nil && other == nil {
			err = fmt.Errorf("%w; %s is of flow records: weir bench flows", err, name)
		}
		if err != nil {
			return nil, &exitError{exitUsage, err}
		}
		list = append(list, w)
	}
	return list, nil
}

// findExports returns the workloads of flow exports with these names; all stands for every one.
func findExports(names []string) (list []blast.ExportWorkload, err error) {
	if err := checkNames("workload", names, nil); err != nil {
		return nil, err
	}
	for _, name := range names {
		if name == all {
			list = append(list, blast.ExportWorkloads()...)
			continue
		}
		w, err := blast.FindExports(name)
		if _, other := blast.Find(name); err != nil && other == nil {
			err = fmt.Errorf("%w; %s is of packets: weir bench pipeline, or rx", err, name)
		}
		if err != nil {
			return nil, &exitError{exitUsage, err}
		}
		list = append(list, w)
	}
	return list, nil
}
