package top

import (
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"weir/control/api"
)

// tab is one of the lists.
type tab int

const (
	tabHosts tab = iota
	tabNetworks
	tabAttacks
	tabCores
	numTabs
)

// page is what the body shows.
type page int

const (
	pageList page = iota
	pageWhy
	pageAttack
)

// place is where the user is.
type place struct {
	tab     tab
	page    page
	subject string // the address of pageWhy, the ID of pageAttack
	scroll  int    // of a page that is no list
}

// visit is a place to come back to, with what drilling down has changed.
type visit struct {
	place
	filters [numTabs]string
}

// list is the state of one tab's list.
type list struct {
	cursor int
	key    string // of the row to follow when the order changes; "": stay at the first row
	top    int    // the first row on the screen
	left   int    // columns scrolled away
}

// data is the latest answer of each kind.
type data struct {
	status   api.Status
	hosts    api.HostList
	query    api.HostQuery // that hosts answers
	networks api.NetworkList
	attacks  api.AttackList
	cores    api.CoreList
	why      api.Why
	whyOf    string // the address that why answers
}

// shown are the rows of the current tab after filter and order.
type shown struct {
	hosts    []api.Host
	networks []api.Network
	attacks  []api.Attack
	cores    []api.Core
}

// Model is the screen. It is a value: Update returns a changed copy and has no other effect.
type Model struct {
	src    Source
	opt    Options
	width  int
	height int
	now    time.Time // as of the last message
	polled time.Time

	data     data
	got      [numKinds]time.Time // of the answer in data; zero: none yet
	errs     [numKinds]error     // of the last question, nil after an answer
	inflight [numKinds]bool
	again    [numKinds]bool // ask again when the question in flight is answered
	wanted   [numKinds]bool // take the answer although frozen: the user asked for it

	at      place
	back    []visit
	lists   [numTabs]list
	filters [numTabs]string
	rows    shown

	sort, direction string // of api.HostQuery
	family, limit   int
	unit            unit
	bytes           bool // byte/s instead of bit/s

	help     bool
	entering bool   // of a filter
	torn     bool   // an escape sequence has begun, and is no key
	input    string // so far
	notice   string // until the next key
	frozen   bool
}

// firstHosts is how many hosts are asked for until the user scrolls beyond them.
const firstHosts = 200

// New returns the screen before its first question.
func New(src Source, o Options, now time.Time) Model {
	o.Interval = max(o.Interval, MinInterval)
	return Model{
		src: src, opt: o, now: now, sort: "pps", direction: "incoming", limit: firstHosts,
		width: 80, height: 24,
	}
}

// tickMsg makes the clock of the screen go.
type tickMsg time.Time

// tick waits for the next poll, or for a second so that ages go on.
func (m Model) tick() tea.Cmd {
	return tea.Tick(min(m.opt.Interval, time.Second), func(t time.Time) tea.Msg {
		return tickMsg(t)
	})
}

// Init implements tea.Model: the first tick comes at once.
func (m Model) Init() tea.Cmd {
	now := m.now
	return func() tea.Msg { return tickMsg(now) }
}

// Update implements tea.Model.
func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = max(msg.Width, 0), max(msg.Height, 0)
	case tickMsg:
		cmd = m.onTick(time.Time(msg))
	case answer:
		cmd = m.onAnswer(msg)
	case tea.KeyPressMsg, tea.PasteMsg:
		cmd = m.onKey(strokeOf(msg))
	default:
		return m, nil
	}
	m.settle()
	return m, cmd
}

func (m *Model) onTick(t time.Time) tea.Cmd {
	m.now = t
	// A tick comes a little early or late: half of one is the nearest.
	due := t.Sub(m.polled) >= m.opt.Interval-min(m.opt.Interval, time.Second)/2
	if m.frozen || !due {
		return m.tick()
	}
	m.polled = t
	return tea.Batch(m.tick(), m.request(false, m.need()...))
}

func (m *Model) onAnswer(a answer) tea.Cmd {
	var cmd tea.Cmd
	k := a.kind
	m.inflight[k] = false
	if a.at.After(m.now) {
		m.now = a.at
	}
	if m.again[k] {
		m.again[k] = false
		cmd = m.request(false, k)
	}
	m.errs[k] = a.err
	// A question of the user that fails while frozen is not asked again by a tick.
	take := !m.frozen || m.wanted[k]
	m.wanted[k] = m.wanted[k] && cmd != nil
	if a.err == nil && take {
		m.store(a)
	}
	return cmd
}

func (m *Model) store(a answer) {
	switch v := a.value.(type) {
	case api.Status:
		m.data.status = v
	case api.HostList:
		m.data.hosts, m.data.query = v, a.query
	case api.NetworkList:
		m.data.networks = v
	case api.AttackList:
		m.data.attacks = v
	case api.CoreList:
		m.data.cores = v
	case api.Why:
		m.data.why, m.data.whyOf = v, a.subject
	}
	m.got[a.kind] = a.at
}

// need names what the screen shows: the status and one thing more.
func (m *Model) need() []kind {
	switch m.at.page {
	case pageWhy:
		return []kind{kindStatus, kindWhy}
	case pageAttack:
		return []kind{kindStatus, kindAttacks}
	}
	return []kind{kindStatus, m.at.tab.kind()}
}

func (t tab) kind() kind { return kindHosts + kind(t) }

func (t tab) String() string {
	return [numTabs]string{"Hosts", "Networks", "Attacks", "Cores"}[t]
}

// stale says whether what the body shows is older than it should be: the last question failed.
func (m *Model) stale() bool {
	k := m.need()[1]
	if k == kindWhy && m.data.whyOf != m.at.subject {
		return false // there is nothing yet
	}
	return !m.got[k].IsZero() && (m.errs[k] != nil || m.errs[kindStatus] != nil)
}

// dataAge is how old what the body shows is, or the header where that has nothing.
func (m *Model) dataAge() time.Duration {
	at := m.got[m.need()[1]]
	if at.IsZero() {
		at = m.got[kindStatus]
	}
	if at.IsZero() {
		return 0
	}
	return max(0, m.now.Sub(at))
}

// query is what the hosts tab asks for.
func (m *Model) query() api.HostQuery {
	return api.HostQuery{
		Sort: m.sort, Direction: m.direction, Filter: m.filters[tabHosts], Family: m.family,
		Limit: m.limit,
	}
}

// settle brings rows, cursor and scrolling in line with the data and the size.
func (m *Model) settle() {
	m.choose()
	l := &m.lists[m.at.tab]
	n := m.count()
	if l.key != "" {
		if i := m.rowOf(l.key); i >= 0 {
			l.cursor = i
		}
	}
	l.cursor = max(0, min(l.cursor, n-1))
	if l.key != "" && n > 0 {
		l.key = m.rowKey(l.cursor)
	}
	rows := m.rowsOnScreen()
	l.top = max(l.top, l.cursor-rows+1)
	l.top = max(0, min(l.top, l.cursor, n-rows))
	l.left = max(0, min(l.left, maxLeft))
	if m.at.page != pageList {
		m.at.scroll = max(0, min(m.at.scroll, len(m.pageLines())-m.bodyHeight()))
	}
}

// maxLeft is far enough for the widest table, which has 11 columns.
const maxLeft = 9

// count is the number of rows in the current list.
func (m *Model) count() int {
	switch m.at.tab {
	case tabHosts:
		return len(m.rows.hosts)
	case tabNetworks:
		return len(m.rows.networks)
	case tabAttacks:
		return len(m.rows.attacks)
	}
	return len(m.rows.cores)
}

// push drills down to another place.
func (m *Model) push(to place) {
	m.back = append(slices.Clone(m.back), visit{m.at, m.filters})
	m.at = to
}
