package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Client asks a daemon over its socket.
//
// Concurrency: any goroutine may call its methods.
type Client struct {
	socket   string
	http     *http.Client
	patience time.Duration // with one answer; tests have less of it
}

// Bounds of what a client waits for and reads.
const (
	dialTimeout = 900 * time.Millisecond
	askTimeout  = 10 * time.Second
	maxAnswer   = 64 << 20
)

// Dial returns a client of the daemon at the unix socket. It connects when it is asked something.
func Dial(socket string) *Client {
	dialer := net.Dialer{Timeout: dialTimeout}
	return &Client{socket: socket, patience: askTimeout, http: &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "unix", socket)
			},
			DisableCompression: true, MaxIdleConns: 4, IdleConnTimeout: 30 * time.Second,
		},
	}}
}

// Close gives up connections that wait for the next question.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Unreachable says that no daemon answers.
type Unreachable struct {
	Socket string
	Err    error
}

// Error says why, and what to try.
func (u *Unreachable) Error() string {
	reason := u.Err.Error()
	var timeout net.Error
	var number syscall.Errno
	switch {
	case errors.Is(u.Err, os.ErrNotExist):
		reason = "no such file"
	case errors.Is(u.Err, os.ErrPermission):
		reason = "permission denied"
	case errors.Is(u.Err, syscall.ECONNREFUSED):
		reason = "connection refused"
	case errors.As(u.Err, &timeout) && timeout.Timeout():
		reason = "timeout"
	case errors.As(u.Err, &number):
		reason = number.Error()
	}
	return fmt.Sprintf("no daemon at unix:%s (%s). Is it running? try: systemctl status weir",
		u.Socket, reason)
}

// Unwrap returns the cause.
func (u *Unreachable) Unwrap() error { return u.Err }

// Status returns the daemon's status.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.get(ctx, "/api/v1/status", nil, &s)
	return s, err
}

// Pipeline returns where packets went.
func (c *Client) Pipeline(ctx context.Context) (p Pipeline, err error) {
	err = c.get(ctx, "/api/v1/pipeline", nil, &p)
	return p, err
}

// Hosts returns the hosts that fit q, best first.
func (c *Client) Hosts(ctx context.Context, q HostQuery) (l HostList, err error) {
	v := url.Values{}
	for name, value := range map[string]string{
		"sort": q.Sort, "direction": q.Direction, "filter": q.Filter,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.Family != 0 {
		v.Set("family", strconv.Itoa(q.Family))
	}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	err = c.get(ctx, "/api/v1/hosts", v, &l)
	return l, err
}

// Why explains one address.
func (c *Client) Why(ctx context.Context, a netip.Addr) (w Why, err error) {
	err = c.get(ctx, "/api/v1/hosts/"+url.PathEscape(a.String()), nil, &w)
	return w, err
}

// Networks returns the home networks.
func (c *Client) Networks(ctx context.Context) (l NetworkList, err error) {
	err = c.get(ctx, "/api/v1/networks", nil, &l)
	return l, err
}

// Cores returns the workers.
func (c *Client) Cores(ctx context.Context) (l CoreList, err error) {
	err = c.get(ctx, "/api/v1/cores", nil, &l)
	return l, err
}

// Attacks returns the incidents in that state: active, over or all.
func (c *Client) Attacks(ctx context.Context, state string) (l AttackList, err error) {
	err = c.get(ctx, "/api/v1/attacks", url.Values{"state": {state}}, &l)
	return l, err
}

// Attack returns one incident.
func (c *Client) Attack(ctx context.Context, id string) (a Attack, err error) {
	err = c.get(ctx, "/api/v1/attacks/"+url.PathEscape(id), nil, &a)
	return a, err
}

// Report returns the text report of an incident.
func (c *Client) Report(ctx context.Context, id string) ([]byte, error) {
	return c.ask(ctx, &question{path: "/api/v1/attacks/" + url.PathEscape(id) + "/report"})
}

// Reload has the daemon read its file again; with dryRun it only says what would change.
func (c *Client) Reload(ctx context.Context, dryRun bool) (r ReloadResult, err error) {
	err = c.read(ctx, &question{
		path: "/api/v1/reload", query: url.Values{"dry_run": {strconv.FormatBool(dryRun)}},
		post: true, extra: reloadTimeout,
	}, &r)
	return r, err
}

// Routes returns the blackholes.
func (c *Client) Routes(ctx context.Context) (l RouteList, err error) {
	err = c.get(ctx, "/api/v1/routes", nil, &l)
	return l, err
}

// Ban asks for a blackhole of one address. A refusal is no error: the Outcome is not OK.
func (c *Client) Ban(ctx context.Context, r BanRequest) (Outcome, error) {
	return c.operate(ctx, "/api/v1/ban", banBody{r.Address.String(), r.Reason, r.TTL.String()})
}

// Unban asks for the end of an address's blackhole; r.TTL is not heeded.
func (c *Client) Unban(ctx context.Context, r BanRequest) (Outcome, error) {
	return c.operate(ctx, "/api/v1/unban", unbanBody{r.Address.String(), r.Reason})
}

// Freeze has every new blackhole be refused, or ends that.
func (c *Client) Freeze(ctx context.Context, on bool) (Outcome, error) {
	return c.operate(ctx, "/api/v1/freeze", freezeBody{on})
}

// WithdrawAll ends every blackhole, if there are as many as expected; below 0: however many.
func (c *Client) WithdrawAll(ctx context.Context, expect int) (Outcome, error) {
	return c.operate(ctx, "/api/v1/withdraw-all", withdrawAllBody{max(expect, -1)})
}

func (c *Client) operate(ctx context.Context, path string, body any) (o Outcome, err error) {
	q := &question{path: path, post: true}
	if q.body, err = json.Marshal(body); err != nil {
		return o, err
	}
	err = c.read(ctx, q, &o)
	return o, err
}

// question is what the daemon is asked.
type question struct {
	path  string
	query url.Values
	post  bool
	body  []byte        // of a post; nil: none
	extra time.Duration // that the answer may take
}

func (c *Client) get(ctx context.Context, path string, q url.Values, into any) error {
	return c.read(ctx, &question{path: path, query: q}, into)
}

// read asks, and reads the answer as JSON.
func (c *Client) read(ctx context.Context, q *question, into any) error {
	data, err := c.ask(ctx, q)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read the answer to %s: %w", q.path, err)
	}
	return nil
}

// request returns q as HTTP has it.
func (q *question) request(ctx context.Context) (*http.Request, error) {
	target, method := "http://weir"+q.path, http.MethodGet
	if len(q.query) > 0 {
		target += "?" + q.query.Encode()
	}
	if q.post {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(q.body))
	if err == nil && q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, err
}

func (c *Client) ask(ctx context.Context, q *question) ([]byte, error) {
	own, cancel := context.WithTimeout(ctx, c.patience+q.extra)
	defer cancel()
	request, err := q.request(own)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, c.unanswered(ctx, err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer to %s: %w", q.path, err)
	case len(data) > maxAnswer:
		return nil, fmt.Errorf("read the answer to %s: more than %d bytes", q.path, maxAnswer)
	case answer.StatusCode >= http.StatusBadRequest:
		p := &Problem{}
		_ = json.Unmarshal(data, p) // another server's refusal: its status has to do
		if p.Status = answer.StatusCode; p.Detail == "" {
			p.Detail = answer.Status
		}
		return nil, p
	}
	return data, nil
}

// unanswered says why a question has no answer. A daemon that lets a client wait for too long is
// as good as none; a client that gives up is not the daemon's fault.
func (c *Client) unanswered(ctx context.Context, err error) error {
	var cause *net.OpError
	switch {
	case errors.As(err, &cause) && cause.Op == "dial",
		ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return &Unreachable{c.socket, err}
	}
	return fmt.Errorf("ask the daemon: %w", err)
}
