package warm_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/worker/warm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const miners = 3

// bundle is a warm-up of three miners, and a worker whose work on one lasts until its
// context ends or an end is given to it.
type bundle struct {
	t       *testing.T
	bus     *jobstream.Bus
	runner  *warm.Runner
	begun   chan int
	ends    chan error
	dropped chan error
}

func setup(t *testing.T, changes ...func(*warm.Config)) *bundle {
	t.Helper()
	b := &bundle{t: t, begun: make(chan int, 100), ends: make(chan error, 100), dropped: make(chan error, 100)}
	b.bus, _ = jobstreamtest.Open(t, jobstreamtest.Start(t).NATSURL(), jobstream.Config{})
	cfg := warm.Config{
		Bus: b.bus, Miners: 1, Look: 20 * time.Millisecond, Watch: 20 * time.Millisecond,
		Prepare: func(context.Context, string) error { return nil },
		Warm: func(ctx context.Context, _ job.WarmUp, miner job.Warm) (int, error) {
			b.begun <- miner.UID
			select {
			case err := <-b.ends:
				return 1, err
			case <-ctx.Done():
				b.dropped <- context.Cause(ctx)
				return 0, ctx.Err()
			}
		},
	}
	for _, change := range changes {
		change(&cfg)
	}
	b.runner = must.Get(warm.New(cfg))(t)
	return b
}

// begin begins a warm-up that lasts for so long.
func (b *bundle) begin(lasts time.Duration) {
	b.t.Helper()
	up := job.WarmUp{ID: "w1", Until: time.Now().Add(lasts), Share: 1, Miners: miners}
	must.Do(b.t, b.bus.WarmUps.Begin(b.t.Context(), up, job.Manifest{AsOf: time.Now()}))
	for uid := range miners {
		must.Do(b.t, b.bus.WarmUps.Publish(b.t.Context(), job.Warm{WarmUp: "w1", UID: uid, GitHubID: fmt.Sprint(uid)}))
	}
}

func (b *bundle) run() (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); b.runner.Run(ctx) }()
	return func() { cancel(); <-ended }
}

func (b *bundle) left() int { return must.Get(b.bus.WarmUps.Left(b.t.Context()))(b.t) }

// until waits for what cannot be heard of.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !is() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

// Miners are worked on once each, whether that succeeds, fails or panics, and are gone from
// the stream then.
func TestEachMinerIsHandedOutOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *warm.Config) {
		work := cfg.Warm
		cfg.Warm = func(ctx context.Context, up job.WarmUp, miner job.Warm) (int, error) {
			fetched, err := work(ctx, up, miner)
			if miner.UID == 2 {
				panic("a fault")
			}
			return fetched, err
		}
	})
	b.ends <- nil
	b.ends <- errors.New("no answer")
	b.ends <- nil
	b.begin(time.Hour)
	defer b.run()()
	until(t, "no miner is left", func() bool { return b.left() == 0 })
	if len(b.begun) != miners {
		t.Errorf("%d miners were begun, want each of %d once", len(b.begun), miners)
	}
}

// A job of this process ends the work at once, and none begins before it has ended; a job of
// another process, the end of the warm-up, and its time end it, too.
func TestWhatEndsTheWork(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lasts time.Duration
		act   func(b *bundle)
	}{
		"a job here": {time.Hour, func(b *bundle) { b.runner.Yield() }},
		"a job elsewhere": {time.Hour, func(b *bundle) {
			must.Do(b.t, b.bus.Queue.Publish(b.t.Context(), job.Job{Round: "r1", UID: 1, Hotkey: "h", GitHubID: "1", AsOf: time.Now()}))
		}},
		"its end":  {time.Hour, func(b *bundle) { must.Get(b.bus.WarmUps.End(b.t.Context(), "w1", "x", time.Now()))(b.t) }},
		"its time": {2 * time.Second, func(*bundle) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.begin(c.lasts)
			defer b.run()()
			<-b.begun
			c.act(b)
			<-b.dropped
			select {
			case uid := <-b.begun:
				t.Errorf("miner %d was begun after the end", uid)
			case <-time.After(200 * time.Millisecond): // ten looks
			}
		})
	}
}

// When the job has ended, the worker goes on with the miners that are left.
func TestTheWorkGoesOnAfterAJob(t *testing.T) {
	t.Parallel()
	b := setup(t)
	resume := b.runner.Yield()
	b.begin(time.Hour)
	defer b.run()()
	resume()
	for range miners {
		b.ends <- nil
	}
	until(t, "no miner is left", func() bool { return b.left() == 0 })
}

// A worker that cannot go on with a warm-up leaves the miner that it has, and takes no other.
func TestAWorkerThatBecomesUnfitKeepsNoMiner(t *testing.T) {
	t.Parallel()
	var unfit atomic.Bool
	asked := make(chan struct{}, 1000)
	b := setup(t, func(cfg *warm.Config) {
		cfg.Prepare = func(context.Context, string) error {
			if !unfit.Load() {
				return nil
			}
			asked <- struct{}{}
			return errors.New("its files were replaced")
		}
	})
	b.begin(time.Hour)
	defer b.run()()
	<-b.begun
	unfit.Store(true)
	b.ends <- errors.New("it cannot score any more")
	<-asked
	<-asked // when it looks for a warm-up again
	if left := b.left(); left != miners || len(b.begun) != 0 {
		t.Errorf("%d miners are left, %d begun; want %d and no other", left, len(b.begun), miners)
	}
}

// A worker that cannot work on a warm-up takes none of its miners: another may.
func TestAnUnfitWorkerTakesNoMiners(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1000)
	b := setup(t, func(cfg *warm.Config) {
		cfg.Prepare = func(context.Context, string) error { asked <- struct{}{}; return errors.New("another mirror") }
	})
	b.begin(time.Hour)
	defer b.run()()
	<-asked
	<-asked
	if left := b.left(); left != miners || len(b.begun) != 0 {
		t.Errorf("%d miners are left, %d begun; want %d and none", left, len(b.begun), miners)
	}
}
