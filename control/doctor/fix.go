package doctor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Settings returns what all fixes that are a matter of the kernel's settings write, each file once,
// in order: where two checks want different values, the greater need comes last and holds.
func Settings(checks []Check) (out []Setting) {
	for i := range checks {
		for _, s := range checks[i].Settings {
			at := slices.IndexFunc(out, func(o Setting) bool { return o.Path == s.Path })
			switch {
			case at < 0:
				out = append(out, s)
			case larger(s.Value, out[at].Value):
				out[at] = s
			}
		}
	}
	return out
}

// larger compares decimal numbers without leading zeros; other values are never larger.
func larger(a, b string) bool {
	return len(a) > len(b) || len(a) == len(b) && a > b
}

// Command returns s as a line of a shell script.
func (s Setting) Command() string { return fmt.Sprintf("echo %s > %s", s.Value, s.Path) }

// Undo returns a shell script that puts back what the files of settings hold now, the last first.
// The files are below root, "/" but in tests. The error says which cannot be read.
func Undo(root string, settings []Setting) (string, error) {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n# Puts back what weir doctor --fix has changed. Run it as root.\n")
	for _, s := range slices.Backward(settings) {
		old, err := current(root, s.Path)
		if err != nil {
			return "", err
		}
		b.WriteString(Setting{s.Path, old}.Command() + "\n")
	}
	return b.String(), nil
}

// current returns the value of a setting. A file that lists words has the one that holds in
// brackets.
func current(root, path string) (string, error) {
	data, err := os.ReadFile(strings.TrimSuffix(root, "/") + path)
	if err != nil {
		return "", fmt.Errorf("read a setting: %w", err)
	}
	text := strings.TrimSpace(string(data))
	if _, after, ok := strings.Cut(text, "["); ok {
		text, _, _ = strings.Cut(after, "]")
	}
	if text == "" || strings.ContainsAny(text, "\n \t'\"`$;&|<>\\()") {
		return "", fmt.Errorf("read a setting: %s holds %q, which is no single word", path, text)
	}
	return text, nil
}

// Apply writes settings below root, and returns an error for those that the kernel refused, or took
// otherwise than they were written.
func Apply(root string, settings []Setting) error {
	var errs []error
	for _, s := range settings {
		if err := s.write(root); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (s Setting) write(root string) error {
	file, err := os.OpenFile(strings.TrimSuffix(root, "/")+s.Path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return fmt.Errorf("change a setting: %w", err)
	}
	_, err = file.WriteString(s.Value)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("change a setting: %w", err)
	}
	if now, err := current(root, s.Path); err == nil && now != s.Value {
		return fmt.Errorf("change a setting: %s is %s, not %s: the kernel did as far as it could",
			s.Path, now, s.Value)
	}
	return nil
}
