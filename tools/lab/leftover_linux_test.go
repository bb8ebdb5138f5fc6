package lab

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestLeak leaves no file and no goroutine behind, however much a lab was used.
func TestLeak(t *testing.T) {
	files := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	use := func() {
		l := New(t, Options{Queues: 2, Links: 2})
		frame := udp("198.18.0.1", "10.0.1.1", 64)
		g := generator(t, l, GeneratorConfig{Frame: frame})
		_, sent := g.Send(100)
		_, passed := l.SendFrames(1, [][]byte{frame})
		_, read := l.Counters(Gen, 0)
		for _, err := range []error{
			sent, passed, read, l.SetPolled(0), l.SetQueues(0, 1), l.Replace(1), g.Close(),
			l.Close(),
		} {
			if err != nil {
				t.Error(err)
			}
		}
	}
	goroutines := goleak.IgnoreCurrent()
	use()
	before := files()
	for range 5 {
		use()
	}
	eventually(t, "as many open files as before", func() bool { return files() <= before })
	goleak.VerifyNone(t, goroutines)
}

// leaver names the variable that makes TestLeaver leave in that way.
const leaver = "WEIR_LAB_LEAVER"

// TestLeaver is what TestLeftover runs in a process of its own.
func TestLeaver(t *testing.T) {
	how := os.Getenv(leaver)
	if how == "" {
		t.Skip("nothing by itself: for TestLeftover")
	}
	l := New(t, Options{})
	dropAll(t, l)
	if _, err := os.Stdout.WriteString(l.Gen().Name + "\n" + l.Sut().Name + "\n"); err != nil {
		t.Fatal(err)
	}
	switch how {
	case "fails":
		t.Fatal("on purpose")
	case "panics":
		panic("on purpose")
	default:
		time.Sleep(time.Minute) // killed meanwhile
	}
}

// TestLeftover ends tests badly: what they do not remove themselves, the next lab does.
func TestLeftover(t *testing.T) {
	New(t, Options{}) // skips
	for _, how := range []string{"fails", "panics", "killed"} {
		t.Run(how, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestLeaver$")
			cmd.Env = append(os.Environ(), leaver+"="+how)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill() }()
			var names []Namespace
			lines := bufio.NewScanner(out)
			for len(names) < 2 && lines.Scan() {
				if strings.HasPrefix(lines.Text(), "weir-") {
					names = append(names, Namespace{lines.Text()})
				}
			}
			if how == "killed" {
				_ = cmd.Process.Kill()
			}
			for lines.Scan() { // to its end
			}
			if err := cmd.Wait(); err == nil || len(names) != 2 {
				t.Fatalf("names %v, %v", names, err)
			}
			if how == "killed" {
				New(t, Options{})
			}
			for _, n := range names {
				if exists(n) {
					t.Errorf("%s is left", n.Name)
				}
			}
		})
	}
}
