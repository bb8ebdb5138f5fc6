package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"weir/bench"
	"weir/fastpath"
	"weir/tools/blast"
	"weir/tools/lab"
)

// packetOptions are the command line of `peers packets`.
type packetOptions struct {
	dir       string
	weir      string
	workloads string
	systems   string
	rounds    int
	rate      float64 // packets per second
	seconds   int
}

const packetUsage = `usage: peers packets [options] DIR

Compares weir with others that receive packets. What they are told, what they say and the figures
stay in DIR. Needs root.

`

func parsePackets(args []string) (o packetOptions, err error) {
	var all []string
	for _, s := range packetSystems("", "") {
		all = append(all, s.name)
	}
	flags := flag.NewFlagSet("peers packets", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), packetUsage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.weir, "weir", "./weir", "the weir to run")
	flags.StringVar(&o.workloads, "workload", "W1,W2", "workloads to send")
	flags.StringVar(&o.systems, "system", strings.Join(all, ","), "systems to run")
	flags.IntVar(&o.rounds, "rounds", 3, "runs of each system and workload")
	flags.Float64Var(&o.rate, "rate", 500_000, "packets per second")
	flags.IntVar(&o.seconds, "seconds", 8, "how long a run sends")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() != 1 || o.rounds < 1 || !(o.rate >= 1) || o.seconds < 1 {
		flags.Usage()
		return o, errors.New("one directory, and numbers of at least 1")
	}
	if o.weir, err = filepath.Abs(o.weir); err != nil {
		return o, err
	}
	o.dir, err = filepath.Abs(flags.Arg(0))
	return o, err
}

func runPackets(args []string) error {
	o, err := parsePackets(args)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("this needs root, for network namespaces")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	if err := fastpath.KeepOff([]int{1}); err != nil { // that is the systems'
		return err
	}
	var present []packetSystem
	for _, s := range packetSystems(o.weir, self) {
		if !strings.Contains(","+o.systems+",", ","+s.name+",") {
			continue
		}
		if missing := s.missing(); missing != "" {
			fmt.Fprintf(os.Stderr, "peers: %s is left out: %s\n", s.name, missing)
			continue
		}
		present = append(present, s)
	}
	fmt.Fprintf(os.Stderr, "peers: xdp-bench is left out: %s\n", xdpBench())
	return comparePackets(&o, present)
}

// packetResult is one run, a line of JSON.
type packetResult struct {
	Type      string     `json:"type"`
	Bench     string     `json:"bench"`
	System    string     `json:"system"`
	Version   string     `json:"version"`
	Via       string     `json:"via"` // afpacket or afxdp
	Workload  string     `json:"workload"`
	Round     int        `json:"round"`
	Sent      uint64     `json:"sent"`      // with the warm-up
	Delivered float64    `json:"delivered"` // as the system counts
	Loss      float64    `json:"loss"`      // part of sent
	Rate      float64    `json:"rate"`      // packets per second that were sent
	UserNS    float64    `json:"user_ns"`   // CPU time of the process per packet delivered
	SystemNS  float64    `json:"system_ns"`
	TotalNS   float64    `json:"cpu_ns_per_packet"`
	Samples   int        `json:"samples"`  // that user and system time are told apart by
	IdleCPU   float64    `json:"idle_cpu"` // CPU seconds per second before, which is taken off
	Load      string     `json:"load"`
	Host      bench.Host `json:"host"`
}

// comparePackets runs everything.
func comparePackets(o *packetOptions, present []packetSystem) error {
	lines, err := os.OpenFile(filepath.Join(o.dir, "packets.json"),
		os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer lines.Close()
	out := json.NewEncoder(io.MultiWriter(lines, os.Stdout))
	var all []packetResult
	for _, name := range strings.Split(o.workloads, ",") {
		w, err := blast.Find(name)
		if err != nil {
			return err
		}
		for round := range o.rounds {
			for i := range present {
				s := &present[(i+round)%len(present)]
				r, err := measurePackets(o, s, &w, round)
				if err != nil {
					fmt.Fprintf(os.Stderr, "peers: %s %s, round %d: %v\n", s.name, name, round, err)
					continue
				}
				all = append(all, *r)
				if err := out.Encode(r); err != nil {
					return err
				}
			}
		}
	}
	return printPackets(os.Stdout, all)
}

// measurePackets runs one system on one workload, in a lab of its own.
func measurePackets(
	o *packetOptions, s *packetSystem, w *blast.Workload, round int,
) (r *packetResult, err error) {
	dir := filepath.Join(o.dir, fmt.Sprintf("%s-%s-%d", s.name, w.Name, round))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	l, err := lab.Open(lab.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if !s.xdp {
		if err := l.SetPolled(0); err != nil {
			return nil, err
		}
	}
	args, err := s.prepare(s, w, dir)
	if err != nil {
		return nil, err
	}
	p, err := launch(dir, args, func(c *exec.Cmd) error { return l.Sut().Start(c) })
	if err != nil {
		return nil, err
	}
	defer p.stop()
	p.client = l.Sut().Client()
	time.Sleep(settle)
	r = &packetResult{
		Type: "bench", Bench: "peers-packets", System: s.name, Version: s.version(),
		Via: "afpacket", Workload: w.Name, Round: round, Host: bench.ThisHost(),
	}
	if s.xdp {
		r.Via = "afxdp"
	}
	return r, r.measure(o, s, p, l, w)
}

// measure fills in what a system that has begun does.
func (r *packetResult) measure(
	o *packetOptions, s *packetSystem, p *process, l *lab.Lab, w *blast.Workload,
) error {
	load := w.Load()
	g, err := l.Generator(lab.GeneratorConfig{Load: &load})
	if err != nil {
		return err
	}
	defer func() { _ = g.Close() }()
	resting, err := r.watch(p, func() error { time.Sleep(idle); return nil })
	if err != nil {
		return err
	}
	r.IdleCPU = resting.total().Seconds() / idle.Seconds()
	if err := sendFor(g, o.rate, warmUp); err != nil {
		return err
	}
	time.Sleep(drain)
	began, warm := time.Now(), g.Sent()
	used, err := r.watch(p, func() error {
		err := sendFor(g, o.rate, time.Duration(o.seconds)*time.Second)
		r.Sent, r.Rate = g.Sent(), float64(g.Sent()-warm)/time.Since(began).Seconds()
		time.Sleep(drain)
		return err
	})
	if err != nil {
		return err
	}
	took := time.Since(began)
	if r.Delivered, err = s.delivered(p); err != nil {
		return err
	}
	r.Loss = 1 - r.Delivered/float64(r.Sent)
	packets := float64(r.Sent-warm) * r.Delivered / float64(r.Sent)
	idling := took.Seconds() / idle.Seconds() // times the time that resting was measured
	r.UserNS = (float64(used.user) - idling*float64(resting.user)) / packets
	r.SystemNS = (float64(used.system) - idling*float64(resting.system)) / packets
	r.TotalNS = r.UserNS + r.SystemNS
	average, _ := os.ReadFile("/proc/loadavg")
	r.Load = strings.TrimSpace(string(average))
	return nil
}

// watch returns the CPU time that a system takes while f runs: all of it as /proc has it, shared
// out as samples say.
func (r *packetResult) watch(p *process, f func() error) (used cpuTime, err error) {
	before, err := p.cpu()
	if err != nil {
		return used, err
	}
	samples, err := bench.NewSamples(1)
	if err != nil {
		return used, err
	}
	defer samples.Close()
	if err := f(); err != nil {
		return used, err
	}
	pids, after, err := p.members()
	if err != nil {
		return used, err
	}
	all, user, err := samples.Stop(func(process, _ int) bool { return pids[process] })
	if err != nil {
		return used, err
	}
	r.Samples = all
	total := after.minus(before).total()
	if all > 0 {
		used.user = time.Duration(float64(total) * float64(user) / float64(all))
	}
	used.system = total - used.user
	return used, nil
}

func sendFor(g *lab.Generator, pps float64, lasts time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	return g.Run(ctx, pps, nil)
}
