// Package live sends frames from inside the kernel, by test runs of BPF programs with live frames
// (BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18): a program writes each frame and redirects it to an
// interface's driver. What the driver does not take is lost without a trace, but for the driver's
// own counters: a veth takes frames only while its other end has a native XDP program or GRO.
//
// It also has what else is needed to send at all: a packet socket, and a thread on a CPU. It needs
// Linux, and privileges.
package live
