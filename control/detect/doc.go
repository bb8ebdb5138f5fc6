// Package detect decides: rates and a policy in, verdicts out. It is pure and deterministic: no
// clock, no I/O, no goroutines; time is an argument.
package detect
