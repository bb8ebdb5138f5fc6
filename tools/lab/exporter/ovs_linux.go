package exporter

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"weir/tools/lab"
)

// Bridge is a bridge of Open vSwitch between one interface and the host, which ignores what comes.
type Bridge struct {
	Interface string
	Sampling  int // N of 1:N packets, of sFlow and IPFIX; NetFlow is not sampled

	// Collectors; the zero value is none.
	SFlow, NetFlow, IPFIX netip.AddrPort
}

// Switch is a running Open vSwitch that forwards in userspace: no kernel module is needed.
type Switch struct {
	daemon *process
	env    []string
	file   func(name string) string
}

// schema is where Debian keeps the schema of its database.
const schema = "/usr/share/openvswitch/vswitch.ovsschema"

// StartSwitch starts an Open vSwitch with those bridges, and waits until they forward.
func StartSwitch(t testing.TB, n lab.Namespace, bridges ...Bridge) *Switch {
	t.Helper()
	need(t, "ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl")
	s := &Switch{file: folder(t, "ovs")}
	dir := filepath.Dir(s.file("x"))
	s.env = []string{"OVS_RUNDIR=" + dir, "OVS_LOGDIR=" + dir, "OVS_DBDIR=" + dir}
	database := "unix:" + s.file("db.sock")
	s.must(t, "ovsdb-tool", "create", s.file("conf.db"), schema)
	db := start(t, n, s.env, "ovsdb-server", s.file("conf.db"), "--remote=p"+database,
		"--no-chdir", "--unixctl="+s.file("db.ctl"))
	db.until("listens", func() error {
		_, err := os.Stat(s.file("db.sock"))
		return err
	})
	s.must(t, "ovs-vsctl", "--db="+database, "--no-wait", "init", "--",
		"set", "open_vswitch", ".", "other_config:max-idle=500")
	s.daemon = start(t, n, s.env, "ovs-vswitchd", database, "--no-chdir",
		"--unixctl="+s.file("vs.ctl"))
	for i := range bridges {
		name := fmt.Sprintf("br%d", i)
		args := []string{"--db=" + database, "--timeout=10"}
		s.must(t, "ovs-vsctl", append(args, bridges[i].commands(name)...)...)
		s.must(t, "ovs-ofctl", "add-flow", "unix:"+s.file(name+".mgmt"), "actions=LOCAL")
	}
	return s
}

func (s *Switch) must(t testing.TB, program string, args ...string) {
	t.Helper()
	if _, err := ask(s.env, program, args...); err != nil {
		t.Fatal(err)
	}
}

// commands are what ovs-vsctl is told to make the bridge.
func (b *Bridge) commands(name string) []string {
	c := []string{
		"add-br", name, "--",
		"set", "bridge", name, "datapath_type=netdev", "fail-mode=secure", "--",
		"add-port", name, b.Interface,
	}
	target := func(a netip.AddrPort) string { return fmt.Sprintf("%q", a.String()) }
	sampling := fmt.Sprintf("sampling=%d", max(1, b.Sampling))
	add := func(column, table string, settings ...string) {
		c = append(append(c, "--", "--id=@"+column, "create", table), settings...)
		c = append(c, "--", "set", "bridge", name, column+"=@"+column)
	}
	if b.SFlow.IsValid() {
		add("sflow", "sFlow", "agent=lo", "target="+target(b.SFlow), "header=128", "polling=1",
			sampling)
	}
	if b.NetFlow.IsValid() {
		add("netflow", "NetFlow", "targets="+target(b.NetFlow), "active_timeout=1")
	}
	if b.IPFIX.IsValid() {
		// By itself it samples every packet twice, where it comes in and where it goes out. What
		// its manual says that false does, true does in version 3.1.
		add("ipfix", "IPFIX", "targets="+target(b.IPFIX), "obs_domain_id=1", "obs_point_id=1",
			"cache_active_timeout=1", "cache_max_flows=65535",
			"other_config:enable-output-sampling=true", sampling)
	}
	return c
}
