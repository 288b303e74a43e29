package round_test

import (
	"context"
	"testing"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

// cancelling has a round that nobody runs, with miner 1 done and a worker at the job of
// miner 2, which ends only when it may no longer.
func cancelling(t *testing.T) stage {
	t.Helper()
	b := setup(t, jobstream.Config{})
	m := b.plan(t, four()...)
	b.queue(t, m)
	begun := make(chan struct{}, 1)
	c := count(func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		if j.UID == 2 {
			begun <- struct{}{}
			<-ctx.Done()
			return job.Evaluation{}, ctx.Err()
		}
		return always(ctx, j, a)
	})
	b.work(t, c.handle)
	<-begun
	must.Until(deadline(t), t, "miner 1 is done", func() bool {
		record, _, err := b.bus.Records.Load(t.Context(), m.Round, 1)
		return err == nil && record.Phase == job.Done
	})
	return stage{bundle: b, m: m, work: c, env: []string{cancelEnv + "=all"}, dead: func() {}}
}

// cuttingShort has a concluded round with one dead and one degraded miner, and a replay of
// both that nobody runs; the job of miner 2 is open again, without a message.
func cuttingShort(t *testing.T) stage {
	t.Helper()
	b := setup(t, jobstream.Config{})
	c := count((&patient{}).handler)
	b.work(t, c.handle)
	m := b.plan(t, four()...)
	if first, err := b.runner(t).Start(deadline(t), m); err != nil || first.Failed != 1 || len(first.Degraded) != 1 {
		t.Fatalf("%v, failed %d, degraded %v; want one of each", err, first.Failed, first.Degraded)
	}
	must.Do(t, b.bus.Rounds.CreateReplay(t.Context(), job.Replay{Round: m.Round, Number: 1, UIDs: []int{1, 2}}))
	record, revision, err := b.bus.Records.Load(t.Context(), m.Round, 2)
	must.Do(t, err)
	must.Get(b.bus.Records.Update(t.Context(), must.Get(record.Replanned(1, "t"))(t), revision))(t)
	return stage{bundle: b, m: m, work: c, env: []string{cancelEnv + "=all"}, dead: func() {}}
}
