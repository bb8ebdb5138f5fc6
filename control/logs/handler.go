package logs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"unicode/utf8"
)

// New returns a logger that writes lines to w, and what limits it. Where w is the standard error
// of a service whose lines the journal takes, they carry their level for it, and no time.
func New(w io.Writer, o Options) (*slog.Logger, *Limiter) {
	o.withDefaults()
	out := &output{w: w, journal: toJournal(w)}
	settings := &slog.HandlerOptions{Level: o.Level, ReplaceAttr: out.shape}
	h := &handler{options: &o, limiter: newLimiter(&o), out: out}
	if o.JSON {
		h.Handler = slog.NewJSONHandler(out, settings)
	} else {
		h.Handler = slog.NewTextHandler(out, settings)
	}
	return slog.New(h), h.limiter
}

// handler is a slog.Handler that hides what its limiter does not let through.
type handler struct {
	slog.Handler
	options *Options
	limiter *Limiter
	out     *output
	cause   string // of attributes that all its lines have
	grouped bool   // attributes to come are in a group
}

// causeKey is the attribute that tells causes of the same message apart; hiddenKey the one that
// says how many lines were hidden.
const (
	causeKey  = "cause"
	hiddenKey = "hidden"
)

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	c := cause{level: r.Level, message: cut(r.Message, maxKey), attr: h.cause}
	if !h.grouped {
		r.Attrs(func(a slog.Attr) bool {
			c.attr = causeOf(a, c.attr)
			return true
		})
	}
	now := h.options.Clock()
	hidden, ok := h.limiter.pass(c, now)
	if !ok {
		return nil
	}
	r = r.Clone()
	r.Time = now
	if hidden > 0 {
		r.AddAttrs(slog.Uint64(hiddenKey, hidden))
	}
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.level = r.Level
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	more := *h
	more.Handler = h.Handler.WithAttrs(attrs)
	for _, a := range attrs {
		if !h.grouped {
			more.cause = strings.Clone(causeOf(a, more.cause))
		}
	}
	return &more
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	more := *h
	more.Handler = h.Handler.WithGroup(name)
	more.grouped = h.grouped || name != ""
	return &more
}

// causeOf returns the cause that a names, or else the one known so far.
func causeOf(a slog.Attr, sofar string) string {
	if a.Key != causeKey {
		return sofar
	}
	return cut(a.Value.Resolve().String(), maxKey)
}

// output writes lines, one Write each.
type output struct {
	w       io.Writer
	journal bool

	mu    sync.Mutex
	level slog.Level // of the line that is being written
	line  []byte
}

// Write implements io.Writer, for the handler that makes lines.
func (o *output) Write(line []byte) (int, error) {
	if !o.journal {
		return o.w.Write(line)
	}
	o.line = append(append(o.line[:0], priority(o.level)...), line...)
	if _, err := o.w.Write(o.line); err != nil {
		return 0, err
	}
	return len(line), nil
}

// priority returns the mark by which the journal knows a line's level: sd-daemon(3).
func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	default:
		return "<7>"
	}
}

// shape bounds values, which may come from the wire, and leaves out the time where the journal
// has its own. It is a slog.HandlerOptions' ReplaceAttr.
func (o *output) shape(groups []string, a slog.Attr) slog.Attr {
	if o.journal && len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		return slog.Attr{}
	}
	switch a.Value.Kind() {
	case slog.KindString:
		if s := a.Value.String(); len(s) > maxValue {
			a.Value = slog.StringValue(cut(s, maxValue) + "…")
		}
	case slog.KindAny:
		a.Value = bounded(a.Value)
	}
	return a
}

// bounded cuts the text of an error or the like. Other values are the code's own.
func bounded(v slog.Value) slog.Value {
	text := textOf(v.Any())
	if len(text) <= maxValue {
		return v
	}
	return slog.StringValue(cut(text, maxValue) + "…")
}

// textOf returns how v describes itself; nothing where it cannot, as a nil pointer in an error
// cannot: slog has its own word for that.
func textOf(v any) (text string) {
	defer func() { _ = recover() }()
	switch x := v.(type) {
	case error:
		return x.Error()
	case fmt.Stringer:
		return x.String()
	case []byte:
		return string(x)
	}
	return ""
}

// cut returns the first n bytes of s, or a little less where a rune would be torn.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
