package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

func samples() []any {
	prefix := netip.MustParsePrefix("203.0.113.7/32")
	return []any{
		&Setup{
			AS: 65001, RouterID: netip.MustParseAddr("192.0.2.1"),
			Networks: []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")},
			Peers: []Peer{{
				Address: netip.MustParseAddr("fe80::1%eth0"), AS: 4200000001, Password: "\x00ü",
				Passive: true, TTLSecurity: 1, GracefulRestart: 4095,
			}},
		},
		&Set{Generation: 1<<64 - 1, Routes: []Route{{
			Prefix: prefix, NextHop: netip.MustParseAddr("192.0.2.1"), Lease: time.Hour,
			Communities: []Community{{A: 65535, B: 666}, {Large: true, A: 1, B: 2, C: 3}},
		}}},
		&Report{Generation: 7, Killed: true, Peers: []PeerReport{{
			Address: netip.MustParseAddr("192.0.2.2"), State: Established, Since: time.Second,
			Out: []netip.Prefix{prefix},
		}}, Refused: []Refused{{prefix, "no reason"}}, Counts: Counts{Refused: 1}},
	}
}

func TestMessagesComeThrough(t *testing.T) {
	var stream bytes.Buffer
	for _, m := range samples() {
		if err := Write(&stream, m); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range samples() {
		got, err := Read(&stream)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if _, err := Read(&stream); err != io.EOF {
		t.Error("at the end:", err)
	}
}

func TestReadRefuses(t *testing.T) {
	frame := func(n uint32, rest ...byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, n), rest...)
	}
	for name, c := range map[string]struct {
		stream []byte
		want   error
	}{
		"too long":      {frame(MaxMessage+1, Version, kindSet), ErrTooLong},
		"longest":       {frame(1<<32-1, Version, kindSet), ErrTooLong},
		"too short":     {frame(1, Version, kindSet), ErrTooFew},
		"other version": {frame(4, Version+1, kindSet, '{', '}'), ErrVersion},
		"unknown kind":  {frame(4, Version, 99, '{', '}'), ErrKind},
		"cut head":      {frame(4, Version), io.ErrUnexpectedEOF},
		"cut body":      {frame(MaxMessage, Version, kindSet, '{'), io.EOF},
	} {
		if _, err := Read(bytes.NewReader(c.stream)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := Read(bytes.NewReader(frame(4, Version, kindSet, '{', 'x'))); err == nil {
		t.Error("no JSON was read")
	}
	huge := &Set{Routes: make([]Route, MaxMessage/16)}
	if _, err := Append(nil, huge); !errors.Is(err, ErrTooLong) {
		t.Error("too long a message was written:", err)
	}
	if err := Write(io.Discard, "text"); !errors.Is(err, ErrKind) {
		t.Error("what is no message was written:", err)
	}
}

// FuzzDecode reads whatever arrives, in either direction: what is read can be written, and reads
// the same again.
func FuzzDecode(f *testing.F) {
	for _, m := range samples() {
		frame, err := Append(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
		f.Add(frame[:len(frame)-1])
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		m, err := Read(bytes.NewReader(stream))
		if err != nil {
			return
		}
		frame, err := Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Read(bytes.NewReader(frame))
		if err != nil {
			t.Fatal(err)
		}
		twice, err := Append(nil, again)
		if err != nil || !bytes.Equal(frame, twice) {
			t.Errorf("%s became %s (%v)", frame, twice, err)
		}
	})
}
