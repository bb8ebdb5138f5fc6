package api

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// What one client can take of the server, and for how long.
const (
	headerTimeout  = 5 * time.Second
	reloadTimeout  = 5 * time.Minute // tables of large networks are made first
	maxHeader      = 16 << 10
	maxBody        = 1 << 20
	maxConnections = 64
	maxKept        = 4 << 20 // of a buffer, for the next answer
	stopPatience   = 2 * time.Second
)

//go:embed openapi.json
var document []byte

// Server answers the API's requests: an http.Handler.
type Server struct {
	backend Backend
	log     *slog.Logger
	handler http.Handler
	buffers sync.Pool // of *bytes.Buffer

	headerTimeout time.Duration // for a request's header; tests have less of it
}

// NewServer returns a server that asks b. What goes wrong inside is logged.
func NewServer(b Backend, log *slog.Logger) *Server {
	s := &Server{backend: b, log: log, headerTimeout: headerTimeout}
	mux := http.NewServeMux()
	for pattern, h := range s.routes() {
		mux.Handle(pattern, h)
	}
	s.handler = http.NewCrossOriginProtection().Handler(mux)
	return s
}

// route is one of the API's: the query parameters that it takes, and what it answers.
type route struct {
	server *Server
	params []string
	body   bool // it takes one
	answer func(r *http.Request) (any, error)

	patience time.Duration // for the answer; 0: as long as any
}

// raw is an answer that is not JSON made here.
type raw struct {
	kind string
	data []byte
}

func (s *Server) routes() map[string]*route {
	get := func(answer func(*http.Request) (any, error), params ...string) *route {
		return &route{server: s, params: params, answer: answer}
	}
	reload := get(s.reload, "dry_run")
	reload.patience = reloadTimeout
	post := func(answer func(*http.Request) (any, error)) *route {
		return &route{server: s, body: true, answer: answer}
	}
	b := s.backend
	return map[string]*route{
		"GET /api/v1/status":    get(func(*http.Request) (any, error) { return b.Status(), nil }),
		"GET /api/v1/pipeline":  get(func(*http.Request) (any, error) { return b.Pipeline(), nil }),
		"GET /api/v1/networks":  get(func(*http.Request) (any, error) { return b.Networks(), nil }),
		"GET /api/v1/cores":     get(func(*http.Request) (any, error) { return b.Cores(), nil }),
		"GET /api/v1/routes":    get(func(*http.Request) (any, error) { return b.Routes(), nil }),
		"GET /api/v1/exporters": get(s.exporters, "filter", "limit"),
		"GET /api/v1/hosts": get(s.hosts, "sort", "direction", "filter", "family",
			"limit"),
		"GET /api/v1/hosts/{address}":     get(s.why),
		"GET /api/v1/attacks":             get(s.attacks, "state"),
		"GET /api/v1/attacks/{id}":        get(s.attack),
		"GET /api/v1/attacks/{id}/report": get(s.report),
		"POST /api/v1/reload":             reload,
		"POST /api/v1/ban":                post(s.ban),
		"POST /api/v1/unban":              post(s.unban),
		"POST /api/v1/freeze":             post(s.freeze),
		"POST /api/v1/withdraw-all":       post(s.withdrawAll),
		"GET /api/v1/openapi.json": get(func(*http.Request) (any, error) {
			return raw{"application/json", document}, nil
		}),
		"GET /livez":  get(func(*http.Request) (any, error) { return alive(), nil }),
		"GET /readyz": get(s.ready),
	}
}

const text = "text/plain; charset=utf-8"

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("panic in a request", "cause", "panic", "path", clean(r.URL.Path),
				"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			writeProblem(w, r, &Problem{Status: http.StatusInternalServerError,
				Detail: "weir has a fault; its log says where"})
		}
	}()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	r = r.WithContext(r.Context()) // a copy
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	r.Host = noOrigin // what a request calls us proves nothing about its origin
	s.handler.ServeHTTP(&problems{ResponseWriter: w, request: r}, r)
}

// noOrigin is a host that no origin can have: it is not a valid one.
const noOrigin = " "

// ServeHTTP answers one request of the route.
func (t *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := t.check(r); err != nil {
		writeProblem(w, r, problemOf(err))
		return
	}
	if t.patience > 0 {
		// A writer that has no deadline needs none.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(t.patience))
	}
	v, err := t.answer(r)
	if err != nil {
		writeProblem(w, r, problemOf(err))
		return
	}
	t.server.write(w, v)
}

// write sends an answer. It is encoded as a whole before its first byte leaves, so that a slow
// client holds nothing of the backend's.
func (s *Server) write(w http.ResponseWriter, v any) {
	out, ok := v.(raw)
	if !ok {
		b, _ := s.buffers.Get().(*bytes.Buffer)
		if b == nil {
			b = new(bytes.Buffer)
		}
		defer s.keep(b)
		e := json.NewEncoder(b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			panic(fmt.Sprintf("BUG: api: encode %T: %v", v, err))
		}
		out = raw{"application/json", b.Bytes()}
	}
	w.Header().Set("Content-Type", out.kind)
	_, _ = w.Write(out.data) // a client that went away
}

// keep has a buffer for the next answer, unless it has become unusually large.
func (s *Server) keep(b *bytes.Buffer) {
	if b.Cap() <= maxKept {
		b.Reset()
		s.buffers.Put(b)
	}
}

// check holds the request to the parameters of its route.
func (t *route) check(r *http.Request) error {
	if r.Method == http.MethodPost && !t.body {
		if n, err := io.Copy(io.Discard, r.Body); err != nil || n > 0 {
			return badRequest("the request has a body; it takes none")
		}
	}
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	for name, values := range query {
		if !contains(t.params, name) {
			return badRequest("unknown parameter %q", clean(name))
		}
		if len(values) > 1 {
			return badRequest("parameter %q is given %d times", name, len(values))
		}
	}
	return nil
}

// Serve answers on l until ctx ends, then finishes what is under way for two seconds at most, and
// closes l. More than 64 connections wait.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: s.headerTimeout, ReadTimeout: 2 * s.headerTimeout,
		WriteTimeout: 3 * s.headerTimeout, IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(netutil.LimitListener(l, maxConnections)) }()
	select {
	case err := <-ended:
		_ = server.Close()
		return fmt.Errorf("serve the API on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	if server.Shutdown(patience) != nil {
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API on %s: %w", l.Addr(), err)
	}
	return nil
}

func (s *Server) hosts(r *http.Request) (any, error) {
	q, err := hostQuery(r.URL.Query())
	if err != nil {
		return nil, err
	}
	return s.backend.Hosts(r.Context(), q)
}

func (s *Server) why(r *http.Request) (any, error) {
	a, err := netip.ParseAddr(r.PathValue("address"))
	if err != nil || a.Zone() != "" {
		return nil, badRequest("%q is not an IP address", clean(r.PathValue("address")))
	}
	return s.backend.Why(r.Context(), a)
}

func (s *Server) attacks(r *http.Request) (any, error) {
	state, err := oneOf(r.URL.Query(), "state", "all", "active", "over")
	if err != nil {
		return nil, err
	}
	return s.backend.Attacks(state), nil
}

func (s *Server) attack(r *http.Request) (any, error) {
	id, err := incidentID(r)
	if err != nil {
		return nil, err
	}
	a, err := s.backend.Attack(id)
	if err != nil {
		return nil, fmt.Errorf("incident %s: %w", id, err)
	}
	return a, nil
}

func (s *Server) report(r *http.Request) (any, error) {
	id, err := incidentID(r)
	if err != nil {
		return nil, err
	}
	data, err := s.backend.Report(id)
	if err != nil {
		return nil, fmt.Errorf("report of incident %s: %w", id, err)
	}
	return raw{text, data}, nil
}

// incidentID returns the ID in the path; only what looks like one becomes a part of a file's.
func incidentID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if len(id) != 16 || strings.Trim(id, "0123456789abcdef") != "" {
		return "", fmt.Errorf("incident %q: %w", clean(id), ErrNotFound)
	}
	return id, nil
}

func (s *Server) reload(r *http.Request) (any, error) {
	dry, err := oneOf(r.URL.Query(), "dry_run", "false", "true")
	if err != nil {
		return nil, err
	}
	return s.backend.Reload(r.Context(), dry == "true")
}

func (s *Server) ready(*http.Request) (any, error) {
	if st := s.backend.Status(); !st.Healthy {
		return nil, &Problem{Status: http.StatusServiceUnavailable,
			Detail: strings.Join(st.Problems, " ")}
	}
	return alive(), nil
}

func alive() raw { return raw{text, []byte("ok\n")} }

// problemOf returns what a client is told of an error.
func problemOf(err error) *Problem {
	var p *Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, ErrNotFound):
		return &Problem{Status: http.StatusNotFound, Detail: err.Error()}
	case errors.Is(err, ErrUnexpected):
		return &Problem{Status: http.StatusConflict, Detail: err.Error()}
	case errors.Is(err, context.Canceled):
		return &Problem{Status: http.StatusServiceUnavailable, Detail: "the request was given up"}
	}
	return &Problem{Status: http.StatusServiceUnavailable, Detail: err.Error()}
}
