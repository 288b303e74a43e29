package telemetry

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Request is one request to the mirror, retries and redirects each one.
type Request struct {
	Method, Route, Host string
	// Status is the answer's, 0 without one; Failure then says why.
	Status  int
	Failure string
	Took    time.Duration
	// Bytes are those of the answer that were read.
	Bytes int64
}

// MirrorRequested counts a request.
func MirrorRequested(ctx context.Context, r Request) {
	attributes := []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(r.Method), semconv.URLTemplate(r.Route), semconv.ServerAddress(r.Host),
	}
	switch {
	case r.Status == 0:
		attributes = append(attributes, errorType.String(r.Failure))
	case r.Status >= 400:
		attributes = append(attributes, semconv.HTTPResponseStatusCode(r.Status), errorType.String(strconv.Itoa(r.Status)))
	default:
		attributes = append(attributes, semconv.HTTPResponseStatusCode(r.Status))
	}
	set := metric.WithAttributeSet(attribute.NewSet(attributes...))
	m := measure()
	m.requestDuration.Record(ctx, r.Took.Seconds(), set)
	if r.Status == http.StatusTooManyRequests {
		m.throttled.Add(ctx, 1)
	}
	if r.Status != 0 {
		m.responseSize.Record(ctx, r.Bytes, set)
	}
}

// MirrorRetried counts a try after the first.
func MirrorRetried(ctx context.Context, route string) {
	measure().mirrorRetries.Add(ctx, 1, metric.WithAttributes(semconv.URLTemplate(route)))
}

// How a request's wait at the gateway ends.
const (
	WaitPermitted  = "permitted"
	WaitTimedOut   = "timed_out"
	WaitTurnedAway = "turned_away" // at once: too many waited
	WaitGone       = "gone"        // its client left
	WaitFailed     = "failed"      // a connection could not be made, or the gateway stops
)

// GatewayWaits counts requests at the gateway in and out that have no permit yet.
func GatewayWaits(ctx context.Context, change int64) { measure().gatewayWaiting.Add(ctx, change) }

// GatewayWaited counts the end of a wait.
func GatewayWaited(ctx context.Context, route, outcome string, waited time.Duration) {
	measure().gatewayWait.Record(ctx, waited.Seconds(), metric.WithAttributes(semconv.URLTemplate(route), GatewayOutcome.String(outcome)))
}

// breakerStates are gobreaker's names of them.
var breakerStates = []string{"closed", "half-open", "open"} //nolint:gochecknoglobals // a constant, if Go had such

// BreakerIs notes the state of the mirror's breaker; changed is false at its
// start. It is nobody's request that changes it.
func BreakerIs(state string, changed bool) {
	ctx := context.Background()
	oneOf(ctx, measure().breakerState, BreakerState, breakerStates, state)
	if changed {
		measure().breakerChanges.Add(ctx, 1, metric.WithAttributes(BreakerState.String(state)))
	}
}

// oneOf sets the gauge to 1 for the value that holds and to 0 for all others.
func oneOf(ctx context.Context, g metric.Int64Gauge, key attribute.Key, all []string, holds string) {
	for _, value := range all {
		n := int64(0)
		if value == holds {
			n = 1
		}
		g.Record(ctx, n, metric.WithAttributes(key.String(value)))
	}
}

// JobPublished counts a job handed to the stream.
func JobPublished(ctx context.Context, err error) {
	attributes := []attribute.KeyValue{messaging, destination, semconv.MessagingOperationName("publish")}
	if err != nil {
		attributes = append(attributes, errorType.String("not_stored"))
	}
	measure().published.Add(ctx, 1, metric.WithAttributes(attributes...))
}

// JobDelivered counts a delivery that begins; waited is how long its message
// was in the queue, counted for a first delivery only.
func JobDelivered(ctx context.Context, first bool, waited time.Duration) {
	measure().deliveries.Add(ctx, 1, processed())
	if first {
		measure().queueWait.Record(ctx, waited.Seconds(), processed())
	}
}

// processed are the attributes of every delivery, and more.
func processed(more ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(append(more, messaging, destination, consumer, semconv.MessagingOperationName("process"))...)
}

// JobEnded counts how a delivery ended: one of the Outcomes, and the class of
// a failure ("" without one).
func JobEnded(ctx context.Context, outcome, class string, took time.Duration) {
	m := measure()
	own := []attribute.KeyValue{Outcome.String(outcome)}
	conventional := slices.Clone(own)
	if class != "" {
		own, conventional = append(own, FailClass.String(class)), append(conventional, errorType.String(class))
	}
	m.jobOutcomes.Add(ctx, 1, metric.WithAttributes(own...))
	if outcome == OutcomeLost {
		m.leaseLosses.Add(ctx, 1)
	}
	m.processDuration.Record(ctx, took.Seconds(), processed(conventional...))
}

// The phases of a round.
const (
	RoundIdle       = "idle"
	RoundPublishing = "publishing"
	RoundCollecting = "collecting"
	RoundConcluding = "concluding"
)

// RoundIs notes the phase of the round.
func RoundIs(ctx context.Context, phase string) {
	oneOf(ctx, measure().roundPhase, RoundPhase, []string{RoundIdle, RoundPublishing, RoundCollecting, RoundConcluding}, phase)
}

// RoundProgress is how far a round has come, in jobs.
type RoundProgress struct{ Queued, Running, Done, Failed, Degraded int }

// RoundProgressed notes how far the round has come.
func RoundProgressed(ctx context.Context, p RoundProgress) {
	m := measure()
	for phase, n := range map[string]int{"planned": p.Queued, "running": p.Running, "done": p.Done, "failed": p.Failed} {
		m.roundJobs.Record(ctx, int64(n), metric.WithAttributes(Phase.String(phase)))
	}
	m.roundDegraded.Record(ctx, int64(p.Degraded))
}

// MinersFellOut notes how many miners have lost their usable token since the last round.
func MinersFellOut(ctx context.Context, miners int) {
	measure().roundFellOut.Record(ctx, int64(miners))
}

// How a round ends.
const (
	RoundComplete   = "complete"
	RoundIncomplete = "incomplete" // concluded, but it lacks something
	RoundCancelled  = "cancelled"  // concluded, because an operator ended it or jobs of it
	RoundStopped    = "stopped"    // not concluded by this process
)

// RoundEnded counts a round that ended.
func RoundEnded(ctx context.Context, outcome string, took time.Duration) {
	measure().roundDuration.Record(ctx, took.Seconds(), metric.WithAttributes(RoundOutcome.String(outcome)))
}

// WorkersChanged counts worker processes that begin to take jobs, or end.
func WorkersChanged(ctx context.Context, change int) { measure().workers.Add(ctx, int64(change)) }

// PullScored notes the token scoring of one pull request.
func PullScored(ctx context.Context, took time.Duration) {
	measure().scoreDuration.Record(ctx, took.Seconds())
}

// FilesScored counts files of one method and language ("" for none) with the
// bytes of their texts that were compared.
func FilesScored(ctx context.Context, method, language string, files, bytes int) {
	m := measure()
	m.scoreFiles.Add(ctx, int64(files), metric.WithAttributes(Method.String(method), Language.String(language)))
	if bytes > 0 {
		m.scoreBytes.Add(ctx, int64(bytes), metric.WithAttributes(Language.String(language)))
	}
}

// ObserveScoreCPU has total asked whenever metrics are read, until stop is
// called: the processor time of all children since the process began.
func ObserveScoreCPU(total func() time.Duration) (stop func()) {
	m := measure()
	return m.observe(func(_ context.Context, o metric.Observer) error {
		o.ObserveFloat64(m.scoreCPU, total().Seconds())
		return nil
	}, m.scoreCPU)
}

// ChildStarted counts a token-scoring child's start.
func ChildStarted(ctx context.Context) { measure().childStarts.Add(ctx, 1) }

// How a child ends unasked.
const (
	ChildCrashed   = "crashed"
	ChildOutOfTime = "out_of_time" // a pull request's budget ran out, and it was killed
	ChildFailed    = "failed"      // it said that it cannot do its work, and was ended
)

// ChildEnded counts a child's end that nobody had asked for.
func ChildEnded(ctx context.Context, how string) {
	measure().childEnds.Add(ctx, 1, metric.WithAttributes(ChildEnd.String(how)))
}

// CacheAsked counts a look-up in the score cache by its result.
func CacheAsked(ctx context.Context, result string) {
	measure().scoreCache.Add(ctx, 1, metric.WithAttributes(CacheResult.String(result)))
}

// How the work on a miner of a warm-up ends.
const (
	WarmDone    = "done"
	WarmFailed  = "failed"
	WarmDropped = "dropped"
)

// MinerWarmed counts a miner of a warm-up by how its work ended, and the pull requests
// whose files were fetched for it.
func MinerWarmed(ctx context.Context, outcome string, fetched int) {
	measure().warmUpMiners.Add(ctx, 1, metric.WithAttributes(WarmUpOutcome.String(outcome)))
	measure().warmUpPulls.Add(ctx, int64(fetched))
}

// SignShown counts a worker's sign of life, which was stored or dropped.
func SignShown(ctx context.Context, stored bool) {
	outcome := "dropped"
	if stored {
		outcome = "shown"
	}
	measure().workerSigns.Add(ctx, 1, metric.WithAttributes(SignOutcome.String(outcome)))
}

// Audit is the invariant of a round: planned = done + failed + outstanding, each
// of them with exactly what it should have. What does not fit is counted by
// itself: a job that is lost is outstanding, so that the sides still add up.
type Audit struct{ Planned, Done, Failed, Outstanding, Discrepancies int }

// Audited notes what an audit counted.
func Audited(ctx context.Context, a Audit) {
	m := measure()
	for side, n := range map[string]int{"planned": a.Planned, "done": a.Done, "failed": a.Failed, "outstanding": a.Outstanding} {
		m.auditJobs.Record(ctx, int64(n), metric.WithAttributes(AuditSide.String(side)))
	}
	m.auditDiscrepancies.Record(ctx, int64(a.Discrepancies))
}

// AuditMended counts what the reconciler mended; what names it in few words.
func AuditMended(ctx context.Context, what string, n int) {
	measure().auditMended.Add(ctx, int64(n), metric.WithAttributes(attribute.String("audit.mended", what)))
}

// fromZero lets the counters that alerts look at begin with 0: a rate of what
// is not there yet is no rate, and the first fault would be missed.
func fromZero(ctx context.Context, service string) {
	m := measure()
	m.throttled.Add(ctx, 0)
	if service != "worker" {
		return
	}
	m.leaseLosses.Add(ctx, 0)
	for _, how := range []string{ChildCrashed, ChildOutOfTime, ChildFailed} {
		m.childEnds.Add(ctx, 0, metric.WithAttributes(ChildEnd.String(how)))
	}
	for _, result := range []string{CacheHit, CacheMiss, CacheShared} {
		m.scoreCache.Add(ctx, 0, metric.WithAttributes(CacheResult.String(result)))
	}
	for _, state := range breakerStates {
		m.breakerChanges.Add(ctx, 0, metric.WithAttributes(BreakerState.String(state)))
	}
	for _, class := range []string{"transient", "permanent", "poison"} {
		m.jobOutcomes.Add(ctx, 0, metric.WithAttributes(Outcome.String(OutcomeFailed), FailClass.String(class)))
	}
}
