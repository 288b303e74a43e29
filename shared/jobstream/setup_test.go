package jobstream_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test. It is the cost of a hanging test, and no
// measurement.
const patience = time.Minute

var asOf = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// bundle is a server of its own with a bus on it.
type bundle struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // the test's own, with its patience
	servers *jobstreamtest.Servers
	nc      *nats.Conn
	js      jetstream.JetStream
	bus     *jobstream.Bus
	log     *telemetrytest.Log
}

func setup(t *testing.T, cfg jobstream.Config) *bundle {
	t.Helper()
	b := bare(t)
	b.open(cfg)
	return b
}

// bare is a bundle whose server has no streams yet.
func bare(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	b := &bundle{t: t, ctx: ctx, servers: jobstreamtest.Start(t), log: &telemetrytest.Log{}}
	b.nc, b.js = jobstreamtest.Connect(t, b.servers.NATSURL(), b.log.Logger())
	return b
}

func (b *bundle) open(cfg jobstream.Config) {
	b.t.Helper()
	if cfg.Log == nil {
		cfg.Log = b.log.Logger()
	}
	b.bus = must.Get(jobstream.Open(b.ctx, b.nc, cfg))(b.t)
}

func (b *bundle) publish(jobs ...job.Job) {
	b.t.Helper()
	for _, j := range jobs {
		must.Do(b.t, b.bus.Queue.Publish(b.ctx, j))
	}
}

// next fetches until there is a delivery.
func (b *bundle) next() *jobstream.Delivery {
	b.t.Helper()
	return jobstreamtest.Next(b.ctx, b.t, b.bus)
}

// messages is the number of jobs in the stream.
func (b *bundle) messages() uint64 {
	b.t.Helper()
	return jobstreamtest.Messages(b.ctx, b.t, b.js)
}

func aJob(uid int) job.Job {
	return job.Job{Round: "r1", UID: uid, Hotkey: "5F", GitHubID: "42", AsOf: asOf}
}
