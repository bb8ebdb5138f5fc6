package top

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/control/api"
)

// choose fills rows for the current tab.
func (m *Model) choose() {
	m.rows = shown{}
	filter := m.filters[m.at.tab]
	switch m.at.tab {
	case tabHosts:
		m.rows.hosts = m.chooseHosts()
	case tabNetworks:
		m.rows.networks = m.chooseNetworks(filter)
	case tabAttacks:
		m.rows.attacks = keep(m.data.attacks.Attacks, filter, func(a *api.Attack) string {
			return strings.Join([]string{a.Target, a.Direction, a.State, a.ID, vector(a)}, "\n")
		})
	case tabCores:
		m.rows.cores = keep(m.data.cores.Cores, filter, func(c *api.Core) string {
			return c.Interface + "\n" + c.Mode
		})
	}
}

// keep returns the rows whose text contains the filter, and all of them without a copy if there
// is none.
func keep[T any](rows []T, filter string, text func(*T) string) []T {
	if filter == "" {
		return rows
	}
	var out []T
	for i := range rows {
		if strings.Contains(text(&rows[i]), filter) {
			out = append(out, rows[i])
		}
	}
	return out
}

// chooseHosts returns the daemon's answer, or if the question has changed since, as much of the
// new answer as the old one contains.
func (m *Model) chooseHosts() []api.Host {
	q := m.query()
	had := m.data.query
	had.Limit = q.Limit
	if had == q {
		return m.data.hosts.Hosts
	}
	var out []api.Host
	for i := range m.data.hosts.Hosts {
		if h := &m.data.hosts.Hosts[i]; fits(h, &q) {
			out = append(out, *h)
		}
	}
	slices.SortStableFunc(out, func(a, b api.Host) int {
		if q.Sort == "percent" {
			return cmp.Compare(b.Percent, a.Percent)
		}
		return cmp.Compare(m.sortValue(&b.In, &b.Out), m.sortValue(&a.In, &a.Out))
	})
	return out
}

func (m *Model) chooseNetworks(filter string) []api.Network {
	out := keep(m.data.networks.Networks, filter, func(n *api.Network) string { return n.Prefix })
	if m.sort != "pps" && m.sort != "bps" {
		return out // neither flows nor limits are known for networks
	}
	out = slices.Clone(out)
	slices.SortStableFunc(out, func(a, b api.Network) int {
		return cmp.Compare(m.sortValue(&b.In, &b.Out), m.sortValue(&a.In, &a.Out))
	})
	return out
}

// sortValue is the rate that the order looks at.
func (m *Model) sortValue(in, out *api.Rates) uint64 {
	r := m.chosen(in, out)
	switch m.sort {
	case "bps":
		return r.BPS
	case "fps":
		return r.FPS
	}
	return r.PPS
}

// chosen returns the rates in the chosen direction.
func (m *Model) chosen(in, out *api.Rates) api.Rates {
	switch m.direction {
	case "incoming":
		return *in
	case "outgoing":
		return *out
	}
	return api.Rates{
		PPS: in.PPS + out.PPS, BPS: in.BPS + out.BPS, FPS: in.FPS + out.FPS,
		TCP: in.TCP + out.TCP, UDP: in.UDP + out.UDP, ICMP: in.ICMP + out.ICMP,
		SYN: in.SYN + out.SYN, Frag: in.Frag + out.Frag, AtLeast: in.AtLeast || out.AtLeast,
	}
}

// rowKey names a row of the current list for as long as it is there.
func (m *Model) rowKey(i int) string {
	if i < 0 || i >= m.count() {
		return ""
	}
	switch m.at.tab {
	case tabHosts:
		return m.rows.hosts[i].Address
	case tabNetworks:
		return m.rows.networks[i].Prefix
	case tabAttacks:
		return m.rows.attacks[i].ID
	}
	return strconv.Itoa(m.rows.cores[i].Worker)
}

// rowOf returns the row with that key, or -1.
func (m *Model) rowOf(key string) int {
	if m.rowKey(m.lists[m.at.tab].cursor) == key {
		return m.lists[m.at.tab].cursor
	}
	for i := range m.count() {
		if m.rowKey(i) == key {
			return i
		}
	}
	return -1
}

// attack returns the incident with that ID, or nil.
func (m *Model) attack(id string) *api.Attack {
	for i := range m.data.attacks.Attacks {
		if a := &m.data.attacks.Attacks[i]; a.ID == id {
			return a
		}
	}
	return nil
}

// mitigating counts routes, and peers with a session; nil where there are none.
func mitigating(m *api.Mitigation) line {
	held := m.Frozen || m.Killed
	if m.Routes == 0 && len(m.Peers) == 0 && !held {
		return nil
	}
	up, routes := 0, span{text: fmt.Sprintf("routes %d", m.Routes)}
	for i := range m.Peers {
		if m.Peers[i].State == "established" {
			up++
		}
	}
	if held {
		routes.text, routes.style = routes.text+" frozen", warn
	}
	peers := span{text: fmt.Sprintf("peers %d/%d", up, len(m.Peers))}
	switch {
	case len(m.Peers) == 0:
		return line{routes}
	case up < len(m.Peers):
		peers.style = bad
	}
	return line{routes, peers}
}
