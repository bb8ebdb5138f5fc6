package cli

import (
	"strings"
	"testing"
)

func TestTune_Usage(t *testing.T) {
	for _, line := range []string{
		"tune", "tune eth1", "tune --dry-run", "tune --apply", "tune --dry-run --apply eth1",
		"tune --apply --undo eth1", "tune --dry-run eth1 eth1", "tune --dry-run --queues -1 eth1",
		"tune --dry-run --cores-per-queue three eth1", "tune --dry-run --hash random eth1",
		"tune --dry-run --flow-ports 0 eth1", "tune --dry-run --flow-ports 65536 eth1",
		"tune --dry-run --flow-ports x eth1", "tune --dry-run --skip colour eth1",
		"tune --dry-run -o yaml eth1",
	} {
		status, out, errOut := run(line)
		if status != exitUsage || out != "" || !strings.HasPrefix(errOut, "weir: ") {
			t.Errorf("weir %s: status %d, out %q, err %q", line, status, out, errOut)
		}
	}
}
