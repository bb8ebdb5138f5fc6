// Package facts finds out what control/doctor judges: it reads the machine's files, asks the kernel
// about interfaces, reads the configuration, asks for receive buffers, and connects to BGP peers.
// It changes nothing; only where a proof is asked for does it attach to an interface for a moment.
package facts

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"time"

	"weir/control/config"
	"weir/control/doctor"
	"weir/control/host"
)

// Options say what is looked at.
type Options struct {
	Interfaces []string // none: those of the configuration, or else the hardware that is up
	Config     string   // path of the configuration
	Optional   bool     // that it is not there is no fault
	// Prove binds a socket to a queue of each interface, as weir run does: frames of that queue go
	// astray meanwhile, and some drivers train the link anew.
	Prove bool
}

// window is how long the CPUs are watched.
const window = 200 * time.Millisecond

// Look returns what there is to know. It takes a second at most, and longer only with a proof.
func Look(ctx context.Context, o Options) *doctor.Facts {
	f := &doctor.Facts{Host: host.Here()}
	began := time.Now()
	c := loadPlan(&f.Plan, o)
	var all sync.WaitGroup
	if c != nil {
		all.Go(func() { reach(ctx, &f.Plan) })
	}
	all.Go(func() { f.NICs = interfaces(o.Interfaces, &f.Plan) })
	owners(f)
	all.Wait()
	watch(f, began)
	if o.Prove {
		for i := range f.NICs {
			prove(&f.NICs[i], &f.Plan)
		}
	}
	return f
}

// Machine returns what there is to know of the machine alone, for doctor.Reasons. It takes a fifth
// of a second, in which nothing of ours should run.
func Machine() *doctor.Facts {
	f := &doctor.Facts{Host: host.Here()}
	watch(f, time.Now())
	return f
}

// watch waits until the CPUs were watched for long enough, and notes what they did.
func watch(f *doctor.Facts, since time.Time) {
	time.Sleep(window - time.Since(since))
	f.Spent = spent(f.Host.Times, host.ReadTimes("/"))
}

// spent returns what CPUs did between two moments.
func spent(before, after host.Times) host.Times {
	out := host.Times{All: after.All.Since(before.All), Each: map[int]host.CPUTime{}}
	for cpu, t := range after.Each {
		out.Each[cpu] = t.Since(before.Each[cpu])
	}
	return out
}

// loadPlan reads the configuration into p, and returns it; nil if there is none that is sound.
func loadPlan(p *doctor.Plan, o Options) *config.Config {
	c, findings, err := config.Load(o.Config)
	if o.Config == "" || o.Optional && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	p.Path = o.Config
	p.Errors, p.Warnings = findings.Count(config.Error), findings.Count(config.Warning)
	p.First = first(findings)
	if err != nil && len(findings) == 0 {
		p.Err = err.Error()
	}
	if c != nil {
		fill(p, c)
	}
	return c
}

// first returns the first error of a file, or else the first warning: on one line, with its place
// in the file, whose name is told beside it, as is whether it is an error.
func first(findings config.Findings) string {
	for _, severity := range []config.Severity{config.Error, config.Warning} {
		for _, f := range findings {
			if f.Severity == severity {
				f.Excerpt, f.Suggestion, f.Severity = "", "", config.Error // told beside it
				return strings.TrimPrefix(f.String(), f.File+":")
			}
		}
	}
	return ""
}
