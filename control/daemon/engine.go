package daemon

import (
	"weir/control"
	"weir/control/ban"
	"weir/control/capture"
	"weir/control/config"
	"weir/counters"
	"weir/decode"
)

// EngineConfig translates the file for an engine, without its inputs. lengthFromIP says whether
// frames arrive cropped; seed is that of every hash and random choice.
func EngineConfig(c *config.Config, lengthFromIP bool, seed uint64) (control.Config, error) {
	budget := uint64(c.Memory.Tables)
	if budget == 0 {
		var err error
		if budget, err = counters.DefaultBudget(); err != nil {
			return control.Config{}, err
		}
	}
	d := &decode.Decoder{LengthFromIP: lengthFromIP}
	for t, open := range c.Decode.Tunnels {
		d.Closed[t] = !open
	}
	policy := c.Policy()
	return control.Config{
		Policy: policy,
		Ban: ban.Config{
			Time: c.Ban.Time, Quiet: c.Ban.Quiet, DryRun: true,
			Communities: communities(c), Policy: policy.Hash(),
		},
		Decoder: d, Memory: budget, Seed: seed,
		Evidence: capture.Limits{
			Before: (c.Evidence.MaxPackets + 1) / 2, After: (c.Evidence.MaxPackets + 1) / 2,
		},
	}, nil
}

func communities(c *config.Config) []string {
	var out []string
	for _, community := range c.BGP.Blackhole.Communities {
		out = append(out, community.String())
	}
	return out
}

// cropped reports whether some mirror's frames arrive cropped. The length in the IP header is as
// good for the frames of the others.
func cropped(c *config.Config) bool {
	for i := range c.Capture.AFXDP {
		if c.Capture.AFXDP[i].LengthFromIP {
			return true
		}
	}
	for i := range c.Capture.AFPacket {
		if c.Capture.AFPacket[i].LengthFromIP {
			return true
		}
	}
	return false
}
