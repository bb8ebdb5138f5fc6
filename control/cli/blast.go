package cli

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"weir/tools/blast"
	"weir/tools/blast/wire"
)

// blastFlags are those of weir blast, as they were given.
type blastFlags struct {
	workload, vector, target, sources string
	rate, pulse, dst, src, via, write string
	ramp, duration                    time.Duration
	packets, seed                     uint64
	cores                             []int
	size, port, loop                  int
	force, list                       bool
}

func newBlast() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "blast IFACE --workload NAME | --vector NAME --target ADDR|PREFIX",
		Short: "send a benchmark's workload or an attack from an interface, and count it",
		Long: `Send frames from an interface: a workload that benchmarks are named by, or an attack
on an address or, as carpet bombing, on a prefix. The same seed gives the same frames on the wire,
in a file, and in weir bench; only the clocks of flow exports that are sent are those of now.
Send only into networks that are yours: sources are made up, and what nobody expects is an attack.

The status is 3 when, by --via live, the interface counted fewer frames than were sent: its driver
has dropped them, or does not count what comes that way.`,
		Example: `  weir blast --list
  weir blast eth1 --workload W2 --rate 1M --duration 30s
  weir blast eth1 --vector syn_flood --target 192.0.2.7 --rate 50k --pulse 5s/20s
  weir blast --write w1.pcapng --workload W1 --packets 10000
  weir blast --write - --workload W5 --duration 1s | tcpdump -nr -`,
		Args: cobra.MaximumNArgs(1),
	}
	f := &blastFlags{}
	f.add(cmd)
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		if f.list {
			return listBlast(cmd.OutOrStdout(), asJSON)
		}
		c, err := f.config()
		if err != nil {
			return &exitError{exitUsage, err}
		}
		if (len(args) == 1) == (f.write != "") {
			return usageError("blast goes to an interface, or with --write to a file")
		}
		if f.write != "" {
			return writeBlast(cmd, f.write, &c, asJSON)
		}
		c.Interface = args[0]
		return runBlast(cmd, c, asJSON)
	}
	return cmd
}

func (f *blastFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.workload, "workload", "", "W1 to W8, frames; F1 to F5, flow exports")
	flags.StringVar(&f.vector, "vector", "", "kind of attack; --list names them")
	flags.StringVar(&f.target, "target", "",
		"of a vector: address, or prefix to spread it over; of exports: collector's ADDR[:PORT]")
	flags.StringVar(&f.sources, "sources", "", "prefix that a vector is from (default: anywhere)")
	flags.IntVar(&f.size, "size", 0, "length of a vector's IP packets; what is over 1500, where a "+
		"vector has such, comes as fragments (default: the vector's)")
	flags.IntVar(&f.port, "port", 0, "destination port of a vector (default: the vector's)")
	flags.StringVar(&f.rate, "rate", "100k", "frames per second, as in 250k or 1.5M, or max")
	flags.DurationVar(&f.ramp, "ramp", 0, "time in which the rate rises from 0")
	flags.StringVar(&f.pulse, "pulse", "", "ON/OFF: send for ON, be silent for OFF, as in 5s/20s")
	flags.DurationVar(&f.duration, "duration", 0, "time to send (default 10s without --packets)")
	flags.Uint64Var(&f.packets, "packets", 0, "frames to send")
	flags.IntSliceVar(&f.cores, "cores", nil, "CPUs to send on, each from a queue of its own")
	flags.StringVar(&f.via, "via", wire.Auto, strings.Join(wire.Ways(), ", "))
	flags.Uint64Var(&f.seed, "seed", 0, "of the random choices (default: the workload's own)")
	flags.IntVar(&f.loop, "loop", 0, "repeat the first so many frames, made once: cheaper")
	flags.StringVar(&f.dst, "dst-mac", "", "hardware address to send to (default: a made-up one)")
	flags.StringVar(&f.src, "src-mac", "", "hardware address to send from (default: a made-up one)")
	flags.BoolVar(&f.force, "force", false, "also where the default route is")
	flags.StringVar(&f.write, "write", "", "write a file instead of sending: pcapng, or pcap if "+
		"the name says so, compressed if it ends in .gz; - is standard output, and the result "+
		"then goes to standard error")
	flags.BoolVar(&f.list, "list", false, "show workloads and vectors")
}

// config returns what the flags ask for.
func (f *blastFlags) config() (c wire.Config, err error) {
	if c.Load, err = f.load(); err != nil {
		return c, err
	}
	if f.loop < 0 || f.loop > maxLoop {
		return c, fmt.Errorf("--loop is %d, not from 1 to %d", f.loop, maxLoop)
	}
	if f.write == "" { // a file is the same each time; a collector asks for the time of now
		c.Load, c.Clock = c.Load.At(time.Now()), true
	}
	if f.loop > 0 {
		c.Load = c.Load.Loop(f.loop)
	}
	c.Seed, c.Via, c.Cores, c.Force = f.seed, f.via, f.cores, f.force
	c.Frames, c.Time = f.packets, f.duration
	if c.Frames == 0 && c.Time == 0 {
		c.Time = 10 * time.Second
	}
	c.Shape.Ramp = f.ramp
	if c.Shape.PPS, err = parseRate(f.rate); err != nil {
		return c, err
	}
	if f.pulse != "" {
		on, off, _ := strings.Cut(f.pulse, "/")
		var bad [2]error
		c.Shape.On, bad[0] = time.ParseDuration(on)
		c.Shape.Off, bad[1] = time.ParseDuration(off)
		if err := errors.Join(bad[:]...); err != nil || c.Shape.On <= 0 || c.Shape.Off <= 0 {
			return c, fmt.Errorf("--pulse is %q, not two times as in 5s/20s", f.pulse)
		}
	}
	if c.Dst, err = parseMAC("dst-mac", f.dst); err != nil {
		return c, err
	}
	if c.Src, err = parseMAC("src-mac", f.src); err != nil {
		return c, err
	}
	return c, c.Check()
}

// maxLoop bounds the memory of frames that are repeated, to 1.5 GiB for each core.
const maxLoop = 1 << 20

// load returns the frames that are asked for.
func (f *blastFlags) load() (l blast.Load, err error) {
	switch {
	case f.workload == "" && f.vector == "":
		return l, errors.New("give --workload or --vector; --list names them")
	case f.workload != "" && f.vector != "":
		return l, errors.New("--workload and --vector are both given: it is one or the other")
	case f.vector != "":
		return f.flow()
	case f.sources != "" || f.size != 0 || f.port != 0:
		return l, errors.New("--sources, --size and --port are for a --vector")
	}
	exports, err := blast.FindExports(f.workload)
	if err != nil {
		if f.target != "" {
			return l, errors.New("--target is for a --vector or for flow exports (F1 to F5)")
		}
		w, err := blast.Find(f.workload)
		if err != nil {
			return l, fmt.Errorf("%w, nor F1 to F5", err)
		}
		return w.Load(), nil
	}
	collector := exports.Collector()
	if f.target != "" {
		if collector, err = parseCollector(f.target, collector.Port()); err != nil {
			return l, err
		}
	}
	return exports.Load(collector), nil
}

// flow returns the frames of a vector.
func (f *blastFlags) flow() (l blast.Load, err error) {
	flow := blast.Flow{Vector: f.vector}
	if f.target == "" {
		return l, errors.New("a --vector needs a --target")
	}
	if flow.Dst.Prefix, err = parsePrefix("target", f.target); err != nil {
		return l, err
	}
	if f.sources != "" {
		if flow.Src.Prefix, err = parsePrefix("sources", f.sources); err != nil {
			return l, err
		}
	}
	if f.port < 0 || f.port > 1<<16-1 {
		return l, errors.New("--port is at most 65535")
	}
	if f.port > 0 {
		flow.DstPort = blast.Port(uint16(f.port))
	}
	least, most, err := flow.SizeRange()
	if err != nil {
		return l, err
	}
	if f.size != 0 {
		if f.size < least || f.size > most {
			return l, fmt.Errorf("--size is %d: packets of %s to %s have %d to %d bytes", f.size,
				f.vector, f.target, least, most)
		}
		flow.Size = blast.Bytes(f.size)
	}
	return flow.Load()
}

// parsePrefix reads a prefix, or an address as a prefix of its own.
func parsePrefix(flag, text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" && !a.Is4In6() {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("--%s is %q, neither an address nor a prefix", flag, text)
	}
	return p.Masked(), nil
}

// parseCollector reads an address, with a port or without.
func parseCollector(text string, port uint16) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Is4() {
		return netip.AddrPortFrom(a, port), nil
	}
	a, err := netip.ParseAddrPort(text)
	if err != nil || !a.Addr().Is4() {
		return a, fmt.Errorf("--target is %q, not an IPv4 address of a collector", text)
	}
	return a, nil
}

// parseRate reads a number of frames per second; 0 is as fast as they go.
func parseRate(text string) (float64, error) {
	if text == "max" {
		return 0, nil
	}
	unit, number := 1.0, text
	for suffix, factor := range map[string]float64{"k": 1e3, "M": 1e6} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			unit, number = factor, rest
		}
	}
	rate, err := strconv.ParseFloat(number, 64)
	if err != nil || !(rate*unit > 0) {
		return 0, fmt.Errorf("--rate is %q, not a number as 250k or 1.5M, nor max", text)
	}
	return rate * unit, nil
}

// parseMAC reads a hardware address; none is nil.
func parseMAC(flag, text string) (*[6]byte, error) {
	if text == "" {
		return nil, nil
	}
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != 6 {
		return nil, fmt.Errorf("--%s is %q, not a hardware address", flag, text)
	}
	return (*[6]byte)(mac), nil
}

// runBlast sends until the end, or until Ctrl-C.
func runBlast(cmd *cobra.Command, c wire.Config, asJSON bool) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c.Progress = blastProgress(cmd.ErrOrStderr())
	r, err := wire.Run(ctx, c)
	if errors.Is(err, wire.ErrDefaultRoute) {
		return fmt.Errorf("%w: --force sends there all the same", err)
	}
	if r.Via == "" {
		return err
	}
	err = errors.Join(printBlast(cmd.OutOrStdout(), &r, asJSON), err)
	if err == nil && untaken(&r) {
		return &exitError{status: exitWarnings}
	}
	return err
}
