package top

import (
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"weir/control/api"
)

// maxFilter is longer than any prefix and most names.
const maxFilter = 64

// stroke is a key that was pressed, or text that was pasted.
type stroke struct {
	name string // as bubbletea's, such as "ctrl+c"; of what prints, that; "" of a paste
	text string // what it writes
}

// strokeOf returns the stroke that msg tells of.
func strokeOf(msg tea.Msg) stroke {
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		if msg.Mod.Contains(tea.ModAlt) {
			return stroke{name: msg.String()}
		}
		return stroke{msg.String(), msg.Text}
	case tea.PasteMsg:
		return stroke{text: msg.Content}
	}
	return stroke{}
}

func (m *Model) onKey(s stroke) tea.Cmd {
	key := s.name
	if !m.entering && m.tornOff(key) {
		return nil
	}
	m.notice = ""
	if key == "ctrl+c" {
		return tea.Quit
	}
	if m.entering {
		return m.enterKey(s)
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

// tornOff reports whether key is none, but part of an escape sequence whose beginning came so long
// before over a slow line that it was taken for keys.
func (m *Model) tornOff(key string) bool {
	torn := m.torn
	m.torn = false
	switch {
	case key == "[" || key == "O" || key == "alt+[" || key == "alt+shift+o":
		m.torn = true
		return true
	case !torn || len(key) != 1:
		return false
	}
	m.torn = key >= "0" && key <= "9" || key == ";"
	return m.torn || key == "~" || key >= "A" && key <= "Z" // what ends one
}

// enterKey edits the filter.
func (m *Model) enterKey(s stroke) tea.Cmd {
	switch s.name {
	case "enter":
		m.entering = false
		return m.setFilter(m.input)
	case "esc":
		m.entering = false
		return m.setFilter("")
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(m.input)
		m.input = m.input[:len(m.input)-n]
	case "ctrl+u":
		m.input = ""
	default:
		if in := m.input + cleaned(s.text, false); len(in) <= maxFilter {
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
	case "space":
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
