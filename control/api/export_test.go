package api

import (
	"maps"
	"slices"
	"time"
)

// MaxAnswer and MaxConnections are bounds, for the tests outside.
const (
	MaxAnswer      = maxAnswer
	MaxConnections = maxConnections
)

// SetHeaderTimeout has s wait less long for a request's header.
func (s *Server) SetHeaderTimeout(d time.Duration) { s.headerTimeout = d }

// SetPatience has c wait less long for an answer.
func (c *Client) SetPatience(d time.Duration) { c.patience = d }

// Routes returns the patterns of all routes, each with the parameters that it takes.
func (s *Server) Routes() map[string][]string {
	out := map[string][]string{}
	for pattern, r := range s.routes() {
		out[pattern] = slices.Sorted(slices.Values(r.params))
	}
	return maps.Clone(out)
}
