package telemetry

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"golang.org/x/time/rate"
)

// complaints is how often failed exports are logged at most: a collector that is
// away for a day must not fill the log.
const complaints = time.Minute

// hear lets OpenTelemetry's SDK speak in the process's log, without secrets.
func hear(log *slog.Logger, scrub func(string) string) {
	otel.SetLogger(logr.FromSlogHandler(sdkLog{log.Handler(), scrub}))
	throttledLog := rate.Sometimes{Interval: complaints}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		throttledLog.Do(func() {
			log.Warn("OpenTelemetry reports a problem: traces or metrics may be missing", "error", scrub(err.Error()))
		})
	}))
}

// sdkLog takes the SDK's lines into the process's log. The SDK names an odd
// setting with its value, which may be a secret.
type sdkLog struct {
	slog.Handler

	scrub func(string) string
}

// warning is the level that the SDK gives to its warnings, as slog has it: below
// information, where nobody would see them.
const warning = slog.Level(-1)

func raised(level slog.Level) slog.Level {
	if level == warning {
		return slog.LevelWarn
	}
	return level
}

func (l sdkLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.Handler.Enabled(ctx, raised(level))
}

func (l sdkLog) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, raised(r.Level), "OpenTelemetry: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(slog.String(a.Key, l.scrub(a.Value.String())))
		return true
	})
	return l.Handler.Handle(ctx, clean) //nolint:wrapcheck // a handler's error is passed on as it is
}

// WithAttrs keeps the handler's own from being used, which would lead past sdkLog.
// The SDK uses neither it nor WithGroup.
func (l sdkLog) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup is like WithAttrs.
func (l sdkLog) WithGroup(string) slog.Handler { return l }
