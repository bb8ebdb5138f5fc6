package journal

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

func bootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || len(text) > 64 {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func sinceBoot() (ns int64, ok bool) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0, false
	}
	return t.Nano(), true
}
