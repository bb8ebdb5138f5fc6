package router

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/tools/lab"
)

// Options describe a router and its one neighbour: weir.
type Options struct {
	Local     netip.Addr // that it listens at, port 179
	AS        uint32
	Neighbour netip.Addr // weir's
	RemoteAS  uint32
	Password  string // TCP MD5; "": none
	Dial      bool   // it connects to weir, too
	Restart   int    // seconds that it keeps routes of a neighbour that is gone; 0: not at all
}

// Route is what a router has learned.
type Route struct {
	Prefix      netip.Prefix
	NextHop     netip.Addr
	Communities []string // "65535:666", large ones "4200000001:1:666", in order
}

// String returns "192.0.2.7/32 via 192.0.2.1 [65535:666]".
func (r Route) String() string {
	return fmt.Sprintf("%v via %v %v", r.Prefix, r.NextHop, r.Communities)
}

// kind is how one make of router is configured, run and asked.
type kind struct {
	name     string
	programs []string // that must be there
	config   func(o *Options) string
	run      func(r *Router) []string // program and arguments
	routes   func(r *Router) ([]Route, error)
	prepare  func(r *Router) error // nil: nothing
}

// Router is a running router. Its methods are for one goroutine, Routes for any.
type Router struct {
	t         testing.TB
	namespace lab.Namespace
	options   Options
	kind      *kind
	dir       string
	cmd       *exec.Cmd
	log       *bytes.Buffer
	ended     chan struct{}
}

// start starts a router of that kind, which ends with the test. The test is skipped where its
// programs are not there.
func start(t testing.TB, n lab.Namespace, k *kind, o Options) *Router {
	t.Helper()
	for _, program := range k.programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s here: %v", k.name, err)
		}
	}
	dir, err := os.MkdirTemp("", "weir-"+k.name)
	if err != nil {
		t.Fatal(err)
	}
	r := &Router{t: t, namespace: n, options: o, kind: k, dir: dir}
	t.Cleanup(func() {
		r.Kill()
		_ = os.RemoveAll(dir)
	})
	if err := os.WriteFile(r.file("conf"), []byte(k.config(&o)), 0o644); err != nil {
		t.Fatal(err)
	}
	if k.prepare != nil {
		if err := k.prepare(r); err != nil {
			t.Fatal(err)
		}
	}
	r.Start()
	return r
}

func (r *Router) file(name string) string { return filepath.Join(r.dir, name) }

// Start starts the router again after Kill, and waits until it answers.
func (r *Router) Start() {
	r.t.Helper()
	args := r.kind.run(r)
	r.log = &bytes.Buffer{}
	r.cmd = exec.Command(args[0], args[1:]...)
	r.cmd.Dir, r.cmd.Stdout, r.cmd.Stderr = r.dir, r.log, r.log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.WaitDelay = time.Second
	if err := r.namespace.Start(r.cmd); err != nil {
		r.t.Fatal(err)
	}
	r.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(r.cmd, r.ended)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := r.Routes()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("%s does not answer: %v\n%s", r.kind.name, err, r.stop())
		}
	}
}

// Kill kills the router: nobody says goodbye.
func (r *Router) Kill() {
	if r.cmd != nil {
		said := r.stop()
		if r.t.Failed() {
			r.t.Logf("%s said:\n%s", r.kind.name, said)
		}
	}
	r.cmd = nil
}

// stop returns what the router said.
func (r *Router) stop() string {
	_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	<-r.ended
	return r.log.String()
}

// Routes returns what the router has learned, in order.
func (r *Router) Routes() ([]Route, error) {
	routes, err := r.kind.routes(r)
	slices.SortFunc(routes, func(a, b Route) int { return a.Prefix.Compare(b.Prefix) })
	return routes, err
}

// Has returns the route for p, if the router has it.
func (r *Router) Has(p netip.Prefix) (Route, bool) {
	routes, _ := r.Routes()
	for _, route := range routes {
		if route.Prefix == p {
			return route, true
		}
	}
	return Route{}, false
}

// askPatience bounds one question to a router.
const askPatience = 5 * time.Second

// ask runs a program in the router's namespace and returns what it says.
func (r *Router) ask(program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askPatience)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := r.namespace.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", program, err), errors.New(errs.String()))
	}
	return out.Bytes(), nil
}

// spaced joins lines of a configuration, leaving out empty ones.
func spaced(lines ...string) string {
	lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" })
	return strings.Join(lines, "\n") + "\n"
}

// when returns text where it applies.
func when(applies bool, text string) string {
	if applies {
		return text
	}
	return ""
}
