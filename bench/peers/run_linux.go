package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"

	"weir/bench"
	"weir/ring/udp"
	"weir/tools/blast"
)

// options are the command line.
type options struct {
	dir       string
	weir      string // the binaries
	goflow2   string
	workloads string
	systems   string
	rounds    int
	rate      int // records per second
	seconds   int
	inside    bool // this process has the namespace already
}

const usage = `usage: peers [options] DIR
       peers packets [options] DIR

Compares weir with other collectors of flow exports. What they are told, what they say and the
figures stay in DIR. Needs root.

`

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.weir, "weir", "./weir", "the weir to run")
	flags.StringVar(&o.goflow2, "goflow2", "goflow2", "the goflow2 to run")
	flags.StringVar(&o.workloads, "workload", "F1,F3,F4,F5", "workloads to send")
	flags.StringVar(&o.systems, "system", strings.Join(names(), ","), "systems to run")
	flags.IntVar(&o.rounds, "rounds", 3, "runs of each system and workload")
	flags.IntVar(&o.rate, "rate", 300_000, "records per second; of F4 a third, of F5 a tenth")
	flags.IntVar(&o.seconds, "seconds", 8, "how long a run sends")
	flags.BoolVar(&o.inside, "inside", false, "the caller made the namespace: for itself")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() != 1 || o.rounds < 1 || o.rate < 1 || o.seconds < 1 {
		flags.Usage()
		return o, errors.New("one directory, and numbers of at least 1")
	}
	o.dir, err = filepath.Abs(flags.Arg(0))
	return o, err
}

func run(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "packets":
			return runPackets(args[1:])
		case "ring":
			return runRing(args[1:])
		}
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("this needs root, for a network namespace and equal socket buffers")
	}
	if !o.inside {
		return enter(args)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set up the loopback: %w", err)
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	return compare(&o)
}

// receiveBuffer is what every collector's sockets have, bytes: weir's default.
const receiveBuffer = udp.DefaultReceiveBuffer

// bufferFiles are what sockets may ask for, and what they get that do not: not all collectors can.
var bufferFiles = []string{"/proc/sys/net/core/rmem_max", "/proc/sys/net/core/rmem_default"}

// enter runs this program again on CPU 0 in a namespace of its own, with equal buffers meanwhile.
func enter(args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, path := range bufferFiles {
		before, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(strconv.Itoa(receiveBuffer)), 0); err != nil {
			fmt.Fprintf(os.Stderr, "peers: socket buffers are not equal: %v\n", err)
			break
		}
		defer func() { _ = os.WriteFile(path, before, 0) }()
	}
	c := exec.Command("taskset", append([]string{"-c", "0", self, "-inside"}, args...)...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	return c.Run()
}

// result is one run, a line of JSON.
type result struct {
	Type        string     `json:"type"`
	Bench       string     `json:"bench"`
	System      string     `json:"system"`
	Version     string     `json:"version"`
	Workload    string     `json:"workload"`
	Round       int        `json:"round"`
	Sent        int        `json:"sent"`         // records, with those of the warm-up
	Delivered   float64    `json:"delivered"`    // records, as the system counts them
	KernelDrops int        `json:"kernel_drops"` // datagrams, as the kernel counts them
	Loss        float64    `json:"loss"`         // part of sent
	Rate        float64    `json:"rate"`         // records per second that were sent
	NSPerRecord float64    `json:"cpu_ns_per_record"`
	IdleCPU     float64    `json:"idle_cpu"` // CPU seconds per second before
	Load        string     `json:"load"`
	Host        bench.Host `json:"host"`
}

// compare runs everything.
func compare(o *options) error {
	var present []system
	for _, s := range systems() {
		if !strings.Contains(","+o.systems+",", ","+s.name+",") {
			continue
		}
		if missing := s.missing(o); missing != "" {
			fmt.Fprintf(os.Stderr, "peers: %s is left out: %s\n", s.name, missing)
			continue
		}
		present = append(present, s)
	}
	lines, err := os.OpenFile(filepath.Join(o.dir, "results.json"),
		os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer lines.Close()
	var all []result
	for _, name := range strings.Split(o.workloads, ",") {
		w, err := blast.FindExports(name)
		if err != nil {
			return err
		}
		stream := newStream(&w)
		for round := range o.rounds {
			for i := range present {
				s := &present[(i+round)%len(present)]
				r, err := measure(o, s, stream, round)
				if err != nil {
					fmt.Fprintf(os.Stderr, "peers: %s %s, round %d: %v\n", s.name, w.Name, round,
						err)
					continue
				}
				all = append(all, *r)
				if err := json.NewEncoder(io.MultiWriter(lines, os.Stdout)).Encode(r); err != nil {
					return err
				}
			}
		}
	}
	return printTable(os.Stdout, all)
}

// What a run waits for.
const (
	settle = 3 * time.Second // after the start
	idle   = 3 * time.Second // while the CPU time is measured that a system takes without records
	drain  = 2 * time.Second // after the last record: what is counted is told then
	warmUp = 1 * time.Second
)

// measure runs one system on one workload.
func measure(o *options, s *system, stream *stream, round int) (*result, error) {
	dir := filepath.Join(o.dir, fmt.Sprintf("%s-%s-%d", s.name, stream.workload.Name, round))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	p, err := start(o, s, stream.workload, dir)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	time.Sleep(settle)
	r := &result{
		Type: "bench", Bench: "peers", System: s.name, Version: s.version(o),
		Workload: stream.workload.Name, Round: round, Host: bench.ThisHost(),
	}
	resting, err := p.cpu()
	if err != nil {
		return nil, err
	}
	time.Sleep(idle)
	rested, err := p.cpu()
	if err != nil {
		return nil, err
	}
	r.IdleCPU = rested.minus(resting).total().Seconds() / idle.Seconds()
	port, rate := s.port(stream.workload), float64(o.rate)*stream.share
	stream.next = 0 // templates come first
	warm, _, err := stream.send(port, rate, warmUp)
	if err != nil {
		return nil, err
	}
	before, err := p.cpu()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	timed, took, err := stream.send(port, rate, time.Duration(o.seconds)*time.Second)
	if err != nil {
		return nil, err
	}
	time.Sleep(drain)
	after, err := p.cpu()
	if err != nil {
		return nil, err
	}
	r.Sent, r.Rate = warm.records+timed.records, float64(timed.records)/took.Seconds()
	r.KernelDrops = drops(port)
	r.Delivered, err = s.delivered(p, warm.datagrams+timed.datagrams, r.Sent)
	if err != nil {
		return nil, err
	}
	r.Loss = 1 - r.Delivered/float64(r.Sent)
	used := after.minus(before).total().Seconds() - r.IdleCPU*time.Since(began).Seconds()
	r.NSPerRecord = used * 1e9 / (float64(timed.records) * r.Delivered / float64(r.Sent))
	load, _ := os.ReadFile("/proc/loadavg")
	r.Load = strings.TrimSpace(string(load))
	return r, nil
}
