package signs_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/shared/telemetry/telemetrytest"
	"mirrorfleet/worker/signs"
)

// patience bounds every wait of a test; nothing is measured against it.
const patience = time.Minute

type bundle struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // the test's own, with its patience
	bus     *jobstream.Bus
	nc      *nats.Conn
	limiter *ratelimit.Limiter
	log     *telemetrytest.Log
	writer  *signs.Writer
}

func setup(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("the test's patience is over"))
	t.Cleanup(cancel)
	servers := jobstreamtest.Start(t)
	b := &bundle{t: t, ctx: ctx, log: &telemetrytest.Log{}}
	b.bus, b.nc = jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{Timeout: time.Second})
	rdb := must.Get(ratelimit.NewClient(servers.RedisURL(), time.Second))(t)
	t.Cleanup(func() { _ = rdb.Close() })
	b.limiter = must.Get(ratelimit.New(ratelimit.Config{Egress: "eu-1", Limit: 1000, Horizon: time.Second}, rdb))(t)
	t.Cleanup(func() { _ = b.limiter.Close() })
	b.writer = must.Get(signs.New(signs.Config{
		Worker:    job.Worker{Name: "w1", Build: "v1", Host: "host", Egress: "eu-1", Slots: 4},
		Addresses: func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("192.0.2.1")} },
		Bus:       b.bus, Limiter: b.limiter, Every: 10 * time.Millisecond, Log: b.log.Logger(),
	}))(t)
	return b
}

// run shows signs until the stop function is called.
func (b *bundle) run() (stop func()) {
	ctx, end := context.WithCancel(b.ctx)
	var work sync.WaitGroup
	work.Go(func() { b.writer.Run(ctx) })
	return func() { end(); work.Wait() }
}

// until waits until the one worker's last sign is as it should be.
func (b *bundle) until(what string, is func(jobstream.Present) bool) (last jobstream.Present) {
	b.t.Helper()
	must.Until(b.ctx, b.t, what, func() bool {
		roll := must.Get(b.bus.Presence.List(b.ctx))(b.t)
		if len(roll.Workers) != 1 {
			return false
		}
		last = roll.Workers[0]
		return is(last)
	})
	return last
}

// A process shows who it is and what its jobs do, and leaves with its last word.
func TestAWorkerShowsWhatItDoes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stop := b.run()
	b.until("it shows itself before it has a job", func(p jobstream.Present) bool { return p.Name == "w1" && len(p.Jobs) == 0 })

	requests := new(atomic.Int64)
	ctx, end := b.writer.Begin(b.ctx, job.WorkerJob{Round: "r1", UID: 7}, requests)
	ctx, endStep := doing.Begin(ctx, "files of a/b#7")
	endWait := doing.Wait(ctx, func(time.Time) doing.State { return doing.State{Waits: doing.Permit, Place: 3} })
	requests.Store(5)
	_, endWarm := b.writer.Begin(b.ctx, job.WorkerJob{Round: "warm", UID: 8, WarmUp: true}, new(atomic.Int64))
	got := b.until("it shows both", func(p jobstream.Present) bool { return len(p.Jobs) == 2 && p.Jobs[0].Doing.Waits != "" })
	want := job.WorkerJob{
		Round: "r1", UID: 7, Requests: 5, Since: got.Jobs[0].Since,
		Doing: doing.State{What: "files of a/b#7", Waits: doing.Permit, Place: 3},
	}
	if diff := cmp.Diff(want, got.Jobs[0]); diff != "" || !got.Jobs[1].WarmUp || got.Slots != 4 || got.Host != "host" || got.Build != "v1" || len(got.Addresses) != 1 {
		t.Errorf("shown %+v; its job (-want +got):\n%s", got.Worker, diff)
	}
	endWait()
	endStep()
	end()
	endWarm()

	for range 10 {
		must.Get(b.limiter.Permit(b.ctx))(t)
	}
	got = b.until("it shows its permits", func(p jobstream.Present) bool { return p.Permits == 10 })
	if got.Share <= 0 || got.Share > 1 || !got.Limit.Known || got.Limit.Granted != 10 || got.Limit.Limit != 1000 {
		t.Errorf("share %v of %+v, want a part of the limit of its bucket", got.Share, got.Limit)
	}
	stop()
	b.writer.Leave(b.ctx, "drained")
	if got := b.until("it has left", func(p jobstream.Present) bool { return p.Left != "" }); got.Left != "drained" || len(got.Jobs) != 0 {
		t.Errorf("left as %+v, want drained without jobs", got.Worker)
	}
}

// While the bucket is gone, signs are dropped, and the log says so once. Work goes on: what a
// job says of itself waits for nothing.
func TestSignsThatFailAreDropped(t *testing.T) { //nolint:paralleltest // the meter is the process's
	meter := telemetrytest.Meter(t)
	b := setup(t)
	js := must.Get(b.nc.JetStream())(t)
	must.Do(t, js.DeleteStream("KV_"+job.BucketWorkers))
	stop := b.run()
	defer stop()
	must.Until(b.ctx, t, "several are dropped", func() bool {
		return telemetrytest.Points(t, meter, telemetry.MetricWorkerSigns, telemetry.SignOutcome)["dropped"] > 3
	})
	if n := b.log.Count("signs of life are dropped"); n != 1 {
		t.Errorf("logged %d times, want once\n%s", n, b.log)
	}
	must.Get(b.bus.Presence.List(b.ctx))(t) // a producer that misses the bucket declares it again
	b.log.Await(b.ctx, t, "signs of life are stored again")
}

// What a writer may not store is refused, or cut.
func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]signs.Config{"no name": {}, "no bus": {Worker: job.Worker{Name: "w"}}} {
		if _, err := signs.New(cfg); err == nil || !strings.HasPrefix(err.Error(), "signs: ") {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}
