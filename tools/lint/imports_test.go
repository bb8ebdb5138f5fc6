package main

import (
	"fmt"
	"testing"
)

// imports is a Go file's body that imports these.
func imports(paths ...string) string {
	s := ""
	for _, p := range paths {
		s += fmt.Sprintf("import _ %q\n", p)
	}
	return s
}

func TestDataPlane_Success(t *testing.T) {
	files{
		"fastpath/a.go": imports("weir/decode", "weir/counters/prefix", "weir/ring", "errors"),
		"control/a.go":  imports("weir/fastpath"),
	}.clean(t)
}

func TestDataPlane_Failure(t *testing.T) {
	files{"counters/a.go": imports("weir/control/rate")}.dirty(t,
		"counters/a.go:3: counters imports control/rate: the data plane builds and tests without")
	files{"ring/replay/a.go": "", "ring/replay/a_test.go": imports("weir/control")}.dirty(t,
		"ring/replay/a_test.go:3: ring/replay imports control: the data plane builds and tests")
}

func TestRootOfFolder_Success(t *testing.T) {
	files{
		"ring/replay/a.go":   imports("weir/ring"),
		"ring/a_test.go":     imports("weir/ring/replay"),
		"fastpath/a.go":      imports("weir/fastpath/filter"),
		"control/cli/a.go":   imports("weir/control"),
		"control/bgp/a.go":   imports("weir/control/bgp/speaker"),
		"bench/peers/a.go":   imports("weir/bench"),
		"control/ban/a.go":   "",
		"tools/lab/a.go":     "",
		"tools/lab/sub/a.go": "",
	}.clean(t)
}

func TestRootOfFolder_Failure(t *testing.T) {
	files{"ring/a.go": imports("weir/ring/replay")}.dirty(t,
		"ring/a.go:3: ring is the vocabulary of its children")
	files{"fastpath/filter/a.go": imports("weir/fastpath")}.dirty(t,
		"fastpath/filter/a.go:3: fastpath assembles its children")
	files{"control/ban/a.go": imports("weir/control")}.dirty(t,
		"control/ban/a.go:3: control assembles its children")
	files{
		"control/bgp/a.go":         imports("weir/control/bgp/speaker"),
		"control/bgp/bgptest/a.go": imports("weir/control/bgp"),
	}.dirty(t, "control/bgp/a.go:3: either the vocabulary of its children or their assembler")
}

func TestAdapters_Success(t *testing.T) {
	files{
		"control/action/script/a.go":      imports("weir/control/governor", "weir/control/ban"),
		"control/action/script/a_test.go": imports("weir/control/action/email", "weir/decode"),
		"control/bgp/speaker/a.go":        imports("weir/control/bgp"),
		"control/top/a.go":                imports("weir/control/api"),
	}.clean(t)
}

func TestAdapters_Failure(t *testing.T) {
	f := func(dir, imported, want string) {
		t.Helper()
		files{dir + "/a.go": imports(imported)}.dirty(t, dir+"/a.go:3: "+want)
	}
	f("control/action/script", "weir/control/action/email", "an adapter knows no other")
	f("control/sink/kafka", "weir/control/api", "an adapter knows no other")
	f("control/bgp/speaker", "weir/control/sink/influx", "an adapter knows no other")
	f("control/sink/kafka", "weir/decode", "an adapter knows no other")
	f("control/api", "weir/fastpath", "an adapter knows no other")
	f("control/sink/kafka", "weir/control", "control assembles its children")
}

func TestWorkshop_Success(t *testing.T) {
	files{
		"control/cli/a.go":  imports("weir/bench", "weir/tools/blast"),
		"bench/a.go":        imports("weir/tools/blast", "weir/ring/replay"),
		"decode/a_test.go":  imports("weir/tools/lab"),
		"tools/blast/a.go":  imports("weir/ring"),
		"control/ban/a.go":  "",
		"tools/lab/lab.go":  imports("weir/control/cli"),
		"bench/peers/a.go":  imports("weir/fastpath"),
		"bench/a_test.go":   imports("weir/control/cli"),
		"decode/sflow/a.go": imports("weir/decode"),
	}.clean(t)
}

func TestWorkshop_Failure(t *testing.T) {
	files{"control/rate/a.go": imports("weir/bench")}.dirty(t,
		"control/rate/a.go:3: only control/cli and tests import")
	files{"decode/a.go": imports("weir/tools/blast")}.dirty(t,
		"decode/a.go:3: only control/cli and tests import")
}

func TestRooms_Success(t *testing.T) {
	files{
		"main.go": "// Command weir is one.\npackage main\n" +
			imports("weir/control/cli"),
		"ring/ringtest/a.go": imports("weir/ring", "weir/ring/xsk", "weir/decode/pcap"),
		"ring/xsk/a.go":      imports("weir/ring"),
		"ring/afpacket/a.go": imports("weir/ring"),
		"control/report/a.go": imports("weir/control/ban", "weir/control/capture",
			"weir/control/detect", "weir/control/rate"),
		"decode/a_test.go":      imports("weir/decode/pcap"),
		"decode/pcap/a.go":      "",
		"decode/pcap/x_test.go": "package pcap_test\n" + imports("weir/decode/pcap"),
	}.clean(t)
}

func TestRooms_Failure(t *testing.T) {
	f := func(dir, imported, want string) {
		t.Helper()
		files{dir + "/a.go": imports(imported)}.dirty(t, dir+"/a.go:3: "+want)
	}
	f("decode/pcap", "weir/decode", "it may import nothing of this module")
	f("ring/xsk", "weir/decode/pcap", "it may import ring")
	f("control/detect", "weir/control/ban", "it may import control/rate, control/flowspec")
	f("control/cli", "weir/tools/lab", "it may import ")
	files{"main.go": "// Command weir is one.\npackage main\n" + imports("weir/control")}.dirty(t,
		"main.go:3: . imports control: it may import control/cli")
	files{"control/util/a.go": ""}.dirty(t, "control/util/a.go:2: has no room in the table")
}

func TestFences_Success(t *testing.T) {
	const gobgp, prometheus = "github.com/osrg/gobgp/v3/pkg/server",
		"github.com/prometheus/client_golang/prometheus"
	files{
		"control/bgp/speaker/a.go":     imports(gobgp, "os/exec"),
		"control/sink/prometheus/a.go": imports(prometheus),
		"control/action/script/a.go":   imports("os/exec"),
		"tools/lab/a.go":               imports("os/exec", "github.com/google/gopacket"),
		"decode/pcap/a.go":             imports("github.com/google/gopacket/pcapgo"),
		"decode/a_test.go":             imports("os/exec", "github.com/google/gopacket/layers"),
		"ring/xsk/a.go":                imports("unsafe"),
		"counters/memory.go":           imports("unsafe"),
		"bench/peers/a.go":             imports("github.com/asavie/xdp"),
		"ring/afpacket/a_test.go":      imports("github.com/asavie/xdp"),
	}.clean(t)
}

func TestFences_Failure(t *testing.T) {
	f := func(name, imported string) {
		t.Helper()
		files{name: imports(imported)}.dirty(t, name+":3: imports "+imported+", which is fenced in")
	}
	f("control/governor/a.go", "github.com/osrg/gobgp/v3/api")
	f("control/governor/a_test.go", "github.com/osrg/gobgp/v3/api")
	f("control/sink/influx/a.go", "github.com/prometheus/client_golang/prometheus")
	f("control/action/webhook/a.go", "os/exec")
	f("decode/a.go", "github.com/google/gopacket")
	f("decode/a.go", "unsafe")
	f("ring/a.go", "unsafe")
	f("counters/table.go", "unsafe")
	f("bench/a.go", "github.com/asavie/xdp")
}
