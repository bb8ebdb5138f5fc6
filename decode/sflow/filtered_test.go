package sflow

import (
	"testing"

	"weir/decode"
	"weir/decode/sflow/sflowtest"
)

// TestFiltered reads what All reads, but for the sampling rate, which is the effective one.
func TestFiltered(t *testing.T) {
	inner := new(decode.Decoder)
	all, filtered := NewDecoder(All, inner), NewDecoder(Filtered, inner)
	counted := NewDecoder(Counted, inner)
	var a, b, c [64]decode.Record
	effective := false
	for n := range uint32(200) {
		for _, payload := range [][]byte{sflowtest.F4(n), sflowtest.F4b(n), sflowtest.F4c(n)} {
			arrival := decode.Arrival{Payload: payload, Time: int64(n) * 1e9}
			all.Begin(&arrival)
			filtered.Begin(&arrival)
			counted.Begin(&arrival)
			got, want, least := filtered.Next(a[:]), all.Next(b[:]), counted.Next(c[:])
			if got != want || got != least {
				t.Fatalf("%d, %d and %d records", got, want, least)
			}
			for i := range a[:got] {
				if a[i].Sampling != c[i].Sampling {
					t.Fatalf("datagram %d: rate %d, counted %d", n, a[i].Sampling, c[i].Sampling)
				}
				effective = effective || a[i].Sampling != b[i].Sampling
				a[i].Sampling = b[i].Sampling
				if a[i] != b[i] {
					t.Fatalf("datagram %d: %+v, not %+v", n, a[i], b[i])
				}
			}
		}
	}
	if !effective {
		t.Log("the workloads' pools are those of their rate")
	}
}
