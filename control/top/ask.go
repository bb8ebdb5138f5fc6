package top

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"weir/control/api"
)

// kind is a question. The lists have the order of the tabs.
type kind int

const (
	kindStatus kind = iota
	kindHosts
	kindNetworks
	kindAttacks
	kindCores
	kindWhy
	numKinds
)

// answer is what came of one question.
type answer struct {
	kind    kind
	at      time.Time
	value   any // one of the lists of package api
	err     error
	query   api.HostQuery // of kindHosts
	subject string        // of kindWhy
}

// patience is how long a question may take: more than the second that Why may have to wait for.
const patience = 5 * time.Second

// request asks, with at most one question of each kind in flight. A question that is in flight is
// asked again after its answer if the user wants what may differ.
func (m *Model) request(again bool, kinds ...kind) tea.Cmd {
	var cmds []tea.Cmd
	for _, k := range kinds {
		if m.inflight[k] {
			m.again[k] = m.again[k] || again
			continue
		}
		m.inflight[k] = true
		cmds = append(cmds, m.question(k))
	}
	return tea.Batch(cmds...)
}

// demand asks at once what the user wants to see, also while frozen.
func (m *Model) demand(kinds ...kind) tea.Cmd {
	for _, k := range kinds {
		m.wanted[k] = true
	}
	return m.request(true, kinds...)
}

// question returns the command that asks. It takes copies: it runs beside Update.
func (m *Model) question(k kind) tea.Cmd {
	src, q, subject := m.src, m.query(), m.at.subject
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		a := answer{kind: k, query: q, subject: subject}
		a.value, a.err = ask(ctx, src, k, q, subject)
		a.at = time.Now()
		return a
	}
}

func ask(ctx context.Context, src Source, k kind, q api.HostQuery, subject string) (any, error) {
	switch k {
	case kindHosts:
		return src.Hosts(ctx, q)
	case kindNetworks:
		return src.Networks(ctx)
	case kindAttacks:
		return src.Attacks(ctx, "all")
	case kindCores:
		return src.Cores(ctx)
	case kindWhy:
		a, err := address(subject)
		if err != nil {
			return nil, err
		}
		return src.Why(ctx, a)
	}
	return src.Status(ctx)
}

// address reads an address, or the first one of a prefix.
func address(s string) (netip.Addr, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Addr(), nil
	}
	return netip.ParseAddr(s)
}

// unreachable says whether err means that nobody answers at the socket.
func unreachable(err error) bool {
	var u *api.Unreachable
	return errors.As(err, &u) || errors.Is(err, context.DeadlineExceeded)
}

// fits says whether a host belongs to the answer of q. The daemon has the last word; this is for
// the time until its answer comes, and while frozen.
func fits(h *api.Host, q *api.HostQuery) bool {
	if six := strings.Contains(h.Address, ":"); q.Family == 4 && six || q.Family == 6 && !six {
		return false
	}
	if q.Filter == "" || h.Group == q.Filter || strings.HasPrefix(h.Address, q.Filter) {
		return true
	}
	p, err := netip.ParsePrefix(q.Filter)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(h.Address)
	return err == nil && p.Masked().Contains(a)
}
