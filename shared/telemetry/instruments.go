package telemetry

import (
	"errors"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

// The metrics. Those that the conventions know have their names; the others
// are the product's. Prometheus writes them with underscores, units and
// _total: mirrorfleet_job_outcomes_total. Names and units of the limiter's are
// in names.go as well.
const (
	MetricRequestDuration = "http.client.request.duration"
	MetricResponseSize    = "http.client.response.body.size"
	MetricMirrorRetries   = "mirrorfleet.mirror.retries"
	MetricThrottled       = "mirrorfleet.mirror.throttled"
	MetricBreakerState    = "mirrorfleet.mirror.breaker.state"
	MetricBreakerChanges  = "mirrorfleet.mirror.breaker.changes"

	MetricGatewayWait    = "mirrorfleet.gateway.wait.duration"
	MetricGatewayWaiting = "mirrorfleet.gateway.waiting"

	MetricPublished       = "messaging.client.sent.messages"
	MetricDeliveries      = "messaging.client.consumed.messages"
	MetricProcessDuration = "messaging.process.duration"
	MetricJobOutcomes     = "mirrorfleet.job.outcomes"
	MetricLeaseLosses     = "mirrorfleet.job.lease.losses"
	MetricQueueWait       = "mirrorfleet.job.queue.wait"
	MetricQueueAge        = "mirrorfleet.job.queue.age"
	MetricQueueSize       = "mirrorfleet.job.queue.size"
	MetricQueueWaiting    = "mirrorfleet.job.queue.waiting"
	MetricDeadLetters     = "mirrorfleet.job.dead_letters"

	MetricServerAnswers = "mirrorfleet.server.answers"
	MetricServerRefuses = "mirrorfleet.server.refuses"
	MetricStorageUsed   = "mirrorfleet.storage.used"
	MetricStorageLimit  = "mirrorfleet.storage.limit"
	MetricNATSSilent    = "mirrorfleet.nats.silent"
	MetricWorkers       = "mirrorfleet.workers"
	MetricWorkerSigns   = "mirrorfleet.worker.signs"

	MetricRoundPhase          = "mirrorfleet.round.phase"
	MetricRoundJobs           = "mirrorfleet.round.jobs"
	MetricRoundDegraded       = "mirrorfleet.round.degraded"
	MetricRoundDuration       = "mirrorfleet.round.duration"
	MetricRoundLastSuccess    = "mirrorfleet.round.last_success"
	MetricRoundLastConclusion = "mirrorfleet.round.last_conclusion"
	MetricRoundPostponed      = "mirrorfleet.round.put_off"
	MetricPaused              = "mirrorfleet.paused" // seconds, by pause.of
	MetricRoundFellOut        = "mirrorfleet.round.fell_out"

	MetricScoreDuration = "mirrorfleet.score.duration"
	MetricScoreFiles    = "mirrorfleet.score.files"
	MetricScoreBytes    = "mirrorfleet.score.bytes"
	MetricScoreCPU      = "mirrorfleet.score.cpu.time"
	MetricChildStarts   = "mirrorfleet.score.child.starts"
	MetricChildEnds     = "mirrorfleet.score.child.ends"
	MetricScoreCache    = "mirrorfleet.score.cache.requests"

	MetricWarmUpMiners = "mirrorfleet.warm_up.miners"
	MetricWarmUpPulls  = "mirrorfleet.warm_up.pull_requests"

	MetricAuditJobs          = "mirrorfleet.audit.jobs"
	MetricAuditDiscrepancies = "mirrorfleet.audit.discrepancies"
	MetricAuditMended        = "mirrorfleet.audit.mended"
)

// Bounds of the histograms: the conventions' for requests; the others span
// what the product has seen.
//
//nolint:gochecknoglobals // constants, if Go had such
var (
	secondsShort = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30}
	secondsLong  = []float64{0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200}
	secondsWait  = []float64{0.01, 0.1, 0.5, 1, 2.5, 5, 10, 15, 20, 25, 30} // a gateway's clients wait for 25 s by default
	bytesSizes   = []float64{1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26}
)

// instruments are the process's, of one meter provider.
type instruments struct {
	meter metric.Meter

	requestDuration, processDuration, queueWait, roundDuration, scoreDuration, gatewayWait metric.Float64Histogram

	responseSize metric.Int64Histogram

	mirrorRetries, throttled, breakerChanges, published, deliveries, jobOutcomes, leaseLosses metric.Int64Counter

	scoreFiles, scoreBytes, childStarts, childEnds, scoreCache, warmUpMiners, warmUpPulls, auditMended, workerSigns metric.Int64Counter

	breakerState, roundPhase, roundJobs, roundDegraded, roundFellOut, auditJobs, auditDiscrepancies metric.Int64Gauge

	workers, gatewayWaiting metric.Int64UpDownCounter

	scoreCPU metric.Float64ObservableCounter

	deadLetters metric.Int64ObservableCounter

	queueAge, limitWorst, limitAllowed, limitPause, roundLastSuccess, roundLastConclusion, paused metric.Float64ObservableGauge

	queueSize, queueWaiting, limitUsed, roundPostponed                  metric.Int64ObservableGauge
	serverAnswers, serverRefuses, storageUsed, storageLimit, natsSilent metric.Int64ObservableGauge
}

// current are the instruments of the provider that was last asked for.
var current atomic.Pointer[ofProvider] //nolint:gochecknoglobals // as OpenTelemetry's own provider

type ofProvider struct {
	*instruments

	provider metric.MeterProvider
}

// measure is where everything is counted: the instruments of the process's
// meter provider. Without one they do nothing.
func measure() *instruments {
	provider := otel.GetMeterProvider()
	if known := current.Load(); known != nil && known.provider == provider {
		return known.instruments
	}
	made := &ofProvider{newInstruments(provider.Meter(Scope)), provider}
	current.Store(made)
	return made.instruments
}

// maker makes instruments and keeps what went wrong: a name that the SDK
// refuses, which a test would see.
type maker struct {
	meter  metric.Meter
	errors []error
}

func made[T any](m *maker, instrument T, err error) T {
	m.errors = append(m.errors, err)
	return instrument
}

func (m *maker) count(name, unit, says string) metric.Int64Counter {
	c, err := m.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(says))
	return made(m, c, err)
}

func (m *maker) gauge(name, unit, says string) metric.Int64Gauge {
	g, err := m.meter.Int64Gauge(name, metric.WithUnit(unit), metric.WithDescription(says))
	return made(m, g, err)
}

// look makes a gauge that is looked up whenever metrics are read.
func (m *maker) look(name, unit, says string) metric.Int64ObservableGauge {
	g, err := m.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(says))
	return made(m, g, err)
}

func (m *maker) lookFloat(name, unit, says string) metric.Float64ObservableGauge {
	g, err := m.meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(says))
	return made(m, g, err)
}

func (m *maker) seconds(name, says string, bounds []float64) metric.Float64Histogram {
	h, err := m.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(says),
		metric.WithExplicitBucketBoundaries(bounds...))
	return made(m, h, err)
}

func newInstruments(meter metric.Meter) *instruments {
	m := &maker{meter: meter}
	i := &instruments{meter: meter}
	i.ofMirror(m)
	i.ofGateway(m)
	i.ofJobs(m)
	i.ofServers(m)
	i.ofRounds(m)
	i.ofScoring(m)
	if err := errors.Join(m.errors...); err != nil {
		otel.Handle(err)
	}
	return i
}

func (i *instruments) ofMirror(m *maker) {
	i.requestDuration = m.seconds(MetricRequestDuration, "Requests to the mirror, from permit to last byte.", secondsShort)
	size, err := m.meter.Int64Histogram(MetricResponseSize, metric.WithUnit("By"),
		metric.WithDescription("Answers of the mirror, decompressed."), metric.WithExplicitBucketBoundaries(bytesSizes...))
	i.responseSize = made(m, size, err)
	i.mirrorRetries = m.count(MetricMirrorRetries, "{retry}", "Tries after a request's first.")
	i.throttled = m.count(MetricThrottled, "{request}", "Requests that the mirror refused with 429: more than its limit came.")
	i.breakerState = m.gauge(MetricBreakerState, "{state}", "1 for the state that the mirror's breaker is in.")
	i.breakerChanges = m.count(MetricBreakerChanges, "{change}", "Changes of the mirror's breaker, by the state it went to.")
}

func (i *instruments) ofGateway(m *maker) {
	i.gatewayWait = m.seconds(MetricGatewayWait, "From a request's arrival to its first permit, or to its end without one.", secondsWait)
	waiting, err := m.meter.Int64UpDownCounter(MetricGatewayWaiting, metric.WithUnit("{request}"),
		metric.WithDescription("Requests of the gateway's clients that have no permit yet."))
	i.gatewayWaiting = made(m, waiting, err)
}

func (i *instruments) ofJobs(m *maker) {
	i.published = m.count(MetricPublished, "{message}", "Jobs handed to the stream.")
	i.deliveries = m.count(MetricDeliveries, "{message}", "Deliveries of jobs that began.")
	i.processDuration = m.seconds(MetricProcessDuration, "Deliveries from receipt to their end.", secondsLong)
	i.jobOutcomes = m.count(MetricJobOutcomes, "{attempt}", "How deliveries ended, with the class of a failure.")
	i.leaseLosses = m.count(MetricLeaseLosses, "{lease}", "Leases lost: the job went to another.")
	i.queueWait = m.seconds(MetricQueueWait, "From a job's publication to its first delivery.", secondsLong)
	workers, err := m.meter.Int64UpDownCounter(MetricWorkers, metric.WithUnit("{process}"),
		metric.WithDescription("Worker processes that take jobs: a worker counts itself, a local round those beside it."))
	i.workers = made(m, workers, err)
}

// ofServers are what NATS and Redis say of the fleet whenever metrics are read:
// every process tells the same of them.
func (i *instruments) ofServers(m *maker) {
	i.serverAnswers = m.look(MetricServerAnswers, "{server}",
		"1 while the server does what this process's work needs, 0 while it refuses or does not answer.")
	i.serverRefuses = m.look(MetricServerRefuses, "{server}", "1 while the server answers and refuses, by the code of its refusal.")
	i.storageUsed = m.look(MetricStorageUsed, "By", "Bytes of files that JetStream keeps, where there is a limit.")
	i.storageLimit = m.look(MetricStorageLimit, "By", "Bytes of files that JetStream may keep.")
	i.natsSilent = m.look(MetricNATSSilent, "{server}", "Servers of the NATS cluster that the others know of, and that do not answer.")
	i.queueAge = m.lookFloat(MetricQueueAge, "s", "Age of the oldest job in the stream, delivered or not; 0 when there is none.")
	i.queueSize = m.look(MetricQueueSize, "{message}", "Jobs in the stream, delivered or not.")
	i.queueWaiting = m.look(MetricQueueWaiting, "{message}", "Jobs in the stream that no worker has been handed yet.")
	letters, err := m.meter.Int64ObservableCounter(MetricDeadLetters, metric.WithUnit("{letter}"),
		metric.WithDescription("Dead letters since the fleet began, from producers and workers."))
	i.deadLetters = made(m, letters, err)
	i.roundLastSuccess = m.lookFloat(MetricRoundLastSuccess, "s", "When a complete round was last concluded, in seconds since 1970.")
	i.roundLastConclusion = m.lookFloat(MetricRoundLastConclusion, "s",
		"When a round was last concluded, complete or not, in seconds since 1970.")
	i.limitUsed = m.look(MetricLimitUsed, "{request}", "Slots of the egress in the last whole ten seconds.")
	i.limitWorst = m.lookFloat(MetricLimitWorst, "{request}",
		"Maximum of the egress's slots in ten seconds during the last minutes, over stretches no shorter than the mirror's window.")
	i.limitAllowed = m.lookFloat(MetricLimitAllowed, "{request}", "Requests of the egress that the mirror allows in ten seconds.")
	i.limitPause = m.lookFloat(MetricLimitPause, "s", "Time until the egress sends again: it cools down, or is held by hand.")
}

func (i *instruments) ofRounds(m *maker) {
	i.roundPhase = m.gauge(MetricRoundPhase, "{phase}", "1 for the phase that the round is in.")
	i.roundJobs = m.gauge(MetricRoundJobs, "{job}", "Jobs of the round by phase.")
	i.roundDegraded = m.gauge(MetricRoundDegraded, "{job}", "Done jobs of the round that lack an answer.")
	i.roundDuration = m.seconds(MetricRoundDuration, "Rounds from their start in this process to their end.", secondsLong)
	i.roundPostponed = m.look(MetricRoundPostponed, "{round}", "1 while a round is due and cannot begin, by the input that postpones it.")
	i.paused = m.lookFloat(MetricPaused, "s", "Time since an operator paused the schedule, or the round that runs; 0 while it is not paused.")
	i.roundFellOut = m.gauge(MetricRoundFellOut, "{miner}", "Miners that had a usable token in the round before the last, and have none now.")
	i.auditJobs = m.gauge(MetricAuditJobs, "{job}", "The sides of planned = done + failed + outstanding.")
	i.auditDiscrepancies = m.gauge(MetricAuditDiscrepancies, "{discrepancy}",
		"Contradictions in what is stored of the round's jobs; one that stays is a fault.")
	i.auditMended = m.count(MetricAuditMended, "{job}", "Jobs that the reconciler mended.")
}

func (i *instruments) ofScoring(m *maker) {
	i.scoreDuration = m.seconds(MetricScoreDuration, "Token scoring of one pull request, the wait for a child included.", secondsShort)
	i.scoreFiles = m.count(MetricScoreFiles, "{file}", "Files scored, by method and language.")
	i.scoreBytes = m.count(MetricScoreBytes, "By", "Texts compared by child processes, by language.")
	cpu, err := m.meter.Float64ObservableCounter(MetricScoreCPU, metric.WithUnit("s"),
		metric.WithDescription("Processor time of the token-scoring children."))
	i.scoreCPU = made(m, cpu, err)
	i.childStarts = m.count(MetricChildStarts, "{process}", "Token-scoring children started.")
	i.childEnds = m.count(MetricChildEnds, "{process}", "Token-scoring children that ended unasked.")
	i.warmUpMiners = m.count(MetricWarmUpMiners, "{miner}", "Miners of warm-ups that this process was handed, by how that ended.")
	i.workerSigns = m.count(MetricWorkerSigns, "{sign}", "Signs of life of this worker, by what became of them: shown or dropped.")
	i.warmUpPulls = m.count(MetricWarmUpPulls, "{pull_request}", "Pull requests whose files were fetched ahead of a round.")
	i.scoreCache = m.count(MetricScoreCache, "{request}", "Look-ups in the score cache, by result.")
}
