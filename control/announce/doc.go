// Package announce carries approved routes from the control loop to those who change traffic, and
// back what has become of them: written down first, then announced, then seen to stand.
//
// A route that is asked for waits for the journal, at most as long as the journal's patience, and
// is refused if that cannot write it down. A withdrawal waits for nothing.
package announce
