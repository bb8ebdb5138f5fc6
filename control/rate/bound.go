package rate

import (
	"math"

	"weir/counters"
)

// chance is z of the one-sided bound: the true rate is below Lower with a probability of 1e-6, per
// host, window and metric.
const chance = 4.7534

// Lower returns a lower bound of metric m: what r proves where packets were sampled, its value
// where none were. c samples of a Poisson process stand for at least the lower limit of Garwood's
// interval, here by Wilson and Hilferty's approximation, c(1 - 1/9c - z/3√c)³. Classes take part in
// the noise of the total by their share of it. Flows are a count of what was seen: a lower bound
// already.
func (r *Rates) Lower(m Metric) uint64 {
	value, unit := r.Metric(m), r.PacketUnit
	switch {
	case m == FPS:
		return value
	case m.IsBits():
		unit = r.BitUnit
	}
	if unit == 0 || value == 0 {
		return value
	}
	c := float64(value) / unit
	f := 1 - 1/(9*c) - chance/(3*math.Sqrt(c))
	if f <= 0 {
		return 0
	}
	return uint64(float64(value) * f * f * f)
}

// noisy sets how far off sampling may be: n is the sum of a window of that many seconds.
func (r *Rates) noisy(n *counters.Noise, seconds float64) {
	square := seconds * seconds
	if total := float64(r.Packets[Total]); total > 0 {
		r.PacketUnit = (n.Packets + n.HeldPackets*n.HeldPackets) / square / total
	}
	if total := float64(r.Bits[Total]); total > 0 {
		r.BitUnit = 64 * (n.Bytes + n.HeldBytes*n.HeldBytes) / square / total
	}
}

// addNoise adds the noise of one second more to that of a window: independent errors by variance,
// errors of one and the same sample by standard deviation.
func addNoise(to, n *counters.Noise) {
	to.Packets += n.Packets
	to.Bytes += n.Bytes
	to.HeldPackets += n.HeldPackets
	to.HeldBytes += n.HeldBytes
}
