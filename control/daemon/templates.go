package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"weir/control"
	"weir/control/config"
	"weir/decode/netflow"
	"weir/fastpath"
)

// templatesFile is where what exporters announced outlives a restart, in the state directory.
const templatesFile = "templates"

// It is looked each second whether it has changed. It is written then, but not again within
// templatesPause: who has exporters' templates change all the time is not to wear our disk.
const (
	templatesEvery = time.Second
	templatesPause = 10 * time.Second
	forgetEvery    = time.Minute
)

// Bounds of what is kept of flow exporters: 10,000 with ten templates each take 72 MiB.
const (
	maxExporters     = 16_384
	maxTemplateBytes = 256 << 20
	maxLinks         = 65_536 // interfaces that sFlow's counter samples tell of
)

// openExports makes what the workers of flow exports share.
func (d *Daemon) openExports(c *config.Config, engine *control.Config) {
	d.templates = netflow.NewCache(netflow.Limits{Bytes: maxTemplateBytes})
	d.exporters = fastpath.NewExporters(maxExporters, engine.Seed)
	d.links = fastpath.NewInterfaces(maxLinks)
	engine.Templates, engine.Exporters, engine.Links = d.templates, d.exporters, d.links
	d.roster = newRoster(d.log)
	d.loadTemplates(c)
	for _, p := range d.ports {
		if effective, wanted := p.datagrams.Buffer(); effective < wanted {
			d.log.Warn("receive buffer is smaller than wanted: bursts may be lost",
				"listen", p.Listen, "bytes", effective, "wanted", wanted,
				"try", fmt.Sprintf("sysctl -w net.core.rmem_max=%d", wanted))
		}
	}
}

// loadTemplates takes up what the last weir had learned. A file that is damaged costs what is
// behind the damage: exporters announce it again.
func (d *Daemon) loadTemplates(c *config.Config) {
	f, err := os.Open(filepath.Join(c.StateDir, templatesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = d.templates.Load(f, d.clock())
		_ = f.Close() // it was only read
	}
	if err != nil {
		d.log.Warn("templates of flow exporters", "error", err)
	}
}

// keepTemplates writes them down soon after a change, and at ctx's end.
func (d *Daemon) keepTemplates(ctx context.Context) {
	c, _ := d.current()
	tick := time.NewTicker(templatesEvery)
	defer tick.Stop()
	saved, forgot := d.clock()-int64(templatesPause), d.clock()
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		}
		now := d.clock()
		if now-forgot >= int64(forgetEvery) {
			forgot = now
			d.exporters.Forget(now)
			d.links.Forget(now)
		}
		early := now-saved < int64(templatesPause)
		if !ended && (early || !d.templates.Stats().Unsaved) {
			continue
		}
		saved = now
		if err := saveTemplates(d.templates, c.StateDir, d.clock()); err != nil {
			d.log.Warn("templates of flow exporters", "error", err)
		}
	}
}

// saveTemplates replaces the file; it is never seen half written.
func saveTemplates(cache *netflow.Cache, dir string, now int64) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", filepath.Join(dir, templatesFile), err)
		}
	}()
	var b bytes.Buffer
	if err := cache.Save(&b, now); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+templatesFile+"-*") // O_EXCL: it follows no link
	if err != nil {
		return err
	}
	_, err = f.Write(b.Bytes())
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, templatesFile))
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
