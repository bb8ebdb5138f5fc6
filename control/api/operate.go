package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The bodies of what people ask for. Every field has to be given: a question that changes traffic
// leaves nothing to be guessed.
type (
	banBody struct {
		Address string `json:"address"`
		Reason  string `json:"reason"`
		TTL     string `json:"ttl"` // e.g. 30m
	}
	unbanBody struct {
		Address string `json:"address"`
		Reason  string `json:"reason"`
	}
	freezeBody struct {
		On bool `json:"on"`
	}
	withdrawAllBody struct {
		Expect int `json:"expect"` // -1: however many
	}
)

func (s *Server) ban(r *http.Request) (any, error) {
	var b banBody
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	request, err := banRequest(b.Address, b.Reason)
	if err != nil {
		return nil, err
	}
	request.TTL, err = time.ParseDuration(b.TTL)
	if err != nil || request.TTL <= 0 || request.TTL > MaxTTL {
		return nil, badRequest("field \"ttl\" is %q, not a time above 0 and up to %dh, e.g. 30m",
			clean(b.TTL), MaxTTL/time.Hour)
	}
	return named(request.Address)(s.backend.Ban(r.Context(), request))
}

func (s *Server) unban(r *http.Request) (any, error) {
	var b unbanBody
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	request, err := banRequest(b.Address, b.Reason)
	if err != nil {
		return nil, err
	}
	return named(request.Address)(s.backend.Unban(r.Context(), request))
}

func (s *Server) freeze(r *http.Request) (any, error) {
	var b freezeBody
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	return s.backend.Freeze(r.Context(), b.On)
}

func (s *Server) withdrawAll(r *http.Request) (any, error) {
	var b withdrawAllBody
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	if b.Expect < -1 {
		return nil, badRequest("field \"expect\" is %d, not a number of routes; -1 is however many",
			b.Expect)
	}
	return s.backend.WithdrawAll(r.Context(), b.Expect)
}

// named returns what a backend answered, and says in an error which address it is about.
func named(a netip.Addr) func(Outcome, error) (any, error) {
	return func(o Outcome, err error) (any, error) {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a, err)
		}
		return o, nil
	}
}

// banRequest holds an address and a reason to their bounds.
func banRequest(address, reason string) (r BanRequest, err error) {
	wrong := func(what string) (BanRequest, error) {
		return BanRequest{}, badRequest("field \"address\" is %q%s", clean(address), what)
	}
	a, err := netip.ParseAddr(address)
	switch {
	case strings.Contains(address, "/"):
		return wrong(": a prefix, not one address")
	case err != nil:
		return wrong(", not an IP address")
	case a.Zone() != "":
		return wrong(": it has a zone")
	case a.Is4In6():
		return wrong(": write " + a.Unmap().String())
	case strings.TrimSpace(reason) == "":
		return r, badRequest("field \"reason\" is empty")
	case utf8.RuneCountInString(reason) > MaxReason:
		return r, badRequest("field \"reason\" has %d characters, more than %d",
			utf8.RuneCountInString(reason), MaxReason)
	case strings.ContainsFunc(reason, func(c rune) bool { return !unicode.IsPrint(c) }):
		return r, badRequest("field \"reason\" is %q: not all of it can be printed", clean(reason))
	}
	return BanRequest{Address: a, Reason: reason}, nil
}
