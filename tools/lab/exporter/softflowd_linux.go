package exporter

import (
	"fmt"
	"strings"
	"testing"

	"weir/tools/lab"
)

// Softflowd is a running softflowd.
type Softflowd struct {
	process *process
	control string // its socket
}

// StartSoftflowd starts softflowd, and waits until it watches. Version 5 tells of IPv4 alone,
// but is told to track IPv6, too: when it samples and one in N is of IPv6, it otherwise takes the
// next packet instead, and tells too much.
//
// It reads packets in blocks, and none before its block is full: Packets and Expire know of a
// packet only when some thousand more have come, of whatever kind.
func StartSoftflowd(t testing.TB, n lab.Namespace, o *Options) *Softflowd {
	t.Helper()
	need(t, "softflowd", "softflowctl")
	file := folder(t, "softflowd")
	args := []string{
		"softflowd", "-d", "-i", o.Interface, "-n", o.Collector.String(),
		"-6", "-v", fmt.Sprint(o.Version), "-p", file("pid"), "-c", file("ctl"),
	}
	if o.Sampling > 1 {
		args = append(args, "-s", fmt.Sprint(o.Sampling))
	}
	s := &Softflowd{process: start(t, n, nil, args...), control: file("ctl")}
	s.process.until("answers", func() error {
		_, err := s.Packets()
		return err
	})
	return s
}

// Packets returns how many packets it has looked at. Of those that it samples, that is one in N.
func (s *Softflowd) Packets() (packets int, err error) {
	out, err := ask(nil, "softflowctl", "-c", s.control, "statistics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(out) {
		if _, err := fmt.Sscanf(line, "Packets processed: %d", &packets); err == nil {
			return packets, nil
		}
	}
	return 0, fmt.Errorf("softflowctl says nothing of packets: %s", out)
}

// Expire lets it tell of all flows that it knows.
func (s *Softflowd) Expire() error {
	_, err := ask(nil, "softflowctl", "-c", s.control, "expire-all")
	return err
}
