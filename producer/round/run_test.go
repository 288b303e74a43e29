package round_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/worker/lease"
)

func TestARoundIsPlannedPublishedCollectedAndConcluded(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.work(t, func(_ context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		a.Requests.Add(3)
		return evaluated(j, float64(10*j.UID)), nil
	})
	m := b.plan(t, four()...)
	got, err := b.runner(t).Start(deadline(t), m)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Complete || got.Planned != 2 || got.Done != 2 || got.Failed != 0 || got.Requests != 7 {
		t.Errorf("result: complete %v, planned %d, done %d, failed %d, requests %d; want a complete round of 2 with 7 requests, one of them for maintainers",
			got.Complete, got.Planned, got.Done, got.Failed, got.Requests)
	}
	// Miner 2 maintains the repository, and earned two thirds of the rest. 0.2 of the
	// emission is unassigned. No miner is the treasury.
	want := []scoring.Reward{{UID: 0, Reward: 0.18}, {UID: 1, Reward: 0.18}, {UID: 2, Reward: 0.18 + 0.36}, {UID: 3, Reward: 0}}
	if diff := cmp.Diff(want, got.Outcome.Rewards, near()); diff != "" {
		t.Errorf("rewards (-want +got):\n%s", diff)
	}
	stored, err := b.bus.Outcomes.Load(t.Context(), m.Round, 1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := outcome.Decode(stored)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got.Outcome.Rewards, again.Outcome.Rewards); diff != "" {
		t.Errorf("the stored outcome differs (-returned +stored):\n%s", diff)
	}
	if p := b.progress.Load(); p == nil || p.Done != 2 || p.Outstanding() != 0 {
		t.Errorf("last progress: %+v, want 2 done and nothing outstanding", p)
	}
}

func near() cmp.Option {
	return cmp.Comparer(func(x, y float64) bool { d := x - y; return d < 1e-12 && d > -1e-12 })
}

// Jobs are queued in their order, although several are published at once.
func TestJobsAreQueuedInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	var miners []input.Miner
	for uid := range 100 {
		miners = append(miners, input.Miner{UID: uid + 1, Hotkey: fmt.Sprint("h", uid), GitHubID: fmt.Sprint(1000 + uid)})
	}
	m := b.plan(t, miners...)
	ctx, stop := context.WithCancel(deadline(t))
	ended := make(chan error, 1)
	go func() {
		_, err := b.runner(t).Start(ctx, m)
		ended <- err
	}()
	queue := must.Get(b.js.Stream(ctx, job.StreamJobs))(t)
	must.Until(ctx, t, "all jobs are queued", func() bool {
		return must.Get(queue.Info(ctx))(t).State.Msgs == uint64(len(miners))
	})
	first := queue.CachedInfo().State.FirstSeq
	for i, miner := range miners {
		got := must.Get(queue.GetMsg(ctx, first+uint64(i)))(t)
		if want := job.Subject(m.Round, miner.UID); got.Subject != want {
			t.Fatalf("got %s, want %s: the queue has another order than the jobs", got.Subject, want)
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestARoundWithoutJobsIsConcluded(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	got, err := b.runner(t).Start(deadline(t), b.plan(t, four()[0], four()[3]))
	if err != nil {
		t.Fatal(err)
	}
	if !got.Complete || got.Planned != 0 || len(got.Outcome.Miners) != 2 {
		t.Errorf("result: complete %v, planned %d, miners %d; want a complete round of no jobs and 2 miners",
			got.Complete, got.Planned, len(got.Outcome.Miners))
	}
}

// A gap makes a round incomplete, costs only the miners concerned, and is named.
func TestARoundSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	refused := job.WithClass(job.Permanent, errors.New("the mirror refuses"))
	for _, c := range []struct {
		name    string
		status  int64
		handler lease.Handler
		check   func(outcome.Result) error
	}{
		{
			"a dead letter", 0,
			func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
				if j.UID == 1 {
					return job.Evaluation{}, refused
				}
				return evaluated(j, 1), nil
			},
			func(r outcome.Result) error {
				if r.Failed != 1 || len(r.DeadLetters) != 1 || r.DeadLetters[0].UID != 1 || r.DeadLetters[0].Class != job.Permanent {
					return fmt.Errorf("failed %d, dead letters %+v", r.Failed, r.DeadLetters)
				}
				return nil
			},
		},
		{
			"a degraded evaluation", 0,
			func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
				e := evaluated(j, 1)
				if j.UID == 2 {
					e.Missing = []job.Missing{{What: "files a/b#2", Error: "no"}}
				}
				return e, nil
			},
			func(r outcome.Result) error {
				if len(r.Degraded) != 1 || r.Degraded[0].UID != 2 || r.Degraded[0].Missing[0].What != "files a/b#2" {
					return fmt.Errorf("degraded %+v", r.Degraded)
				}
				return nil
			},
		},
		{
			"a maintainers look-up", 500,
			func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
				return evaluated(j, 1), nil
			},
			func(r outcome.Result) error {
				if len(r.FailedLookUps) != 1 || r.FailedLookUps[0].What != "maintainers a/b" || len(r.Outcome.Maintainers) != 0 {
					return fmt.Errorf("look-ups %+v, maintainers %v", r.FailedLookUps, r.Outcome.Maintainers)
				}
				return nil
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{})
			b.status.Store(c.status)
			b.work(t, c.handler)
			got, err := b.runner(t).Start(deadline(t), b.plan(t, four()...))
			if err != nil {
				t.Fatal(err)
			}
			if got.Complete {
				t.Error("the round says that it is complete")
			}
			if err := c.check(got); err != nil {
				t.Error(err)
			}
			if got.Planned != got.Done+got.Failed {
				t.Errorf("planned %d, done %d + failed %d", got.Planned, got.Done, got.Failed)
			}
		})
	}
}

// A producer is stopped in the middle of a round. Another one ends the round, and no
// miner is evaluated twice.
func TestAResumedRoundEvaluatesNobodyTwice(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	var mu sync.Mutex
	evaluations := map[int]int{}
	release, reached := make(chan struct{}), make(chan struct{})
	b.work(t, func(ctx context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		if j.UID == 2 {
			close(reached)
			select {
			case <-release:
			case <-ctx.Done():
				return job.Evaluation{}, ctx.Err()
			}
		}
		mu.Lock()
		evaluations[j.UID]++
		mu.Unlock()
		return evaluated(j, 1), nil
	})
	m := b.plan(t, four()...)
	ctx, stop := context.WithCancel(deadline(t))
	ended := make(chan error, 1)
	go func() {
		_, err := b.runner(t).Start(ctx, m)
		ended <- err
	}()
	<-reached
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("the stopped producer: got %v, want context.Canceled", err)
	}
	close(release)
	got, err := b.runner(t).Resume(deadline(t), m.Round)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[int]int{1: 1, 2: 1}, evaluations); diff != "" {
		t.Errorf("evaluations by uid (-want +got):\n%s", diff)
	}
	if !got.Complete || got.Done != 2 {
		t.Errorf("result: complete %v, done %d; want a complete round of 2", got.Complete, got.Done)
	}
}

func TestARoundOfOneNameExistsOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	m := b.plan(t, four()[0])
	if _, err := b.runner(t).Start(deadline(t), m); err != nil {
		t.Fatal(err)
	}
	if _, err := b.runner(t).Start(deadline(t), m); !errors.Is(err, jobstream.ErrExists) {
		t.Errorf("a second round of that name: got %v, want ErrExists", err)
	}
	if _, err := b.runner(t).Resume(deadline(t), "never-planned"); !errors.Is(err, jobstream.ErrNotFound) {
		t.Errorf("resuming a round that nobody planned: got %v, want ErrNotFound", err)
	}
}

// A job that kills every process must not hold up the round for ever. Its deliveries run
// out, and only the server can tell.
func TestUsedUpDeliveriesEndAJobAsPoison(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: 100 * time.Millisecond, MaxDeliver: 2})
	ctx, stop := context.WithCancel(t.Context())
	dying := make(chan struct{})
	go func() { // takes every job and never reports anything about it
		defer close(dying)
		for ctx.Err() == nil {
			if _, err := b.bus.Queue.Fetch(ctx, 1, 100*time.Millisecond); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	}()
	got, err := b.runner(t).Start(deadline(t), b.plan(t, four()[1]))
	stop()
	<-dying
	if err != nil {
		t.Fatal(err)
	}
	if got.Failed != 1 || len(got.DeadLetters) != 1 || got.DeadLetters[0].Class != job.Poison || got.Complete {
		t.Errorf("failed %d, dead letters %+v, complete %v; want one poison", got.Failed, got.DeadLetters, got.Complete)
	}
}
