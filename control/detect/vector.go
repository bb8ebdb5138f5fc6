package detect

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"weir/control/rate"
)

// Fragment says which part of a fragmented IP packet a Packet is; the values are those of
// decode.Fragment.
type Fragment uint8

// The parts.
const (
	NotFragment Fragment = iota
	FirstFragment
	LaterFragment
)

// Packet is what classification reads of one packet to or from the target, as it was on the
// wire: for an incoming one the source port is the other side's.
type Packet struct {
	Weight           float64 // packets that this one stands for, above 0
	IPLen            uint32  // bytes
	SrcPort, DstPort uint16  // TCP and UDP; ICMP: 0 and type × 256 + code; LaterFragment: 0
	Proto            uint8
	TCPFlags         uint8 // low 8 bits; valid iff Proto is TCP and Fragment is not LaterFragment
	Fragment         Fragment
}

// What it takes to be named.
const (
	dominance    = 0.9  // of the target's packets: the whole attack is of that class
	minReflected = 0.1  // of the UDP packets with ports: below, the port is one of many
	minShare     = 0.01 // of all packets: below, a family is left out
	maxVectors   = 8

	// laterPerFirst is the number of later fragments of the longest IP packet, with 1480 bytes
	// in each: more cannot belong to the first fragments that were seen.
	laterPerFirst = 44
)

// Classify names the families of attack traffic that pkts consist of, with their shares of the
// packets, greatest first and by name where equal; the shares add up to 1 at most. With no
// packets it goes by r, the target's rates in direction dir, which may be nil; with neither the
// result is nil. At most maxVectors are named.
func Classify(pkts []Packet, dir rate.Direction, r *rate.Rates) []Vector {
	var t tally
	for i := range pkts {
		t.add(&pkts[i], dir)
	}
	if t.total > 0 {
		return t.vectors()
	}
	if r == nil {
		return nil
	}
	return classifyRates(r)
}

// tally is the weight of each family.
type tally struct {
	total     float64
	family    [len(families)]float64
	reflected [len(reflectors)]float64
	first     [len(reflectors)]float64 // of reflected: first fragments
	proto     [256]float64             // in no family

	udp       float64 // with ports
	udpFirsts float64
	udpLater  float64 // in no family until attachLater
}

func (t *tally) add(p *Packet, dir rate.Direction) {
	if !(p.Weight > 0) {
		return
	}
	t.total += p.Weight
	if p.Proto == protoUDP {
		t.addUDP(p, dir)
		return
	}
	if i := familyOf(p); i >= 0 {
		t.family[i] += p.Weight
	} else {
		t.proto[p.Proto] += p.Weight
	}
}

func (t *tally) addUDP(p *Packet, dir rate.Direction) {
	if p.Fragment == LaterFragment {
		t.udpLater += p.Weight
		return
	}
	t.udp += p.Weight
	if p.Fragment == FirstFragment {
		t.udpFirsts += p.Weight
	}
	i := reflectorOf(p, dir)
	if i < 0 {
		t.family[familyOf(p)] += p.Weight
		return
	}
	t.reflected[i] += p.Weight
	if p.Fragment == FirstFragment {
		t.first[i] += p.Weight
	}
}

// familyOf returns the index of p's family, -1 if it has none.
func familyOf(p *Packet) int {
	for i := range families {
		if families[i].match(p) {
			return i
		}
	}
	return -1
}

// reflectorOf returns the index of the service that p is an answer of, -1 if it is none.
//
// An answer comes from the service's port in both directions: from the other side's when the
// target is the victim, from the target's own when it is the reflector in use. In two cases the
// port alone does not tell: when both ports are the service's, p may as well be a request, or
// two peers at their everyday work; and a server of ours that answers with no more than it was
// asked is at its own. There only a length that requests do not have makes it an answer.
func reflectorOf(p *Packet, dir rate.Direction) int {
	i, found := slices.BinarySearchFunc(reflectors[:], p.SrcPort,
		func(r reflector, port uint16) int { return cmp.Compare(r.port, port) })
	if !found {
		return -1
	}
	unsure := dir == rate.Outgoing || p.SrcPort == p.DstPort
	if unsure && p.IPLen <= reflectors[i].request {
		return -1
	}
	return i
}

// vectors turns the weights into names.
func (t *tally) vectors() []Vector {
	plain := &t.family[familyOf(&Packet{Proto: protoUDP})]
	fragments := &t.family[familyOf(&Packet{Proto: protoUDP, Fragment: LaterFragment})]
	t.foldRare(plain, fragments)
	t.attachLater(fragments)
	var vs []Vector
	for i, w := range t.family {
		vs = t.append(vs, families[i].name, w)
	}
	for i, w := range t.reflected {
		vs = t.append(vs, reflectors[i].name, w)
	}
	for n, w := range t.proto {
		if w > 0 {
			vs = t.append(vs, fmt.Sprintf("proto_%d_flood", n), w)
		}
	}
	return trim(vs)
}

// foldRare takes the name from reflectors with too few of the UDP packets: a flood from random
// ports hits each of them now and then, and so does everyday traffic.
func (t *tally) foldRare(plain, fragments *float64) {
	for i, w := range t.reflected {
		if w < minReflected*t.udp {
			*plain += w - t.first[i]
			*fragments += t.first[i]
			t.reflected[i], t.first[i] = 0, 0
		}
	}
}

// attachLater gives the later fragments of UDP, which have no ports, to the reflector whose
// answers are being fragmented: the one that has most first fragments, if those can have so many
// later ones. Else they are a flood of fragments.
func (t *tally) attachLater(fragments *float64) {
	for i, w := range t.first {
		if w > t.udpFirsts/2 && t.udpLater <= laterPerFirst*w {
			t.reflected[i] += t.udpLater
			return
		}
	}
	*fragments += t.udpLater
}

// append adds a weight under a name, which several rows of a table may have.
func (t *tally) append(vs []Vector, name string, weight float64) []Vector {
	if weight <= 0 {
		return vs
	}
	share := weight / t.total
	if i := slices.IndexFunc(vs, func(v Vector) bool { return v.Name == name }); i >= 0 {
		vs[i].Share += share
		return vs
	}
	return append(vs, Vector{Name: name, Share: share})
}

// trim sorts vs and drops the small ones. What it drops is an attack of its own, with no name
// but mixed_flood, when it outweighs the greatest of the rest: packets of random protocols do.
func trim(vs []Vector) []Vector {
	slices.SortFunc(vs, compareVectors)
	n := 0
	for n < len(vs) && n < maxVectors && vs[n].Share >= minShare {
		n++
	}
	var rest float64
	for _, v := range vs[n:] {
		rest += v.Share
	}
	vs = vs[:n]
	if n == 0 || rest > vs[0].Share {
		vs = slices.Insert(vs[:min(n, maxVectors-1)], 0, Vector{Name: mixedFlood, Share: rest})
	}
	for i := range vs {
		vs[i].Share = truncate(vs[i].Share)
	}
	slices.SortFunc(vs, compareVectors)
	return vs
}

func compareVectors(a, b Vector) int {
	return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Name, b.Name))
}

// truncate cuts a share to four decimals, downwards, so that a sum of them stays below 1; the
// small term keeps 0.99 from becoming 0.9899.
func truncate(share float64) float64 { return math.Floor(share*1e4+1e-6) / 1e4 }

// dominators are the classes that can dominate a target's rates, those first that are a part of
// a later one.
var dominators = [...]struct {
	class rate.Class
	name  string
}{
	{rate.SYN, synFlood}, {rate.ICMP, icmpFlood}, {rate.Frag, fragmentFlood},
	{rate.UDP, udpFlood}, {rate.TCP, tcpFlood}, {rate.Other, otherFlood},
}

// classifyRates names the class that dominates r.
func classifyRates(r *rate.Rates) []Vector {
	total := float64(r.Packets[rate.Total])
	if total == 0 {
		return nil
	}
	for _, d := range dominators {
		// The sums of cores and windows may differ by a packet: a share above 1 is 1.
		if share := min(float64(r.Packets[d.class])/total, 1); share >= dominance {
			return []Vector{{d.name, truncate(share)}}
		}
	}
	return []Vector{{mixedFlood, 1}}
}

// FastNetMonType returns the type, of the closed set that FastNetMon's reports know, that makes
// up at least 0.9 of the attack: "syn_flood", "icmp_flood", "ip_fragmentation", "udp_flood",
// which reflections are too, or "unknown".
func FastNetMonType(vectors []Vector) string {
	for _, kind := range [...]string{fnmSYN, fnmICMP, fnmFragment, fnmUDP} {
		var share float64
		for i := range vectors {
			if fastNetMonOf(vectors[i].Name) == kind {
				share += vectors[i].Share
			}
		}
		if truncate(share) >= dominance {
			return kind
		}
	}
	return fnmUnknown
}

func fastNetMonOf(name string) string {
	for i := range families {
		if families[i].name == name {
			return families[i].fastNetMon
		}
	}
	for i := range reflectors {
		if reflectors[i].name == name {
			return fnmUDP
		}
	}
	return fnmUnknown
}
