// Command guest is the only program of the machine that package zerocopy boots: its init, and weir
// itself. It shows first the data plane alone (ring/afxdp, fastpath and counters, every frame
// looked at), then a running weir, which is this same program under that name.
package main
