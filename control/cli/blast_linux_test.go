package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/ring"
	"weir/ring/afxdp"
	"weir/tools/blast/wire"
	"weir/tools/lab"
)

// blaster is a lab in which weir blast sends.
type blaster struct {
	*testing.T
	lab *lab.Lab
}

// start starts weir blast at gen0.
func (b *blaster) start(line string) (cmd *exec.Cmd, out, errOut *bytes.Buffer) {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	args := append([]string{"blast", lab.Gen.Interface(0)}, strings.Fields(line)...)
	cmd = exec.Command(self, args...)
	cmd.Env = append(os.Environ(), asWeir+"=1")
	out, errOut = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, errOut
	if err := b.lab.Gen().Start(cmd); err != nil {
		b.Fatal(err)
	}
	return cmd, out, errOut
}

// receiver takes what arrives at mirror0.
func (b *blaster) receiver() *afxdp.Source {
	b.Helper()
	var m *afxdp.Mirror
	err := b.lab.Sut().Do(func() (err error) {
		m, err = afxdp.Open(afxdp.Config{
			Interface: lab.Sut.Interface(0), Clock: func() int64 { return time.Now().UnixNano() },
		})
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.Close() })
	return m.Sources()[0]
}

// The same command gives the same frames on the wire and in a file, by either way.
func TestBlastWireIsFile(t *testing.T) {
	b := &blaster{t, lab.New(t, lab.Options{})}
	source := b.receiver()
	path := filepath.Join(t.TempDir(), "same.pcapng")
	const what = "--vector dns_amplification --target 10.9.0.0/16 " +
		"--packets 2000 --rate 50k --seed 9"
	runWeir(t, append([]string{"blast", "--write", path}, strings.Fields(what)...)...)
	want, _ := readFrames(t, path)
	for _, via := range []string{wire.AFXDP, wire.Live, wire.Packet} {
		cmd, out, errOut := b.start(what + " -o json --via " + via)
		if err := cmd.Wait(); err != nil {
			t.Fatal(err, errOut)
		}
		var r wire.Result
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err, out)
		}
		var got []string
		var batch ring.Batch
		for end := time.Now().Add(patience); len(got) < len(want) && time.Now().Before(end); {
			n, err := source.Poll(&batch)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range batch.Frames[:n] {
				got = append(got, string(batch.Mem[f.Off:f.Off+f.Cap]))
			}
			source.Release(&batch)
		}
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("%s: frame %d is another", via, i)
			}
		}
		if len(got) != len(want) || r.Sent != uint64(len(want)) || r.Via != via {
			t.Errorf("%s: %d of %d frames, %+v", via, len(got), len(want), r)
		}
	}
}

// Ctrl-C ends it with the summary.
func TestBlastInterrupt(t *testing.T) {
	b := &blaster{t, lab.New(t, lab.Options{})}
	b.receiver()
	cmd, out, errOut := b.start("--workload W2 --rate 1k --duration 1m")
	time.Sleep(1500 * time.Millisecond)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err, errOut)
	}
	for _, want := range []string{
		"W2 from gen0 by afxdp, copy (zero-copy:", "CPU ns/frame", "gen0 counted", "as many",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if errOut.Len() > 0 {
		t.Errorf("progress where nobody watches: %s", errOut)
	}
}

// Live frames that no driver takes are seen to be missing, and that is no success.
func TestBlastLiveLost(t *testing.T) {
	b := &blaster{t, lab.New(t, lab.Options{})}
	cmd, out, errOut := b.start("--workload W2 --rate 10k --packets 1000 --via live")
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitWarnings {
		t.Fatal(err, errOut)
	}
	if !strings.Contains(out.String(), "1000 fewer (the driver did not take them") {
		t.Errorf("%s", out)
	}
}
