package config

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var (
	commentedOption = regexp.MustCompile(`(?m)^( *)#([^ \n])`)
	option          = regexp.MustCompile(`^ *#?(- )?([a-z0-9_]+):( |$)`)
)

// uncommented returns the reference with every option set.
func uncommented(text string) string { return commentedOption.ReplaceAllString(text, "$1$2") }

func TestReferenceIsDefault(t *testing.T) {
	c, findings := Parse("weir.yaml", []byte(Reference()))
	if len(findings) != 0 {
		t.Fatal(findings)
	}
	want := Default()
	want.Networks = c.Networks
	if len(c.Networks) != 1 || !reflect.DeepEqual(*c, want) {
		t.Errorf("the reference is\n%s\nnot the default\n%s", c.YAML(), want.YAML())
	}
}

// TestReferenceUncommented holds what the reference shows of each option to its default, but for
// what the text calls examples.
func TestReferenceUncommented(t *testing.T) {
	c, findings := Parse("weir.yaml", []byte(uncommented(Reference())))
	if len(findings) != 0 {
		t.Fatal(findings)
	}
	want := Default()
	for i, mirror := range c.Capture.AFXDP {
		mirror.Interface, mirror.Cores, mirror.Queues = "", nil, nil
		var def AFXDP
		def.setDefaults()
		if !reflect.DeepEqual(mirror, def) {
			t.Errorf("capture.afxdp[%d] is %+v, by default %+v", i, mirror, def)
		}
	}
	for i, mirror := range c.Capture.AFPacket {
		mirror.Interface, mirror.Cores, mirror.Queues = "", nil, nil
		var def AFPacket
		def.setDefaults()
		if !reflect.DeepEqual(mirror, def) {
			t.Errorf("capture.afpacket[%d] is %+v, by default %+v", i, mirror, def)
		}
	}
	for i, port := range c.Capture.Flows {
		port.Listen, port.Cores, port.Exporters, port.Overrides = "", nil, nil, nil
		var def Flows
		def.setDefaults()
		if !reflect.DeepEqual(port, def) {
			t.Errorf("capture.flows[%d] is %+v, by default %+v", i, port, def)
		}
	}
	want.Filter = Filter{c.Filter.Rules, c.Filter.Lua, want.Filter.LuaBudget}
	for i, peer := range c.BGP.Peers {
		def := Peer{Address: peer.Address, AS: peer.AS, PasswordFile: peer.PasswordFile}
		def.setDefaults()
		if !reflect.DeepEqual(peer, def) {
			t.Errorf("bgp.peers[%d] is %+v, by default %+v", i, peer, def)
		}
	}
	want.Networks, want.Hostgroups, want.Capture = c.Networks, c.Hostgroups, c.Capture
	want.BGP.Local, want.BGP.Peers, want.Actions = c.BGP.Local, c.BGP.Peers, c.Actions
	for m := range want.Thresholds[0].Set {
		want.Thresholds[0].Set[m] = true // no limit is the same, set or not
	}
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("the reference is\n%s\nnot the default\n%s", c.YAML(), want.YAML())
	}
}

// TestReferenceIsComplete fails if a key is not in the reference. One that is there and is no key
// is an unknown key to the tests above.
func TestReferenceIsComplete(t *testing.T) {
	r := &report{}
	if !r.split([]byte(uncommented(Reference()))) {
		t.Fatal(r.sorted())
	}
	root := readTree(r)
	given := map[string]bool{}
	c := Default()
	noteKeys(root, reflect.ValueOf(&c).Elem(), given)
	all := map[string]bool{}
	allKeys(reflect.ValueOf(&c).Elem(), all)
	for key := range all {
		if !given[key] {
			t.Errorf("%s is not in the reference", key)
		}
	}
	if len(all) < 70 || len(given) != len(all) {
		t.Errorf("%d keys, %d in the reference", len(all), len(given))
	}
}

// entryOf returns a value of v's type, or of its entries if v is a list.
func entryOf(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Slice {
		return reflect.New(v.Type().Elem()).Elem()
	}
	return v
}

// noteKeys notes every key of n as "type.key", v being what it is read into.
func noteKeys(n *node, v reflect.Value, given map[string]bool) {
	if n.kind == nodeList {
		for _, entry := range n.values {
			noteKeys(entry, entryOf(v), given)
		}
		return
	}
	for _, f := range fieldsOf(v) {
		for i, key := range n.keys {
			if key.text == f.name {
				given[v.Type().Name()+"."+f.name] = true
				noteKeys(n.values[i], f.value, given)
			}
		}
	}
}

// allKeys notes every key that v and what is below it can have.
func allKeys(v reflect.Value, all map[string]bool) {
	v = entryOf(v)
	for _, f := range fieldsOf(v) {
		all[v.Type().Name()+"."+f.name] = true
		allKeys(f.value, all)
	}
}

// TestReferenceExplains fails if an option has no text of its own, or a text that gives no default.
func TestReferenceExplains(t *testing.T) {
	sections := []string{
		"incoming", "outgoing", "capture", "replay", "decode", "filter", "tunnels", "bgp",
		"blackhole", "ban",
		"governor", "actions", "evidence", "memory", "api", "metrics",
	}
	text := ""
	for i, line := range strings.Split(Reference(), "\n") {
		trimmed := strings.TrimSpace(line)
		m := option.FindStringSubmatch(line)
		switch {
		case trimmed == "", trimmed == "#":
			text = ""
		case strings.HasPrefix(trimmed, "# "):
			text += trimmed[1:]
		case m == nil:
			t.Errorf("line %d is no option: %s", i+1, line)
		default:
			checkText := regexp.MustCompile(`Default: |Required|; required|example`)
			section := false
			for _, s := range sections {
				section = section || m[2] == s
			}
			if len(text) < 10 || !section && !checkText.MatchString(text) {
				t.Errorf("line %d: %s is explained as %q", i+1, m[2], text)
			}
			text = ""
		}
	}
}
