package zerocopy

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// dgramCard is a card with one queue, which takes frames from a unix socket. None is lost: where
// the guest has no room QEMU reads no further, and the sender waits.
type dgramCard struct {
	dir  string
	conn *net.UnixConn
}

func (c *dgramCard) path(side string) string { return filepath.Join(c.dir, side) }

func (c *dgramCard) arguments(number, _ int) ([]string, []*os.File) {
	netdev := fmt.Sprintf("dgram,id=net%d,local.type=unix,local.path=%s,remote.type=unix,"+
		"remote.path=%s", number, c.path("card"), c.path("host"))
	return append([]string{"-netdev", netdev}, device(number, "")...), nil
}

func (c *dgramCard) ready() (err error) {
	c.conn, err = net.DialUnix("unixgram", &net.UnixAddr{Name: c.path("host"), Net: "unixgram"},
		&net.UnixAddr{Name: c.path("card"), Net: "unixgram"})
	if err != nil {
		return err
	}
	go func() { // what the guest sends, until close
		var b [MaxFrame]byte
		for {
			if _, err := c.conn.Read(b[:]); errors.Is(err, net.ErrClosed) {
				return
			}
		}
	}()
	return nil
}

// sendPatience bounds the wait for room for one frame.
const sendPatience = 20 * time.Second

func (c *dgramCard) send(card int, first, count uint32) (uint32, error) {
	var b [MaxFrame]byte
	for n := range count {
		if n%64 == 0 {
			if err := c.conn.SetWriteDeadline(time.Now().Add(sendPatience)); err != nil {
				return n, err
			}
		}
		if _, err := c.conn.Write(b[:PutFrame(&b, card, first+n)]); err != nil {
			return n, err
		}
	}
	return count, nil
}

func (c *dgramCard) close() error {
	if c.conn == nil {
		return nil
	}
	return c.conn.Close()
}
