// Package host knows what of a machine, besides its network interfaces, decides how fast packets
// can be taken from it: processors and their siblings, nodes of memory, isolated cores, interrupts,
// governors and idle states, huge pages, limits, kernel settings, the clock.
//
// Read takes everything from the files below a root directory, which is "/" but in tests, and
// writes nothing. What the machine does not tell – a VM has no governor, a kernel without NUMA no
// nodes – stays at a value that says so; nothing is an error.
package host

import (
	"net/netip"
	"slices"
)

// Facts is what is known of a machine at the moment of asking. Lists of CPUs are sorted.
type Facts struct {
	Kernel  Kernel
	Model   string // of the processors; "": not known
	Virtual bool   // a hypervisor shows itself

	CPUs     []CPU  // online, by ID; empty: not known
	Isolated []int  // from the scheduler: isolcpus=, or a cpuset's isolated partition
	NoHzFull []int  // no timer tick while one task runs
	Allowed  []int  // on which this process may run; empty: not known
	Nodes    []Node // of memory, by ID; one, 0, where the kernel has no NUMA

	IRQs    []IRQ             // by number; empty: not known
	Devices map[string]Device // hardware behind network interfaces, by the interface's name

	Programs   []string          // of those in Watched, the running ones, sorted
	Sysctl     map[string]string // those in Sysctls that there are, e.g. net.core.rmem_max
	HugePages  string            // transparent ones: always, madvise, never; "": not known
	Memory     Memory
	Limits     Limits
	Capability uint64 // bits of those in effect (capability(7)); see Can

	Load  float64 // of the last minute; −1: not known
	Times Times   // since the start of the machine
	Clock Clock   // Here knows it, Read does not

	DefaultRoutes []string // interfaces that carry one, IPv4 or IPv6, sorted
	UDP           []Socket // of the network namespace
	TCP           []Socket // those that listen
}

// Kernel is what uname(2) tells.
type Kernel struct {
	Release      string // e.g. "6.1.0-25-amd64"; "": not known
	Major, Minor int
}

// Least reports whether the kernel is at least of that version. One that is not known is of none.
func (k Kernel) Least(major, minor int) bool {
	return k.Major > major || k.Major == major && k.Minor >= minor
}

// CPU is one logical processor.
type CPU struct {
	ID       int
	Core     int    // within its package; −1: not known
	Package  int    // socket; −1: not known
	Node     int    // of memory; −1: not known
	Siblings []int  // that share its core, itself among them; empty: not known
	Governor string // of its frequency; "": there is none, or not known
	Idle     []Idle // states, the shallowest first; empty: there are none, or not known
}

// Idle is one state in which a CPU waits.
type Idle struct {
	Name     string
	Exit     int // microseconds until it runs again
	Disabled bool
}

// Node is a part of the memory that some CPUs are close to.
type Node struct {
	ID    int
	CPUs  []int
	Pools []Pool // huge pages, the smallest first
}

// Pool is what a node has of huge pages of one size.
type Pool struct {
	Size        uint64 // bytes of a page
	Total, Free int    // pages
}

// IRQ is an interrupt that has a number.
type IRQ struct {
	Number    int
	Name      string   // what its handlers are called, e.g. "ens1f0-TxRx-3"
	Counts    []uint64 // since the start, in the order of Facts.CPUs
	Affinity  []int    // CPUs that may take it; empty: not known
	Effective []int    // CPUs that do; empty: not known
}

// Device is where the hardware of a network interface sits.
type Device struct {
	Node   int    // −1: not known, or all alike
	Driver string // kernel module; "": not known
	IRQs   []int  // numbers of its message-signalled interrupts, sorted
}

// Memory is that of the machine, in bytes; 0: not known.
type Memory struct{ Total, Available uint64 }

// Unlimited is the limit that is none.
const Unlimited = ^uint64(0)

// Limits are those of this process.
type Limits struct {
	Known       bool
	Memlock     uint64 // bytes that may be locked (soft limit), or Unlimited
	MemlockHard uint64
	OpenFiles   uint64
}

// Times are what CPUs spent their time on, in ticks of 10 ms as a rule.
type Times struct {
	All  CPUTime
	Each map[int]CPUTime // by CPU
}

// CPUTime is one CPU's, or all CPUs' together.
type CPUTime struct{ Total, Idle, Steal uint64 }

// Clock is how the system's clock is kept.
type Clock struct {
	Known        bool
	Synchronized bool
	MaxError     float64 // seconds
}

// Socket is one of UDP or TCP.
type Socket struct {
	Local netip.AddrPort
	Queue uint64 // bytes that wait to be read
	Drops uint64 // datagrams that found no room
	Inode uint64
}

// CPU returns the one of that ID, or nil.
func (f *Facts) CPU(id int) *CPU {
	i, ok := find(f.CPUs, id)
	if !ok {
		return nil
	}
	return &f.CPUs[i]
}

// find returns where in a sorted list the CPU of that ID is.
func find(cpus []CPU, id int) (int, bool) {
	return slices.BinarySearchFunc(cpus, id, func(c CPU, id int) int { return c.ID - id })
}

// Node returns the one of that ID, or nil.
func (f *Facts) Node(id int) *Node {
	for i := range f.Nodes {
		if f.Nodes[i].ID == id {
			return &f.Nodes[i]
		}
	}
	return nil
}

// IRQ returns the interrupt of that number, or nil.
func (f *Facts) IRQ(number int) *IRQ {
	for i := range f.IRQs {
		if f.IRQs[i].Number == number {
			return &f.IRQs[i]
		}
	}
	return nil
}

// Runs reports whether one of the programs that Read looks for runs.
func (f *Facts) Runs(program string) bool { return slices.Contains(f.Programs, program) }

// Can reports whether this process has a capability, by its number in capability(7).
func (f *Facts) Can(capability int) bool { return f.Capability>>capability&1 == 1 }
