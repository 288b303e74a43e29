package tokenscore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/telemetry"
)

// mostShown is how many files of a pull request have spans of their own: the
// slowest. A thousand files would be a thousand spans.
const mostShown = 32

// startScore opens the span of one pull request.
func startScore(ctx context.Context, files []scoring.File) (context.Context, trace.Span) {
	//nolint:spancheck // endScore ends it
	return otel.Tracer(telemetry.Scope).Start(ctx, telemetry.SpanTokenScore, trace.WithAttributes(telemetry.Files.Int(len(files))))
}

// endScore ends it and counts the files: by the method that gave their
// figures, which a crash or a timeout has changed for all of them.
func endScore(ctx context.Context, span trace.Span, began time.Time, plans []scoring.FilePlan, figures scoring.TokenFigures, err error) {
	if err == nil {
		telemetry.PullScored(ctx, time.Since(began))
		count(ctx, plans, figures.Files)
	}
	if ctx.Err() != nil { // nobody waits for the figures any more
		err = nil
	}
	telemetry.End(span, err)
}

// count counts files by method and language, and the bytes that were compared.
func count(ctx context.Context, plans []scoring.FilePlan, figures []scoring.FileFigures) {
	type kind struct {
		method   scoring.Method
		language string
	}
	type sum struct{ files, bytes int }
	sums := map[kind]sum{}
	for i := range min(len(plans), len(figures)) {
		k := kind{figures[i].Method, plans[i].Language}
		s := sums[k]
		s.files++
		if k.method == scoring.MethodTreeDiff {
			s.bytes += len(plans[i].Base) + len(plans[i].Head)
		}
		sums[k] = s
	}
	for k, s := range sums {
		telemetry.FilesScored(ctx, string(k.method), k.language, s.files, s.bytes)
	}
}

// traceparent is the trace that a child's work belongs to, "" when nobody
// records it: then the child measures nothing.
func traceparent(ctx context.Context) string {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}

// timing is what a child says of one file. Its clock is the parent's: they run
// on one machine.
type timing struct {
	Start int64 `json:"start"` // nanoseconds since 1970
	Took  int64 `json:"took"`
}

// timings asks the child how long each file of the pull request took.
func (c *child) timings() ([]timing, error) {
	if err := writeFrame(c.in, frameTimings, ""); err != nil {
		return nil, err
	}
	data, err := expectFrame(c.out, frameTimed)
	if err != nil {
		return nil, err
	}
	var timings []timing
	if err := json.Unmarshal(data, &timings); err != nil {
		return nil, fmt.Errorf("reading a child's timings: %w", err)
	}
	return timings, nil
}

// showChild makes spans of what the child said: one for each of the slowest
// files.
func showChild(ctx context.Context, c *child, compared []*scoring.FilePlan, timings []timing) {
	n := min(len(compared), len(timings))
	slowest := make([]int, n)
	for i := range slowest {
		slowest[i] = i
	}
	slices.SortFunc(slowest, func(a, b int) int { return cmp.Compare(timings[b].Took, timings[a].Took) })
	shown := slowest[:min(n, mostShown)]
	slices.Sort(shown)
	trace.SpanFromContext(ctx).SetAttributes(telemetry.ChildPID.Int(c.cmd.Process.Pid),
		telemetry.FilesParsed.Int(len(compared)), telemetry.FilesShown.Int(len(shown)))
	for _, i := range shown {
		start, plan := time.Unix(0, timings[i].Start), compared[i]
		_, span := otel.Tracer(telemetry.Scope).Start(ctx, telemetry.SpanScoreFile, trace.WithTimestamp(start), trace.WithAttributes(
			telemetry.ChildPID.Int(c.cmd.Process.Pid), telemetry.Language.String(plan.Language),
			telemetry.FileName.String(plan.Figures.Filename), telemetry.FileBytes.Int(len(plan.Base)+len(plan.Head))))
		span.End(trace.WithTimestamp(start.Add(time.Duration(timings[i].Took))))
	}
}

// ended shows and counts that a child ended over a pull request.
func ended(ctx context.Context, how string) {
	trace.SpanFromContext(ctx).SetAttributes(telemetry.ChildEnd.String(how))
	telemetry.ChildEnded(ctx, how)
}

// stopwatch is the child's side: it is nil when nobody records.
type stopwatch struct{ timings []timing }

// time measures one file.
func (w *stopwatch) time(score func() (scoring.Breakdown, error)) (scoring.Breakdown, error) {
	if w == nil {
		return score()
	}
	began := time.Now()
	figures, err := score()
	w.timings = append(w.timings, timing{began.UnixNano(), int64(time.Since(began))})
	return figures, err
}

// encoded is what the child answers; a list also when there is none.
func (w *stopwatch) encoded() ([]byte, error) {
	timings := []timing{}
	if w != nil && w.timings != nil {
		timings = w.timings
	}
	data, err := json.Marshal(timings)
	if err != nil {
		return nil, fmt.Errorf("encoding the timings: %w", err)
	}
	return data, nil
}
