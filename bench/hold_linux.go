package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"weir/control/api"
	"weir/tools/lab"
)

// HoldRate runs the daemon at a rate, until a try loses nothing. Losses without a fault of its own
// are those of a machine whose CPUs others take: see Hold.Steal and Hold.Gap.
func HoldRate(ctx context.Context, c *HoldConfig) (tries []Hold, err error) {
	if !(c.Rate >= 1) {
		return nil, fmt.Errorf("hold %.0f packets per second: no rate passed", c.Rate)
	}
	for range c.Tries {
		h, err := holdOnce(ctx, c)
		if err != nil {
			return tries, err
		}
		tries = append(tries, h)
		if h.Lost.Total() == 0 {
			break
		}
	}
	return tries, nil
}

// holder is a daemon in a lab.
type holder struct {
	config *HoldConfig
	lab    *lab.Lab
	gen    *lab.Generator
	dir    string
	log    *os.File
	cmd    *exec.Cmd
	ended  chan error
	api    *api.Client
	http   *http.Client
	gap    float64 // the longest that a scrape told of, seconds
}

func holdOnce(ctx context.Context, c *HoldConfig) (h Hold, err error) {
	d := &holder{config: c, ended: make(chan error, 1)}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.open(); err != nil {
		return h, err
	}
	if err := d.answers(ctx); err != nil {
		return h, err
	}
	return d.hold(ctx)
}

func (d *holder) open() (err error) {
	if d.dir, err = os.MkdirTemp("", "weir"); err != nil {
		return err
	}
	if d.lab, err = lab.Open(lab.Options{}); err != nil {
		return err
	}
	if d.config.Via == ViaAFPacket {
		if err := d.lab.SetPolled(0); err != nil {
			return err
		}
	}
	load := d.config.Workload.Load()
	d.gen, err = d.lab.Generator(lab.GeneratorConfig{Load: &load})
	if err != nil {
		return err
	}
	d.http = d.lab.Sut().Client()
	d.api = api.Dial(filepath.Join(d.dir, "api.sock"))
	if err := d.configure(0); err != nil {
		return err
	}
	if d.log, err = os.Create(filepath.Join(d.dir, "log")); err != nil {
		return err
	}
	d.cmd = exec.Command(d.config.Program, "run", "-c", filepath.Join(d.dir, "weir.yaml"))
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid: true, Pdeathsig: syscall.SIGKILL, // Ctrl-C is for us: we end it
	}
	if err := d.lab.Sut().Start(d.cmd); err != nil {
		d.cmd = nil
		return err
	}
	go func() { d.ended <- d.cmd.Wait() }()
	return nil
}

// configure writes the configuration, with another limit for each n.
func (d *holder) configure(n int) error {
	text := fmt.Sprintf(`version: 1
networks: ["%s"]
thresholds:
  incoming: {pps: %d, fps: %d}
capture: {%s: [{interface: %s, cores: [1]}]}
memory: {tables: 512MiB}
state_dir: %s
api: {socket: %s}
metrics: {listen: "127.0.0.1:9108"}
`, HomeOf(&d.config.Workload), 900_000_000+n%2, 900_000_000+n%2, d.config.Via,
		lab.Sut.Interface(0), filepath.Join(d.dir, "state"), filepath.Join(d.dir, "api.sock"))
	return os.WriteFile(filepath.Join(d.dir, "weir.yaml"), []byte(text), 0o600)
}

// answers waits until the daemon has a picture of its first second.
func (d *holder) answers(ctx context.Context) error {
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		s, err := d.api.Status(ctx)
		if err == nil && s.Traffic.Time.Unix() > 0 {
			return nil
		}
		select {
		case err := <-d.ended:
			d.ended <- err
			return fmt.Errorf("weir has ended (%w): %s", err, d.said())
		default:
		}
		if time.Now().After(end) || ctx.Err() != nil {
			err = errors.Join(err, ctx.Err())
			return fmt.Errorf("weir does not answer (%w): %s", err, d.said())
		}
	}
}

func (d *holder) said() string {
	text, _ := os.ReadFile(d.log.Name())
	return string(text)
}

// hold sends, reloads and scrapes.
func (d *holder) hold(ctx context.Context) (h Hold, err error) {
	lasts := time.Duration(d.config.Seconds * float64(time.Second))
	h = Hold{PPS: d.config.Rate, Seconds: d.config.Seconds}
	before, err := d.scrape()
	if err != nil {
		return h, err
	}
	steal := stolen()
	d.gap = 0
	while, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	var sending sync.WaitGroup
	var failed error
	sending.Go(func() { failed = d.gen.Run(while, h.PPS, nil) })
	err = d.disturb(while, &h)
	cancel()
	sending.Wait()
	if err = errors.Join(err, failed, ctx.Err()); err != nil {
		return h, err
	}
	time.Sleep(2*time.Second + settle) // what is counted is told a second later
	after, err := d.scrape()
	if err != nil {
		return h, err
	}
	h.Sent, h.Steal, h.Gap = d.gen.Sent(), stolen()-steal, d.gap*1e3
	h.account(before, after)
	return h, nil
}

// disturb reloads and scrapes once a second until ctx ends.
func (d *holder) disturb(ctx context.Context, h *Hold) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := d.configure(h.Reloads + 1); err != nil {
			return err
		}
		r, err := d.api.Reload(context.WithoutCancel(ctx), false)
		if err != nil || !r.OK || len(r.Changes) == 0 {
			return fmt.Errorf("reload %d: %d changes, %v: %w", h.Reloads, len(r.Changes),
				r.Errors, err)
		}
		h.Reloads++
		if _, err := d.scrape(); err != nil {
			return err
		}
		h.Scrapes++
	}
}

// scrape returns the sums of the metrics that losses are told by, and notes the longest gap.
func (d *holder) scrape() (sums map[string]float64, err error) {
	response, err := d.http.Get("http://127.0.0.1:9108/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	sums = map[string]float64{}
	for name, f := range families {
		for _, m := range f.Metric {
			key, value := name, m.GetCounter().GetValue()+m.GetGauge().GetValue()
			if name == metricDropped {
				for _, l := range m.Label {
					if l.GetName() == "reason" {
						key += l.GetValue()
					}
				}
			}
			sums[key] += value
		}
	}
	d.gap = max(d.gap, sums["weir_core_longest_gap_seconds"])
	return sums, nil
}

const metricDropped = "weir_rx_dropped_packets_total"

// close ends everything.
func (d *holder) close() error {
	var errs []error
	if d.cmd != nil {
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-d.ended:
			if err != nil {
				errs = append(errs, fmt.Errorf("weir: %w: %s", err, d.said()))
			}
		case <-time.After(10 * time.Second):
			_ = d.cmd.Process.Kill()
			errs = append(errs, errors.New("weir does not end"), <-d.ended)
		}
	}
	if d.log != nil {
		_ = d.log.Close()
	}
	if d.gen != nil {
		errs = append(errs, d.gen.Close())
	}
	if d.lab != nil {
		errs = append(errs, d.lab.Close())
	}
	if d.dir != "" {
		errs = append(errs, os.RemoveAll(d.dir))
	}
	return errors.Join(errs...)
}
