package zerocopy

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/decode"
)

// TestFrames: every frame is well-formed, of a length that Ethernet has, and no two are alike.
func TestFrames(t *testing.T) {
	var d decode.Decoder
	seen := map[string]bool{}
	for n := range uint32(5000) {
		var b [MaxFrame]byte
		frame := b[:PutFrame(&b, 1, n)]
		if got, ok := Number(frame); !ok || got != n || len(frame) < MinFrame {
			t.Fatalf("frame %d of %d bytes has the number %d, %v", n, len(frame), got, ok)
		}
		var r decode.Record
		st := d.Decode(&r, decode.LinkEthernet, frame, uint32(len(frame)))
		if st != decode.OK || uint32(r.Dst.Lo) != 10<<24|n%Hosts ||
			r.Bytes != uint64(len(frame)-14) {
			t.Fatalf("frame %d decodes as %v, %+v", n, st, r)
		}
		if seen[string(frame)] {
			t.Fatalf("frame %d is like an earlier one", n)
		}
		seen[string(frame)] = true
	}
	if _, ok := Number(make([]byte, MinFrame-1)); ok {
		t.Error("a frame that is too short has a number")
	}
}

// TestArchive reads the archive as the kernel does: headers of 110 hexadecimal digits, names and
// data that begin at multiples of 4.
func TestArchive(t *testing.T) {
	files := map[string][]byte{
		"init": []byte("12345"), "modules/0-x.ko": bytes.Repeat([]byte{7}, 4099), "empty": nil,
	}
	var a archive
	a.folder("modules")
	for name, data := range files {
		a.file(name, data)
	}
	b := a.bytes()
	align := func(n int) int { return (n + 3) &^ 3 }
	for at, names := 0, []string(nil); ; {
		if string(b[at:at+6]) != "070701" {
			t.Fatalf("no header at %d", at)
		}
		field := func(n int) int {
			v, err := strconv.ParseUint(string(b[at+6+8*n:at+14+8*n]), 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			return int(v)
		}
		mode, size, length := field(1), field(6), field(11)
		name := string(b[at+110 : at+110+length-1])
		begin := align(at + 110 + length)
		if name == "TRAILER!!!" {
			if len(names) != 4 {
				t.Errorf("the archive has %q", names)
			}
			return
		}
		names = append(names, name)
		want, file := files[name]
		if !bytes.Equal(b[begin:begin+size], want) || file != (mode == modeFile) {
			t.Errorf("%s has mode %o and %d bytes, want %d", name, mode, size, len(want))
		}
		at = align(begin + size)
	}
}

func TestNewer(t *testing.T) {
	names := []string{
		"linux-image-6.18.9+deb13-cloud-amd64", "linux-image-6.18.15+deb13-cloud-amd64",
		"linux-image-6.18.5+deb13-cloud-amd64",
	}
	if got := slices.MaxFunc(names, newer); got != names[1] {
		t.Error("newest is", got)
	}
}

// TestBases: Debian's own archive alone is taken, not its security archive nor one of others.
func TestBases(t *testing.T) {
	for _, c := range []struct{ list, want string }{
		{"Debian|Debian|http://a.test/debian/\nDebian|Debian|http://a.test/debian/\n" +
			"Debian|Debian-Security|http://a.test/debian-security/\n", "http://a.test/debian/"},
		{"||http://b.test/debian/\n||http://b.test/debian-security/\n", "http://b.test/debian/"},
		{"Docker|Docker CE|http://c.test/linux/debian/\n", ""},
		{"Ubuntu|Ubuntu|http://d.test/ubuntu/\n", ""},
		{"Debian|Debian|http://a.test/debian/\n||http://b.test/debian\n",
			"http://a.test/debian/ http://b.test/debian"},
		{"nonsense\n\n", ""},
	} {
		if got := strings.Join(basesOf(c.list), " "); got != c.want {
			t.Errorf("%q: %q, want %q", c.list, got, c.want)
		}
	}
}

// TestCachedIsWhole: a kernel without one of its modules is none.
func TestCachedIsWhole(t *testing.T) {
	cache := t.TempDir()
	put := func(release string, names ...string) {
		t.Helper()
		for _, name := range names {
			file := filepath.Join(cache, release, name)
			if err := save(file, strings.NewReader(name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, release := range []string{"6.18.5+deb13-cloud-amd64", "6.18.15+deb13-cloud-amd64"} {
		if err := os.Mkdir(filepath.Join(cache, release), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put("6.18.15+deb13-cloud-amd64", "vmlinuz", "failover.ko.xz", "virtio_net.ko.xz")
	if k, ok := cached(cache); ok {
		t.Errorf("found %+v", k)
	}
	put("6.18.5+deb13-cloud-amd64", "vmlinuz", "failover.ko.xz", "virtio_net.ko.xz",
		"net_failover.ko")
	k, ok := cached(cache)
	if !ok || k.Release != "6.18.5+deb13-cloud-amd64" {
		t.Fatalf("found %+v, %v", k, ok)
	}
	if got := filepath.Base(k.Modules[1]); got != "net_failover.ko" || len(k.Modules) != 3 {
		t.Errorf("modules %v", k.Modules)
	}
}

// TestCheck: what is as it has to be passes, and each single deviation is named.
func TestCheck(t *testing.T) {
	for _, queues := range []int{0, 2} {
		if faults := Check(exemplary(queues), queues); len(faults) > 0 {
			t.Errorf("%d queues: %v", queues, faults)
		}
	}
	at := func(scene string) int {
		return slices.IndexFunc(expectations(2), func(e expectation) bool {
			return e.scene == scene
		})
	}
	for name, spoil := range map[string]func(r []Result){
		"copy granted":      func(r []Result) { r[at(SceneRing)].Queues[0].Mode = "copy" },
		"zero-copy in copy": func(r []Result) { r[at(SceneCopy)].Queues[0].Mode = zeroCopy },
		"a frame missing":   func(r []Result) { r[at(SceneRing)].Sent++ },
		"a frame too many":  func(r []Result) { r[at(SceneDown)].Queues[1].Received++ },
		"one not counted":   func(r []Result) { r[at(SceneKilled)].Counted-- },
		"one lost":          func(r []Result) { r[at(SceneBack)].Dropped["rx_ring_full"] = 1 },
		"one passed":        func(r []Result) { r[0].Passed, r[0].Sent = 1, 1001 },
		"none passed": func(r []Result) {
			r[at(SceneHalf)].Passed, r[at(SceneHalf)].Sent = 0, 1000
		},
		"an idle queue":      func(r []Result) { idle(&r[at(SceneQueues)]) },
		"a queue less":       func(r []Result) { r[at(SceneDaemon)].Queues = r[0].Queues },
		"damaged":            func(r []Result) { r[at(SceneTraffic)].Frames.Damaged = 1 },
		"twice":              func(r []Result) { r[at(SceneStalled)].Frames.Twice = 1 },
		"strange":            func(r []Result) { r[at(SceneFlapped)].Frames.Strange = 1 },
		"a wrong host":       func(r []Result) { r[at(SceneReopened)].Frames.HostsWrong = 1 },
		"a host missing":     func(r []Result) { r[at(SceneRing)].Frames.Hosts-- },
		"not stalled":        func(r []Result) { r[at(SceneStalled)].Frames.Fill = 50 },
		"left out":           func(r []Result) { r[0].Shed, r[0].Counted = 1, r[0].Counted-1 },
		"not looked":         func(r []Result) { r[at(SceneRing)].Frames = nil },
		"more than was sent": func(r []Result) { r[at(SceneTraffic)].Sent = 10 },
		"another scene":      func(r []Result) { r[3].Scene = SceneRing },
	} {
		r := exemplary(2)
		spoil(r)
		if faults := Check(r, 2); len(faults) == 0 {
			t.Errorf("%s: not noticed", name)
		}
	}
	if faults := Check(exemplary(2)[:4], 2); len(faults) != 1 {
		t.Errorf("cut off: %v", faults)
	}
	if faults := Check(append(exemplary(2), Result{}), 2); len(faults) != 1 {
		t.Errorf("one too many: %v", faults)
	}
}

// idle gives the frames of the first queue to the second.
func idle(r *Result) {
	r.Queues[1].Received += r.Queues[0].Received
	r.Queues[0].Received = 0
}

// exemplary returns results that are as they have to be.
func exemplary(queues int) (all []Result) {
	for _, e := range expectations(queues) {
		r := Result{Scene: e.scene, Dropped: map[string]uint64{}}
		for range max(1, e.queues) {
			r.Queues = append(r.Queues, Queue{Mode: e.mode, Received: 1000})
		}
		if e.passing || e.leaky {
			r.Passed = 10
		}
		r.Sent, r.Counted = r.Received()+r.Passed, r.Received()
		if e.looked {
			r.Frames = &Frames{Once: r.Received(), Hosts: Hosts, Fill: 100}
		}
		all = append(all, r)
	}
	return all
}
