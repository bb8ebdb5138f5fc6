package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"unicode"

	"weir/control/api"
	"weir/control/api/apitest"
)

// problem reads an answer that has to be a problem of that status.
func problem(t *testing.T, w *httptest.ResponseRecorder, status int) api.Problem {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("no JSON: %v: %q", err, w.Body)
	}
	if kind := w.Header().Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("Content-Type is %q", kind)
	}
	if w.Code != status || p.Status != status || p.Type != "about:blank" ||
		p.Title != http.StatusText(status) || p.Detail == "" {
		t.Errorf("want %d, have %d: %+v", status, w.Code, p)
	}
	for _, text := range []string{p.Detail, p.Instance} {
		if strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("control characters are echoed: %q", text)
		}
	}
	if w.Body.Len() > 1500 {
		t.Errorf("an answer of %d bytes", w.Body.Len())
	}
	return p
}

func TestMalformedRequests(t *testing.T) {
	huge := strings.Repeat("a", 5000)
	id := "/api/v1/attacks/" + apitest.ActiveID
	type row struct {
		question string
		status   int
		names    string // what the detail has to name
	}
	rows := []row{
		{"GET /api/v1/hosts?sort=best", 400, `"sort"`},
		{"GET /api/v1/hosts?sort=", 400, `"sort"`},
		{"GET /api/v1/hosts?sort=pps&sort=bps", 400, `"sort"`},
		{"GET /api/v1/hosts?direction=up", 400, `"direction"`},
		{"GET /api/v1/hosts?family=5", 400, `"family"`},
		{"GET /api/v1/hosts?family=", 400, `"family"`},
		{"GET /api/v1/hosts?limit=0", 400, `"limit"`},
		{"GET /api/v1/hosts?limit=-1", 400, `"limit"`},
		{"GET /api/v1/hosts?limit=10001", 400, `"limit"`},
		{"GET /api/v1/hosts?limit=1e3", 400, `"limit"`},
		{"GET /api/v1/hosts?limit=99999999999999999999", 400, `"limit"`},
		{"GET /api/v1/hosts?limit=" + huge, 400, `"limit"`},
		{"GET /api/v1/hosts?filter=" + huge, 400, `"filter"`},
		{"GET /api/v1/hosts?filter=a%0d%0ab%1b[31m", 400, `"filter"`},
		{"GET /api/v1/hosts?filter=%ff", 400, `"filter"`},
		{"GET /api/v1/hosts?filter=%zz", 400, "query"},
		{"GET /api/v1/hosts?a;b", 400, "query"},
		{"GET /api/v1/exporters?limit=0", 400, `"limit"`},
		{"GET /api/v1/exporters?limit=10001", 400, `"limit"`},
		{"GET /api/v1/exporters?filter=core", 400, `"filter"`},
		{"GET /api/v1/exporters?filter=fe80::1%25eth0", 400, `"filter"`},
		{"GET /api/v1/exporters?filter=" + huge, 400, `"filter"`},
		{"GET /api/v1/hosts/999.1.1.1", 400, "999.1.1.1"},
		{"GET /api/v1/hosts/203.0.113.0%2F24", 400, "203.0.113.0/24"},
		{"GET /api/v1/hosts/fe80::1%25eth0", 400, "fe80::1%eth0"},
		{"GET /api/v1/hosts/a%00%1b%0a", 400, "IP address"},
		{"GET /api/v1/hosts/" + huge, 400, "IP address"},
		{"GET /api/v1/attacks?state=new", 400, `"state"`},
		{"GET /api/v1/attacks?state=all&state=all", 400, `"state"`},
		{"GET /api/v1/attacks/1", 404, `"1"`},
		{"GET /api/v1/attacks/00F1E2D3C4B5A697", 404, "not found"},
		{"GET /api/v1/attacks/..%2F..%2Fetc%2Fpasswd", 404, "not found"},
		{"GET /api/v1/attacks/..%2F..%2Fetc%2Fpasswd/report", 404, "not found"},
		{"GET /api/v1/attacks/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/report", 404, "not found"},
		{"GET /api/v1/attacks/0000000000%0d%0a%1b%00000/report", 404, "not found"},
		{"GET /api/v1/attacks/" + huge, 404, "not found"},
		{"POST /api/v1/reload?dry_run=yes", 400, `"dry_run"`},
		{"POST /api/v1/reload?dry_run=true&dry_run=true", 400, `"dry_run"`},
		{"GET /", 404, "openapi.json"}, {"GET /api/v1/", 404, "openapi.json"},
		{"GET /api/v2/status", 404, "openapi.json"},
		{"GET /api/v1/status/%1b%0a", 404, "openapi.json"},
		{"BREW /", 404, "openapi.json"},
	}
	for _, path := range []string{
		"/api/v1/status", "/api/v1/pipeline", "/api/v1/networks", "/api/v1/cores",
		"/api/v1/exporters", "/api/v1/hosts", "/api/v1/hosts/203.0.113.7", "/api/v1/attacks",
		id, id + "/report",
		"/api/v1/routes", "/api/v1/openapi.json", "/livez", "/readyz",
	} {
		rows = append(rows, row{"GET " + path + "?nonsense=1", 400, `"nonsense"`},
			row{"GET " + path + "?%1b%0a=1", 400, `"??"`},
			row{"GET " + path + "?" + huge, 400, "unknown parameter"},
			row{"POST " + path, 405, "GET, HEAD"}, row{"DELETE " + path, 405, "GET, HEAD"})
	}
	for _, path := range []string{"reload", "ban", "unban", "freeze", "withdraw-all"} {
		path = " /api/v1/" + path
		rows = append(rows, row{"GET" + path, 405, "POST"}, row{"PUT" + path, 405, "POST"},
			row{"POST" + path + "?nonsense=1", 400, `"nonsense"`})
	}
	s := api.NewServer(apitest.Sample(), quiet())
	for _, r := range rows {
		t.Run(r.question[:min(len(r.question), 60)], func(t *testing.T) {
			w := ask(s, r.question)
			if p := problem(t, w, r.status); !strings.Contains(p.Detail, r.names) {
				t.Errorf("the detail does not name %s: %s", r.names, p.Detail)
			}
			if allow := w.Header().Get("Allow"); (r.status == 405) != (allow != "") {
				t.Errorf("Allow is %q", allow)
			}
		})
	}
}

func TestReloadRefusesBodiesAndOtherSites(t *testing.T) {
	b := &apitest.Backend{OnReload: func(context.Context, bool) (api.ReloadResult, error) {
		t.Error("the backend was asked")
		return api.ReloadResult{}, nil
	}}
	s := api.NewServer(b, quiet())
	for name, body := range map[string]string{"small": "{}", "huge": strings.Repeat("x", 2<<20)} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("POST", "/api/v1/reload", strings.NewReader(body)))
		if p := problem(t, w, 400); !strings.Contains(p.Detail, "body") {
			t.Errorf("%s: %s", name, p.Detail)
		}
	}
	for header, value := range map[string]string{
		"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example",
	} {
		r := httptest.NewRequest("POST", "/api/v1/reload", nil)
		r.Header.Set(header, value)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		problem(t, w, 403)
	}
}

func TestErrorsOfTheBackend(t *testing.T) {
	b := &apitest.Backend{
		OnHosts: func(context.Context, api.HostQuery) (api.HostList, error) {
			return api.HostList{}, errors.New("the loop is stuck")
		},
		OnWhy: func(context.Context, netip.Addr) (api.Why, error) {
			return api.Why{}, context.Canceled
		},
		OnReload: func(context.Context, bool) (api.ReloadResult, error) {
			return api.ReloadResult{}, context.DeadlineExceeded
		},
	}
	s := api.NewServer(b, quiet())
	if p := problem(t, ask(s, "GET /api/v1/hosts"), 503); p.Detail != "the loop is stuck" {
		t.Error(p.Detail)
	}
	problem(t, ask(s, "GET /api/v1/hosts/192.0.2.1"), 503)
	problem(t, ask(s, "POST /api/v1/reload"), 503)
	problem(t, ask(s, "GET /readyz"), 503) // an empty backend is unhealthy for no reason
}

func TestPanic(t *testing.T) {
	var log strings.Builder
	var asked atomic.Int32
	b := &apitest.Backend{OnStatus: func() api.Status {
		if asked.Add(1) == 1 {
			panic("kaboom")
		}
		return apitest.Sample().Status()
	}}
	s := api.NewServer(b, slog.New(slog.NewJSONHandler(&log, nil)))
	if p := problem(t, ask(s, "GET /api/v1/status"), 500); strings.Contains(p.Detail, "kaboom") {
		t.Errorf("tells too much: %s", p.Detail)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "kaboom") {
		t.Errorf("%d log lines: %s", n, log.String())
	}
	if w := ask(s, "GET /api/v1/status"); w.Code != http.StatusOK {
		t.Errorf("the next request: %d", w.Code)
	}
}

func FuzzRequest(f *testing.F) {
	for _, question := range questions() {
		method, rest, _ := strings.Cut(question, " ")
		target, body, _ := strings.Cut(rest, " ")
		path, query, _ := strings.Cut(target, "?")
		f.Add(method, path, query, body)
	}
	f.Add("OPTIONS", "*", "", "")
	f.Add("CONNECT", "/api/v1/attacks/../../x", "%zz;\x00", "{")
	b := apitest.Sample()
	b.Data.Status.Healthy = true
	s := api.NewServer(b, quiet())
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		w := httptest.NewRecorder()
		r := &http.Request{
			Method: method, URL: &url.URL{Path: path, RawQuery: query}, Host: "weir",
			Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), RequestURI: path,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		}
		s.ServeHTTP(w, r)
		if w.Code >= 500 || w.Code < 200 {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		kind := w.Header().Get("Content-Type")
		switch {
		case w.Code >= 300 && w.Code < 400, strings.HasPrefix(kind, "text/plain"):
		case strings.HasSuffix(kind, "json") && json.Valid(w.Body.Bytes()):
		default:
			t.Fatalf("status %d, %s: %q", w.Code, kind, w.Body)
		}
	})
}
