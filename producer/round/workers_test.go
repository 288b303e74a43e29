package round_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry/telemetrytest"
	"mirrorfleet/worker/lease"
)

// sights are all that a producer has seen, as it comes, with its log.
type sights struct {
	seen chan round.Sight
	log  telemetrytest.Log
}

// watched is a runner whose sights a test awaits.
func (b *bundle) watched(t *testing.T) (*round.Runner, *sights) {
	t.Helper()
	s := &sights{seen: make(chan round.Sight, 1000)}
	return b.runner(t, func(c *round.Config) {
		c.Seen = func(one round.Sight) {
			select {
			case s.seen <- one:
			default: // no test waits for it any more
			}
		}
		c.Log = s.log.Logger()
	}), s
}

func (s *sights) await(ctx context.Context, t *testing.T, what string, is func(round.Sight) bool) round.Sight {
	t.Helper()
	for {
		select {
		case one := <-s.seen:
			if is(one) {
				return one
			}
		case <-ctx.Done():
			t.Fatalf("%s was not seen; the log:\n%s", what, s.log.String())
		}
	}
}

// A round without workers says so, and says when a worker comes. The same holds for
// workers that hand its jobs back.
func TestARoundSaysThatNobodyTakesItsJobs(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: time.Second})
	runner, s := b.watched(t)
	ctx := deadline(t)
	ended := make(chan error, 1)
	m := b.plan(t, four()...)
	go func() { _, err := runner.Start(ctx, m); ended <- err }()
	none := s.await(ctx, t, "that there is no worker", func(one round.Sight) bool { return one.Workers.None })
	if none.Workers.Why != "" || none.Workers.Since.IsZero() {
		t.Errorf("%+v, want that none has shown itself, and since when", none)
	}

	unfit := lease.Config{Worker: "unfit", Bus: b.bus, Log: slog.New(slog.DiscardHandler), FetchWait: 50 * time.Millisecond,
		Handler: func(context.Context, job.Job, job.Attempt) (job.Evaluation, error) {
			return job.Evaluation{}, fmt.Errorf("%w: it has another mirror", lease.ErrUnfit)
		}}
	r, err := lease.New(unfit)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(ctx); err == nil {
		t.Fatal("the unfit worker went on")
	}
	s.await(ctx, t, "why a worker handed a job back", func(one round.Sight) bool {
		return one.Workers.None && strings.Contains(one.Workers.Why, "unfit: ") && strings.Contains(one.Workers.Why, "it has another mirror")
	})

	release := make(chan struct{})
	b.work(t, func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		a.Expect(ctx, 3)
		select {
		case <-release:
		case <-ctx.Done():
		}
		return evaluated(j, 1), nil
	})
	s.await(ctx, t, "that a worker is at work", func(one round.Sight) bool { return !one.Workers.None })
	close(release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"no worker takes the jobs of the round", "none has shown itself", "workers take the jobs of the round"} {
		if !strings.Contains(s.log.String(), line) {
			t.Errorf("the log is\n%s\nwant %q in it", s.log.String(), line)
		}
	}
}

// A standby says which producer runs the round.
func TestAProducerThatStandsBySaysForWhom(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	ctx, cancel := context.WithCancel(deadline(t))
	m := b.plan(t, four()...)
	first, second := make(chan error, 1), make(chan error, 1)
	active, activeSights := b.watched(t)
	go func() { _, err := active.Start(ctx, m); first <- err }()
	activeSights.await(ctx, t, "the active one at work", func(one round.Sight) bool { return one.StandsBy == "" })
	other, s := b.watched(t)
	go func() { _, err := other.Resume(ctx, m.Round); second <- err }()
	s.await(ctx, t, "the producer that runs the round", func(one round.Sight) bool { return one.StandsBy != "" })
	cancel()
	<-first
	<-second
}
