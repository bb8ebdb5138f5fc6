package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"weir/control/api"
	"weir/control/api/apitest"
)

// unasked is a backend that nobody may ask for anything.
func unasked(t *testing.T) *apitest.Backend {
	none := func(what string) (api.Outcome, error) {
		t.Errorf("the backend was asked: %s", what)
		return api.Outcome{}, nil
	}
	return &apitest.Backend{
		OnBan: func(_ context.Context, r api.BanRequest) (api.Outcome, error) {
			return none(fmt.Sprint("ban ", r))
		},
		OnUnban: func(_ context.Context, r api.BanRequest) (api.Outcome, error) {
			return none(fmt.Sprint("unban ", r))
		},
		OnFreeze: func(context.Context, bool) (api.Outcome, error) {
			return none("freeze")
		},
		OnWithdrawAll: func(context.Context, int) (api.Outcome, error) {
			return none("withdraw all")
		},
	}
}

// refuse holds bodies, each with a word that the detail has to have, to being refused.
func refuse(t *testing.T, path string, bodies ...string) {
	t.Helper()
	s := api.NewServer(unasked(t), quiet())
	for i := 0; i < len(bodies); i += 2 {
		body, names := bodies[i], bodies[i+1]
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(body)))
		if p := problem(t, w, 400); !strings.Contains(p.Detail, names) {
			t.Errorf("%s %.80s: the detail does not name %s: %s", path, body, names, p.Detail)
		}
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	huge := strings.Repeat("x", 1<<20)
	for path, good := range map[string]string{
		"/api/v1/ban":          `{"address":"192.0.2.1","reason":"r","ttl":"1h"}`,
		"/api/v1/unban":        `{"address":"192.0.2.1","reason":"r"}`,
		"/api/v1/freeze":       `{"on":true}`,
		"/api/v1/withdraw-all": `{"expect":-1}`,
	} {
		within := strings.TrimSuffix(good, "}")
		first := strings.Trim(strings.Split(good, `:`)[0], `{"`)
		upper := strings.Replace(good, first, strings.ToUpper(first), 1)
		refuse(t, path,
			"", "object", " ", "object", "null", "object", "1", "object", `"a"`, "object",
			"["+good+"]", "object", good+good, "object", good+"x", "object", within, "object",
			within+",}", "object", strings.Repeat("[", 100_000), "object",
			"{}", "is missing", within+`,"nonsense":1}`, `"nonsense"`,
			within+`,"\u001b\n":1}`, `"??"`, within+`,"`+huge[:9000]+`":1}`, "unknown field",
			within+","+strings.TrimPrefix(good, "{"), `"`+first+`" is given twice`,
			upper, `"`+strings.ToUpper(first)+`"`,
			strings.Replace(good, `"`+first, `"`+first+"\xff", 1), "UTF-8",
			good+strings.Repeat(" ", 1<<20), "bytes", huge+"x", "bytes",
		)
	}
	refuse(t, "/api/v1/freeze",
		`{"on":"true"}`, `"on" is "true"`, `{"on":1}`, `"on" is 1`, `{"on":null}`, `"on" is null`,
		`{"on":[]}`, `"on"`)
	refuse(t, "/api/v1/withdraw-all",
		`{"expect":"3"}`, `"expect"`, `{"expect":null}`, `"expect"`, `{"expect":1.5}`, `"expect"`,
		`{"expect":1e2}`, `"expect"`, `{"expect":99999999999999999999}`, `"expect"`,
		`{"expect":-2}`, `"expect" is -2`, `{"expect":true}`, `"expect"`)
	refuse(t, "/api/v1/unban",
		`{"address":"192.0.2.1","reason":"r","ttl":"1h"}`, `unknown field "ttl"`,
		`{"address":"192.0.2.1"}`, `"reason" is missing`, `{"reason":"r"}`, `"address" is missing`,
		`{"address":"192.0.2.1","reason":""}`, `"reason" is empty`)
}

func TestBansThatAreRefused(t *testing.T) {
	f := func(field, value, names string) {
		t.Helper()
		with := map[string]string{"address": `"192.0.2.1"`, "reason": `"r"`, "ttl": `"1h"`}
		with[field] = value
		body := fmt.Sprintf(`{"address":%s,"reason":%s,"ttl":%s}`, with["address"], with["reason"],
			with["ttl"])
		refuse(t, "/api/v1/ban", body, `"`+field+`" `+names)
	}
	for _, address := range []string{
		`""`, `"192.0.2"`, `"192.0.2.256"`, `"192.0.2.01"`, `" 192.0.2.1"`, `"192.0.2.1\n"`,
		`"example.org"`, `"\u001b[2J"`, `"` + strings.Repeat("1", 5000) + `"`,
	} {
		f("address", address, "is")
	}
	f("address", `"192.0.2.0/24"`, `is "192.0.2.0/24": a prefix`)
	f("address", `"192.0.2.1/32"`, `is "192.0.2.1/32": a prefix`)
	f("address", `"fe80::1%eth0"`, `is "fe80::1%eth0": it has a zone`)
	f("address", `"::ffff:192.0.2.1"`, `is "::ffff:192.0.2.1": write 192.0.2.1`)
	f("address", `3221225985`, "is 3221225985, not a string")
	f("address", `null`, "is null, not a string")
	f("reason", `""`, "is empty")
	f("reason", `"  \u2003"`, "is empty")
	f("reason", `"a\nb"`, "is")
	f("reason", `"a\u001b[2J"`, "is")
	f("reason", `"a\u202eb"`, "is")
	f("reason", `"`+strings.Repeat("é", api.MaxReason+1)+`"`, "has 201 characters")
	f("reason", `["r"]`, "is")
	for _, ttl := range []string{
		`""`, `"0"`, `"0s"`, `"-1h"`, `"1"`, `"1d"`, `"8760h0m1s"`, `"2562048h"`, `"1h "`, `"∞"`,
	} {
		f("ttl", ttl, "is")
	}
	f("ttl", `3600`, "is 3600, not a string")
}

// TestWhatOperatorsAsk has each question arrive as it was meant.
func TestWhatOperatorsAsk(t *testing.T) {
	var got string
	note := func(format string, args ...any) (api.Outcome, error) {
		got = fmt.Sprintf(format, args...)
		return api.Outcome{Type: "ban", OK: true, Text: "done"}, nil
	}
	b := &apitest.Backend{
		OnBan: func(_ context.Context, r api.BanRequest) (api.Outcome, error) {
			return note("ban %v %q %v", r.Address, r.Reason, r.TTL)
		},
		OnUnban: func(_ context.Context, r api.BanRequest) (api.Outcome, error) {
			return note("unban %v %q %v", r.Address, r.Reason, r.TTL)
		},
		OnFreeze: func(_ context.Context, on bool) (api.Outcome, error) {
			return note("freeze %v", on)
		},
		OnWithdrawAll: func(_ context.Context, expect int) (api.Outcome, error) {
			return note("withdraw %d", expect)
		},
	}
	path, _ := serve(t, b)
	c, ctx := api.Dial(path), t.Context()
	f := func(want string) func(api.Outcome, error) {
		return func(o api.Outcome, err error) {
			t.Helper()
			if err != nil || got != want || o.Text != "done" || !o.OK {
				t.Errorf("have %s, want %s; %+v, %v", got, want, o, err)
			}
		}
	}
	reason := strings.Repeat("<ü&\"", api.MaxReason/4)
	four, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::25")
	f(fmt.Sprintf("ban 192.0.2.1 %q 1h30m0s", reason))(
		c.Ban(ctx, api.BanRequest{Address: four, Reason: reason, TTL: 90 * time.Minute}))
	f(`ban 2001:db8::25 "r" 8760h0m0s`)(
		c.Ban(ctx, api.BanRequest{Address: six, Reason: "r", TTL: api.MaxTTL}))
	f(`ban 192.0.2.1 "r" 1ns`)(c.Ban(ctx, api.BanRequest{Address: four, Reason: "r", TTL: 1}))
	f(`unban 2001:db8::25 "r" 0s`)(
		c.Unban(ctx, api.BanRequest{Address: six, Reason: "r", TTL: time.Hour}))
	f("freeze true")(c.Freeze(ctx, true))
	f("freeze false")(c.Freeze(ctx, false))
	f("withdraw 0")(c.WithdrawAll(ctx, 0))
	f("withdraw 12")(c.WithdrawAll(ctx, 12))
	f("withdraw -1")(c.WithdrawAll(ctx, -1))
	f("withdraw -1")(c.WithdrawAll(ctx, -7))
	w := ask(api.NewServer(b, quiet()), "POST /api/v1/freeze {\n\"\\u006fn\":\tfalse\r}\n")
	if w.Code != 200 || got != "freeze false" {
		t.Errorf("escapes and spaces: %d, %s", w.Code, w.Body)
	}
}

// TestOutcomes has what the sample answers reach a client: refusals are no errors, what does not
// exist or is not as expected is one.
func TestOutcomes(t *testing.T) {
	b := apitest.Sample()
	path, _ := serve(t, b)
	c, ctx := api.Dial(path), t.Context()
	same(t, "routes", b.Routes())(c.Routes(ctx))
	ban := api.BanRequest{
		Address: netip.MustParseAddr("203.0.113.7"), Reason: "r", TTL: time.Hour,
	}
	want, _ := b.Ban(ctx, ban)
	same(t, "ban", want)(c.Ban(ctx, ban))
	want, _ = b.WithdrawAll(ctx, 2)
	same(t, "withdraw all", want)(c.WithdrawAll(ctx, 2))
	ban.Address = netip.MustParseAddr("192.0.2.1")
	if o, err := c.Ban(ctx, ban); err != nil || o.OK || o.Refusal != "outside_networks" {
		t.Errorf("a refusal: %+v, %v", o, err)
	}
	_, missing := c.Unban(ctx, ban)
	_, unexpected := c.WithdrawAll(ctx, 3)
	ban.Reason = ""
	_, empty := c.Ban(ctx, ban)
	_, none := c.Ban(ctx, api.BanRequest{})
	for _, row := range []struct {
		err    error
		status int
		names  string
	}{
		{missing, 404, "192.0.2.1: not found"}, {unexpected, 409, "there are 2"},
		{empty, 400, `"reason"`}, {none, 400, `"address"`},
	} {
		var p *api.Problem
		if !errors.As(row.err, &p) || p.Status != row.status ||
			!strings.Contains(p.Detail, row.names) {
			t.Errorf("want %d that names %s, have %v", row.status, row.names, row.err)
		}
	}
}

func TestOperatorsFromOtherSites(t *testing.T) {
	s := api.NewServer(unasked(t), quiet())
	for _, question := range questions() {
		if !strings.HasPrefix(question, "POST") {
			continue
		}
		for header, value := range map[string]string{
			"Sec-Fetch-Site": "cross-site", "Origin": "http://weir",
		} {
			r := request(question)
			r.Header.Set(header, value)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			problem(t, w, 403)
		}
	}
}

// TestOperatorsWaitNoReload has a daemon hang: somebody who wants routes gone is told at once, not
// when a reload would have taken too long.
func TestOperatorsWaitNoReload(t *testing.T) {
	b := &apitest.Backend{OnWithdrawAll: func(ctx context.Context, _ int) (api.Outcome, error) {
		<-ctx.Done()
		return api.Outcome{}, ctx.Err()
	}}
	path, _ := serve(t, b)
	c := api.Dial(path)
	defer c.Close()
	c.SetPatience(50 * time.Millisecond)
	var u *api.Unreachable
	if _, err := c.WithdrawAll(t.Context(), -1); !errors.As(err, &u) {
		t.Errorf("have %v", err)
	}
}
