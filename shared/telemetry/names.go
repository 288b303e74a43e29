package telemetry

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Scope names the instrumentation scope of every span and metric.
const Scope = "mirrorfleet"

// The spans. Names are of low cardinality: what varies is an attribute. A
// request to the mirror is named by MirrorSpan.
const (
	SpanRound      = "round"             // producer: plan to conclusion
	SpanConclude   = "conclude"          // producer: outcome from evaluations
	SpanCreate     = "create miner.job"  // producer, in the round's trace: a job begins; links to the job's own trace
	SpanJob        = "job"               // producer, root of a job's trace: publication to the record's end
	SpanPublish    = "publish miner.job" // producer: one job handed to the stream
	SpanProcess    = "process miner.job" // worker: one delivery
	SpanEvaluate   = "evaluate"          // worker: load and score one miner
	SpanPermit     = "permit"            // worker: the wait for one permit
	SpanTokenScore = "token score"       // worker: one pull request's files
	SpanScoreFile  = "score file"        // child process: one file, parsed and compared
	SpanCommit     = "commit"            // worker: evaluation and record
	SpanSettle     = "settle miner.job"  // worker: ack, nak or term
	SpanWarmUp     = "warm-up"           // producer: what is fetched ahead of a round, from its beginning to its end
	SpanWarm       = "warm up miner"     // worker: one miner of a warm-up
)

// MirrorSpan names the span of one request, all its tries, as the conventions
// have it for an HTTP client: by method and route.
func MirrorSpan(method, route string) string { return method + " " + route }

// The attributes that find a job. Every span of a job has them (see With).
const (
	RoundID  = attribute.Key("round.id")
	MinerUID = attribute.Key("miner.uid")
	GitHubID = attribute.Key("github.id")
)

// The attributes that explain it.
const (
	Delivery  = attribute.Key("job.delivery")      // hand-out of the message, from 1
	Failures  = attribute.Key("job.failures")      // counted before this attempt
	FailClass = attribute.Key("job.failure.class") // transient, permanent, poison, overdue, cancelled or damaged
	Outcome   = attribute.Key("job.outcome")       // how an attempt ended, or a job; see the Outcomes
	Phase     = attribute.Key("job.phase")
	Replay    = attribute.Key("job.replay")  // its number
	Replays   = attribute.Key("job.replays") // the trace that a replay repeats
	JobTrace  = attribute.Key("job.trace")   // the job's own trace, for log lines
	Worker    = attribute.Key("worker.name")

	Egress     = attribute.Key("limit.egress")
	PermitWait = attribute.Key("limit.wait_ms")
	// PermitOutcome is granted, late or void.
	PermitOutcome = attribute.Key("limit.permit.outcome")
	// PermitClass is round or background.
	PermitClass = attribute.Key("limit.permit.class")

	Page         = attribute.Key("mirror.page")  // of a list, from 1
	Items        = attribute.Key("mirror.items") // on that page
	Malformed    = attribute.Key("mirror.malformed")
	BreakerState = attribute.Key("mirror.breaker.state") // closed, half-open or open

	// GatewayOutcome is how a client's wait ended: see the Waits.
	GatewayOutcome = attribute.Key("gateway.outcome")

	Repository  = attribute.Key("pull_request.repository")
	PullRequest = attribute.Key("pull_request.number")

	CacheResult = attribute.Key("score.cache.result") // see the Cache results
	// CacheHits and CacheMisses are on the evaluation's span: of how many pull
	// requests the figures were there, and how many were fetched.
	CacheHits   = attribute.Key("score.cache.hits")
	CacheMisses = attribute.Key("score.cache.misses")
	Files       = attribute.Key("score.files")
	FilesParsed = attribute.Key("score.files.compared") // by a child process
	FilesShown  = attribute.Key("score.files.shown")    // of those, the slowest, as spans
	Language    = attribute.Key("score.language")
	Method      = attribute.Key("score.method")
	FileName    = attribute.Key("score.file.name")
	FileBytes   = attribute.Key("score.file.bytes")
	ChildPID    = attribute.Key("score.child.pid")
	ChildEnd    = attribute.Key("score.child.end") // see the Child ends

	// SignOutcome is shown, or dropped because it could not be stored.
	SignOutcome = attribute.Key("worker.sign.outcome")

	WarmUp = attribute.Key("warm_up.id")
	// WarmUpOutcome is done, failed (something could not be had) or dropped (a job came, or
	// the warm-up ended).
	WarmUpOutcome = attribute.Key("warm_up.outcome")

	RoundPhase   = attribute.Key("round.phase")
	RoundOutcome = attribute.Key("round.outcome")
	RoundInput   = attribute.Key("round.input") // that postpones a round
	AuditSide    = attribute.Key("audit.side")
	ServerKind   = attribute.Key("server.kind") // nats or redis
	// ServerCode is Redis' word, such as OOM, or JetStream's number of an error.
	ServerCode = attribute.Key("server.code")
	StorageOf  = attribute.Key("storage.of")  // account, or a server's name
	LimitPause = attribute.Key("limit.pause") // cool_down or hold
	Paused     = attribute.Key("pause.of")    // schedule or round
)

// What an operator pauses.
const (
	PausedSchedule = "schedule"
	PausedRound    = "round"
)

// How an attempt ends; of these a job ends as done, degraded or failed.
const (
	OutcomeDone       = "done"
	OutcomeDegraded   = "degraded"    // done, but lacks what the mirror did not give
	OutcomeRetry      = "retry"       // a counted failure; the job is handed out again
	OutcomeFailed     = "failed"      // for good
	OutcomeHandedBack = "handed_back" // by a worker that stops
	OutcomeLost       = "lost"        // the lease or the record went to another
	OutcomeSettled    = "settled"     // the job had ended before: only the message was left
)

// EventScoreCache is on the evaluation's span, once for each pull request whose
// files are needed: its name and what the cache said.
const EventScoreCache = "score cache"

// Results of the score cache.
const (
	CacheHit    = "hit"
	CacheMiss   = "miss"
	CacheShared = "shared" // another job fetched it after the first look
)

// What the conventions call a job's way over the wire.
//
//nolint:gochecknoglobals // constants, if Go had such
var (
	messaging   = semconv.MessagingSystemKey.String("nats")
	destination = semconv.MessagingDestinationTemplate("miner.job.{round}.{uid}")
	consumer    = semconv.MessagingConsumerGroupName("workers")

	errorType = semconv.ErrorTypeKey
)

// The metrics of the limiter, each with the attribute limit.egress. They are of
// one process; what the whole egress did is in its bucket.
const (
	MetricPermits     = "mirrorfleet.limit.permits"              // counter, by limit.permit.outcome
	MetricPermitWait  = "mirrorfleet.limit.permit.wait.duration" // histogram, seconds
	MetricWaiting     = "mirrorfleet.limit.waiting"              // up-down counter
	MetricRefusals    = "mirrorfleet.limit.refusals"             // counter
	MetricRedisCalls  = "mirrorfleet.limit.redis.calls"          // counter
	MetricLostAnswers = "mirrorfleet.limit.redis.lost_answers"   // counter, part of the calls
	MetricCoolDowns   = "mirrorfleet.limit.cool_downs"           // counter
	MetricStateLosses = "mirrorfleet.limit.state_losses"         // counter
)

// What the bucket of the whole egress says, looked up whenever metrics are
// read: gauges, each with the attribute limit.egress.
const (
	MetricLimitUsed    = "mirrorfleet.limit.used"
	MetricLimitWorst   = "mirrorfleet.limit.worst"
	MetricLimitAllowed = "mirrorfleet.limit.allowed"
	MetricLimitPause   = "mirrorfleet.limit.pause" // seconds, by limit.pause
)
