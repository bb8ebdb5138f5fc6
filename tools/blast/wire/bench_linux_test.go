package wire_test

import (
	"fmt"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"weir/tools/blast"
	"weir/tools/blast/wire"
	"weir/tools/lab"
)

// dropAll makes the other end drop every frame in its driver.
func dropAll(tb testing.TB, l *lab.Lab) {
	tb.Helper()
	const xdpDrop = 1 // of enum xdp_action
	err := l.Sut().Do(func() error {
		program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
			Type: ebpf.XDP, License: "GPL",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpDrop), asm.Return()},
		})
		if err != nil {
			return err
		}
		tb.Cleanup(func() { _ = program.Close() })
		i, err := netlink.LinkByName(lab.Sut.Interface(0))
		if err != nil {
			return err
		}
		attached, err := link.AttachXDP(link.XDPOptions{
			Program: program, Interface: i.Attrs().Index, Flags: link.XDPDriverMode,
		})
		if err != nil {
			return err
		}
		tb.Cleanup(func() { _ = attached.Close() })
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkRun sends as fast as one core can into a veth that drops everything.
func BenchmarkRun(b *testing.B) {
	for _, via := range []string{wire.AFXDP, wire.Live, wire.Packet} {
		for _, name := range []string{"W2", "W5"} {
			b.Run(fmt.Sprintf("via=%s/workload=%s", via, name), func(b *testing.B) {
				l := lab.New(b, lab.Options{})
				dropAll(b, l)
				w, err := blast.Find(name)
				if err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				r, err := wire.Run(b.Context(), wire.Config{
					Interface: lab.Gen.Interface(0), Load: w.Load(), Frames: uint64(b.N),
					Enter: l.Gen().Do, Via: via, Cores: []int{0},
				})
				if err != nil || r.Sent != uint64(b.N) {
					b.Fatalf("sent %d of %d: %v", r.Sent, b.N, err)
				}
				b.ReportMetric(r.Cores[0].NSPerFrame(), "cpu-ns/frame")
				b.ReportMetric(float64(r.Sent-r.Interfaced.TXPackets), "lost")
			})
		}
	}
}
