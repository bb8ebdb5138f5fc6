//go:build !linux

package logs

import "io"

// toJournal reports false: the journal is systemd's, and that is Linux'.
func toJournal(io.Writer) bool { return false }
