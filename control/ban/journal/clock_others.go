//go:build !linux

package journal

func bootID() string { return "" }

func sinceBoot() (ns int64, ok bool) { return 0, false }
