package daemon

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"weir/control"
	"weir/control/api"
	"weir/control/ban"
	"weir/control/brake"
	"weir/control/capture"
	"weir/control/config"
	"weir/control/report"
	"weir/control/sink/prometheus"
	"weir/decode/netflow"
	"weir/fastpath"
	"weir/ring/afxdp"
)

// Options are what the command line says beside the file.
type Options struct {
	Path    string // of the configuration
	Version string
	Log     *slog.Logger
	Hidden  func() uint64 // lines that the log's limit has held back
}

// Daemon is a running weir.
type Daemon struct {
	options Options
	log     *slog.Logger
	clock   func() int64
	started time.Time

	lock    *stateLock
	mirrors []*mirror
	ports   []*flowPort
	cores   []int  // by worker; -1: not pinned
	huge    uint64 // bytes in huge pages when all tables were there

	templates *netflow.Cache      // nil: no port takes flow exports
	exporters *fastpath.Exporters // nil: the same
	links     *fastpath.Interfaces
	roster    *roster // nil: the same

	live    *control.Live
	keeper  *keeper
	scripts *scripter // nil: there is no script
	lua     scriptLog // of the filter's script
	archive *archive
	others  *elsewhere
	lost    losses

	mitigation *mitigation
	api        net.Listener
	metrics    net.Listener
	ready      atomic.Bool

	reloading sync.Mutex      // one reload at a time
	filter    fastpath.Filter // in force; of who holds reloading
	mu        sync.Mutex      // of what follows
	config    *config.Config
	places    *places
	loaded    time.Time
	reloadErr string
	restart   []string
	brake     brake.Brake
	ticks     *prometheus.Histogram
	tickLast  time.Duration
	tickMax   time.Duration
}

// New opens everything that c asks for: it takes the privileges. Run begins. On an error nothing
// stays open.
func New(c *config.Config, o Options) (*Daemon, error) {
	d := &Daemon{
		options: o, log: o.Log, clock: monotonic(), started: time.Now(),
		config: c, loaded: time.Now(), archive: newArchive(), ticks: prometheus.NewTickHistogram(),
		lua: scriptLog{log: o.Log},
	}
	if err := d.open(c); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// monotonic returns a clock of nanoseconds since 1970 UTC that no step of the system's clock
// moves: rates and leases are of true time.
func monotonic() func() int64 {
	start := time.Now()
	base := start.UnixNano()
	return func() int64 { return base + int64(time.Since(start)) }
}

func (d *Daemon) open(c *config.Config) (err error) {
	if d.places, err = newPlaces(c); err != nil {
		return err
	}
	if d.lock, err = lockState(c.StateDir); err != nil {
		return err
	}
	if d.api, err = api.Listen(c.API.Socket); err != nil {
		return err
	}
	if d.metrics, err = prometheus.Listen(c.Metrics.Listen); err != nil {
		return err
	}
	engine, err := EngineConfig(c, cropped(c), randomSeed())
	if err != nil {
		return err
	}
	if err := d.openSources(c, &engine); err != nil {
		return err
	}
	d.others = openElsewhere(d.mirrors)
	d.makeRoom(engine.Inputs)
	engine.Mergers = mergers(len(engine.Inputs), runtime.NumCPU())
	if err := d.act(c, &engine); err != nil {
		return err
	}
	d.keeper = newKeeper(&report.Writer{
		Dir: c.Evidence.Dir, MaxIncidents: c.Evidence.MaxIncidents,
		MaxBytes: int(c.Evidence.MaxBytes),
	}, d.log)
	d.live, err = control.NewLive(engine, d.clock, d)
	if err != nil {
		return err
	}
	d.live.Ticked = d.ticked
	d.filter = engine.Filter
	d.huge = hugeBytes("/proc/self/smaps_rollup")
	d.restore(c)
	return nil
}

// openSources opens every interface and port that the file names, and chooses cores.
func (d *Daemon) openSources(c *config.Config, engine *control.Config) (err error) {
	told, err := afxdp.Recover(notesDir(c))
	if err != nil {
		d.log.Warn("interfaces", "error", err)
	}
	for _, text := range told {
		d.log.Warn("interfaces", "note", text)
	}
	if d.mirrors, engine.Inputs, err = openMirrors(c, d.clock); err != nil {
		return err
	}
	if d.ports, engine.Inputs, err = openFlowPorts(c, d.clock, engine.Inputs); err != nil {
		return err
	}
	if len(engine.Inputs) == 0 {
		return errors.New("capture: no interface and no port is named; put an interface under " +
			"capture.afxdp (a mirror port) or capture.afpacket (where traffic must reach this " +
			"host too), or a port under capture.flows")
	}
	for _, m := range d.mirrors {
		d.logGrants(m)
	}
	chooseCores(engine.Inputs, fastpath.AllowedCores())
	for i := range engine.Inputs {
		d.cores = append(d.cores, engine.Inputs[i].Core)
	}
	if len(d.ports) > 0 {
		d.openExports(c, engine)
	}
	return nil
}

// act opens what changes traffic, and has the engine ask it. The speaker is started here, and
// inherits the cores that are left to it: after makeRoom.
func (d *Daemon) act(c *config.Config, engine *control.Config) error {
	d.mitigation = &mitigation{log: d.log}
	if err := d.mitigation.open(c, d.clock); err != nil {
		return err
	}
	if d.mitigation.script != nil {
		d.scripts = newScripter(d.mitigation.script, c.Actions.Script.Format == config.JSON, d.log)
	}
	engine.Mitigation.Actor = d.mitigation.actor()
	protectSelf(&engine.Mitigation.Rules)
	return nil
}

// restore makes the engine go on where the last weir ended. A journal that was damaged may lack
// withdrawals: what it has stands on, and nothing is added until a person has looked.
func (d *Daemon) restore(c *config.Config) {
	b, err := brake.Read(killPath(c))
	if err != nil {
		d.log.Error("kill file", "error", err)
	}
	d.mitigation.restore(d.live.Engine, d.clock(), b == brake.Withdraw || d.dryRun())
	if d.mitigation.restored.Damaged && b == brake.Off {
		b = brake.Freeze
		if _, err := brake.Write(killPath(c), b); err != nil {
			d.log.Error("freeze", "error", err)
		}
		d.log.Error("the journal was damaged: announcing is frozen; try: weir freeze --off")
	}
	d.brake = b
	d.live.Freeze(b != brake.Off)
}

// randomSeed is what attackers cannot know.
func randomSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

// Run runs until ctx ends or a signal asks for it: SIGTERM and SIGINT stop, SIGHUP reloads. The
// error is that of what made it stop.
func (d *Daemon) Run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer stop()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	serving, quit := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	d.background(serving, &background)
	background.Go(func() { d.onHangup(serving, hup) })
	keeping, kept := context.WithCancel(context.WithoutCancel(ctx))
	go d.keeper.run(keeping)

	acting, acted := context.WithCancel(context.WithoutCancel(ctx))
	var actors sync.WaitGroup
	d.mitigation.run(acting, &actors)
	if d.scripts != nil {
		actors.Go(func() { d.scripts.run(acting) })
	}

	d.ready.Store(true)
	tellSystemd("READY=1")
	d.log.Info("running", "version", d.options.Version, "mode", d.mode(),
		"workers", len(d.cores), "tables_bytes", d.live.Memory())
	err := d.live.Run(ctx)
	d.ready.Store(false)
	tellSystemd("STOPPING=1")
	if err != nil {
		d.log.Error("stopping", "error", err)
	} else {
		d.log.Info("stopping")
	}
	quit()
	background.Wait()
	d.live.Open(func(in *ban.Incident, e *capture.Evidence) { d.keeper.keep(in, e) })
	kept()
	d.keeper.finish()
	acted()
	actors.Wait()
	return errors.Join(err, d.close())
}

// background starts everything that runs beside the loop, until ctx ends.
func (d *Daemon) background(ctx context.Context, wait *sync.WaitGroup) {
	for _, m := range d.mirrors {
		wait.Go(func() {
			m.source.Run(ctx, func(state, reason string) {
				d.hold(ctx)
				d.log.Warn("interface", "cause", m.Interface+state, "interface", m.Interface,
					"state", state, "reason", reason)
			})
		})
	}
	server := api.NewServer(d, d.log)
	wait.Go(func() { d.serve(server.Serve(ctx, d.api)) })
	exporter := prometheus.New(d)
	exporter.Log = d.log
	wait.Go(func() { d.serve(exporter.Serve(ctx, d.metrics)) })
	wait.Go(func() { d.others.run(ctx) })
	wait.Go(func() { d.lost.follow(ctx, d.origins()) })
	wait.Go(func() { d.feedWatchdog(ctx) })
	wait.Go(func() { d.guard(ctx) })
	if d.templates != nil {
		wait.Go(func() { d.keepTemplates(ctx) })
		wait.Go(func() { d.roster.follow(ctx, d.exporters, d.clock) })
	}
}

// serve notes how a listener ended.
func (d *Daemon) serve(err error) {
	if err != nil {
		d.log.Error("listener ended", "error", err)
	}
}

// close gives back what open took. Whatever runs has ended.
func (d *Daemon) close() error {
	var errs []error
	for _, l := range []net.Listener{d.api, d.metrics} {
		if l != nil {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if d.live != nil {
		errs = append(errs, d.live.Close())
	}
	if d.mitigation != nil {
		errs = append(errs, d.mitigation.close())
	}
	errs = append(errs, closeMirrors(d.mirrors), closeFlowPorts(d.ports))
	if d.others != nil {
		errs = append(errs, d.others.close())
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
	}
	return errors.Join(errs...)
}

// Event implements control.Events: it remembers, logs and queues, and never waits.
func (d *Daemon) Event(e *ban.Event, evidence *capture.Evidence) {
	d.archive.note(e, d.folder(e.Incident.ID))
	in := e.Incident
	switch e.Kind {
	case ban.Started:
		d.log.Warn("attack started", "cause", in.ID, "id", in.ID, "target", in.Target.Addr(),
			"vectors", names(in), "trigger", in.Trigger.Name(), "value", in.Trigger.Value,
			"limit", in.Trigger.Limit, "hostgroup", in.Trigger.Hostgroup,
			"delay_ms", (in.Detected-in.Begin)/1e6, "allowlisted", in.Allowed)
	case ban.Ended:
		d.log.Warn("attack over", "cause", in.ID, "id", in.ID, "target", in.Target.Addr(),
			"peak_pps", in.PeakPPS, "peak_bps", in.PeakBPS)
	default:
		d.log.Warn(describe(e), "cause", in.ID, "id", in.ID, "target", in.Target.Addr())
	}
	if evidence != nil && e.Kind != ban.Withdrawn && e.Kind != ban.Asked {
		d.keeper.keep(in, evidence)
	}
	if d.scripts != nil {
		d.scripts.hear(e, evidence, d.scriptsObserve())
	}
}

// folder returns where the documents of an incident lie.
func (d *Daemon) folder(id string) string {
	return fmt.Sprintf("%s/%s", d.keeper.writer.Dir, id)
}

// ticked is told on the loop how long a second's judgement took.
func (d *Daemon) ticked(took time.Duration) {
	script, totals := d.live.Script()
	d.lua.look(script, totals, d.clock())
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ticks.Observe(took)
	d.tickLast, d.tickMax = took, max(d.tickMax, took)
}

func (d *Daemon) mode() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.config.Mode)
}

// scriptsObserve reports whether the script is run for what would be a ban.
func (d *Daemon) scriptsObserve() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config.Actions.Script.Observe
}

// current returns the configuration in force.
func (d *Daemon) current() (*config.Config, *places) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config, d.places
}
