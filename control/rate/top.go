package rate

import "weir/counters"

// TopSize is how many hosts a Top keeps.
const TopSize = 20

// TopHost is one of the busiest hosts of a second.
type TopHost struct {
	Key   counters.Key
	Value uint64 // per second
}

// Top keeps the hosts with the highest values of one second; equal values keep the lower address.
type Top struct {
	hosts [TopSize]TopHost // descending
	n     int
}

// Reset empties t.
func (t *Top) Reset() { t.n = 0 }

// Offer considers a host.
func (t *Top) Offer(key counters.Key, value uint64) {
	if value == 0 || t.n == TopSize && value <= t.hosts[TopSize-1].Value {
		return
	}
	i := min(t.n, TopSize-1)
	for ; i > 0 && t.hosts[i-1].Value < value; i-- {
		t.hosts[i] = t.hosts[i-1]
	}
	t.hosts[i] = TopHost{key, value}
	t.n = min(t.n+1, TopSize)
}

// Hosts returns the kept hosts, highest first, valid until Reset.
func (t *Top) Hosts() []TopHost { return t.hosts[:t.n] }
