package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"weir/control"
	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/control/governor"
	"weir/control/rate"
	"weir/decode"
	"weir/decode/pcap"
	"weir/ring/replay"
	"weir/tools/blast"
)

// DetectConfig says what `weir bench detect` runs: D1, a flood that begins amid the traffic of a
// workload.
type DetectConfig struct {
	Workload   blast.Workload // of DetectWorkloads; its zero value is W2
	Vector     string         // one of blast.Vectors
	IPv6       bool           // the victim's family
	Limit      int            // packets per second for every host
	Factor     float64        // the flood's rate over the limit
	Background int            // packets per second to the workload's hosts, together
	Phases     int            // floods, each at another moment of a second
	Degraded   []string
}

// DetectResult is the distribution of the delay from a flood's first packet to the verdict, by the
// stream's own clock: how fast the machine is does not matter.
type DetectResult struct {
	Type       string    `json:"type"`
	Bench      string    `json:"bench"`
	Workload   string    `json:"workload"`
	Amid       string    `json:"background_workload"`
	Vector     string    `json:"vector"`
	Family     string    `json:"family"`
	LimitPPS   int       `json:"limit_pps"`
	AttackPPS  int       `json:"attack_pps"`
	Background int       `json:"background_pps"`
	Phases     int       `json:"phases"`
	Missed     int       `json:"missed"`    // floods without a verdict within 3 s
	Wrong      int       `json:"wrong"`     // verdicts about another host
	Delays     []float64 `json:"delays_ms"` // of each verdict, in the order of the phases drawn
	Least      float64   `json:"least_ms"`
	Median     float64   `json:"median_ms"`
	P95        float64   `json:"p95_ms"`
	Most       float64   `json:"most_ms"`
	Cores      int       `json:"cores"`
	Flows      bool      `json:"flow_tracking"`
	Host       Host      `json:"host"`
	Degraded   []string  `json:"degraded"`
}

// DetectWorkloads are those that a flood may begin amid: UDP from anywhere, evenly to all hosts,
// which a clock can be given to.
func DetectWorkloads() []string { return []string{"W1", "W2", "W3"} }

const (
	detectCalm  = time.Second     // of background before the second in which a flood begins
	detectFlood = 3 * time.Second // its length
	// detectStart is the stream's clock at the start: any whole second.
	detectStart = int64(1_700_000_000e9)
	snapLen     = 96 // bytes kept of a frame: what evidence is made of
)

// Detect runs the whole engine in lock-step on D1, once for each phase.
func Detect(c *DetectConfig) (DetectResult, error) {
	amid, err := c.amid()
	if err != nil {
		return DetectResult{}, err
	}
	r := DetectResult{
		Type: "bench", Bench: "detect", Amid: amid.Name, Vector: c.Vector, Family: "ipv4",
		LimitPPS: c.Limit, AttackPPS: int(math.Round(float64(c.Limit) * c.Factor)),
		Background: c.Background, Phases: c.Phases, Cores: 1, Flows: true, Host: ThisHost(),
		Degraded: append([]string{}, c.Degraded...),
	}
	home := HomeOf(&amid)
	hosts, victim := amidHosts(&amid, home)
	if c.IPv6 {
		r.Family, victim = "ipv6", netip.MustParseAddr("2001:db8:10:5::77")
	}
	r.Workload = c.name(r.Family, amid.Name)
	phases := rand.New(rand.NewPCG(seed, uint64(c.Phases)))
	for i := range c.Phases {
		begin := detectCalm + time.Duration(phases.Int64N(int64(time.Second)))
		s := blast.Scenario{
			Start: time.Unix(0, detectStart), Seed: uint64(i), SnapLen: snapLen,
			Flows: []blast.Flow{{
				Vector: "udp_flood", Dst: hosts, PPS: c.Background, To: begin + detectFlood,
			}, {
				Vector: c.Vector, PPS: r.AttackPPS, From: begin, To: begin + detectFlood,
				Dst: blast.Hosts{Prefix: netip.PrefixFrom(victim, victim.BitLen())},
			}},
		}
		v, err := firstVerdict(&s, detectEngine(c.Limit, home))
		switch {
		case err != nil:
			return r, fmt.Errorf("replay a flood that begins after %v: %w", begin, err)
		case !v.found:
			r.Missed++
		case v.target != victim:
			r.Wrong++
		default:
			delay := time.Duration(v.at-detectStart) - begin
			r.Delays = append(r.Delays, float64(delay.Microseconds())/1e3)
		}
	}
	r.summarize()
	return r, nil
}

// amid returns the workload of the background.
func (c *DetectConfig) amid() (blast.Workload, error) {
	if c.Workload.Name == "" {
		return blast.Find("W2")
	}
	if !slices.Contains(DetectWorkloads(), c.Workload.Name) {
		return c.Workload, fmt.Errorf("begin amid %s: it is none of %q", c.Workload.Name,
			DetectWorkloads())
	}
	return c.Workload, nil
}

// name is that of the result; W2, which D1 was defined with, is not named in it.
func (c *DetectConfig) name(family, amid string) string {
	name := fmt.Sprintf("D1/%s/%s/%gx", c.Vector, family, c.Factor)
	if amid != "W2" {
		name += "/" + amid
	}
	return name
}

// amidHosts returns the hosts of the background, and a victim of IPv4, which is one of several.
func amidHosts(w *blast.Workload, home netip.Prefix) (blast.Hosts, netip.Addr) {
	first := home.Addr().As4()
	victim := netip.AddrFrom4([4]byte{first[0], first[1], 77, 2})
	if w.Hosts == 1 {
		home = netip.PrefixFrom(home.Addr().Next(), 32)
	}
	return blast.Hosts{Prefix: home}, victim
}

func (r *DetectResult) summarize() {
	if len(r.Delays) == 0 {
		r.Delays = []float64{}
		return
	}
	sorted := slices.Sorted(slices.Values(r.Delays))
	last := len(sorted) - 1
	r.Least, r.Median, r.Most = sorted[0], median(sorted), sorted[last]
	r.P95 = sorted[int(math.Ceil(0.95*float64(last+1)))-1] // the nearest rank
}

// verdict implements control.Events: it keeps the first attack that is found, and ends the replay.
type verdict struct {
	found  bool
	target netip.Addr
	at     int64
	cancel context.CancelFunc
}

// Event implements control.Events.
func (v *verdict) Event(e *ban.Event, _ *capture.Evidence) {
	if e.Kind == ban.Started && !v.found {
		v.found, v.target, v.at = true, e.Incident.Target.Addr(), e.Time
		v.cancel()
	}
}

// firstVerdict replays s until an attack is found.
func firstVerdict(s *blast.Scenario, engine control.Config) (*verdict, error) {
	frames, err := s.Capture("D1")
	if err != nil {
		return nil, err
	}
	source := replay.New([]*pcap.Reader{frames}, replay.Options{Sampling: 1})
	defer source.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	v := &verdict{cancel: cancel}
	r, err := control.NewReplay(engine, source, v)
	if err != nil {
		return nil, err
	}
	err = r.Run(ctx)
	if v.found && errors.Is(err, context.Canceled) {
		err = nil
	}
	return v, errors.Join(err, r.Close())
}

// detectEngine is an engine with one limit for every host, each way, and a slot for each of home.
func detectEngine(limit int, home netip.Prefix) control.Config {
	memory := uint64(64 << 20)
	if home.Bits() < 16 {
		memory = 1 << 30
	}
	var limits detect.Thresholds
	for d := range limits {
		limits[d].Value[rate.PPS], limits[d].Set[rate.PPS] = uint64(limit), true
	}
	networks := []netip.Prefix{home, blast.Home6()}
	return control.Config{
		Policy: detect.Policy{
			Networks: networks,
			Groups:   []detect.Hostgroup{{Name: detect.Global, Thresholds: limits}},
		},
		Ban:     ban.Config{Time: time.Minute, Quiet: 10 * time.Second, DryRun: true},
		Decoder: &decode.Decoder{},
		Memory:  memory, Seed: seed,
		Mitigation: control.Mitigation{
			Rules: governor.Rules{
				Networks: networks, MaxActive: 64, MaxPerMinute: 64, MaxShare: 100,
				MaxLease: time.Hour,
			},
			NextHop: netip.MustParseAddr("192.0.2.1"), NextHop6: netip.MustParseAddr("100::1"),
		},
	}
}
