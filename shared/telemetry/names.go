package telemetry

import "go.opentelemetry.io/otel/attribute"

// Scope names the instrumentation scope of every span and metric.
const Scope = "mirrorfleet"

// The spans. Names are of low cardinality: what varies is an attribute.
const (
	SpanRound      = "round"             // producer: plan to conclusion
	SpanPublish    = "publish miner.job" // producer: one job handed to the stream
	SpanProcess    = "process miner.job" // worker: one delivery
	SpanEvaluate   = "evaluate"          // worker: load and score one miner
	SpanPermit     = "permit"            // worker: the wait for one permit
	SpanMirror     = "mirror"            // worker: one request, all its tries; named "mirror <METHOD> <route>"
	SpanTokenScore = "token score"       // worker: one pull request in a child process
	SpanCommit     = "commit"            // worker: evaluation and record
	SpanSettle     = "settle"            // worker: ack, nak or term
	SpanConclude   = "conclude"          // producer: outcome from evaluations
)

// EventScoreCache is on the evaluation's span, once for each pull request whose
// files are needed: its name and what the cache said.
const EventScoreCache = "score cache"

// What the cache said, as CacheResult has it.
const (
	CacheHit    = "hit"    // the figures were there
	CacheShared = "shared" // another fetched them meanwhile
	CacheMiss   = "miss"   // fetched here
)

// The attributes that find a job, and the ones that explain it.
const (
	RoundID    = attribute.Key("round.id")
	MinerUID   = attribute.Key("miner.uid")
	GitHubID   = attribute.Key("github.id")
	Delivery   = attribute.Key("job.delivery")
	Failures   = attribute.Key("job.failures")
	Replay     = attribute.Key("job.replay") // its number; on a link, of the trace that the link leads to
	FailClass  = attribute.Key("job.failure.class")
	Egress     = attribute.Key("limit.egress")
	PermitWait = attribute.Key("limit.wait_ms")
	// PermitOutcome is granted, late or void.
	PermitOutcome = attribute.Key("limit.permit.outcome")
	Repository    = attribute.Key("pull_request.repository")
	PullRequest   = attribute.Key("pull_request.number")
	CacheResult   = attribute.Key("cache.result")
	// CacheHits and CacheMisses are on the evaluation's span: of how many pull
	// requests the figures were there, and how many were fetched.
	CacheHits   = attribute.Key("cache.hits")
	CacheMisses = attribute.Key("cache.misses")
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
