package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"weir/control/api"
)

// statusAnswer is a status with the routes that its table shows; as JSON it is the status.
type statusAnswer struct {
	api.Status
	routes []api.Route
}

// maxStatusRoutes is how many routes a status shows.
const maxStatusRoutes = 10

// mitigationRows says in a few words what is done about attacks, and what is wrong with it.
func mitigationRows(m *api.Mitigation) [][]string {
	rows := [][]string{{"mitigation", mitigationText(m)}}
	add := func(wrong bool, name, text string) {
		if wrong {
			rows = append(rows, []string{name, text})
		}
	}
	refused := lossText(m.Refused)
	add(refused != "0", "refused", refused+" since the start")
	if s := m.Speaker; s != nil {
		text := "does not run"
		if s.Alive {
			text = fmt.Sprintf("pid %d, %s", s.PID, count(int(s.Restarts), "restart"))
		}
		add(!s.Alive || s.Restarts > 0 || s.Error != "", "speaker", because(text, s.Error))
	}
	if j := m.Journal; j != nil {
		add(!j.Healthy, "journal", because("FAILS: no new route is announced", j.Error))
		add(j.Healthy && j.Error != "", "journal", j.Error)
		add(j.Note != "", "journal", "at the start: "+j.Note)
		add(j.Refused > 0, "journal",
			fmt.Sprintf("%s not written down, and refused", count(int(j.Refused), "route")))
	}
	if s := m.Script; s != nil {
		text := fmt.Sprintf("%s: done %d, failed %d, timed out %d, dropped %d", s.Path, s.Done,
			s.Failed, s.TimedOut, s.Dropped)
		add(s.Failed+s.TimedOut+s.Dropped > 0 || s.Error != "", "script", because(text, s.Error))
	}
	if x := m.ExaBGP; x != nil {
		text := fmt.Sprintf("%s: %s wait", x.Pipe, count(x.Pending, "line"))
		add(!x.Open || x.Error != "", "exabgp", because(text, x.Error))
	}
	return rows
}

func mitigationText(m *api.Mitigation) string {
	text := fmt.Sprintf("%s, %d standing", count(m.Routes, "route"), m.Standing)
	if m.Frozen {
		text = "FROZEN, nothing new is announced; " + text
	}
	if m.Killed {
		text = fmt.Sprintf("STOPPED by %s, nothing is announced; %s", m.KillFile, text)
	}
	return text
}

// because adds a reason, where there is one.
func because(text, why string) string {
	if why == "" {
		return text
	}
	return text + ": " + why
}

// printMitigation prints peers and routes, and how to see the others.
func printMitigation(w io.Writer, m *api.Mitigation, routes []api.Route) {
	if len(m.Peers) > 0 {
		fmt.Fprintln(w)
		columns(w, peerRows(m.Peers))
	}
	if len(routes) == 0 {
		return
	}
	fmt.Fprintln(w)
	columns(w, routeRows(routes[:min(len(routes), maxStatusRoutes)]))
	if more := len(routes) - maxStatusRoutes; more > 0 {
		none(w, fmt.Sprintf("and %d more", more), "weir status --routes")
	}
}

func peerRows(peers []api.Peer) [][]string {
	rows := [][]string{{"PEER", " AS", "STATE", "SINCE (UTC)", " ROUTES", " FLAPS", ""}}
	for i := range peers {
		p := &peers[i]
		rows = append(rows, []string{
			p.Address, fmt.Sprint(p.AS), p.State, moment(p.Since), fmt.Sprint(p.Routes),
			fmt.Sprint(p.Flaps), p.Error,
		})
	}
	return rows
}

func routeRows(routes []api.Route) [][]string {
	rows := [][]string{{"ROUTE", "STATE", "SINCE (UTC)", "LEASE (UTC)", "COMMUNITIES", "FOR"}}
	for i := range routes {
		r := &routes[i]
		who := "attack " + r.ID
		if r.Manual {
			who = "a person"
		}
		rows = append(rows, []string{
			r.Prefix, r.State + dryRun(r.DryRun), moment(r.Since), moment(r.Lease),
			strings.Join(r.Communities, " "), because(who, r.Reason),
		})
	}
	return rows
}

// moment writes a time for people; one that is not known is a dash.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateTime)
}

func printRoutes(w io.Writer, l api.RouteList) {
	if len(l.Routes) == 0 {
		none(w, "No blackhole stands or is on its way.", "weir status")
		return
	}
	columns(w, routeRows(l.Routes))
}
