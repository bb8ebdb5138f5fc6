package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Problem is an answer that is none, as RFC 9457 has it.
type Problem struct {
	Type     string `json:"type"` // "about:blank": Title says it all
	Title    string `json:"title"`
	Status   int    `json:"status"` // of HTTP
	Detail   string `json:"detail"`
	Instance string `json:"instance"` // the path asked for
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

func badRequest(format string, args ...any) error {
	return &Problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf(format, args...)}
}

func writeProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	full := *p
	full.Type, full.Title = "about:blank", http.StatusText(p.Status)
	full.Instance = clean(r.URL.Path)
	if full.Detail == "" {
		full.Detail = full.Title
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(&full) // a client that went away
}

// problems turns the plain texts of net/http's own refusals into Problems.
type problems struct {
	http.ResponseWriter
	request *http.Request
	refused bool
}

// Unwrap lets http.ResponseController reach the connection.
func (p *problems) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (p *problems) WriteHeader(status int) {
	kind := p.Header().Get("Content-Type")
	if status < http.StatusBadRequest || kind == "application/problem+json" {
		p.ResponseWriter.WriteHeader(status)
		return
	}
	p.refused = true
	detail := map[int]string{
		http.StatusNotFound:         "there is nothing at this path; see /api/v1/openapi.json",
		http.StatusMethodNotAllowed: "only " + p.Header().Get("Allow"),
		http.StatusForbidden:        "requests from other sites are refused",
	}[status]
	writeProblem(p.ResponseWriter, p.request, &Problem{Status: status, Detail: detail})
}

// Write implements http.ResponseWriter.
func (p *problems) Write(b []byte) (int, error) {
	if p.refused {
		return len(b), nil
	}
	return p.ResponseWriter.Write(b)
}

// maxEcho bounds what an answer repeats of a question, bytes.
const maxEcho = 128

// clean makes text from outside fit to be shown.
func clean(text string) string {
	if len(text) > maxEcho {
		text = text[:maxEcho]
	}
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(text, "?"))
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }

func parseQuery(raw string) (url.Values, error) {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badRequest("the query cannot be read: %s", clean(err.Error()))
	}
	return q, nil
}

// oneOf returns the parameter, which is one of values; the first where it is not given.
func oneOf(q url.Values, name string, values ...string) (string, error) {
	if !q.Has(name) {
		return values[0], nil
	}
	v := q.Get(name)
	if !slices.Contains(values, v) {
		return "", badRequest("parameter %q is %q, not one of %s", name, clean(v),
			strings.Join(values, ", "))
	}
	return v, nil
}

// hostQuery reads the parameters of /api/v1/hosts.
func hostQuery(q url.Values) (h HostQuery, err error) {
	if h.Sort, err = oneOf(q, "sort", "pps", "bps", "fps", "percent"); err != nil {
		return h, err
	}
	if h.Direction, err = oneOf(q, "direction", "both", "incoming", "outgoing"); err != nil {
		return h, err
	}
	family, err := oneOf(q, "family", "0", "4", "6")
	if err != nil {
		return h, err
	}
	h.Family = int(family[0] - '0')
	if h.Filter = q.Get("filter"); len(h.Filter) > maxEcho || clean(h.Filter) != h.Filter {
		return h, badRequest("parameter \"filter\" is %q: not up to %d visible characters",
			clean(h.Filter), maxEcho)
	}
	h.Limit, err = limitOf(q, DefaultHosts, MaxHosts)
	return h, err
}
