//go:build amd64 || arm64

package ring

// prefetchFrames prefetches the line in which each of n frames begins.
//
// The assembly knows Frame: TestPrefetchLayout holds it to that.
//
//go:noescape
func prefetchFrames(mem *byte, frames *Frame, n int)
