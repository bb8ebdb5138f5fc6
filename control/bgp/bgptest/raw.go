package bgptest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"
)

// Raw is a router that says what it is told to, right or wrong.
type Raw struct {
	AS       uint16       // in its OPEN; with 4-octet AS numbers only if Four
	Four     bool         // it offers 4-octet AS numbers (RFC 6793)
	Restart  uint16       // seconds of graceful restart, for IPv4; 0: off
	RouterID netip.Addr   // IPv4
	Listener net.Listener // where sessions come from
}

// Session is one session of a Raw.
type Session struct {
	conn net.Conn
	in   *bufio.Reader
}

// Types of messages, of RFC 4271 section 4.1, and the one that RFC 2918 adds.
const (
	Open         = 1
	Update       = 2
	Notification = 3
	Keepalive    = 4
	RouteRefresh = 5
)

// Message returns a message of a type, with a body.
func Message(kind byte, body ...byte) []byte {
	m := make([]byte, 19, 19+len(body))
	for i := range 16 {
		m[i] = 0xff
	}
	binary.BigEndian.PutUint16(m[16:], uint16(19+len(body)))
	m[18] = kind
	return append(m, body...)
}

// UnknownType is a message of a type that there is not: one was seen to end GoBGP v3.
func UnknownType() []byte { return Message(9) }

// EarlyAS4Path is an UPDATE of a peer without 4-octet AS numbers whose AS4_PATH precedes its
// AS_PATH, which comes last: one was seen to end GoBGP v3 (CVE-2026-41643).
func EarlyAS4Path(as uint16) []byte {
	attrs := []byte{
		0x40, 1, 1, 0, // ORIGIN: IGP
		0x40, 3, 4, 192, 0, 2, 9, // NEXT_HOP
		0xc0, 17, 6, 2, 1, 0, 0, byte(as >> 8), byte(as), // AS4_PATH: a sequence of one
		0x40, 2, 4, 2, 1, byte(as >> 8), byte(as), // AS_PATH: the same
	}
	body := []byte{0, 0, byte(len(attrs) >> 8), byte(len(attrs))}
	return Message(Update, append(append(body, attrs...), 24, 203, 0, 113)...)
}

// OpenBody returns the body of the router's OPEN.
func (r *Raw) OpenBody() []byte {
	caps := []byte{1, 4, 0, 1, 0, 1} // IPv4 unicast
	if r.Four {
		caps = append(caps, 65, 4, 0, 0, byte(r.AS>>8), byte(r.AS))
	}
	if r.Restart > 0 {
		caps = append(caps, 64, 6, byte(r.Restart>>8), byte(r.Restart), 0, 1, 1, 0)
	}
	id := r.RouterID.As4()
	body := []byte{4, byte(r.AS >> 8), byte(r.AS), 0, 90, id[0], id[1], id[2], id[3]}
	body = append(body, byte(2+len(caps)), 2, byte(len(caps)))
	return append(body, caps...)
}

// Accept waits for a connection, and does nothing with it.
func (r *Raw) Accept() (*Session, error) {
	conn, err := r.Listener.Accept()
	if err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	return &Session{conn: conn, in: bufio.NewReader(conn)}, nil
}

// Establish waits for a connection and establishes a session: its OPEN and KEEPALIVE were sent,
// and those of the neighbor have come.
func (r *Raw) Establish() (*Session, error) {
	s, err := r.Accept()
	if err != nil {
		return nil, err
	}
	if err := s.establish(r); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Session) establish(r *Raw) error {
	if err := s.conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return fmt.Errorf("establish: %w", err)
	}
	if err := s.Send(append(Message(Open, r.OpenBody()...), Message(Keepalive)...)); err != nil {
		return err
	}
	for _, want := range []byte{Open, Keepalive} {
		m, err := s.Receive()
		if err != nil {
			return err
		}
		if m[18] != want {
			return fmt.Errorf("establish: message of type %d, not %d", m[18], want)
		}
	}
	return s.conn.SetDeadline(time.Time{})
}

// Send sends bytes as they are.
func (s *Session) Send(b []byte) error {
	if _, err := s.conn.Write(b); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Receive returns the next message, with its header.
func (s *Session) Receive() ([]byte, error) {
	head := make([]byte, 19)
	if _, err := io.ReadFull(s.in, head); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	n := int(binary.BigEndian.Uint16(head[16:]))
	if n < len(head) {
		return nil, fmt.Errorf("receive: message of %d bytes", n)
	}
	m := append(head, make([]byte, n-len(head))...)
	if _, err := io.ReadFull(s.in, m[len(head):]); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	return m, nil
}

// Ended waits until the neighbor has ended the session, and returns the last NOTIFICATION if there
// was one.
func (s *Session) Ended(patience time.Duration) (notification []byte, err error) {
	if err := s.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, fmt.Errorf("wait for the end: %w", err)
	}
	for {
		m, err := s.Receive()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil, err
			}
			return notification, nil
		}
		if m[18] == Notification {
			notification = m
		}
	}
}

// Close ends the session.
func (s *Session) Close() { _ = s.conn.Close() } // what was to be said was said
