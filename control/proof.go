package control

import (
	"net/netip"
	"strconv"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/counters"
)

// openProof begins the evidence of an incident with every sample of its target in memory.
func (e *Engine) openProof(target netip.Addr, ev *ban.Event) {
	seed, err := strconv.ParseUint(ev.Incident.ID, 16, 64)
	if err != nil {
		panic("BUG: control: incident ID " + ev.Incident.ID + " is not 64 bits in hex")
	}
	proof := capture.NewEvidence(ev.Time, seed, e.config.Evidence, e.budget)
	hi, lo := keyHalves(target)
	samples := e.store.Select(e.scratch.samples[:0], hi, lo, capture.Both, 0, ev.Time+1)
	for i := range samples {
		proof.Add(&samples[i])
	}
	e.scratch.samples = samples
	e.proofs[target] = proof
}

// closeProof gives the memory of an ended incident's evidence back.
func (e *Engine) closeProof(target netip.Addr) {
	if proof := e.proofs[target]; proof != nil {
		proof.Close()
		delete(e.proofs, target)
	}
}

// prove adds a sample to the evidence of the open incidents that it belongs to.
func (e *Engine) prove(s *capture.Sample) {
	if len(e.proofs) == 0 {
		return
	}
	src, dst := counters.Key{Hi: s.SrcHi, Lo: s.SrcLo}, counters.Key{Hi: s.DstHi, Lo: s.DstLo}
	if proof := e.proofs[dst.Addr()]; proof != nil {
		proof.Add(s)
	}
	if src == dst {
		return
	}
	if proof := e.proofs[src.Addr()]; proof != nil {
		proof.Add(s)
	}
}

// Open calls f with every open incident and its evidence, in order of target.
func (e *Engine) Open(f func(*ban.Incident, *capture.Evidence)) {
	e.book.Each(func(in *ban.Incident) { f(in, e.proofs[in.Target.Addr()]) })
}

// packetOf turns a sample into what classification reads.
func packetOf(s *capture.Sample) detect.Packet {
	return detect.Packet{
		Weight: float64(s.Gap) * float64(s.Sampling), IPLen: s.IPLen,
		SrcPort: s.SrcPort, DstPort: s.DstPort, Proto: s.Proto, TCPFlags: s.TCPFlags,
		Fragment: detect.Fragment(s.Fragment),
	}
}
