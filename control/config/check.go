package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"weir/control/detect"
)

// checker holds the values of a file against each other. It says nothing about values that were
// not taken.
type checker struct {
	c    *Config
	f    *filler
	here surroundings
}

func (k *checker) all() {
	k.version()
	k.networks()
	k.hostgroups()
	k.limits()
	k.mirrors()
	k.flows()
	k.bgp()
	k.peers()
	k.memory()
	if k.here.files {
		k.filter()
	}
}

// bad reports whether the value at path was not taken, or is not whole.
func (k *checker) bad(path string) bool { return k.f.bad[path] }

// given reports whether the file has a value at path.
func (k *checker) given(path string) bool { return k.f.nodes[path] != nil }

// at returns the place of the value at path, or of the nearest one above it.
func (k *checker) at(path string) place {
	for k.f.nodes[path] == nil {
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return k.f.nodes[path].place
}

func (k *checker) fail(path, hint, format string, args ...any) {
	k.f.r.fail(k.at(path), path, hint, format, args...)
}

func (k *checker) warn(path, hint, format string, args ...any) {
	k.f.r.warn(k.at(path), path, hint, format, args...)
}

func (k *checker) version() {
	if !k.bad("version") && k.c.Version != Version {
		k.fail("version", "", "version %d is not known: this program reads version %d",
			k.c.Version, Version)
	}
}

func (k *checker) networks() {
	if k.given("networks") && !k.bad("networks") && len(k.c.Networks) == 0 {
		k.fail("networks", "name the prefixes to protect", "no networks: there is nothing to watch")
	}
	say := k.warn // a capture of an unknown network may be replayed so
	if k.c.Mode == Enforce {
		say = k.fail
	}
	for i, n := range k.c.Networks {
		if n.IsValid() && n.Bits() == 0 {
			say(index("networks", i), "name the prefixes to protect",
				"every address is home: nothing is outside")
		}
	}
	nested(k.c.Networks, func(i, outer int) {
		k.warn(index("networks", i), "remove it", "lies inside %s", k.c.Networks[outer])
	})
	k.outside("allowlist", k.c.Allowlist)
	k.outside("governor.protected", k.c.Governor.Protected)
}

// outside warns of prefixes that share no address with the networks.
func (k *checker) outside(path string, prefixes []netip.Prefix) {
	if k.bad("networks") || len(k.c.Networks) == 0 {
		return
	}
	inside := newPrefixSet(k.c.Networks)
	for i, p := range prefixes {
		if p.IsValid() && !inside.overlaps(p) {
			k.warn(index(path, i), "", "%s is outside the networks: it has no effect", p)
		}
	}
}

// maxHostgroups bounds the list so that an index of a group fits in 16 bits, Global included.
const maxHostgroups = 1<<16 - 1

func (k *checker) hostgroups() {
	if len(k.c.Hostgroups) > maxHostgroups {
		k.fail("hostgroups", "", "more than %d hostgroups", maxHostgroups)
	}
	names := map[string]int{}
	owners := map[netip.Prefix]string{}
	for i, g := range k.c.Hostgroups {
		at := index("hostgroups", i)
		if g.Name == detect.Global {
			k.fail(at+".name", "", "%q is the name of the hosts in no hostgroup", g.Name)
		}
		if first, ok := names[g.Name]; ok && g.Name != "" {
			k.fail(at+".name", "", "%q is the name of the hostgroup on line %d", g.Name,
				k.at(index("hostgroups", first)+".name").line)
		} else {
			names[g.Name] = i
		}
		k.prefixes(at+".prefixes", g, owners)
	}
}

// prefixes checks a hostgroup's prefixes against each other and those of the groups before it,
// which owners maps to their places. A prefix inside another group's is no fault: the longer one
// decides.
func (k *checker) prefixes(path string, g Hostgroup, owners map[netip.Prefix]string) {
	if k.given(path) && !k.bad(path) && len(g.Prefixes) == 0 {
		k.fail(path, "name the hosts of the group", "no prefixes: the hostgroup has no hosts")
	}
	for i, p := range g.Prefixes {
		at := index(path, i)
		if first, ok := owners[p]; ok && p.IsValid() {
			k.fail(at, "", "%s is taken by %s on line %d", p, first, k.at(first).line)
			continue
		}
		owners[p] = at
	}
	nested(g.Prefixes, func(i, outer int) {
		k.fail(index(path, i), "remove it", "%s overlaps %s of the same hostgroup", g.Prefixes[i],
			g.Prefixes[outer])
	})
	k.outside(path, g.Prefixes)
}

// limits warns if no host has any limit.
func (k *checker) limits() {
	if k.bad("thresholds") || k.bad("hostgroups") {
		return
	}
	for _, g := range k.c.Policy().Groups {
		for _, l := range g.Thresholds {
			for m, set := range l.Set {
				if set && l.Value[m] > 0 {
					return
				}
			}
		}
	}
	k.warn("thresholds", "", "no limit at all: no attack can be found")
}

func (k *checker) mirrors() {
	mirrors, paths := k.c.Capture.mirrors()
	names := map[string]string{}
	cores := map[int]string{}
	for i, m := range mirrors {
		at := paths[i]
		if first, ok := names[m.Interface]; ok && m.Interface != "" {
			k.fail(at+".interface", "", "%q is captured on line %d already", m.Interface,
				k.at(first).line)
		} else {
			names[m.Interface] = at + ".interface"
		}
		if len(m.Queues) > 0 && len(m.Cores) > 0 && len(m.Queues) != len(m.Cores) &&
			!k.bad(at+".queues") && !k.bad(at+".cores") {
			k.fail(at+".cores", "give one core for each queue", "%d cores for %d queues",
				len(m.Cores), len(m.Queues))
		}
		for j, core := range m.Cores {
			path := index(at+".cores", j)
			if k.bad(path) {
				continue
			}
			if first, ok := cores[core]; ok {
				k.warn(path, "", "core %d works for another interface, on line %d", core,
					k.at(first).line)
			}
			cores[core] = path
		}
	}
}

// mirrorView is the name of the view that all mirrors are in.
const mirrorView = "mirror"

func (k *checker) flows() {
	seen := map[string]string{}
	for i, fl := range k.c.Capture.Flows {
		at := index("capture.flows", i) + ".listen"
		if fl.View == mirrorView {
			k.fail(index("capture.flows", i)+".view", "",
				"%q is the view of the mirrors: what flows tell of them is the same traffic again",
				fl.View)
		}
		if first, ok := seen[fl.Listen]; ok && fl.Listen != "" {
			k.fail(at, "remove one of them", "%q is listened to on line %d already", fl.Listen,
				k.at(first).line)
			continue
		}
		seen[fl.Listen] = at
	}
}

func (k *checker) bgp() {
	b := &k.c.BGP
	if len(b.Peers) > 0 && !k.given("bgp.local") {
		k.fail("bgp.local", "add local: {as: 65001, router_id: 192.0.2.1}",
			"missing: peers need it")
	}
	k.as("bgp.local.as", b.Local.AS)
	if k.c.Mode == Enforce && !k.bad("mode") && !k.bad("bgp.peers") && len(b.Peers) == 0 &&
		k.c.Actions == (Actions{}) {
		k.warn("mode", "", "nothing is enforced: there are no bgp.peers, and no actions")
	}
}

// as refuses the numbers that stand for no AS: AS_TRANS (RFC 6793) and the last of each size
// (RFC 7300).
func (k *checker) as(path string, as uint32) {
	if !k.bad(path) && slices.Contains([]uint32{23456, 65535}, as) {
		k.fail(path, "", "%d is reserved: it is no AS", as)
	}
}

func (k *checker) peers() {
	seen := map[netip.Addr]string{}
	for i, p := range k.c.BGP.Peers {
		at := index("bgp.peers", i)
		k.as(at+".as", p.AS)
		if first, ok := seen[p.Address]; ok && p.Address.IsValid() {
			k.fail(at+".address", "remove one of them", "%s is a peer on line %d already",
				p.Address, k.at(first).line)
		} else {
			seen[p.Address] = at + ".address"
		}
		if p.Multihop > 0 && p.TTLSecurity > 0 {
			k.fail(at+".ttl_security", "remove one of them",
				"multihop and ttl_security exclude each other")
		}
		if p.GracefulRestart%time.Second != 0 {
			k.fail(at+".graceful_restart", "", "%s is not in whole seconds", p.GracefulRestart)
		}
	}
}

func (k *checker) memory() {
	if tables := uint64(k.c.Memory.Tables); !k.bad("memory.tables") && tables > k.here.memory {
		k.fail("memory.tables", "write less, or auto", "%s is more than this machine has: %s",
			k.c.Memory.Tables, Size(k.here.memory>>20<<20))
	}
}
