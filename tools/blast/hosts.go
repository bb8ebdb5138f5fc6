package blast

import (
	"fmt"
	"math"
	"net/netip"

	"weir/decode"
)

// Hosts says which addresses one end of a Flow has. The zero value is everyone outside: random
// unicast addresses, of the other end's family, that are neither in Home4 nor Home6.
type Hosts struct {
	// Prefix holds the addresses; that of one host is as long as the address.
	Prefix netip.Prefix
	// N is how many different addresses there are, spread over Prefix in a fixed order, or
	// chosen at random outside where Prefix is not set; 0 is all.
	N int
	// Zipf is the exponent of their popularity: the k-th is drawn with a weight of k^-Zipf. 0
	// is uniform; anything else needs N.
	Zipf float64
}

// maxHosts is the greatest N that needs a table.
const maxHosts = 1 << 20

// Host is one address; it panics if addr is none, as it is meant for constants.
func Host(addr string) Hosts {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		panic(fmt.Sprintf("BUG: blast.Host: %v", err))
	}
	return Hosts{Prefix: netip.PrefixFrom(a, a.BitLen())}
}

// Within is every address of a prefix with the same probability; it panics if prefix is none, as
// it is meant for constants.
func Within(prefix string) Hosts {
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		panic(fmt.Sprintf("BUG: blast.Within: %v", err))
	}
	return Hosts{Prefix: p}
}

// Home4 and Home6 return the networks that workloads attack: 10.0.0.0/8 and 2001:db8:10::/48.
// Sources outside are in neither.
func Home4() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{home4}), 8) }

// Home6 is described at Home4.
func Home6() netip.Prefix { return netip.PrefixFrom(home6.Netip(), 48) }

const home4 = 10

// home6 lies in 2001:db8::/32, which is for documentation (RFC 3849): nobody outside has such an
// address.
var home6 = decode.Addr{Hi: documentation6 | 0x0010_0000}

const documentation6 = 0x2001_0db8 << 32

// anywhere4 draws from all 2^32 addresses but those of Home4.
func (r *random) anywhere4() uint32 {
	for {
		if ip := r.u32(); ip>>24 != home4 {
			return ip
		}
	}
}

// unicast4 draws an address outside that a host could have.
func (r *random) unicast4() decode.Addr {
	const loopback, multicast = 127, 224
	for {
		ip := r.anywhere4()
		if top := ip >> 24; top != 0 && top != loopback && top < multicast {
			return decode.AddrFrom4(ip)
		}
	}
}

// unicast6 draws an address outside from 2000::/3, the global unicast space (RFC 4291 section
// 2.5.4).
func (r *random) unicast6() decode.Addr {
	for {
		hi := 1<<61 | r.u64()>>3
		if hi>>32 != documentation6>>32 {
			return decode.Addr{Hi: hi, Lo: r.u64()}
		}
	}
}

func (r *random) unicast(v6 bool) decode.Addr {
	if v6 {
		return r.unicast6()
	}
	return r.unicast4()
}

// picker draws addresses of a Hosts.
type picker struct {
	v6   bool
	any  bool // outside
	base decode.Addr
	mask decode.Addr   // bits of the address beyond the prefix
	n    uint32        // how many addresses; 0: all
	zipf []uint32      // cumulative popularity, nil if uniform
	list []decode.Addr // the addresses when n of them are outside
}

// picker returns what draws from h, whose family the other end gives if h does not. r chooses
// the addresses outside.
func (h *Hosts) picker(v6 bool, r *random) (picker, error) {
	if err := h.check(); err != nil {
		return picker{}, err
	}
	p := picker{v6: v6, n: uint32(h.N)}
	if h.Zipf != 0 {
		p.zipf = zipf(h.N, h.Zipf)
	}
	if h.Prefix.IsValid() {
		p.setPrefix(h.Prefix)
		return p, nil
	}
	p.any = true
	if h.N > 0 {
		p.list = make([]decode.Addr, h.N)
	}
	for i := range p.list {
		p.list[i] = r.unicast(v6)
	}
	return p, nil
}

func (h *Hosts) check() error {
	hostBits := 128
	if h.Prefix.IsValid() {
		hostBits = h.Prefix.Addr().BitLen() - h.Prefix.Bits()
	}
	tabled := h.Zipf != 0 || !h.Prefix.IsValid()
	switch {
	case h.Prefix.Addr().Is4In6():
		return fmt.Errorf("%v is IPv4 inside IPv6", h.Prefix)
	case h.N < 0 || int64(h.N) > math.MaxUint32 || hostBits < 32 && int64(h.N) > 1<<hostBits:
		return fmt.Errorf("%d hosts in %v", h.N, h.Prefix)
	case tabled && h.N > maxHosts:
		return fmt.Errorf("%d hosts outside or with a popularity are more than %d",
			h.N, maxHosts)
	case h.Zipf != 0 && h.N == 0:
		return fmt.Errorf("a popularity of %v for no number of hosts", h.Zipf)
	case !(h.Zipf >= 0 && h.Zipf <= 10):
		return fmt.Errorf("exponent %v of popularity is not from 0 to 10", h.Zipf)
	}
	return nil
}

func (p *picker) setPrefix(prefix netip.Prefix) {
	p.base = decode.AddrFrom(prefix.Masked().Addr())
	p.v6 = prefix.Addr().Is6()
	hostBits := prefix.Addr().BitLen() - prefix.Bits()
	p.mask = decode.Addr{
		Hi: 1<<max(hostBits-64, 0) - 1,
		Lo: 1<<min(hostBits, 64) - 1, // a shift of 64 gives 0, and all ones below it
	}
}

func (p *picker) pick(r *random) decode.Addr {
	switch {
	case p.n > 0:
		return p.host(r)
	case p.any:
		return r.unicast(p.v6)
	}
	a := decode.Addr{Hi: p.base.Hi, Lo: p.base.Lo | r.u64()&p.mask.Lo}
	if p.mask.Hi != 0 {
		a.Hi |= r.u64() & p.mask.Hi
	}
	return a
}

// host draws one of n addresses.
func (p *picker) host(r *random) decode.Addr {
	var i uint32
	if p.zipf != nil {
		i = uint32(r.rank(p.zipf))
	} else {
		i = r.below(p.n)
	}
	if p.list != nil {
		return p.list[i]
	}
	// An odd factor gives each i below 2^bits another remainder.
	spread := uint64(i) * golden
	return decode.Addr{
		Hi: p.base.Hi | mix(spread)&p.mask.Hi,
		Lo: p.base.Lo | spread&p.mask.Lo,
	}
}

// conversation returns the random numbers that belong to the k-th conversation of a host: the
// same each time.
func conversation(seed uint64, host decode.Addr, k uint32) random {
	return newRandom(seed^host.Hi, host.Lo+uint64(k)*golden)
}
