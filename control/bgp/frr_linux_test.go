package bgp_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/control/bgp"
	"weir/tools/lab"
)

const frrProgram = "/usr/lib/frr/bgpd"

// newFRR starts FRR's bgpd, with the lines of its router and of its families, and returns the lab
// and a function that asks vtysh.
func newFRR(t *testing.T, router string) (*lab.Lab, func(command string) string) {
	t.Helper()
	frr, err := user.Lookup("frr")
	if _, missing := os.Stat(frrProgram); missing != nil || err != nil {
		t.Skip("no FRR in this system")
	}
	l := lab.New(t, lab.Options{})
	for side, addr := range map[lab.Side]string{lab.Gen: bird4, lab.Sut: ours4} {
		if err := l.AddAddress(side, 0, netip.MustParsePrefix(addr+"/24")); err != nil {
			t.Fatal(err)
		}
		up := exec.Command("ip", "-n", l.Namespace(side).Name, "link", "set", "lo", "up")
		if err := up.Run(); err != nil {
			t.Fatal(err)
		}
	}
	// FRR becomes a user that may not search a test's own folder.
	dir, err := os.MkdirTemp("", "weir-frr")
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "bgpd.conf")
	text := "router bgp 65002\n bgp router-id 10.99.0.1\n no bgp ebgp-requires-policy\n" +
		" neighbor 10.99.0.2 remote-as 65001\n" + router
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(frr.Uid)
	gid, _ := strconv.Atoi(frr.Gid)
	for _, path := range []string{dir, conf} {
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("ip", "netns", "exec", l.Gen().Name, frrProgram, "-f", conf, "-Z", "-S",
		"-i", filepath.Join(dir, "pid"), "--vty_socket", dir, "-P", "0", "-u", "frr", "-g", "frr")
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // both fail where it has ended
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	return l, func(command string) string {
		out, err := exec.Command("vtysh", "--vty_socket", dir, "-d", "bgpd", "-c",
			command).CombinedOutput()
		if err != nil {
			return fmt.Sprintf("vtysh: %v: %s", err, out)
		}
		return string(out)
	}
}

// TestFRR has one that speaks both families, with a password, and one that speaks IPv4 alone, and
// must not hear of IPv6.
func TestFRR(t *testing.T) {
	for _, c := range []struct {
		name, router, password string
		six                    bool
	}{
		{"both families", " neighbor 10.99.0.2 password secret\n" +
			" address-family ipv6 unicast\n  neighbor 10.99.0.2 activate\n", "secret", true},
		{"IPv4 alone", "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, ask := newFRR(t, c.router)
			p := birdPeer()
			p.Password = c.password
			s := supervise(t, func(conf *bgp.Config) {
				conf.Command = append([]string{"ip", "netns", "exec", l.Sut().Name},
					conf.Command...)
			}, p)
			s.Set(approve(t, time.Hour, "203.0.113.7", "2001:db8::7"))
			got := ""
			for end := time.Now().Add(8 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				got = ask("show bgp ipv4 unicast 203.0.113.7/32")
				if strings.Contains(got, "65535:666") || strings.Contains(got, "blackhole") {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("FRR says %s; we say %+v", got, s.State().Peers)
				}
			}
			time.Sleep(200 * time.Millisecond)
			for _, want := range []string{"192.0.2.1", "no-export", "4200000001:1:666"} {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in %s", want, got)
				}
			}
			six := ask("show bgp ipv6 unicast 2001:db8::7/128")
			if strings.Contains(six, "100::1") != c.six {
				t.Errorf("IPv6: %s", six)
			}
			st := s.State()
			if got := st.Standing(hosts("2001:db8::7")[0]) == 1; got != c.six {
				t.Errorf("IPv6 stands: %t, want %t", got, c.six)
			}
			if st.Established != 1 || st.Peers[0].Flaps != 0 {
				t.Errorf("state %+v", st.Peers)
			}
		})
	}
}
