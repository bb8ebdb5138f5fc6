package journal

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// model is what a journal must restore: by prefix, what may come back. After a call that waits for
// the disk that is one state, after one that does not it is the old and the new one too, until the
// disk has it.
type model struct {
	t     *testing.T
	rng   *rand.Rand
	disk  *memDisk
	clock *testClock
	j     *Journal

	now     map[int]string          // what is live; a kill between calls finds this
	killed  map[int]map[string]bool // what a kill within the running call may find
	power   map[int]map[string]bool // what a loss of power may find
	durable map[int]bool            // whose power becomes what is live, at the end of the call
	crashes []crash                 // of the running call
	faults  faults                  // of the running call
	checked int
}

// crash is what is left of a disk, and by what.
type crash struct {
	disk  *memDisk
	power bool
	at    string
}

// of describes a route with what a restart tells of it.
func of(s Survivor) string { return fmt.Sprintf("%s %v %v", s.ID, s.Lease, s.Announced) }

const gone = "" // of a prefix that is not live

const modelRoutes = 5

// TestModel does random things to a journal and crashes it wherever it touches the disk, with any
// part of what it was writing: killed, it has what it had before the call or after it; without
// power, at least what it said to be durable, and nothing that was refused or withdrawn for good.
func TestModel(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 8
	}
	rng := seeded(t)
	checked := 0
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			m := newModel(t, rng)
			for range 40 {
				m.step()
			}
			mustClose(t, m.j)
			m.settle()
			checked += m.checked
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d crashes", checked)
}

func newModel(t *testing.T, rng *rand.Rand) *model {
	m := &model{
		t: t, rng: rng, disk: newMemDisk(), clock: stillClock(), now: map[int]string{},
		durable: map[int]bool{},
	}
	m.j, _ = mustOpen(t, m.disk, m.clock, m.options())
	m.disk.cuts = func(n int) []int {
		if n == 0 {
			return nil
		}
		cuts := []int{rng.IntN(n), rng.IntN(n), rng.IntN(n)}
		slices.Sort(cuts)
		return cuts
	}
	m.disk.fail = m.faults.fail
	m.disk.hook = m.crash
	m.known()
	return m
}

func (*model) options() Options { return Options{CompactBytes: 3000, Lazy: 24 * time.Hour} }

// known makes the present state the only one that a crash may find.
func (m *model) known() {
	m.killed, m.power = map[int]map[string]bool{}, map[int]map[string]bool{}
	for n := range modelRoutes {
		m.killed[n] = map[string]bool{m.now[n]: true}
		m.power[n] = map[string]bool{m.now[n]: true}
	}
}

func (m *model) crash() {
	m.crashes = append(m.crashes,
		crash{m.disk.killed(), false, m.at()}, crash{m.disk.cutOff(m.rng), true, m.at()})
}

func (m *model) at() string { return fmt.Sprintf("change %d", len(m.crashes)/2) }

// step does one thing, waits until the disk has seen it, and looks at all crashes meanwhile.
func (m *model) step() {
	n := m.rng.IntN(modelRoutes)
	switch m.rng.IntN(12) {
	case 0, 1, 2, 3:
		m.intend(n)
	case 4:
		m.refuse(n)
	case 5, 6:
		m.change(n, func(s *Survivor) { s.Announced = true }, func() { m.j.Announced(prefix(n)) })
	case 7:
		lease := time.Duration(1+m.rng.IntN(1000)) * time.Minute
		m.change(n, func(s *Survivor) { s.Lease, s.Announced = lease, true },
			func() { m.j.Renew(prefix(n), lease) })
	case 8, 9:
		m.may(n, gone)
		m.now[n] = gone
		m.j.Withdrawn(prefix(n))
		m.durable[n] = true
	case 10:
		m.restart(true)
	case 11:
		m.restart(false)
	}
	m.settle()
}

// may adds what a crash in the running call, or a loss of power after it, may find.
func (m *model) may(n int, state string) {
	m.killed[n][state] = true
	m.power[n][state] = true
}

func (m *model) random(n int) Route {
	r := route(n)
	r.ID = fmt.Sprintf("%d-%x", n, m.rng.Uint32())
	r.Reason = string(make([]byte, m.rng.IntN(100)))
	return r
}

// intend has an intent that nothing keeps from becoming durable.
func (m *model) intend(n int) {
	r := m.random(n)
	state := of(Survivor{r, false})
	m.may(n, state)
	mustIntend(m.t, m.j, r)
	synctest.Wait()
	m.now[n] = state
	m.durable[n] = true
}

// refuse has an intent that meets a fault or a hanging disk. It may be found only until the journal
// has cancelled it, and only as not announced.
func (m *model) refuse(n int) {
	r := m.random(n)
	m.may(n, of(Survivor{r, false}))
	ops := []string{"write", "fsync"}
	op, hang := ops[m.rng.IntN(2)], m.rng.IntN(2) == 0
	m.faults.set(func(is, _ string) error {
		if is != op {
			return nil
		}
		if hang {
			time.Sleep(time.Second)
			return nil
		}
		return syscall.EIO
	})
	if err := m.j.Intent(context.Background(), r); err == nil {
		m.t.Error("durable in spite of the fault")
	}
	time.Sleep(5 * time.Second)
	m.faults.heal()
	time.Sleep(5 * time.Second)
	if s := m.j.State(); s.Err != nil || s.Queued > 0 {
		m.t.Errorf("not healed: %+v", s)
	}
	m.durable[n] = true // the cancellation
}

// change does what does not wait for the disk. Renewals are lazy: any restart finds them or not.
func (m *model) change(n int, change func(*Survivor), do func()) {
	if e, ok := m.j.live[prefix(n)]; ok {
		s := Survivor{e.Route, e.op != intent}
		change(&s)
		m.may(n, of(s))
		m.now[n] = of(s)
	}
	do()
}

// restart goes on with what Close leaves, or with what a kill does.
func (m *model) restart(killed bool) {
	image, may := m.disk.killed(), maps.Clone(m.killed)
	mustClose(m.t, m.j)
	m.settle()
	if killed {
		image.cuts, image.fail, image.hook = m.disk.cuts, m.disk.fail, m.disk.hook
		m.disk = image
	}
	j, r := mustOpen(m.t, m.disk, m.clock, m.options())
	m.j = j
	found := survivors(r)
	for n := range modelRoutes {
		if !killed && found[n] != m.now[n] || !may[n][found[n]] {
			m.t.Errorf("restarted, killed %v: %d is %q, not %q", killed, n, found[n], m.now[n])
		}
		m.now[n] = found[n]
	}
	synctest.Wait()
	m.known()
}

// settle waits for the disk, and holds what every crash has left to the model.
func (m *model) settle() {
	synctest.Wait()
	for _, c := range m.crashes {
		m.checked++
		j, r := mustOpen(m.t, c.disk, m.clock, Options{})
		mustClose(m.t, j)
		may := m.killed
		if c.power {
			may = m.crashable()
		}
		for n, got := range survivors(r) {
			if !may[n][got] {
				m.t.Errorf("%s, power loss %v: %d is %q, not one of %v",
					c.at, c.power, n, got, slices.Collect(maps.Keys(may[n])))
			}
		}
		if r.Damaged {
			m.t.Errorf("%s: %s", c.at, r.Note)
		}
	}
	m.crashes = nil
	for n := range modelRoutes { // a kill from here on finds the latest, or an unwritten renewal's
		old := m.killed[n]
		m.killed[n] = map[string]bool{m.now[n]: true}
		if len(m.j.dirty) > 0 {
			maps.Copy(m.killed[n], old)
		}
		if m.durable[n] {
			m.power[n] = map[string]bool{m.now[n]: true}
		}
	}
	clear(m.durable)
}

// crashable unites what could be found before the running call and after it.
func (m *model) crashable() map[int]map[string]bool {
	all := map[int]map[string]bool{}
	for n := range modelRoutes {
		all[n] = maps.Clone(m.power[n])
		maps.Copy(all[n], m.killed[n])
	}
	return all
}

func survivors(r Restored) map[int]string {
	all := map[int]string{}
	for n := range modelRoutes {
		all[n] = gone
	}
	for _, s := range r.Routes {
		for n := range modelRoutes {
			if s.Prefix == prefix(n) {
				all[n] = of(s)
			}
		}
	}
	return all
}
