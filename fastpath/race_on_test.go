//go:build race

package fastpath

// raceDetector reports whether the tests run under the race detector.
const raceDetector = true
