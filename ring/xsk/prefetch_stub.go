//go:build amd64 || arm64

package xsk

// prefetchFrames prefetches the line in which the packet of each of n descriptors begins, which
// holds nearly every header. Addresses outside of the UMEM do nothing.
//
// The assembly knows Desc: TestPrefetchLayout holds it to that.
//
//go:noescape
func prefetchFrames(umem *byte, descs *Desc, n int)
