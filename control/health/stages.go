package health

import (
	"maps"
	"slices"
)

// Names of the stages.
const (
	StageInterface  = "interface"
	StageRing       = "ring"
	StageDecode     = "decode"
	StageNetworks   = "networks"
	StageLimits     = "limits"
	StageMitigation = "mitigation"
)

// unattached is the name of frames that an interface received while nobody was attached to it. They
// never came to a ring, unlike those of all other names.
const unattached = "unattached"

// Stages returns the way of packets and of flow exports with what was lost on it. What the
// interface, or a port, handed over is what the workers took plus what was lost before them: every
// stage's In is its Out and its Lost. What nothing is captured for is left out.
func Stages(f *Facts) (all []Stage) {
	if len(f.Sources) > 0 || len(f.Ports) == 0 {
		all = frameStages(f)
	}
	if len(f.Ports) > 0 {
		all = append(all, exportStages(f)...)
	}
	return append(all, outcomeStages(f)...)
}

func frameStages(f *Facts) []Stage {
	ring := Stage{Name: StageRing, Unit: "frames"}
	passed := Count{}
	port := Stage{Name: StageInterface, Unit: "frames"}
	for i := range f.Sources {
		s := &f.Sources[i]
		passed.N += s.Passed.N
		passed.Now += s.Passed.Now
		for _, place := range slices.Sorted(maps.Keys(s.Lost)) {
			if place == unattached {
				port.lose(place, s.Lost[place])
			} else {
				ring.lose(place, s.Lost[place])
			}
		}
	}
	ring.out(f.Received, f.ReceivedNow)
	port.lose("passed_to_host", passed)
	port.out(ring.In, ring.InNow)

	decode := Stage{Name: StageDecode, Unit: "frames"}
	decode.lose("shed", f.Shed)
	for _, reason := range slices.Sorted(maps.Keys(f.Dropped)) {
		decode.lose(reason, f.Dropped[reason])
	}
	decode.out(f.Processed, f.ProcessedNow)

	networks := Stage{Name: StageNetworks, Unit: "packets"}
	networks.lose("foreign", f.Foreign)
	networks.lose("ignored", f.Ignored)
	networks.out(less(f.Processed, f.Foreign.N+f.Ignored.N),
		less(f.ProcessedNow, f.Foreign.Now+f.Ignored.Now))
	return []Stage{port, ring, decode, networks}
}

// outcomeStages are what became of what was counted.
func outcomeStages(f *Facts) []Stage {
	attacks := uint64(len(f.Attacks))
	limits := Stage{Name: StageLimits, Unit: "hosts", In: uint64(f.Hosts), InNow: uint64(f.Hosts)}
	limits.Out, limits.OutNow = f.All, attacks
	if f.Refused > 0 {
		limits.Lost = []Loss{{"incidents_full", f.Refused, 0}}
	}
	mitigation := Stage{
		Name: StageMitigation, Unit: "incidents", In: f.All, InNow: attacks,
		Out: uint64(f.Routes), OutNow: uint64(f.Routes),
	}
	allowed := uint64(0)
	for _, a := range f.Attacks {
		if a.Allowed {
			allowed++
		}
	}
	if allowed > 0 {
		mitigation.Lost = []Loss{{"allowlisted", allowed, allowed}}
	}
	return []Stage{limits, mitigation}
}

// lose adds a loss, unless it is none.
func (s *Stage) lose(name string, c Count) {
	if c.N == 0 {
		return
	}
	for i := range s.Lost {
		if s.Lost[i].Name == name {
			s.Lost[i].N += c.N
			s.Lost[i].Now += c.Now
			return
		}
	}
	s.Lost = append(s.Lost, Loss{name, c.N, c.Now})
}

// out sets what the stage handed on, and what came in.
func (s *Stage) out(n, now uint64) {
	s.Out, s.OutNow, s.In, s.InNow = n, now, n, now
	for _, l := range s.Lost {
		s.In += l.N
		s.InNow += l.Now
	}
}

func less(a, b uint64) uint64 { return a - min(a, b) }
