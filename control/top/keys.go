package top

import (
	"unicode/utf8"

	tea "github.com/charmbracelet/bubbletea"

	"weir/control/api"
)

// maxFilter is longer than any prefix and most names.
const maxFilter = 64

// onKeys takes what was typed. Keys that arrive together, as those of a held key do over a slow
// line, come in one message.
func (m *Model) onKeys(msg tea.KeyMsg) tea.Cmd {
	if msg.Type != tea.KeyRunes || msg.Paste || m.entering || len(msg.Runes) < 2 {
		return m.onKey(msg)
	}
	if first := msg.Runes[0]; first == '[' || first == 'O' {
		return nil // the rest of an escape sequence that was torn apart, not keys
	}
	var cmds []tea.Cmd
	for _, r := range msg.Runes {
		cmds = append(cmds, m.onKey(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}}))
		m.settle() // the next key acts on what this one leads to
	}
	return tea.Batch(cmds...)
}

func (m *Model) onKey(msg tea.KeyMsg) tea.Cmd {
	key := msg.String()
	m.notice = ""
	if key == "ctrl+c" {
		return tea.Quit
	}
	if m.entering {
		return m.enterKey(msg)
	}
	if key == "q" {
		return tea.Quit
	}
	if m.help {
		m.help = false // any key leaves it
		return nil
	}
	if d, ok := m.movement(key); ok {
		return m.move(d)
	}
	if cmd, ok := m.queryKey(key); ok {
		return cmd
	}
	return m.placeKey(key)
}

// enterKey edits the filter.
func (m *Model) enterKey(msg tea.KeyMsg) tea.Cmd {
	switch msg.Type {
	case tea.KeyEnter:
		m.entering = false
		return m.setFilter(m.input)
	case tea.KeyEsc:
		m.entering = false
		return m.setFilter("")
	case tea.KeyBackspace:
		_, n := utf8.DecodeLastRuneInString(m.input)
		m.input = m.input[:len(m.input)-n]
	case tea.KeyCtrlU:
		m.input = ""
	case tea.KeyRunes, tea.KeySpace:
		if in := m.input + cleaned(string(msg.Runes), false); !msg.Alt && len(in) <= maxFilter {
			m.input = in
		}
	}
	return nil
}

func (m *Model) setFilter(f string) tea.Cmd {
	t := m.at.tab
	if m.filters[t] == f {
		return nil
	}
	m.filters[t] = f
	m.lists[t] = list{left: m.lists[t].left}
	return m.changed()
}

// changed asks again because the question to the current list is another one. While frozen, the
// rows at hand are chosen from instead.
func (m *Model) changed() tea.Cmd {
	if m.frozen || m.at.tab != tabHosts {
		return nil
	}
	return m.request(true, kindHosts)
}

// queryKey changes what is listed, in which order and unit.
func (m *Model) queryKey(key string) (tea.Cmd, bool) {
	switch key {
	case "p":
		m.sort = "pps"
	case "b":
		m.sort = "bps"
	case "f":
		m.sort = "fps"
	case "%":
		m.sort = "percent"
	case "i":
		m.direction = "incoming"
	case "o":
		m.direction = "outgoing"
	case "a":
		m.direction = "both"
	case "v":
		m.family = map[int]int{0: 4, 4: 6}[m.family]
	case "u":
		m.unit = (m.unit + 1) % numUnits
		return nil, true
	case "U":
		m.bytes = !m.bytes
		return nil, true
	default:
		return nil, false
	}
	m.lists[tabHosts].top = 0
	return m.changed(), true
}

// placeKey goes to other places, and freezes.
func (m *Model) placeKey(key string) tea.Cmd {
	switch key {
	case "?":
		m.help = true
	case "1", "2", "3", "4":
		return m.goTo(tab(key[0] - '1'))
	case "tab":
		return m.goTo((m.at.tab + 1) % numTabs)
	case "shift+tab":
		return m.goTo((m.at.tab + numTabs - 1) % numTabs)
	case "/":
		if m.at.page == pageList {
			m.entering, m.input = true, m.filters[m.at.tab]
		}
	case "enter":
		return m.drill()
	case "esc", "backspace":
		return m.goBack()
	case " ":
		return m.freeze()
	case "r":
		return m.demand(m.need()...)
	}
	return nil
}

func (m *Model) freeze() tea.Cmd {
	m.frozen = !m.frozen
	if m.frozen {
		return nil
	}
	return m.request(true, m.need()...)
}

func (m *Model) goTo(t tab) tea.Cmd {
	m.at, m.back = place{tab: t}, nil
	return m.arrive()
}

// arrive asks for what the new place shows. While frozen it does so only if there is nothing yet.
func (m *Model) arrive() tea.Cmd {
	k := m.need()[1]
	if !m.frozen {
		return m.request(true, k)
	}
	if m.got[k].IsZero() || k == kindWhy && m.data.whyOf != m.at.subject {
		return m.demand(k)
	}
	return nil
}

// drill goes from a row to what there is to know of it.
func (m *Model) drill() tea.Cmd {
	key := m.rowKey(m.lists[m.at.tab].cursor)
	switch {
	case m.at.page == pageAttack:
		a := m.attack(m.at.subject)
		if a == nil {
			return nil
		}
		return m.explain(a.Target)
	case m.at.page != pageList || key == "":
		return nil
	case m.at.tab == tabHosts:
		return m.explain(key)
	case m.at.tab == tabNetworks:
		m.push(place{tab: tabHosts})
		m.filters[tabHosts] = key
		m.lists[tabHosts] = list{}
	case m.at.tab == tabAttacks:
		m.push(place{tab: tabAttacks, page: pageAttack, subject: key})
	default:
		return nil // a core has nothing beneath it
	}
	return m.arrive()
}

func (m *Model) explain(target string) tea.Cmd {
	if _, err := address(target); err != nil {
		m.notice = "not an address: " + target
		return nil
	}
	m.push(place{tab: m.at.tab, page: pageWhy, subject: target})
	return m.arrive()
}

func (m *Model) goBack() tea.Cmd {
	if n := len(m.back); n > 0 {
		v := m.back[n-1]
		m.at, m.filters, m.back = v.place, v.filters, m.back[:n-1]
		return m.arrive()
	}
	return m.setFilter("")
}

// step is a movement, in rows and columns.
type step struct{ rows, cols int }

// far is more rows than a list has.
const far = 1 << 30

func (m *Model) movement(key string) (step, bool) {
	pageful := max(1, m.rowsOnScreen()-1)
	switch key {
	case "up", "k":
		return step{rows: -1}, true
	case "down", "j":
		return step{rows: 1}, true
	case "pgup", "ctrl+b":
		return step{rows: -pageful}, true
	case "pgdown", "ctrl+f":
		return step{rows: pageful}, true
	case "g", "home":
		return step{rows: -far}, true
	case "G", "end":
		return step{rows: far}, true
	case "left", "h":
		return step{cols: -1}, true
	case "right", "l":
		return step{cols: 1}, true
	}
	return step{}, false
}

func (m *Model) move(d step) tea.Cmd {
	if m.at.page != pageList {
		m.at.scroll = max(0, m.at.scroll+d.rows) // settle knows the end
		return nil
	}
	l := &m.lists[m.at.tab]
	// Columns move only where some have no room: elsewhere they would just disappear.
	if d.cols != 0 && !m.allColumnsFit() {
		l.left += d.cols
	}
	if d.rows == 0 {
		return nil
	}
	n := m.count()
	l.cursor = max(0, min(l.cursor+d.rows, n-1))
	l.key = ""
	if l.cursor > 0 {
		l.key = m.rowKey(l.cursor)
	}
	hosts := &m.data.hosts
	if m.at.tab == tabHosts && l.cursor == n-1 && n == len(hosts.Hosts) && n < hosts.Matched &&
		m.limit < api.MaxHosts {
		m.limit = min(2*m.limit, api.MaxHosts)
		return m.changed()
	}
	return nil
}
