package top

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"weir/control/api"
)

// once is everything that top shows, in one object.
type once struct {
	Type     string          `json:"type"`
	Status   api.Status      `json:"status"`
	Hosts    api.HostList    `json:"hosts"`
	Networks api.NetworkList `json:"networks"`
	Attacks  api.AttackList  `json:"attacks"`
	Cores    api.CoreList    `json:"cores"`
}

// OnceJSON asks once for everything and writes it as one line.
func OnceJSON(ctx context.Context, src Source, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o := once{Type: "top"}
	for _, step := range []func() error{
		func() (err error) { o.Status, err = src.Status(ctx); return },
		func() (err error) { o.Hosts, err = src.Hosts(ctx, onceQuery()); return },
		func() (err error) { o.Networks, err = src.Networks(ctx); return },
		func() (err error) { o.Attacks, err = src.Attacks(ctx, "all"); return },
		func() (err error) { o.Cores, err = src.Cores(ctx); return },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(o); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

func onceQuery() api.HostQuery {
	return api.HostQuery{Sort: "pps", Direction: "incoming", Limit: api.DefaultHosts}
}

// OnceText asks once for the hosts screen and writes it as plain text of that width.
func OnceText(ctx context.Context, src Source, o Options, width int, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	status, err := src.Status(ctx)
	if err != nil {
		return err
	}
	hosts, err := src.Hosts(ctx, onceQuery())
	if err != nil {
		return err
	}
	o.Look.Styles = false
	m := New(src, o, time.Now())
	m.width, m.height = max(width, minWidth), len(hosts.Hosts)+headHeight+footHeight+1
	m.limit = api.DefaultHosts
	m.store(answer{kind: kindStatus, at: m.now, value: status})
	m.store(answer{kind: kindHosts, at: m.now, value: hosts, query: m.query()})
	m.settle()
	lines := append(m.header(), nil)
	if m.count() == 0 {
		lines = append(lines, m.emptyLines()[1:]...)
	} else {
		lines = append(lines, m.listLines(0, m.count(), -1)...)
	}
	if _, err := io.WriteString(w, o.Look.paint(lines, m.width)+"\n"); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
