// Package udp receives flow-export datagrams (NetFlow, IPFIX, sFlow), and IPFIX over TCP. Its
// frames have the link type ring.LinkDatagram: the sender, ring.SenderLen bytes, and the payload
// behind it. Frame.Wire is the payload's own length without the sender, and so is what
// Stats.Bytes adds up.
//
// A Listener is one port with one socket per worker. On Linux the sockets share the port
// (SO_REUSEPORT) and the kernel hashes address and port of both ends to choose one: what an
// exporter sends from one port always comes to the same worker, in its order, and no two workers
// keep templates of the same session. No program is attached that would steer otherwise.
//
// Where there is no recvmmsg(2) a Listener has one socket, and the kernel's losses are not known.
package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"weir/ring"
)

// Limits and defaults of Config.
const (
	DefaultReceiveBuffer = 32 << 20
	MaxReceiveBuffer     = 1 << 30
	MaxSockets           = 256
)

// pollMillis is the longest that Poll sleeps.
const pollMillis = 10

// Config says where a Listener receives, and how.
type Config struct {
	// Listen is "ADDRESS:PORT". ":2055" is every address, IPv6 too unless the kernel has none;
	// "[::]:2055" is every address, IPv4 too; "0.0.0.0:2055" is every IPv4 address. Port 0 lets
	// the kernel choose.
	Listen  string
	Sockets int // sources, at least 1, at most MaxSockets; 1 where sockets cannot share a port
	// ReceiveBuffer is what the kernel keeps per socket, bytes; 0: DefaultReceiveBuffer. The kernel
	// adds as much again for its own overhead, in an int: a byte of MaxReceiveBuffer is left out.
	ReceiveBuffer int
	// Spin is how long a source polls without sleeping after its last datagram; 0 sleeps at once.
	Spin time.Duration
	// Clock gives nanoseconds since 1970 UTC, and never goes back.
	Clock func() int64

	maxPayload int // bytes; 0: maxPayload
}

// maxPayload is the most that a UDP header can announce (RFC 768), so that nothing is cut off but
// jumbograms (RFC 2675).
const maxPayload = 65535 - 8

// stride is from one datagram's place in memory to the next. Only what is received is ever touched.
// Its rest beyond whole pages has the datagrams of a burst begin in different cache sets.
const stride = 64<<10 + 3<<9

// Names of places where datagrams are lost between the network and Poll.
const (
	DropSocket    = "socket_full" // the receive buffer; the kernel adds bad checksums to it
	DropTruncated = "truncated"   // longer than a UDP header can say
	DropClosed    = "closed"      // in the socket when it was closed
)

func (c *Config) withDefaults() error {
	c.Sockets = max(1, c.Sockets)
	if c.ReceiveBuffer == 0 {
		c.ReceiveBuffer = DefaultReceiveBuffer
	}
	if c.maxPayload == 0 {
		c.maxPayload = maxPayload
	}
	switch {
	case c.Clock == nil:
		return errors.New("no clock")
	case c.Sockets > MaxSockets:
		return fmt.Errorf("%d sockets: at most %d", c.Sockets, MaxSockets)
	case c.ReceiveBuffer < 0 || c.ReceiveBuffer > MaxReceiveBuffer:
		return fmt.Errorf("a receive buffer of %d bytes: at most %d", c.ReceiveBuffer,
			MaxReceiveBuffer)
	}
	c.ReceiveBuffer = min(c.ReceiveBuffer, MaxReceiveBuffer-1)
	return nil
}

// parseListen reads Config.Listen. fallback says that IPv4 alone will do.
func parseListen(text string) (at netip.AddrPort, fallback bool, err error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return at, false, errors.New("no ADDRESS:PORT, [IPV6]:PORT or :PORT")
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strings.HasPrefix(port, "+") {
		return at, false, fmt.Errorf("%q is no port", port)
	}
	if host == "" {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(number)), true, nil
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return at, false, fmt.Errorf("%q is no IP address", host)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), false, nil
}

// Listener is a port that export datagrams come to.
//
// Concurrency: each Source is for one worker; all else for any goroutine.
type Listener struct {
	sources   []*Source
	at        netip.AddrPort
	effective int
	wanted    int
}

// Open opens the sockets, and takes what privileges that needs. The error names the address.
func Open(c Config) (*Listener, error) {
	l, err := open(&c)
	if err != nil {
		return nil, fmt.Errorf("listen for datagrams on %s: %w", c.Listen, err)
	}
	return l, nil
}

func open(c *Config) (*Listener, error) {
	if err := c.withDefaults(); err != nil {
		return nil, err
	}
	at, fallback, err := parseListen(c.Listen)
	if err != nil {
		return nil, err
	}
	l := &Listener{at: at, wanted: c.ReceiveBuffer}
	err = l.open(c, fallback)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Sources returns the sources, one for each worker.
func (l *Listener) Sources() []*Source { return l.sources }

// Addr returns where it listens, with the port that the kernel chose if it was to.
func (l *Listener) Addr() netip.AddrPort { return l.at }

// Buffer returns the receive buffer of one socket, bytes, as granted and as wanted. The kernel
// grants more than net.core.rmem_max only with CAP_NET_ADMIN.
func (l *Listener) Buffer() (effective, wanted int) { return l.effective, l.wanted }

// Stats returns the totals of all sources.
func (l *Listener) Stats() ring.Stats {
	var total ring.Stats
	for _, s := range l.sources {
		total = total.Plus(s.Stats())
	}
	return total
}

// Close closes the sources: their Poll returns io.EOF from then on, and one that sleeps is woken.
func (l *Listener) Close() error {
	var errs []error
	for _, s := range l.sources {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
