package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"weir/ring"
	"weir/ring/afxdp"
)

// Loops that only count what an AF_XDP socket receives. Each runs in a process of its own:
// asavie/xdp cannot free a queue while its process lives.
const (
	loopWeir        = "weir-ring"
	loopAsavie      = "asavie-xdp"
	loopAsavieLarge = "asavie-xdp-4096"
)

// runRing is `peers ring LOOP IFACE`: it counts until SIGTERM, and then says how many there were.
func runRing(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: peers ring LOOP IFACE")
	}
	runtime.LockOSThread()
	var count atomic.Uint64
	over := make(chan os.Signal, 1)
	signal.Notify(over, syscall.SIGTERM)
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		failed <- countFrames(args[0], args[1], &count)
	}()
	select {
	case err := <-failed:
		return err
	case <-over:
	}
	fmt.Printf("\n%s%d\n", counted, count.Load())
	return nil
}

// counted begins the line with the count.
const counted = "counted "

// countFrames runs a loop, and does not return but for an error.
func countFrames(loop, name string, count *atomic.Uint64) error {
	switch loop {
	case loopWeir:
		return countWeir(name, count)
	case loopAsavie:
		return countAsavie(name, false, count)
	case loopAsavieLarge:
		return countAsavie(name, true, count)
	}
	return fmt.Errorf("find loop %q: it is none of %s, %s, %s", loop, loopWeir, loopAsavie,
		loopAsavieLarge)
}

func countWeir(name string, count *atomic.Uint64) error {
	m, err := afxdp.Open(afxdp.Config{
		Interface: name, Workers: 1, Clock: func() int64 { return time.Now().UnixNano() },
	})
	if err != nil {
		return err
	}
	defer m.Close()
	source := m.Sources()[0]
	batch, total := new(ring.Batch), uint64(0)
	for {
		n, err := source.Poll(batch)
		if err != nil {
			return err
		}
		source.Release(batch)
		total += uint64(n)
		count.Store(total)
	}
}

// deliveredRing ends the loop and reads what it counted.
func deliveredRing(p *process) (float64, error) {
	p.stop()
	text, err := os.ReadFile(p.log.Name())
	if err != nil {
		return 0, err
	}
	_, line, ok := strings.Cut(string(text), "\n"+counted)
	if !ok {
		return 0, fmt.Errorf("%s has no count", p.log.Name())
	}
	var n float64
	_, err = fmt.Sscan(line, &n)
	return n, err
}
