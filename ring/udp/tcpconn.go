package udp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"weir/ring"
)

// acceptPause is how long nobody is accepted after an error, such as too many open files.
const acceptPause = 50 * time.Millisecond

// accept takes connections until Close.
func (s *TCPSource) accept() {
	for {
		c, err := s.listener.AcceptTCP()
		if err == nil {
			if !s.admit(c) {
				_ = c.Close() // nothing was sent to it
			}
			continue
		}
		select {
		case <-s.quit:
			return
		case <-time.After(acceptPause):
		}
	}
}

// admit begins to serve a connection, or reports that it is refused.
func (s *TCPSource) admit(c *net.TCPConn) bool {
	remote, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return false
	}
	from := remote.AddrPort()
	allowed := s.config.Allow == nil || s.config.Allow(from.Addr().Unmap())
	group := groupOf(from.Addr())
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.quit:
		return false
	default:
	}
	if !allowed || len(s.open) >= s.config.Connections || s.from[group] >= s.config.PerAddress {
		s.stats.Refused++
		return false
	}
	s.stats.Accepted++
	s.open[c] = group
	s.from[group]++
	s.running.Go(func() { s.serve(c, from) })
	return true
}

// groupOf returns what one peer is taken to have: an IPv4 address, or a /64.
func groupOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // no error: the length is one that the address has
	return p
}

// ending is why a connection ended.
type ending uint8

const (
	goOn ending = iota // it did not
	endFinished
	endBroken
	endIdle
	endBadFrame
	endCutShort
	endClosed
)

// serve reads messages until the connection ends.
func (s *TCPSource) serve(c *net.TCPConn, from netip.AddrPort) {
	const buffer = 16 << 10
	r := bufio.NewReaderSize(c, buffer)
	patience := s.config.Patience
	end := goOn
	for end == goOn {
		if end = begin(c, r, patience); end != goOn {
			break
		}
		var m mail
		if m, end = s.read(c, r); end != goOn {
			break
		}
		ring.PutSender(m.letter[:], from)
		select {
		case s.queue <- m:
		case <-s.quit:
			s.unread.Add(1)
			end = endClosed
		}
		patience = s.config.Idle
	}
	_ = c.Close() // only read from: nothing is lost
	s.forget(c, end)
}

// deadliner is what reading needs of a connection.
type deadliner interface{ SetReadDeadline(time.Time) error }

// begin waits for the first byte of a message.
func begin(c deadliner, r *bufio.Reader, patience time.Duration) ending {
	if r.Buffered() > 0 {
		return goOn
	}
	_ = c.SetReadDeadline(time.Now().Add(patience)) // closed: reading says so
	_, err := r.Peek(1)
	switch {
	case err == nil:
		return goOn
	case errors.Is(err, io.EOF):
		return endFinished
	case errors.Is(err, os.ErrDeadlineExceeded):
		return endIdle
	}
	return endBroken
}

// read reads a message that has begun.
func (s *TCPSource) read(c deadliner, r *bufio.Reader) (mail, ending) {
	if r.Buffered() < ipfixHeader {
		_ = c.SetReadDeadline(time.Now().Add(s.config.Patience)) // closed: reading says so
	}
	head, err := r.Peek(ipfixHeader)
	if bad(head) {
		return mail{}, endBadFrame
	}
	if err != nil {
		return mail{}, endCutShort
	}
	size := int(binary.BigEndian.Uint16(head[2:]))
	if r.Buffered() < size {
		_ = c.SetReadDeadline(time.Now().Add(s.config.Patience)) // as above
	}
	m := mail{s.letters.Get().(*letter), size}
	if _, err := io.ReadFull(r, m.letter[ring.SenderLen:ring.SenderLen+size]); err != nil {
		s.letters.Put(m.letter)
		return mail{}, endCutShort
	}
	return m, goOn
}

// bad reports whether what is there of a header is not IPFIX's (RFC 7011 section 3.1).
func bad(head []byte) bool {
	return len(head) >= 2 && binary.BigEndian.Uint16(head) != ipfixVersion ||
		len(head) >= 4 && binary.BigEndian.Uint16(head[2:]) < ipfixHeader
}

// forget takes a connection off the list, and counts how it ended.
func (s *TCPSource) forget(c *net.TCPConn, end ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	group := s.open[c]
	delete(s.open, c)
	if s.from[group]--; s.from[group] == 0 {
		delete(s.from, group)
	}
	select {
	case <-s.quit:
		if end != endCutShort && end != endBadFrame { // these lost a message
			end = endClosed
		}
	default:
	}
	counter := [...]*uint64{
		endFinished: &s.stats.Finished, endBroken: &s.stats.Broken, endIdle: &s.stats.Idle,
		endBadFrame: &s.stats.BadFrames, endCutShort: &s.stats.CutShort,
		endClosed: &s.stats.Closed,
	}[end]
	*counter++
}
