package round_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// end is how a producer ended.
type end struct {
	result outcome.Result
	err    error
}

// gated is a worker whose miner 2 waits for a gate.
type gated struct {
	reached, open chan struct{}
	evaluations   atomic.Int64
}

func (b *bundle) gate(t *testing.T) *gated {
	t.Helper()
	g := &gated{reached: make(chan struct{}), open: make(chan struct{})}
	var once sync.Once
	b.work(t, func(ctx context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		if j.UID == 2 {
			once.Do(func() { close(g.reached) })
			select {
			case <-g.open:
			case <-ctx.Done():
				return job.Evaluation{}, ctx.Err()
			}
		}
		g.evaluations.Add(1)
		return evaluated(j, 1), nil
	})
	return g
}

// A second producer of a round stands by, says for which producer, and ends with the
// first one's conclusion.
func TestASecondProducerStandsBy(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	g := b.gate(t)
	m := b.plan(t, four()...)
	ctx := deadline(t)
	ends := make(chan end, 2)
	said := &telemetrytest.Log{}
	go func() {
		result, err := b.runner(t, func(c *round.Config) { c.Name = "the-first" }).Start(ctx, m)
		ends <- end{result, err}
	}()
	<-g.reached
	go func() {
		result, err := b.runner(t, func(c *round.Config) { c.Log = slog.New(slog.NewTextHandler(said, nil)) }).Resume(ctx, m.Round)
		ends <- end{result, err}
	}()
	said.Await(ctx, t, "standing by")
	said.Await(ctx, t, "producer=the-first")
	close(g.open)
	one, two := <-ends, <-ends
	must.Do(t, errors.Join(one.err, two.err))
	if one.result.Revision != two.result.Revision || bytesOf(t, one.result.Outcome) != bytesOf(t, two.result.Outcome) {
		t.Errorf("two results: revisions %d and %d, or other outcomes", one.result.Revision, two.result.Revision)
	}
	if n := g.evaluations.Load(); n != 2 {
		t.Errorf("%d evaluations, want 2", n)
	}
	b.holds(t, m.Round)
}

// A producer that dies leaves no word. The standby takes over when it has been silent for
// its takeover time.
func TestAStandbyTakesOverFromADeadProducer(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.work(t, always)
	m := b.plan(t, four()...)
	b.queue(t, m)
	_, err := b.bus.Holders.Set(t.Context(), m.Round, job.Holder{Name: "dead", For: 200 * time.Millisecond}, 0)
	must.Do(t, err)
	ctx, said := deadline(t), &telemetrytest.Log{}
	got, err := b.runner(t, func(c *round.Config) { c.Log = slog.New(slog.NewTextHandler(said, nil)) }).Resume(ctx, m.Round)
	must.Do(t, err)
	if !got.Complete {
		t.Error("the round is not complete")
	}
	said.Await(ctx, t, "standing by: another producer holds the round")
	said.Await(ctx, t, "the round is taken over: its producer died, or was silent for its time")
	h, _, err := b.bus.Holders.Load(t.Context(), m.Round)
	if err != nil || h.Name == "dead" || !h.Released {
		t.Errorf("holder %+v, %v; want the second one, with its work ended", h, err)
	}
}

// A producer that is alone on the streams does not wait for a dead one.
func TestAloneNobodyIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.work(t, always)
	m := b.plan(t, four()...)
	b.queue(t, m)
	_, err := b.bus.Holders.Set(t.Context(), m.Round, job.Holder{Name: "dead", For: 24 * time.Hour}, 0)
	must.Do(t, err)
	if _, err := b.runner(t, func(c *round.Config) { c.SoleProducer = true }).Resume(deadline(t), m.Round); err != nil {
		t.Error(err)
	}
}

// A producer that was silent for too long finds another one at its round. It stops,
// stands by, and ends with the other's outcome.
func TestAProducerThatWasTakenOverStandsBy(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	g := b.gate(t)
	m := b.plan(t, four()...)
	ctx := deadline(t)
	ends := make(chan end, 1)
	said := &telemetrytest.Log{}
	go func() {
		result, err := b.runner(t, func(c *round.Config) { c.Log = said.Logger() }).Start(ctx, m)
		ends <- end{result, err}
	}()
	<-g.reached
	b.takeOver(t, m.Round)
	said.Await(ctx, t, "this producer's hold on the round is lost")
	said.Await(ctx, t, "another one is in its place")
	said.Await(ctx, t, "producer=another")
	close(g.open)
	one := <-ends // the other is silent from now on, so the round comes back
	must.Do(t, one.err)
	if !one.result.Complete || g.evaluations.Load() != 2 {
		t.Errorf("complete %v, %d evaluations; want a complete round with 2", one.result.Complete, g.evaluations.Load())
	}
	b.holds(t, m.Round)
}

// While NATS is away, no sign of life is confirmed, and nobody takes the round over. The
// producer says so, and resumes its work if no other has held the round.
func TestAMissingSignOfLifeIsNoTakeover(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	relay := nettest.NewRelay(t, b.nats)
	bus, _ := jobstreamtest.Open(t, relay.URL(), jobstream.Config{Timeout: time.Second})
	g := b.gate(t)
	m := b.plan(t, four()...)
	ctx := deadline(t)
	ends := make(chan end, 1)
	said := &telemetrytest.Log{}
	go func() {
		result, err := b.runner(t, func(c *round.Config) {
			c.Bus = bus
			c.Takeover = 2 * time.Second
			c.Log = slog.New(slog.NewTextHandler(said, nil))
		}).Start(ctx, m)
		ends <- end{result, err}
	}()
	<-g.reached
	relay.Cut()
	said.Await(ctx, t, "NATS has confirmed no sign of life of this producer for")
	relay.Mend()
	said.Await(ctx, t, "nobody else has held the round meanwhile: this producer resumes its work")
	close(g.open)
	one := <-ends
	must.Do(t, one.err)
	if !one.result.Complete {
		t.Error("the round is not complete")
	}
	for _, untrue := range []string{"another producer", "another one", "taken over"} {
		if said.Count(untrue) > 0 {
			t.Errorf("it speaks of %q, and there was none:\n%s", untrue, said)
		}
	}
}

// A repair is in the outcome even if the producer that made it has lost its hold since.
// It was once forgotten with the hold.
func TestWhatWasMendedOutlivesALostHold(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	g := b.gate(t)
	m := b.plan(t, four()...)
	ctx := deadline(t)
	ends := make(chan end, 1)
	said := &telemetrytest.Log{}
	go func() {
		result, err := b.runner(t, func(c *round.Config) { c.Log = said.Logger() }).Start(ctx, m)
		ends <- end{result, err}
	}()
	<-g.reached
	b.spoil(t, job.BucketRounds, job.ManifestKey(m.Round))
	said.Await(ctx, t, manifestBack)
	b.takeOver(t, m.Round)
	said.Await(ctx, t, "standing by")
	close(g.open)
	one := <-ends // the other is silent from now on, so the round comes back
	must.Do(t, one.err)
	if want := []outcome.Mended{{UID: -1, What: manifestBack}}; !slices.Equal(one.result.Mended, want) {
		t.Errorf("mended %v, want %v", one.result.Mended, want)
	}
	b.holds(t, m.Round)
}

// takeOver makes another producer the round's holder, although the first one lives.
func (b *bundle) takeOver(t *testing.T, name string) {
	t.Helper()
	for {
		_, revision, err := b.bus.Holders.Load(t.Context(), name)
		must.Do(t, err)
		_, err = b.bus.Holders.Set(t.Context(), name, job.Holder{Name: "another", For: 500 * time.Millisecond}, revision)
		if err == nil {
			return
		}
		if !errors.Is(err, jobstream.ErrConflict) {
			t.Fatal(err)
		}
	}
}

// A producer that concludes late changes nothing, and learns the stored conclusion.
func TestTheFirstConclusionCounts(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	m := b.plan(t, four()...)
	b.work(t, func(ctx context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		if j.UID == 2 { // meanwhile, a producer that had lost the round concluded it
			must.Do(t, b.bus.Outcomes.Put(ctx, m.Round, 1, []byte(`{"version": 1, "revision": 1, "mirror": "the other's"}`)))
		}
		return evaluated(j, 1), nil
	})
	got, err := b.runner(t).Start(deadline(t), m)
	if err != nil || got.Mirror != "the other's" {
		t.Errorf("got the outcome of %q, %v; want the other's", got.Mirror, err)
	}
}
