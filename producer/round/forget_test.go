package round_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

func TestExpired(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC)
	ago := func(days int) string { return round.NewID(now.Add(-time.Duration(days)*24*time.Hour), [3]byte{1}) }
	all := func(names ...string) []string { return names }
	for _, c := range []struct {
		name string
		kept round.Kept
		want []string
	}{
		{"nothing", round.Kept{}, nil},
		{"old ones, but for the last", round.Kept{Known: all(ago(40), ago(31), ago(2), ago(1)), Planned: all(ago(40), ago(31), ago(2), ago(1)), Concluded: all(ago(40), ago(31), ago(2))}, all(ago(40), ago(31))},
		{"the last concluded is old", round.Kept{Known: all(ago(50), ago(40), ago(1)), Planned: all(ago(50), ago(40), ago(1)), Concluded: all(ago(50), ago(40))}, all(ago(50))},
		{"the last turn's, and one by hand after it", round.Kept{Known: all(ago(50), ago(40), ago(35)), Planned: all(ago(50), ago(40), ago(35)), Concluded: all(ago(50), ago(40), ago(35)), Turn: ago(40)}, all(ago(50))},
		{"as old as it may be", round.Kept{Known: all(ago(30), ago(1)), Planned: all(ago(30), ago(1)), Concluded: all(ago(30), ago(1))}, nil},
		{"never concluded", round.Kept{Known: all(ago(40), ago(1)), Planned: all(ago(40), ago(1)), Concluded: all(ago(1))}, nil},
		{"forgotten half-way", round.Kept{Known: all(ago(40), ago(1)), Planned: all(ago(1)), Concluded: all(ago(40), ago(1))}, all(ago(40))},
		{"forgotten half-way, nothing else concluded", round.Kept{Known: all(ago(40)), Concluded: all(ago(40))}, all(ago(40))},
		{"a name of somebody else", round.Kept{Known: all("overdue", "x-1", "20260101t000000z"), Planned: all("overdue"), Concluded: all("overdue")}, nil},
	} {
		if diff := cmp.Diff(c.want, round.Expired(c.kept, 30*24*time.Hour, now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// keys counts what each stream holds of a round.
func (b *bundle) keys(t *testing.T, name string) map[string]int {
	t.Helper()
	found := map[string]int{}
	for stream, subject := range map[string]string{
		"KV_" + job.BucketRounds: "$KV.ROUNDS." + name + ".>", "KV_" + job.BucketRecords: "$KV.RECORDS." + name + ".>",
		"KV_" + job.BucketEvaluation: "$KV.EVALUATIONS." + name + ".>", job.StreamJobs: job.RoundSubject(name),
	} {
		s, err := b.js.Stream(t.Context(), stream)
		must.Do(t, err)
		info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(subject))
		must.Do(t, err)
		if n := len(info.State.Subjects); n > 0 {
			found[stream] = n
		}
	}
	return found
}

// A producer is killed between any two of the places that hold something of an old round.
// The next one removes the rest. A round that must be kept is unchanged.
func TestARoundForgottenInPartsIsForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.work(t, always)
	ctx, now := deadline(t), time.Now()
	ids := []string{round.NewID(now.Add(-72*time.Hour), [3]byte{1}), round.NewID(now.Add(-48*time.Hour), [3]byte{2})}
	var m job.Manifest
	for _, id := range ids {
		m = b.plan(t, four()...)
		m.Round = id
		_, err := b.runner(t).Start(ctx, m)
		must.Do(t, err)
	}
	kept := b.keys(t, ids[1])
	// It continues for as long as the killed producer's hold is in its way.
	for part := 1; part <= 5; part++ {
		for b.produce(t, m, 0, forgetEnv+"=1", crash.Env+"="+crash.Setting(crash.PartForgotten, part)) {
			must.Do(t, ctx.Err())
		}
		if left := b.keys(t, ids[0]); part < 5 && len(left) == 0 {
			t.Errorf("killed after part %d: nothing is left, want what is behind it", part)
		}
	}
	b.produce(t, m, 0, forgetEnv+"=1")
	if left := b.keys(t, ids[0]); len(left) > 0 {
		t.Errorf("left of the forgotten round: %v", left)
	}
	if diff := cmp.Diff(kept, b.keys(t, ids[1])); diff != "" || len(kept) < 3 {
		t.Errorf("the last concluded round (-before +after):\n%s", diff)
	}
}

// Nothing is left of a round that is no longer kept, not even a marker of a deletion. Its
// values for later rounds, its dead letters and every other round are unchanged.
func TestForgottenRoundsLeaveNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.work(t, func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		if j.UID == 1 {
			return job.Evaluation{}, job.WithClass(job.Permanent, errors.New("no"))
		}
		return evaluated(j, float64(10*j.UID)), nil
	})
	ctx, now := deadline(t), time.Now()
	ids := []string{round.NewID(now.Add(-72*time.Hour), [3]byte{1}), round.NewID(now.Add(-48*time.Hour), [3]byte{2})}
	for _, id := range ids {
		m := b.plan(t, four()...)
		m.Round = id
		_, err := b.runner(t).Start(ctx, m)
		must.Do(t, err)
	}
	never := later(b.plan(t, four()...), round.NewID(now.Add(-96*time.Hour), [3]byte{3}))
	must.Do(t, b.bus.Rounds.CreateManifest(ctx, never))
	stored, err := b.bus.Miners.Evaluations(ctx)
	must.Do(t, err)
	kept := b.keys(t, ids[1])

	cfg := b.leading("keeper")
	for range 2 { // a second time there is nothing to do
		gone, err := round.Forget(ctx, cfg, 24*time.Hour, now)
		must.Do(t, err)
		if len(gone) > 0 && strings.Join(gone, ",") != ids[0] {
			t.Errorf("forgotten: %v, want %s", gone, ids[0])
		}
	}
	if left := b.keys(t, ids[0]); len(left) > 0 {
		t.Errorf("left of the forgotten round: %v", left)
	}
	if diff := cmp.Diff(kept, b.keys(t, ids[1])); diff != "" || len(kept) < 3 {
		t.Errorf("the last concluded round (-before +after):\n%s", diff)
	}
	if known, err := b.bus.Rounds.Known(ctx); err != nil || !cmp.Equal(known, []string{never.Round, ids[1]}) {
		t.Errorf("known rounds: %v, %v; want the one never concluded and the last", known, err)
	}
	b.failedJobs(t, ids[1], 1)
	after, err := b.bus.Miners.Evaluations(ctx)
	must.Do(t, err)
	if diff := cmp.Diff(stored, after); diff != "" || len(stored) != 1 {
		t.Errorf("%d stored evaluations (-before +after):\n%s", len(stored), diff)
	}
	if letters, err := b.bus.Letters.List(ctx, ids[0]); err != nil || len(letters) != 1 {
		t.Errorf("dead letters of the forgotten round: %v, %v; want it kept for its own time", letters, err)
	}
}

// Messages that no worker has taken, and messages that were delivered and never settled,
// go with their round. The consumer delivers the next round's jobs as usual.
func TestForgottenMessagesLeaveTheConsumerWhole(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: time.Second})
	ctx, now := deadline(t), time.Now()
	old := b.plan(t, four()...)
	old.Round, old.OverdueAt = round.NewID(now.Add(-72*time.Hour), [3]byte{1}), now.Add(time.Second)
	ended := make(chan error, 1)
	go func() {
		_, err := b.runner(t).Start(ctx, old)
		ended <- err
	}()
	given, err := b.bus.Queue.Fetch(ctx, 1, 10*time.Second)
	must.Do(t, err)
	must.Do(t, <-ended)
	if left := b.keys(t, old.Round); len(given) != 1 || left[job.StreamJobs] != 2 {
		t.Fatalf("given %d, left %v; want one given and two messages left", len(given), left)
	}
	recent := b.plan(t, four()[0])
	_, err = b.runner(t).Start(ctx, recent)
	must.Do(t, err)
	gone, err := round.Forget(ctx, b.leading("keeper"), 24*time.Hour, now)
	must.Do(t, err)
	if left := b.keys(t, old.Round); len(gone) != 1 || len(left) > 0 {
		t.Errorf("forgotten %v, left %v; want the old round, nothing", gone, left)
	}
	b.work(t, func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		return evaluated(j, 1), nil
	})
	next := later(b.plan(t, four()...), round.NewID(now.Add(time.Second), [3]byte{2}))
	got, err := b.runner(t).Start(ctx, next)
	must.Do(t, err)
	if !got.Complete || got.Done != 2 || got.Retries != 0 {
		t.Errorf("the next round: complete %v, %d done, %d repeated; want 2 done at once", got.Complete, got.Done, got.Retries)
	}
	queue, err := b.bus.Queue.Backlog(ctx)
	must.Do(t, err)
	if queue.Messages != 0 {
		t.Errorf("%d messages are left in the queue", queue.Messages)
	}
}

// A round with a live producer is left for the next time, even by a producer that is
// alone or follows the one that holds it.
func TestAHeldRoundIsNotForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	ctx, now := deadline(t), time.Now()
	for i, age := range []time.Duration{72 * time.Hour, time.Hour} {
		m := b.plan(t, four()[0])
		m.Round = round.NewID(now.Add(-age), [3]byte{byte(i)})
		_, err := b.runner(t).Start(ctx, m)
		must.Do(t, err)
		if i == 0 {
			_, revision, err := b.bus.Holders.Load(ctx, m.Round)
			must.Do(t, err)
			_, err = b.bus.Holders.Set(ctx, m.Round, job.Holder{Name: "replaying/1", For: time.Hour}, revision)
			must.Do(t, err)
		}
	}
	for what, change := range map[string]func(*round.Config){
		"a producer": func(*round.Config) {}, "one that is alone": func(c *round.Config) { c.SoleProducer = true },
		"one that follows": func(c *round.Config) { c.Predecessor = "replaying" },
	} {
		cfg := b.leading("keeper")
		cfg.Takeover = 100 * time.Millisecond
		change(&cfg)
		if gone, err := round.Forget(ctx, cfg, 24*time.Hour, now); err != nil || len(gone) != 0 {
			t.Errorf("%s has forgotten %v, %v; want none", what, gone, err)
		}
	}
}

// A producer that stands by while a round is forgotten finds no round, and does not run
// it again.
func TestAForgottenRoundIsNotRunAgain(t *testing.T) {
	t.Parallel()
	for what, work := range map[string]func(context.Context, *round.Runner, string) error{
		"resume": func(ctx context.Context, r *round.Runner, name string) error {
			_, err := r.Resume(ctx, name)
			return err
		},
		"replay": func(ctx context.Context, r *round.Runner, name string) error {
			_, _, err := r.Replay(ctx, name, outcome.Selection{})
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{})
			b.work(t, always)
			ctx, m := deadline(t), b.plan(t, four()...)
			_, err := b.runner(t).Start(ctx, m)
			must.Do(t, err)
			_, revision, err := b.bus.Holders.Load(ctx, m.Round)
			must.Do(t, err)
			_, err = b.bus.Holders.Set(ctx, m.Round, job.Holder{Name: "keeper/1", For: time.Hour}, revision)
			must.Do(t, err)
			said, ended := &telemetrytest.Log{}, make(chan error, 1)
			runner := b.runner(t, func(c *round.Config) { c.Log = slog.New(slog.NewTextHandler(said, nil)) })
			go func() { ended <- work(ctx, runner, m.Round) }()
			said.Await(ctx, t, "standing by")
			must.Do(t, b.bus.Rounds.Forget(ctx, m.Round))
			if err := <-ended; !errors.Is(err, jobstream.ErrNotFound) {
				t.Errorf("it ended with %v, want that there is no such round", err)
			}
			left := b.keys(t, m.Round)
			delete(left, "KV_"+job.BucketRounds) // the hold, which the next look for old rounds removes
			if len(left) > 0 {
				t.Errorf("it has left %v of a forgotten round", left)
			}
		})
	}
}
