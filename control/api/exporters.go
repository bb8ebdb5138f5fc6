package api

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

// Exporter is what is known of one exporter of flows since it was first heard. Fields that are nil
// are left out: the exporter never told.
type Exporter struct {
	Address          string `json:"address"`  // of the socket; of sFlow the agent's
	Protocol         string `json:"protocol"` // netflow5, netflow9, ipfix, sflow4, sflow5
	Datagrams        uint64 `json:"datagrams"`
	Flows            uint64 `json:"flows"`   // records
	Options          uint64 `json:"options"` // options data records
	Templates        uint64 `json:"templates"`
	CounterSamples   uint64 `json:"counter_samples"` // of sFlow
	Discarded        uint64 `json:"discarded"`       // sFlow samples of what the device dropped
	Lost             uint64 `json:"lost"`            // before us, as the sequence numbers say
	LostUnit         string `json:"lost_unit"`       // records or datagrams
	Late             uint64 `json:"late"`            // datagrams out of order, or repeated
	Restarts         uint64 `json:"restarts"`
	TemplatesMissing uint64 `json:"templates_missing"` // data sets whose template has not come
	Skipped          uint64 `json:"skipped"`           // records that tell of no traffic to count
	Faults           uint64 `json:"faults"`            // parts that could not be read

	SamplingRate uint32 `json:"sampling_rate"` // N of 1:N; 0 before the first record
	SamplingFrom string `json:"sampling_from"` // where that was learned; unknown: never told

	ClockSkewMS    *float64 `json:"clock_skew_ms,omitempty"` // our clock minus the exporter's
	MedianFlow     *float64 `json:"median_flow_seconds,omitempty"`
	DetectionDelay *float64 `json:"detection_delay_seconds,omitempty"` // of 19 of 20 flows

	LastSeen time.Time `json:"last_seen"`
	Idle     float64   `json:"idle_seconds"`

	// Interfaces are those that sFlow's counter samples tell of, MaxInterfaces at most.
	Interfaces []ExporterInterface `json:"interfaces,omitempty"`
}

// MaxInterfaces is how many interfaces of an exporter are listed.
const MaxInterfaces = 512

// ExporterInterface is one interface of an exporter, with rates between its last two counter
// samples, as seen from the exporter.
type ExporterInterface struct {
	Index uint32            `json:"index"` // SNMP ifIndex
	Up    bool              `json:"up"`
	Speed uint64            `json:"speed_bps"` // 0: not told
	In    ExporterDirection `json:"in"`
	Out   ExporterDirection `json:"out"`
}

// ExporterDirection is one direction of an interface, per second.
type ExporterDirection struct {
	BPS      uint64  `json:"bps"`
	PPS      uint64  `json:"pps"`
	Errors   float64 `json:"errors"`
	Discards float64 `json:"discards"`
}

// LossShare returns the part, 0 to 1, of what the exporter sent that was lost before us.
func (e *Exporter) LossShare() float64 {
	got := e.Datagrams
	if e.LostUnit == "records" {
		got = e.Flows + e.Options + e.Skipped
	}
	if e.Lost == 0 {
		return 0
	}
	return float64(e.Lost) / float64(e.Lost+got)
}

// ExporterList is the answer to GET /api/v1/exporters: those with most flows first.
type ExporterList struct {
	Type      string     `json:"type"` // "exporters"
	Time      time.Time  `json:"time"`
	Matched   int        `json:"matched"` // that fit the query
	Exporters []Exporter `json:"exporters"`
	Unlisted  uint64     `json:"unlisted"` // datagrams of exporters that found no place in the list
}

// ExporterQuery selects exporters.
type ExporterQuery struct {
	Prefix netip.Prefix // that the address is in; zero: all
	Limit  int          // 1 to MaxExporters
}

// Bounds of an ExporterQuery's limit.
const (
	DefaultExporters = 50
	MaxExporters     = 10_000
)

// ParseExporters reads what an exporter's address is to fit: a prefix or an address; "" is all.
func ParseExporters(filter string) (netip.Prefix, error) {
	if filter == "" {
		return netip.Prefix{}, nil
	}
	if a, err := netip.ParseAddr(filter); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(filter)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no prefix and no address", clean(filter))
	}
	return p.Masked(), nil
}

// Exporters returns the exporters that fit q.
func (c *Client) Exporters(ctx context.Context, q ExporterQuery) (l ExporterList, err error) {
	v := url.Values{}
	if q.Prefix.IsValid() {
		v.Set("filter", q.Prefix.String())
	}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	err = c.get(ctx, "/api/v1/exporters", v, &l)
	return l, err
}

func (s *Server) exporters(r *http.Request) (any, error) {
	q, err := exporterQuery(r.URL.Query())
	if err != nil {
		return nil, err
	}
	return s.backend.Exporters(q), nil
}

// exporterQuery reads the parameters of /api/v1/exporters.
func exporterQuery(v url.Values) (q ExporterQuery, err error) {
	if q.Prefix, err = ParseExporters(v.Get("filter")); err != nil {
		return q, badRequest("parameter \"filter\": %v", err)
	}
	q.Limit, err = limitOf(v, DefaultExporters, MaxExporters)
	return q, err
}

// limitOf reads the parameter limit.
func limitOf(v url.Values, usual, most int) (int, error) {
	if !v.Has("limit") {
		return usual, nil
	}
	n, err := strconv.Atoi(v.Get("limit"))
	if err != nil || n < 1 || n > most {
		return 0, badRequest("parameter \"limit\" is %q, not a number from 1 to %d",
			clean(v.Get("limit")), most)
	}
	return n, nil
}
