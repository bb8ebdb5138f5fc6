package control

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"testing"
	"time"

	"weir/control/rate"
	"weir/decode/pcap"
	"weir/ring/replay"
)

// FuzzReplay runs the engine on whatever claims to be a capture. Every frame is accounted for,
// every event belongs to a home host, and no capture takes long.
func FuzzReplay(f *testing.F) {
	for _, vector := range []string{"syn_flood", "dns_amplification"} {
		for _, host := range []string{"10.0.0.4", "2001:db8::5"} {
			s := traffic(1, flow(vector, host, 30, 0, 1500*time.Millisecond))
			r, err := s.Reader()
			if err != nil {
				f.Fatal(err)
			}
			capture, err := io.ReadAll(r)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(capture)
		}
	}
	c := testConfig(limit(rate.PPS, 20))
	c.Policy.Networks = []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/28"), netip.MustParsePrefix("2001:db8::/60"),
	}
	c.Memory, c.Samples = 4<<20, 64
	f.Fuzz(func(t *testing.T, capture []byte) {
		reader, err := pcap.NewReader("fuzz", bytes.NewReader(capture))
		if err != nil {
			return
		}
		source := replay.New([]*pcap.Reader{reader}, replay.Options{})
		l := &log{}
		r, err := NewReplay(c, source, l)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		runErr := r.Run(ctx)
		if ctx.Err() != nil {
			t.Errorf("%d bytes take over 5 s: %v", len(capture), runErr)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		sum := r.Pipeline.Processed + r.Pipeline.Shed
		for _, n := range r.Pipeline.Dropped {
			sum += n
		}
		if runErr == nil && (r.Pipeline.Received != sum || sum != source.Stats().Received) {
			t.Errorf("received %d, accounted for %d", r.Pipeline.Received, sum)
		}
		for _, in := range l.started {
			if !c.Policy.Networks[0].Contains(in.Target.Addr()) &&
				!c.Policy.Networks[1].Contains(in.Target.Addr()) {
				t.Errorf("%v is not ours", in.Target)
			}
			if in.Detected < in.Begin || in.Begin < 0 {
				t.Errorf("begun at %d, found at %d", in.Begin, in.Detected)
			}
		}
	})
}
