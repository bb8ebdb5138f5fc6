package api

import (
	"maps"
	"reflect"
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

// Bodies returns the types of the bodies that requests have, by the names of their schemas.
func Bodies() map[string]reflect.Type {
	return map[string]reflect.Type{
		"BanBody": reflect.TypeFor[banBody](), "UnbanBody": reflect.TypeFor[unbanBody](),
		"FreezeBody":      reflect.TypeFor[freezeBody](),
		"WithdrawAllBody": reflect.TypeFor[withdrawAllBody](),
	}
}
