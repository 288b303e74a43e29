package round_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/worker/lease"
)

// stage sets a scenario up.
func (s scenario) stage(t *testing.T) stage {
	t.Helper()
	switch s {
	case replayed:
		b := setup(t, jobstream.Config{})
		p := &patient{}
		c := count(p.handler)
		b.work(t, c.handle)
		m := b.plan(t, four()...)
		if first, err := b.runner(t).Start(deadline(t), m); err != nil || first.Failed != 1 || len(first.Degraded) != 1 {
			t.Fatalf("%v, failed %d, degraded %v; want one of each", err, first.Failed, first.Degraded)
		}
		p.healed.Store(true)
		return stage{bundle: b, m: m, work: c, env: []string{replayEnv + "=all"}, dead: func() {}}
	case cancelled:
		return cancelling(t)
	case cutShort:
		return cuttingShort(t)
	case lostMessage, lostRecord, lostBoth, noManifest, noSnapshot, badRecord:
		return s.losing(t)
	case noEvidence:
		return losingEvidence(t)
	case passedOver:
		b := setup(t, jobstream.Config{})
		m := b.plan(t, four()...)
		b.queue(t, m)
		return b.passedOver(t, m)
	case silent:
		b := setup(t, jobstream.Config{AckWait: time.Hour})
		m := b.plan(t, four()...)
		b.queue(t, m, 2)
		b.claim(t, m, b.next(t), 100*time.Millisecond)
		return b.working(t, m)
	case usedUp, unadvised:
		return s.exhausted(t)
	case unheard:
		return unheardOf(t)
	case fresh:
	}
	b := setup(t, jobstream.Config{})
	return b.working(t, b.plan(t, four()...))
}

// working has a worker that is not disturbed.
func (b *bundle) working(t *testing.T, m job.Manifest) stage {
	t.Helper()
	c := count(always)
	b.work(t, c.handle)
	return stage{bundle: b, m: m, work: c, dead: func() {}}
}

// passedOver has messages that the consumer has passed over. A copy's work ends only when
// the stuck message is gone, so that a second producer still finds both.
func (b *bundle) passedOver(t *testing.T, m job.Manifest) stage {
	t.Helper()
	stuck := map[int]uint64{1: b.message(t, m, 1), 2: b.message(t, m, 2)}
	b.passOver(t, m)
	stream, err := b.js.Stream(t.Context(), job.StreamJobs)
	must.Do(t, err)
	c := count(func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		err := poll(ctx, func() bool {
			_, err := stream.GetMsg(ctx, stuck[j.UID])
			return errors.Is(err, jetstream.ErrMsgNotFound)
		})
		if err != nil {
			return job.Evaluation{}, err
		}
		return always(ctx, j, a)
	})
	b.work(t, c.handle)
	return stage{bundle: b, m: m, work: c, dead: func() {}}
}

// passOver makes the consumer pass a round's messages over, as happens when somebody
// changes it for a while.
func (b *bundle) passOver(t *testing.T, m job.Manifest) {
	t.Helper()
	filter(t, b, job.RoundSubject(another))
	must.Do(t, b.bus.Queue.Publish(t.Context(), job.Job{Round: another, UID: 1, GitHubID: "1", AsOf: m.AsOf}))
	must.Do(t, b.next(t).Ack(t.Context()))
	filter(t, b, "")
}

// losing takes from miner 2 what the scenario names while miner 1 runs. Miner 1 ends when
// the loss is mended. Miner 4 marks the time: a producer that publishes its job has
// looked for records, and will not look again.
func (s scenario) losing(t *testing.T) stage {
	t.Helper()
	b := setup(t, jobstream.Config{})
	m := b.plan(t, append(four(), input.Miner{UID: 4, Hotkey: "h4", GitHubID: "104"})...)
	b.queue(t, m, 1, 2)
	whole := func(ctx context.Context, uid int) bool {
		queued, err := b.bus.Queue.Messages(ctx, m.Round)
		_, _, missing := b.bus.Records.Load(ctx, m.Round, uid)
		_, lost := b.bus.Rounds.Manifest(ctx, m.Round)
		return err == nil && missing == nil && lost == nil && queued[uid] > 0
	}
	c := count(func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		if j.UID == 1 {
			if err := poll(ctx, func() bool { return whole(ctx, 4) }); err != nil {
				return job.Evaluation{}, err
			}
			s.lose(t, b, m) //nolint:contextcheck // the test's own
			if err := poll(ctx, func() bool { return whole(ctx, 2) }); err != nil {
				return job.Evaluation{}, err
			}
		}
		return always(ctx, j, a)
	})
	b.work(t, c.handle, func(cfg *lease.Config) { cfg.Slots = 1 })
	return stage{bundle: b, m: m, work: c, dead: func() {}}
}

// lose takes what the scenario names.
func (s scenario) lose(t *testing.T, b *bundle, m job.Manifest) {
	t.Helper()
	if s == lostMessage || s == lostBoth {
		b.deleteMessage(t, m, 2)
	}
	switch s {
	case lostRecord, lostBoth:
		b.deleteRecord(t, m, 2)
	case noManifest:
		b.purge(t, job.BucketRounds, job.ManifestKey(m.Round))
	case noSnapshot:
		b.purge(t, job.BucketRounds, job.SnapshotKey(m.Round))
	case badRecord:
		b.spoil(t, job.BucketRecords, job.RecordKey(m.Round, 2))
	default:
	}
}

// losingEvidence takes the evaluation of miner 2, which is done, while miner 4 runs.
// Miner 4 ends when miner 2's job is queued again.
func losingEvidence(t *testing.T) stage {
	t.Helper()
	b := setup(t, jobstream.Config{})
	m := b.plan(t, append(four(), input.Miner{UID: 4, Hotkey: "h4", GitHubID: "104"})...)
	c := count(func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		if j.UID == 4 {
			record, _, err := b.bus.Records.Load(ctx, m.Round, 2)
			if err != nil {
				return job.Evaluation{}, err
			}
			b.purge(t, job.BucketEvaluation, record.Evaluation) //nolint:contextcheck // the test's own
			err = poll(ctx, func() bool {
				queued, err := b.bus.Queue.Messages(ctx, m.Round)
				return err == nil && queued[2] > 0
			})
			if err != nil {
				return job.Evaluation{}, err
			}
		}
		return always(ctx, j, a)
	})
	b.work(t, c.handle, func(cfg *lease.Config) { cfg.Slots = 1 })
	return stage{bundle: b, m: m, work: c, dead: func() {}}
}

// twice is a number of deliveries that a test uses up by handing messages back. The lease
// is as long as usual, so that no stall costs anybody a lease.
func twice() jobstream.Config { return jobstream.Config{MaxDeliver: 2} }

// exhausted has miner 1 running, and two claims of miner 2 whose workers died. Where
// somebody hears the advisory, miner 1 waits for the first producer's death: until then
// only the advisory can tell of miner 2.
func (s scenario) exhausted(t *testing.T) stage {
	t.Helper()
	b := setup(t, twice())
	m := b.plan(t, four()...)
	b.queue(t, m)
	begun, over := make(chan struct{}), make(chan struct{})
	begin, end := sync.OnceFunc(func() { close(begun) }), sync.OnceFunc(func() { close(over) })
	c := count(func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		begin()
		return held(ctx, over, j, a)
	})
	b.work(t, c.handle, func(cfg *lease.Config) { cfg.Slots = 1 })
	<-begun
	for range 2 {
		d := b.next(t)
		record, revision, err := b.bus.Records.Load(t.Context(), m.Round, 2)
		must.Do(t, err)
		claimed, err := record.Claimed(job.Claim{ID: fmt.Sprint(d.Number()), Worker: "w9", Sequence: d.Sequence(), Delivery: d.Number()})
		must.Do(t, err)
		_, err = b.bus.Records.Update(t.Context(), claimed, revision)
		must.Do(t, err)
		must.Do(t, d.Nak(t.Context(), 0)) // as when its lease has run out
	}
	advisories := b.awaitAdvisory(t)
	if s == unadvised {
		must.Do(t, advisories.Purge(t.Context()))
		end()
	}
	return stage{bundle: b, m: m, work: c, dead: end}
}

// unheardOf has one round of which only a message is left, with its deliveries used up.
// Beside it is the round of the producer that hears of the message.
func unheardOf(t *testing.T) stage {
	t.Helper()
	b := setup(t, twice())
	m := b.plan(t, four()...)
	b.queue(t, m, 2)
	for range 2 {
		must.Do(t, b.next(t).Nak(t.Context(), 0))
	}
	b.awaitAdvisory(t)
	b.deleteRecord(t, m, 2)
	other := b.plan(t, four()...)
	other.Round = another
	over := make(chan struct{})
	c := count(func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		if j.Round == another {
			return held(ctx, over, j, a)
		}
		return always(ctx, j, a)
	})
	b.work(t, c.handle)
	return stage{bundle: b, m: m, first: &other, work: c, dead: sync.OnceFunc(func() { close(over) })}
}
