package lease_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/worker/lease"
)

// untilCancelled is a handler that works until it is told to stop.
func untilCancelled(started chan<- int) lease.Handler {
	return func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		a.Requests.Add(3)
		started <- j.UID
		<-ctx.Done()
		return job.Evaluation{}, context.Cause(ctx)
	}
}

// TestDrainHandsBack: what does not end within the grace time goes to another
// worker at once, not after the lease, and no failure is counted.
func TestDrainHandsBack(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*worker){
		"grace is over": func(w *worker) { w.drain() },
		"second signal": func(w *worker) { w.drain(); w.StopNow() },
		"at once":       func(w *worker) { w.StopNow(); w.StopNow() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, never)
			b.plan(1, 2)
			grace := never
			if name == "grace is over" {
				grace = time.Millisecond
			}
			started := make(chan int, 10)
			first := b.run(lease.Config{Grace: grace, Slots: 2, Handler: untilCancelled(started)})
			receive(b, started, "the first job's start")
			receive(b, started, "the second job's start")
			stop(first)
			b.must(receive(b, first.done, "the drain's end"))
			for uid := 1; uid <= 2; uid++ {
				if r := b.record(uid); r.Phase != job.Planned || r.Failures != 0 || r.Requests != 3 {
					t.Errorf("record is %+v, want it planned, no failure, 3 requests", r)
				}
			}
			b.run(lease.Config{Worker: "second", Handler: succeed})
			for uid := 1; uid <= 2; uid++ {
				if r := b.awaitPhase(uid, job.Done); r.Claim.Worker != "second" || r.Failures != 0 || r.Deliveries != 2 {
					t.Errorf("record is %+v by %s, want the second worker's, no failure", r, r.Claim.Worker)
				}
			}
			if len(b.letters("r1")) != 0 {
				t.Error("a drain made a dead letter")
			}
		})
	}
}

// TestDrainLetsJobsFinish within the grace time, and pulls no more.
func TestDrainLetsJobsFinish(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.plan(1)
	started, release := make(chan struct{}, 10), make(chan struct{})
	w := b.run(lease.Config{Slots: 4, Grace: never, Handler: func(ctx context.Context, _ job.Job, _ job.Attempt) (job.Evaluation, error) {
		started <- struct{}{}
		b.hold(release)
		return job.Evaluation{}, ctx.Err()
	}})
	receive(b, started, "the job's start")
	w.drain()
	b.awaitLog("draining")
	b.plan(2)
	close(release)
	b.must(receive(b, w.done, "the drain's end"))
	if r := b.record(1); r.Phase != job.Done || r.Failures != 0 {
		t.Errorf("record is %+v, want it done", r)
	}
	if r := b.record(2); r.Phase != job.Planned || r.Deliveries != 0 {
		t.Errorf("record is %+v, want it untouched", r)
	}
	// Whether or not the last pull got job 2, it is there for another.
	b.run(lease.Config{Worker: "second", Handler: succeed})
	b.awaitPhase(2, job.Done)
}

// TestArrivesWhileStopping: a job that the last pull brings is handed back
// unclaimed, at once.
func TestArrivesWhileStopping(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	w := b.run(lease.Config{FetchWait: 10 * time.Second, Handler: func(context.Context, job.Job, job.Attempt) (job.Evaluation, error) {
		t.Error("handled")
		return job.Evaluation{}, nil
	}})
	for b.consumer().NumWaiting == 0 && b.ctx.Err() == nil {
	}
	w.drain()
	b.plan(1)
	b.must(receive(b, w.done, "the drain's end"))
	b.run(lease.Config{Worker: "second", Handler: succeed})
	if r := b.awaitPhase(1, job.Done); r.Deliveries != 1 || r.Claim.Delivery != 2 {
		t.Errorf("record is %+v by %+v, want one claim, of the second delivery", r, r.Claim)
	}
}

// TestPullsOnlyFreeSlots: what a worker cannot run now stays for others.
func TestPullsOnlyFreeSlots(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.plan(1, 2, 3, 4, 5)
	started, release := make(chan int, 10), make(chan struct{})
	var running, highest atomic.Int64
	b.run(lease.Config{Slots: 2, Handler: func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		now := running.Add(1)
		defer running.Add(-1)
		for old := highest.Load(); now > old && !highest.CompareAndSwap(old, now); old = highest.Load() {
		}
		started <- j.UID
		b.hold(release)
		return job.Evaluation{}, nil
	}})
	receive(b, started, "a start")
	receive(b, started, "a second start")
	got, err := b.bus.Queue.Fetch(b.ctx, 5, time.Second)
	b.must(err)
	if len(got) != 3 {
		t.Errorf("%d jobs were left for others, want 3", len(got))
	}
	for _, d := range got {
		b.must(d.Nak(b.ctx, 0))
	}
	close(release)
	for uid := 1; uid <= 5; uid++ {
		b.awaitPhase(uid, job.Done)
	}
	if highest.Load() != 2 {
		t.Errorf("%d ran at once, want 2", highest.Load())
	}
}

// TestGateHoldsPulls back, not the jobs that run.
func TestGateHoldsPulls(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	asked, open := make(chan struct{}, 100), make(chan struct{})
	var failed atomic.Bool
	b.run(lease.Config{Handler: succeed, Gate: func(ctx context.Context) error {
		asked <- struct{}{}
		if failed.CompareAndSwap(false, true) {
			return errors.New("limiter does not answer")
		}
		select {
		case <-open:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}})
	receive(b, asked, "the first question")
	receive(b, asked, "the second one, after an error")
	b.plan(1)
	if got, err := b.bus.Queue.Fetch(b.ctx, 1, time.Second); err != nil || len(got) != 1 {
		t.Fatalf("got %d deliveries, %v, want the job not pulled", len(got), err)
	} else {
		b.must(got[0].Nak(b.ctx, 0))
	}
	close(open)
	b.awaitPhase(1, job.Done)
}

// TestManyWorkers: every job ends once, whoever joins and leaves meanwhile.
func TestManyWorkers(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	const jobs = 60
	for uid := range jobs {
		b.plan(uid)
	}
	var mu sync.Mutex
	ran := map[int]int{}
	handler := func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		mu.Lock()
		defer mu.Unlock()
		ran[j.UID]++
		return job.Evaluation{}, nil
	}
	leaving := b.run(lease.Config{Worker: "leaves", Handler: handler})
	b.run(lease.Config{Worker: "stays", Handler: handler, Slots: 8})
	b.awaitPhase(0, job.Done)
	b.finish(leaving)
	b.run(lease.Config{Worker: "joins", Handler: handler})
	for uid := range jobs {
		b.awaitPhase(uid, job.Done)
	}
	b.awaitMessages(0)
	mu.Lock()
	defer mu.Unlock()
	for uid := range jobs {
		if ran[uid] != 1 {
			t.Errorf("job %d ran %d times, want once", uid, ran[uid])
		}
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	good := lease.Config{Worker: "w", Bus: &jobstream.Bus{}, Handler: succeed}
	must.Get(lease.New(good))(t)
	for want, spoil := range map[string]func(*lease.Config){
		"Worker is empty":      func(c *lease.Config) { c.Worker = "" },
		"Bus is nil":           func(c *lease.Config) { c.Bus = nil },
		"Handler is nil":       func(c *lease.Config) { c.Handler = nil },
		"Slots is -1":          func(c *lease.Config) { c.Slots = -1 },
		"Grace is -1s":         func(c *lease.Config) { c.Grace = -time.Second },
		"FetchWait is 1ms":     func(c *lease.Config) { c.FetchWait = time.Millisecond },
		"Jitter is 1":          func(c *lease.Config) { c.Jitter = 1 },
		"HandBackDelay is -1s": func(c *lease.Config) { c.HandBackDelay = -time.Second },
		"Delays[1] is -1s":     func(c *lease.Config) { c.Delays = []time.Duration{0, -time.Second} },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := lease.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
