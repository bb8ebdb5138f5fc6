package wire

import "testing"

// fixed is a stream of frames whose lengths come in turn.
type fixed []int

func (f *fixed) Next([]byte) int {
	n := (*f)[0]
	*f = append((*f)[1:], n)
	return n
}

// Bytes are of what was sent, not of what was refused.
func TestTrimSent(t *testing.T) {
	f := func(sent, want uint64, lengths ...int) {
		t.Helper()
		stream := fixed(lengths)
		s := trim{Stream: &stream}
		for range 1000 {
			s.Next(make([]byte, 1514))
		}
		if got := s.sent(sent); got != want {
			t.Errorf("%d of 1000 frames of %v: %d bytes, want %d", sent, lengths, got, want)
		}
	}
	f(1000, 60_000, 60)
	f(990, 59_400, 60)
	f(0, 0, 60)
	f(1000, 787_000, 60, 1514)
	f(500, 393_500, 60, 1514)
	var none trim
	if got := none.sent(0); got != 0 {
		t.Errorf("%d bytes of nothing", got)
	}
	long := trim{frames: 1 << 40, bytes: 1514 << 40}
	if got := long.sent(1 << 39); got != 1514<<39 {
		t.Errorf("%d bytes of half", got)
	}
}
