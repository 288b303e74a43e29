package telemetry

import (
	"context"
	"io"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Logger writes records of level and above to w: text for a terminal, JSON
// otherwise. A record that is logged with a context in a trace has its ids,
// trace_id and span_id, and of a job (With) its round, uid and delivery; after
// WithGroup they stand in the group. Durations stand as people read them, such as
// 1.5s, in both forms.
func Logger(w io.Writer, terminal bool, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: readable}
	if terminal {
		return slog.New(traced{slog.NewTextHandler(w, options)})
	}
	return slog.New(traced{slog.NewJSONHandler(w, options)})
}

// readable writes a duration with its unit: in JSON the standard library's handler
// has it as a count of nanoseconds, and as text with all of its nine digits.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(Duration(a.Value.Duration()))
	}
	return a
}

// Duration is a duration as people read it: whole seconds from a minute on, and two
// digits behind the point below.
func Duration(d time.Duration) string {
	const hundredths = 100
	switch size := d.Abs(); {
	case size >= time.Minute:
		d = d.Round(time.Second)
	case size >= time.Second:
		d = d.Round(time.Second / hundredths)
	case size >= time.Millisecond:
		d = d.Round(time.Millisecond / hundredths)
	}
	return d.String()
}

// traced adds the ids of the job and of the span that a record was logged in.
type traced struct{ slog.Handler }

func (t traced) Handle(ctx context.Context, r slog.Record) error {
	span, job := trace.SpanContextFromContext(ctx), with(ctx)
	if !span.IsValid() && len(job) == 0 {
		return t.Handler.Handle(ctx, r) //nolint:wrapcheck // a handler's error is passed on as it is
	}
	r = r.Clone()
	for _, a := range job {
		if name := logged(a.Key); name != "" && !has(r, name) {
			r.AddAttrs(slog.Any(name, a.Value.AsInterface()))
		}
	}
	if span.IsValid() && !has(r, "trace_id") { // a job's own trace, and not that of who works on it
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return t.Handler.Handle(ctx, r) //nolint:wrapcheck // as above
}

// logged is an attribute's name in the log, "" for one that only spans have.
func logged(key attribute.Key) string {
	switch key {
	case RoundID:
		return "round"
	case MinerUID:
		return "uid"
	case Delivery:
		return "delivery"
	case JobTrace:
		return "trace_id"
	case Replay:
		return "replay"
	case Repository:
		return "repository"
	case PullRequest:
		return "number"
	}
	return ""
}

// has says whether the record names the attribute itself.
func has(r slog.Record, name string) (found bool) {
	r.Attrs(func(a slog.Attr) bool {
		found = found || a.Key == name
		return !found
	})
	return found
}

func (t traced) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traced{t.Handler.WithAttrs(attrs)}
}

func (t traced) WithGroup(name string) slog.Handler { return traced{t.Handler.WithGroup(name)} }
