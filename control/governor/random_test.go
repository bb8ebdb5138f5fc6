package governor

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// world plays a governor against rules of its own writing: every approval is looked at again, the
// slow way, with nothing of the governor's but what it gave out.
type world struct {
	t    *testing.T
	r    *rand.Rand
	g    *Governor
	now  int64
	hold int64

	rules  Rules
	frozen bool
	stands map[netip.Prefix]Approved
	given  []int64 // times of the detector's approvals

	approved, refused, renewed int
}

// nets are what random rules choose from: nested, adjoining, tiny, whole families' edges.
var nets = []string{
	"10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.1.0/24", "192.0.2.4/30", "198.51.100.7/32",
	"223.255.255.0/24", "128.0.0.0/1", "2001:db8::/32", "2001:db8::/64", "2001:db8::8/126",
	"2001:db8:ffff::1/128", "8000::/1",
}

func (w *world) someNets(most int) (out []netip.Prefix) {
	for range w.r.IntN(most + 1) {
		out = append(out, netip.MustParsePrefix(nets[w.r.IntN(len(nets))]))
	}
	return out
}

func (w *world) someRules() Rules {
	return Rules{
		Networks: w.someNets(5), Protected: w.someNets(2), MaxActive: w.r.IntN(40),
		MaxPerMinute: w.r.IntN(30), MaxShare: w.r.IntN(101),
		MaxLease: time.Duration(w.r.IntN(3600)) * time.Second,
	}
}

// address is near an edge of one of the nets, or anywhere.
func (w *world) address() netip.Addr {
	p := netip.MustParsePrefix(nets[w.r.IntN(len(nets))])
	b := p.Masked().Addr().AsSlice()
	switch w.r.IntN(4) {
	case 0: // anywhere
		for i := range b {
			b[i] = byte(w.r.Uint32())
		}
	case 1: // its last address
		for i := p.Bits(); i < 8*len(b); i++ {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	a, _ := netip.AddrFromSlice(b)
	for range w.r.IntN(3) { // a step over the edge
		if w.r.IntN(2) == 0 && a.Next().IsValid() {
			a = a.Next()
		} else if a.Prev().IsValid() {
			a = a.Prev()
		}
	}
	return a
}

func (w *world) route() Route {
	a := w.address()
	bits := a.BitLen()
	if w.r.IntN(8) == 0 {
		bits = w.r.IntN(bits + 1)
	}
	r := Route{Prefix: netip.PrefixFrom(a, bits), NextHop: netip.MustParseAddr("192.0.2.1")}
	if a.Is6() != (w.r.IntN(20) == 0) {
		r.NextHop = netip.MustParseAddr("100::1")
	}
	r.Lease = w.now + int64(w.r.IntN(4000)-20)*second
	return r
}

// step does one random thing.
func (w *world) step() {
	if w.r.IntN(4) == 0 {
		w.now += w.r.Int64N(5 * second)
	}
	switch n := w.r.IntN(1000); {
	case n < 700:
		w.ask(w.route(), Who(w.r.IntN(3)))
	case n < 850:
		for p := range w.stands {
			w.g.Release(p)
			delete(w.stands, p)
			break
		}
	case n < 960:
		w.renew()
	case n < 970:
		w.hold = max(w.hold, w.now+2*second)
		w.g.Hold(w.hold)
	case n < 990:
		w.frozen = w.r.IntN(3) == 0
		w.g.Freeze(w.frozen)
	case n < 998:
		w.reload()
	default:
		w.crash()
	}
}

func (w *world) ask(r Route, who Who) {
	a, refusal := w.g.Ask(r, who, w.now)
	if refusal != None {
		w.refused++
		if a.Valid() {
			w.t.Fatalf("refused by %v, and approved: %+v", refusal, r)
		}
		return
	}
	w.approved++
	if why := w.violation(&a, who); why != "" {
		w.t.Fatalf("%s: approved %+v for %d at %d under %+v", why, r, who, w.now, w.rules)
	}
	w.stands[a.Prefix()] = a
	if who == Detector {
		w.given = append(w.given, w.now)
	}
}

// violation says which rule a breaks, in arithmetic on bits.
func (w *world) violation(a *Approved, who Who) string {
	p := a.Prefix()
	inside := func(nets []netip.Prefix) bool {
		return slices.ContainsFunc(nets, func(n netip.Prefix) bool { return covers(n, p.Addr()) })
	}
	_, twice := w.stands[p]
	w.given = slices.DeleteFunc(w.given, func(at int64) bool { return w.now-at >= 60*second })
	switch {
	case p.Addr().Is4() && p.Bits() != 32 || p.Addr().Is6() && p.Bits() != 128:
		return "no host route"
	case !inside(w.rules.Networks):
		return "outside the networks"
	case inside(w.rules.Protected):
		return "protected"
	case a.NextHop().Is4() != p.Addr().Is4():
		return "next hop of another family"
	case a.Lease() <= w.now || a.Lease() > w.now+int64(w.rules.MaxLease):
		return "the lease"
	case w.frozen:
		return "frozen"
	case twice:
		return "it stands"
	case who == Detector && w.now < w.hold:
		return "on hold"
	case who == Detector && len(w.given) >= w.rules.MaxPerMinute:
		return "too fast"
	case who != Journal && len(w.stands) >= w.rules.MaxActive:
		return "too many"
	case who != Journal && w.overShare(p.Addr()):
		return "too large a share"
	}
	return ""
}

// overShare counts what stands in the smallest network around a, a itself included.
func (w *world) overShare(a netip.Addr) bool {
	best := netip.Prefix{}
	for _, n := range w.rules.Networks {
		if covers(n, a) && (!best.IsValid() || n.Bits() > best.Bits()) {
			best = n
		}
	}
	host := a.BitLen() - best.Bits()
	if host >= 32 {
		return false
	}
	n := 1.0
	for p := range w.stands {
		if covers(best, p.Addr()) {
			n++
		}
	}
	return n > 1 && n*100 > float64(uint64(1)<<host)*float64(w.rules.MaxShare)
}

// covers compares the first bits, one by one.
func covers(n netip.Prefix, a netip.Addr) bool {
	x, y := n.Addr().AsSlice(), a.AsSlice()
	if len(x) != len(y) {
		return false
	}
	for i := range n.Bits() {
		if (x[i/8]^y[i/8])&(0x80>>(i%8)) != 0 {
			return false
		}
	}
	return true
}

func (w *world) renew() {
	for p, a := range w.stands {
		lease := w.now + int64(w.r.IntN(4000)-20)*second
		b, ok := w.g.Renew(a, Detector, lease, w.now)
		if ok && (w.frozen || w.now < w.hold || b.Lease() <= w.now || b.Lease() < a.Lease() ||
			b.Lease()-w.now > int64(w.rules.MaxLease) || b.Prefix() != p) {
			w.t.Fatalf("renewed %+v to %+v at %d", a, b, w.now)
		}
		if ok {
			w.renewed++
			w.stands[p] = b
		}
		return
	}
}

func (w *world) reload() {
	w.rules = w.someRules()
	for _, p := range w.g.Configure(w.rules) {
		w.g.Release(p)
		delete(w.stands, p)
	}
	for p := range w.stands {
		in := func(nets []netip.Prefix) bool {
			has := func(n netip.Prefix) bool { return covers(n, p.Addr()) }
			return slices.ContainsFunc(nets, has)
		}
		if !in(w.rules.Networks) || in(w.rules.Protected) {
			w.t.Fatalf("%s stands on under %+v", p, w.rules)
		}
	}
}

// crash begins anew with what the journal would have: all that stood.
func (w *world) crash() {
	old := w.stands
	w.g, w.stands, w.given = New(w.rules), map[netip.Prefix]Approved{}, nil
	w.hold = w.now + 2*second
	w.g.Hold(w.hold)
	w.frozen = false
	for _, a := range old {
		w.ask(Route{Prefix: a.Prefix(), NextHop: a.NextHop(), Lease: a.Lease()}, Journal)
	}
}

// TestRandom plays ten million steps; none may break a rule.
func TestRandom(t *testing.T) {
	steps := 10_000_000
	if testing.Short() {
		steps = 300_000
	}
	w := &world{t: t, r: rand.New(rand.NewPCG(1, 2)), now: second,
		stands: map[netip.Prefix]Approved{}}
	w.rules = w.someRules()
	w.g = New(w.rules)
	for range steps {
		w.step()
	}
	if w.approved < steps/100 || w.renewed < steps/1000 {
		t.Errorf("%d approved, %d renewed: too little happened", w.approved, w.renewed)
	}
	for r := NotHostRoute; r < Refusals; r++ {
		if w.seen(r) == 0 {
			t.Errorf("%v never refused", r)
		}
	}
	t.Logf("%d steps: %d approved, %d refused, %d renewed", steps, w.approved, w.refused, w.renewed)
}

// seen asks until the rule refuses, some thousand times at most.
func (w *world) seen(want Refusal) uint64 {
	for range 200_000 {
		if w.g.Refused[want] > 0 {
			break
		}
		w.step()
	}
	return w.g.Refused[want]
}

// FuzzNever holds the rules about what a prefix is to bits and bytes, for any bytes.
func FuzzNever(f *testing.F) {
	f.Add([]byte{10, 0, 0, 7, 32})
	f.Add(make([]byte, 17))
	f.Fuzz(func(t *testing.T, data []byte) {
		w := &world{rules: rules()}
		var a netip.Addr
		switch {
		case len(data) >= 17:
			a, _ = netip.AddrFromSlice(data[:16])
		case len(data) >= 5:
			a = netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil,
				binary.BigEndian.Uint32(data))))
		default:
			return
		}
		p := netip.PrefixFrom(a, int(data[len(data)-1]))
		r := route("10.0.0.7", second)
		if r.Prefix = p; a.Is6() {
			r.NextHop = netip.MustParseAddr("100::1")
		}
		w.now, w.stands = second, map[netip.Prefix]Approved{}
		got, refusal := New(w.rules).Ask(r, Detector, second)
		if why := w.violation(&got, Detector); refusal == None && why != "" {
			t.Errorf("%s: %v approved", why, p)
		}
	})
}
