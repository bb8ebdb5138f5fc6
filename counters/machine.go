package counters

import (
	"fmt"
	"math"
)

// DefaultBudget returns a quarter of what the machine, or this process's control group, has.
func DefaultBudget() (uint64, error) {
	total, err := MachineMemory()
	if err != nil {
		return 0, fmt.Errorf("find a budget for tables: %w", err)
	}
	return min(total/4, math.MaxInt>>1), nil
}
