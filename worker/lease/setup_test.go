package lease_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/shared/telemetry/telemetrytest"
	"mirrorfleet/worker/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test; nothing is measured against it.
const patience = time.Minute

// never is an AckWait that no test lives to see the end of: what comes again
// under it was given back.
const never = time.Hour

var asOf = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

type bundle struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // the test's own, with its patience
	servers *jobstreamtest.Servers
	bus     *jobstream.Bus
	js      jetstream.JetStream
	log     *telemetrytest.Log
}

func setup(t *testing.T, ackWait time.Duration) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	b := &bundle{t: t, ctx: ctx, servers: jobstreamtest.Start(t), log: &telemetrytest.Log{}}
	t.Cleanup(b.linesNameTheirJob)
	var nc *nats.Conn
	b.bus, nc = jobstreamtest.Open(t, b.servers.NATSURL(), jobstream.Config{AckWait: ackWait, Log: b.log.Logger()})
	b.js = must.Get(jetstream.New(nc))(t)
	b.must(b.bus.Rounds.CreateManifest(ctx, job.Manifest{
		Round: "r1", Registry: json.RawMessage(`{}`), Languages: json.RawMessage(`{}`), Tokens: json.RawMessage(`{}`),
	}))
	return b
}

// linesNameTheirJob checks, at the end of every test, that each line of a worker about a job
// has the ids to find the job by. Only a message that names no job has none.
func (b *bundle) linesNameTheirJob() {
	for line := range strings.Lines(b.log.String()) {
		if !strings.Contains(line, "subject=miner.job.r1.") && !strings.Contains(line, "uid=") {
			continue // a line of the process, or of no job
		}
		for _, id := range []string{"round=", "uid=", "delivery="} {
			if strings.Count(line, id) != 1 {
				b.t.Errorf("a line about a job does not have %s once: %s", id, line)
			}
		}
	}
}

func (b *bundle) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatalf("%v; logged:\n%s", err, b.log)
	}
}

// stalling is a bus of a process that can be stalled.
func (b *bundle) stalling() (*jobstream.Bus, *nettest.Relay) {
	b.t.Helper()
	w := nettest.NewRelay(b.t, b.servers.NATSURL())
	bus, _ := jobstreamtest.Open(b.t, w.URL(), jobstream.Config{Timeout: time.Second, Log: b.log.Logger()})
	return bus, w
}

func aJob(uid int) job.Job {
	return job.Job{Round: "r1", UID: uid, Hotkey: "5F", GitHubID: "42", AsOf: asOf}
}

// plan plans and publishes jobs.
func (b *bundle) plan(uids ...int) {
	b.t.Helper()
	for _, uid := range uids {
		_, err := b.bus.Records.Plan(b.ctx, job.Plan("r1", uid, "trace"))
		b.must(err)
		b.must(b.bus.Queue.Publish(b.ctx, aJob(uid)))
	}
}

// worker is a runner with its Run under way.
type worker struct {
	*lease.Runner

	drain context.CancelFunc
	done  chan error
}

// run starts a worker; defaults are short where a test would wait for them.
func (b *bundle) run(cfg lease.Config) *worker {
	b.t.Helper()
	if cfg.Worker == "" {
		cfg.Worker = "w1"
	}
	if cfg.Bus == nil {
		cfg.Bus = b.bus
	}
	if cfg.FetchWait == 0 {
		cfg.FetchWait = 100 * time.Millisecond
	}
	if cfg.Delays == nil {
		cfg.Delays = []time.Duration{time.Millisecond}
	}
	cfg.Log = telemetry.Logger(b.log, true, slog.LevelDebug)
	r, err := lease.New(cfg)
	b.must(err)
	ctx, cancel := context.WithCancel(b.ctx)
	w := &worker{Runner: r, drain: cancel, done: make(chan error, 1)}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		w.done <- r.Run(ctx)
	}()
	b.t.Cleanup(func() { // also of a test that failed in the middle
		cancel()
		r.StopNow()
		<-finished
	})
	return w
}

// finish drains a worker and waits for its end.
func (b *bundle) finish(w *worker) {
	b.t.Helper()
	w.drain()
	b.must(<-w.done)
}

// await follows a job's record until it is as wanted.
func (b *bundle) await(uid int, what string, wanted func(job.Record) bool) job.Record {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	records, err := b.bus.Records.Watch(ctx, "r1")
	b.must(err)
	var last job.Record
	for r := range records {
		if r.UID == uid {
			if last = r; wanted(r) {
				return r
			}
		}
	}
	b.t.Fatalf("job %d was never %s: %+v; logged:\n%s", uid, what, last, b.log)
	return last
}

func (b *bundle) awaitPhase(uid int, phase job.Phase) job.Record {
	b.t.Helper()
	return b.await(uid, string(phase), func(r job.Record) bool { return r.Phase == phase })
}

func (b *bundle) record(uid int) job.Record {
	b.t.Helper()
	return jobstreamtest.Record(b.ctx, b.t, b.bus, "r1", uid)
}

// consumer is what the server knows of the deliveries.
func (b *bundle) consumer() *jetstream.ConsumerInfo {
	b.t.Helper()
	c, err := b.js.Consumer(b.ctx, job.StreamJobs, job.Consumer)
	b.must(err)
	return c.CachedInfo()
}

func (b *bundle) messages() uint64 {
	b.t.Helper()
	return jobstreamtest.Messages(b.ctx, b.t, b.js)
}

// awaitMessages asks the server until it holds n jobs.
func (b *bundle) awaitMessages(n uint64) {
	b.t.Helper()
	for b.messages() != n {
		if b.ctx.Err() != nil {
			b.t.Fatalf("the stream never held %d messages; logged:\n%s", n, b.log)
		}
	}
}

func (b *bundle) letters(round string) []job.DeadLetter {
	b.t.Helper()
	letters, err := b.bus.Letters.List(b.ctx, round)
	b.must(err)
	return letters
}

// hold keeps a handler until release is closed, or the test is out of time.
func (b *bundle) hold(release <-chan struct{}) {
	select {
	case <-release:
	case <-b.ctx.Done():
	}
}

// receive takes one value or ends the test.
func receive[T any](b *bundle, from <-chan T, what string) T {
	b.t.Helper()
	return must.Receive(b.ctx, b.t, from, what)
}

// succeed is a handler that has nothing to do.
func succeed(_ context.Context, _ job.Job, _ job.Attempt) (job.Evaluation, error) {
	return job.Evaluation{}, nil
}

var errMirror = errors.New("mirror answered 502")

func (b *bundle) awaitLog(word string) {
	b.t.Helper()
	b.log.Await(b.ctx, b.t, word)
}
