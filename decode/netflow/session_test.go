package netflow

import (
	"bytes"
	"testing"

	"weir/decode"
	"weir/decode/netflow/netflowtest"
)

// Two layouts of template 256 that read each other's data without a fault, and so wrongly.
var (
	forth = f(8, 4, 12, 4)
	back  = f(12, 4, 8, 4)
)

// talk is a decoder that is sent templates and data from ports.
type talk struct {
	*Decoder
	t   *testing.T
	v9  bool
	now int64
}

func (s *talk) send(port uint16, sets ...[]byte) []decode.Record {
	a := arrivalOf(datagram(s.v9, sets...))
	s.now += second
	a.Port, a.Time = port, s.now
	return decodeAll(s.Decoder, a, 4)
}

func (s *talk) tell(port uint16, specs []spec) {
	s.send(port, templateSet(s.v9, 256, -1, specs))
}

// reads sends data from a port, and expects it to be read by forth, or back, or not at all.
func (s *talk) reads(port uint16, want string) {
	s.t.Helper()
	got := "nothing"
	if r := s.send(port, netflowtest.Set(nil, 256, pairData...)); len(r) == 1 {
		if got = "forth"; r[0].Dst == decode.AddrFrom4(ip1) {
			got = "back"
		}
	}
	if got != want {
		s.t.Errorf("port %d (v9: %v) reads %s, want %s", port, s.v9, got, want)
	}
}

// TestSessions: two exporting processes behind one address and domain have templates of their own;
// a port that told none shares what there is.
func TestSessions(t *testing.T) {
	for _, v9 := range []bool{true, false} {
		c := NewCache(Limits{})
		s := &talk{NewDecoder(c, All, nil), t, v9, exported}
		s.tell(1, forth)
		s.reads(1, "forth")
		s.reads(2, "forth") // as a process that began anew does, from another port
		s.tell(2, forth)
		if n := c.Stats().Templates; n != 1 {
			t.Errorf("%d templates, of one layout", n)
		}
		s.tell(3, back)
		s.reads(1, "forth")
		s.reads(3, "back")
		s.reads(4, "back") // what was told last
		s.tell(1, forth)
		s.reads(3, "back")
		s.tell(2, forth)
		s.reads(2, "forth")
		s.tell(2, back) // the same process has another layout
		s.reads(2, "back")
		s.reads(1, "forth")
		if st := c.Stats(); st.Templates != 3 || st.Learned != 3 || st.Replaced != 1 {
			t.Errorf("%+v", st)
		}

		var file, again bytes.Buffer
		if err := c.Save(&file, s.now); err != nil {
			t.Fatal(err)
		}
		c2 := NewCache(Limits{})
		if err := c2.Load(bytes.NewReader(file.Bytes()), s.now); err != nil {
			t.Fatal(err)
		}
		if err := c2.Save(&again, s.now); err != nil || !bytes.Equal(file.Bytes(), again.Bytes()) {
			t.Error("what was loaded is not what was saved:", err)
		}
		s.Decoder = NewDecoder(c2, All, nil)
		s.reads(3, "back")
		s.reads(1, "forth")
		s.now += int64(TemplateLifetime) / 2
		s.reads(1, "forth")
		s.now += int64(TemplateLifetime)/2 + 10*second
		s.reads(3, "forth") // its own has expired
	}
}

// TestSessionsBounded: invented ports get no place from those that were there before, and take no
// more than there is.
func TestSessionsBounded(t *testing.T) {
	c := NewCache(Limits{})
	s := &talk{NewDecoder(c, All, nil), t, false, exported}
	s.tell(1, forth)
	s.tell(2, back)
	for port := range uint16(3000) {
		s.tell(1000+port, f(12, 4, 8, 4, 210, int(1+port%50)))
	}
	if n := c.Stats().Templates; n != maxVariants {
		t.Errorf("%d templates", n)
	}
	s.reads(1, "forth")
	s.reads(2, "back")
	a := arrivalOf(datagram(false, templateSet(false, 256, -1, back),
		netflowtest.Set(nil, 256, pairData...)))
	a.Port, a.Time = 2, s.now
	var out [4]decode.Record
	if n := testing.AllocsPerRun(100, func() {
		for s.Begin(a); s.Next(out[:]) > 0; {
		}
	}); n != 0 {
		t.Errorf("%v allocations for a template that is known", n)
	}
}

// TestSessionsWithdraw: a withdrawal is of its own session, or of a template that all share.
func TestSessionsWithdraw(t *testing.T) {
	c := NewCache(Limits{})
	s := &talk{NewDecoder(c, All, nil), t, false, exported}
	s.tell(1, forth)
	s.tell(2, back)
	withdrawal := netflowtest.Set(nil, 2, u16(256, 0)...)
	s.send(3, withdrawal)
	s.reads(1, "forth")
	s.send(2, withdrawal)
	s.reads(2, "forth") // what is left
	s.send(3, withdrawal)
	s.reads(1, "nothing")
	if st := c.Stats(); st.Withdrawn != 2 || st.Templates != 0 {
		t.Errorf("%+v", st)
	}
}
