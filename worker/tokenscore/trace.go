package tokenscore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/shared/telemetry"
)

// maxShown is how many files of a pull request get their own spans: the slowest ones. A pull
// request may have a thousand files.
const maxShown = 32

// startScore opens the span of one pull request.
func startScore(ctx context.Context, files []tokens.File) (context.Context, trace.Span) {
	//nolint:spancheck // endScore ends it
	return telemetry.Tracer().Start(ctx, telemetry.SpanTokenScore, trace.WithAttributes(telemetry.Files.Int(len(files))))
}

// endScore ends the span, and counts the files by the method that gave their figures. A
// crash or a time-out has changed that method for all of them.
func endScore(ctx context.Context, span trace.Span, began time.Time, plans []tokens.FilePlan, figures tokens.Figures, err error) {
	if err == nil {
		telemetry.PullScored(ctx, time.Since(began))
		count(ctx, plans, figures.Files)
	}
	if ctx.Err() != nil { // the caller has stopped waiting
		err = nil
	}
	telemetry.End(span, err)
}

// count counts files by method and language, and the bytes that were compared.
func count(ctx context.Context, plans []tokens.FilePlan, figures []tokens.FileFigures) {
	type kind struct {
		method   tokens.Method
		language string
	}
	type sum struct{ files, bytes int }
	sums := map[kind]sum{}
	for i := range min(len(plans), len(figures)) {
		k := kind{figures[i].Method, plans[i].Language}
		s := sums[k]
		s.files++
		if k.method == tokens.MethodTreeDiff {
			s.bytes += len(plans[i].Base) + len(plans[i].Head)
		}
		sums[k] = s
	}
	for k, s := range sums {
		telemetry.FilesScored(ctx, string(k.method), k.language, s.files, s.bytes)
	}
}

// traceparent is the trace of a child's work; "" if it is not recorded. The child then
// measures nothing.
func traceparent(ctx context.Context) string {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}

// compared is one file that a child has scored.
type compared struct {
	timing

	plan *tokens.FilePlan
}

// showChild turns the child's timings into spans if the trace is recorded: one for each of
// the slowest files. It may reorder and shorten files.
func showChild(ctx context.Context, c *child, files []compared) {
	pid := telemetry.ChildPID.Int(c.cmd.Process.Pid)
	parent := trace.SpanFromContext(ctx)
	all := len(files)
	if !parent.IsRecording() {
		return
	}
	if len(files) > maxShown {
		slices.SortFunc(files, func(a, b compared) int { return cmp.Compare(b.end-b.start, a.end-a.start) })
		files = files[:maxShown]
	}
	parent.SetAttributes(pid, telemetry.FilesParsed.Int(all), telemetry.FilesShown.Int(len(files)))
	tracer := telemetry.Tracer()
	for _, f := range files {
		_, span := tracer.Start(ctx, telemetry.SpanScoreFile, trace.WithTimestamp(time.Unix(0, f.start)), trace.WithAttributes(
			pid, telemetry.Language.String(f.plan.Language), telemetry.FileName.String(f.plan.Figures.Filename),
			telemetry.FileBytes.Int(len(f.plan.Base)+len(f.plan.Head))))
		span.End(trace.WithTimestamp(time.Unix(0, f.end)))
	}
}

// ended records in the trace and the metrics that a child ended unexpectedly.
func ended(ctx context.Context, how string) {
	trace.SpanFromContext(ctx).SetAttributes(telemetry.ChildEnd.String(how))
	telemetry.ChildEnded(ctx, how)
}
