package zerocopy

import (
	"fmt"
	"slices"
)

// Names of scenes.
const (
	SceneRing      = "ring"
	SceneReopened  = "ring, opened again" // in the same process
	SceneFlapped   = "ring, link down and up"
	SceneUnplugged = "ring, cable out and in"
	SceneStalled   = "ring, worker stalled" // until no frame of the memory is free
	SceneTraffic   = "ring, closed under traffic"
	SceneCopy      = "ring, in copy mode"
	SceneBack      = "ring, zero-copy again"
	SceneQueues    = "ring, two queues"
	SceneHalf      = "ring, one of two queues"
	SceneDaemon    = "weir run"
	SceneKilled    = "weir run after kill -9"
	SceneDown      = "weir run, link down and up"
	SceneRebound   = "weir run, in copy mode"
)

// expectation is what has to be seen in a scene.
type expectation struct {
	scene   string
	mode    string // of every queue that is held
	looked  bool   // at every frame
	queues  int    // that are held, or sockets one after the other; 0: 1
	passing bool   // frames pass to the guest's stack
	leaky   bool   // frames come while nobody takes them
	stalled bool   // the ring was full
}

// Reopenings is how often a queue is opened and closed under traffic.
const Reopenings = 4

const (
	zeroCopy = "zerocopy"
	copyMode = "copy"
)

// expectations are what has to be seen, in this order, of a machine whose second card has so many
// queues (0: there is none).
func expectations(queues int) []expectation {
	all := []expectation{
		{scene: SceneRing, mode: zeroCopy, looked: true},
		{scene: SceneReopened, mode: zeroCopy, looked: true},
		{scene: SceneReopened, mode: zeroCopy, looked: true},
		{scene: SceneFlapped, mode: zeroCopy, looked: true},
		{scene: SceneUnplugged, mode: zeroCopy, looked: true},
		{scene: SceneStalled, mode: zeroCopy, looked: true, stalled: true},
		{
			scene: SceneTraffic, mode: zeroCopy, looked: true, leaky: true,
			queues: Reopenings,
		},
		{scene: SceneCopy, mode: copyMode, looked: true},
		{scene: SceneBack, mode: zeroCopy, looked: true},
	}
	if queues > 0 {
		all = append(all,
			expectation{scene: SceneQueues, mode: zeroCopy, looked: true, queues: queues},
			expectation{
				scene: SceneHalf, mode: zeroCopy, looked: true, queues: 1, passing: true,
			})
	}
	both := queues + 1
	return append(all,
		expectation{scene: SceneDaemon, mode: zeroCopy, queues: both},
		expectation{scene: SceneKilled, mode: zeroCopy, queues: both},
		expectation{scene: SceneDown, mode: zeroCopy, queues: both},
		expectation{scene: SceneRebound, mode: copyMode, queues: both})
}

// Check returns a sentence for everything that was not as it has to be, none if all was. queues
// is that of Options.
func Check(shown []Result, queues int) (faults []string) {
	want := expectations(queues)
	for i := range want {
		if i >= len(shown) || shown[i].Scene != want[i].scene {
			return append(faults, fmt.Sprintf("scene %d is missing: %s", i+1, want[i].scene))
		}
		for _, fault := range want[i].check(&shown[i]) {
			faults = append(faults, shown[i].Scene+": "+fault)
		}
	}
	if len(shown) > len(want) {
		faults = append(faults, fmt.Sprintf("%d scenes, want %d", len(shown), len(want)))
	}
	return faults
}

func (e *expectation) check(r *Result) (faults []string) {
	fault := func(wrong bool, form string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Sprintf(form, args...))
		}
	}
	queues := max(1, e.queues)
	fault(len(r.Queues) != queues, "%d queues, want %d", len(r.Queues), queues)
	for n, q := range r.Queues {
		fault(q.Mode != e.mode, "queue %d was granted %q, want %s (%s)", n, q.Mode, e.mode,
			q.Reason)
		fault(q.Received == 0, "queue %d received nothing", n)
	}
	received := r.Received()
	fault(r.Sent == 0, "nothing was sent")
	if e.leaky {
		fault(received > r.Sent, "sent %d, received %d", r.Sent, received)
	} else {
		fault(received+r.Passed != r.Sent, "sent %d, received %d, passed %d", r.Sent, received,
			r.Passed)
		fault(r.Passed > 0 != e.passing, "passed %d", r.Passed)
		fault(r.Lost() > 0, "lost %v", r.Dropped)
	}
	fault(r.Counted+r.Shed != received, "received %d, counted %d, left out %d", received,
		r.Counted, r.Shed)
	fault(r.Shed > 0 && !e.stalled && !e.leaky, "left out %d", r.Shed)
	if !e.looked {
		return faults
	}
	if r.Frames == nil {
		return append(faults, "nobody looked at the frames")
	}
	return slices.Concat(faults, e.checkFrames(r, r.Frames))
}

// checkFrames checks what was seen of the single frames.
func (e *expectation) checkFrames(r *Result, f *Frames) (faults []string) {
	if f.Once != r.Received() || f.Twice+f.Damaged+f.Strange > 0 {
		faults = append(faults, fmt.Sprintf("%d received: %d unchanged, %d twice, %d damaged, "+
			"%d strange", r.Received(), f.Once, f.Twice, f.Damaged, f.Strange))
	}
	exact := !e.stalled && !e.leaky // else some frames are left out, or missed
	if exact && (f.HostsWrong > 0 || !e.passing && f.Hosts != Hosts) {
		faults = append(faults, fmt.Sprintf("%d hosts, %d of them counted wrongly", f.Hosts,
			f.HostsWrong))
	}
	if e.stalled && f.Fill < 95 {
		faults = append(faults, fmt.Sprintf("the ring was %d %% full at most", f.Fill))
	}
	return faults
}
