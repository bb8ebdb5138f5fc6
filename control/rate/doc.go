// Package rate turns merged counters into rates: per host, direction and class, over the last
// second and over 2, 5 and 10 seconds, with the pipeline's accounting.
//
// It is pure: snapshots and times come as arguments. The control loop calls it after each flip.
package rate
