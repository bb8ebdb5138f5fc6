package speaker

import (
	"context"
	"fmt"
	"log/slog"

	bgplog "github.com/osrg/gobgp/v3/pkg/log"
)

// logger gives GoBGP's words to slog. What GoBGP takes for information is debugging to weir,
// which tells of sessions itself.
type logger struct{ log *slog.Logger }

// maxFields bounds how many of a line's fields are kept.
const maxFields = 8

var levels = [...]slog.Level{
	bgplog.PanicLevel: slog.LevelError,
	bgplog.FatalLevel: slog.LevelError,
	bgplog.ErrorLevel: slog.LevelError,
	bgplog.WarnLevel:  slog.LevelWarn,
	bgplog.InfoLevel:  slog.LevelDebug,
	bgplog.DebugLevel: slog.LevelDebug - 4,
}

func (l logger) write(level bgplog.LogLevel, msg string, fields bgplog.Fields) {
	ctx := context.Background()
	if !l.log.Enabled(ctx, levels[level]) {
		return
	}
	var attrs []slog.Attr
	for k, v := range fields {
		if len(attrs) < maxFields {
			attrs = append(attrs, slog.String(k, fmt.Sprintf("%.200v", v)))
		}
	}
	l.log.LogAttrs(ctx, levels[level], "gobgp: "+msg, attrs...)
}

// Panic is for mistakes in GoBGP's logic. It goes on, there, with a state that makes no sense:
// better to begin anew.
func (l logger) Panic(msg string, fields bgplog.Fields) {
	l.write(bgplog.PanicLevel, msg, fields)
	panic("gobgp: " + msg)
}

// Fatal ends the process, as Panic does.
func (l logger) Fatal(msg string, fields bgplog.Fields) {
	l.write(bgplog.FatalLevel, msg, fields)
	panic("gobgp: " + msg)
}

func (l logger) Error(msg string, fields bgplog.Fields) { l.write(bgplog.ErrorLevel, msg, fields) }
func (l logger) Warn(msg string, fields bgplog.Fields)  { l.write(bgplog.WarnLevel, msg, fields) }
func (l logger) Info(msg string, fields bgplog.Fields)  { l.write(bgplog.InfoLevel, msg, fields) }
func (l logger) Debug(msg string, fields bgplog.Fields) { l.write(bgplog.DebugLevel, msg, fields) }
func (l logger) SetLevel(bgplog.LogLevel)               {}

// GetLevel keeps GoBGP from putting lines together that nobody would see.
func (l logger) GetLevel() bgplog.LogLevel {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		return bgplog.InfoLevel
	}
	return bgplog.WarnLevel
}
