// Package capture keeps evidence: the heads of sampled frames of every host for some seconds, so
// that a verdict has packets from before the attack at once, and of each incident's target for
// as long as the incident lasts. It writes them as pcapng.
//
// The control loop calls it, on its own goroutine; memory is bounded by what it was given.
package capture
