package daemon

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"weir/control"
	"weir/control/api"
	"weir/control/config"
	"weir/fastpath"
	"weir/fastpath/filter"
)

// onHangup reloads at every SIGHUP until ctx ends.
func (d *Daemon) onHangup(ctx context.Context, hup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			if _, err := d.Reload(ctx, false); err != nil {
				d.log.Error("reload", "error", err)
			}
		}
	}
}

// Reload implements api.Backend.
func (d *Daemon) Reload(ctx context.Context, dryRun bool) (api.ReloadResult, error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	r := api.ReloadResult{
		Type: "reload", DryRun: dryRun, Changes: []api.Change{}, Files: []api.FileChange{},
		Warnings: []string{}, Errors: []string{},
	}
	c, findings, err := config.LoadAll(d.options.Path)
	for _, f := range findings {
		if f.Severity == config.Error {
			r.Errors = append(r.Errors, f.String())
		} else {
			r.Warnings = append(r.Warnings, f.String())
		}
	}
	if err != nil && len(r.Errors) == 0 {
		r.Errors = append(r.Errors, err.Error())
	}
	if err != nil {
		return d.reloaded(r), nil
	}
	old, _ := d.current()
	restart := []string{}
	for _, change := range config.Diff(old, c) {
		class := "live"
		if change.Restart {
			class, restart = "restart", append(restart, change.Path)
		}
		r.Changes = append(r.Changes, api.Change{
			Path: change.Path, Old: change.Old, New: change.New, Class: class,
		})
	}
	c = old.KeepRestart(c)
	engine, err := EngineConfig(c, cropped(c), 0)
	if err == nil {
		r.Files = fileChanges(c, &d.filter, &engine.Filter)
		if r.OK = true; dryRun {
			return r, nil
		}
		tellSystemd(reloadingState())
		defer tellSystemd("READY=1")
		err = d.take(ctx, c, &engine, restart)
	}
	if err != nil {
		r.OK, r.Errors = false, append(r.Errors, err.Error())
	}
	return d.reloaded(r), nil
}

// fileChanges returns which of the files that c names have another content than those in force.
func fileChanges(c *config.Config, old, now *fastpath.Filter) []api.FileChange {
	changes := []api.FileChange{}
	if !old.Rules.Same(now.Rules) {
		changes = append(changes, api.FileChange{
			Path: "filter.rules", File: c.Filter.Rules, Old: rulesText(old.Rules),
			New: rulesText(now.Rules),
		})
	}
	if !old.Script.Same(now.Script) {
		changes = append(changes, api.FileChange{
			Path: "filter.lua", File: c.Filter.Lua, Old: scriptText(old.Script),
			New: scriptText(now.Script),
		})
	}
	return changes
}

func rulesText(r *filter.Rules) string {
	switch {
	case r == nil:
		return ""
	case r.Len() == 1:
		return "1 rule"
	}
	return fmt.Sprintf("%d rules", r.Len())
}

func scriptText(s *filter.Script) string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("%d bytes", s.Size())
}

// take makes c hold, which engine was made of.
func (d *Daemon) take(
	ctx context.Context, c *config.Config, engine *control.Config, restart []string,
) error {
	places, err := newPlaces(c)
	if err != nil {
		return err
	}
	protectSelf(&engine.Mitigation.Rules)
	err = d.live.Reload(ctx, control.Change{
		Policy: engine.Policy, Ban: engine.Ban, Decoder: engine.Decoder, Evidence: engine.Evidence,
		Mitigation: engine.Mitigation, Filter: engine.Filter,
	})
	if err != nil {
		return err
	}
	d.filter = engine.Filter
	if d.mitigation.speaker != nil {
		d.mitigation.speaker.SetNetworks(c.Networks)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config, d.places, d.loaded, d.restart = c, places, time.Now(), restart
	return nil
}

// reloaded notes and logs how a reload ended.
func (d *Daemon) reloaded(r api.ReloadResult) api.ReloadResult {
	if r.DryRun {
		return r
	}
	d.mu.Lock()
	d.reloadErr = ""
	if !r.OK {
		d.reloadErr = "unknown"
		if len(r.Errors) > 0 {
			d.reloadErr = r.Errors[0]
		}
	}
	d.mu.Unlock()
	if !r.OK {
		d.log.Error("reload refused: the old configuration stays", "errors", len(r.Errors),
			"first", d.reloadErr)
		return r
	}
	for _, c := range r.Changes {
		d.log.Info("reload", "cause", c.Path, "key", c.Path, "old", c.Old, "new", c.New,
			"class", c.Class)
	}
	for _, f := range r.Files {
		d.log.Info("reload", "cause", f.Path+" content", "key", f.Path, "file", f.File,
			"old", f.Old, "new", f.New)
	}
	d.log.Info("reloaded", "changes", len(r.Changes), "files", len(r.Files))
	return r
}

// reloadingState is what the service manager wants to hear: the time keeps it from taking an
// older message for this one.
func reloadingState() string {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return "RELOADING=1"
	}
	return sentence("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000)
}
