package round_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/worker/lease"
)

// five are four and one more miner with a job. This one's job runs when something is
// damaged, and the others' have ended (othersEnded).
func five() []input.Miner {
	return append(four(), input.Miner{UID: 4, Hotkey: "h4", GitHubID: "104"})
}

// scored gives each miner a score of its own.
func scored(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
	return evaluated(j, float64(10*j.UID)), nil
}

// One lost evaluation, or one unreadable record, once kept a round from ending. Now,
// whatever is damaged in the middle of a round, the round ends with the undisturbed
// outcome and lists what was mended.
func TestDamageInMidRoundCostsItsOwnPart(t *testing.T) {
	t.Parallel()
	calm := setup(t, jobstream.Config{})
	calm.work(t, scored)
	want, err := calm.runner(t).Start(deadline(t), calm.plan(t, five()...))
	must.Do(t, err)
	for name, d := range damages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{AckWait: 2 * time.Second})
			m := b.plan(t, five()...)
			m.AsOf = want.AsOf
			once := sync.OnceFunc(func() { b.othersEnded(t, m); d.do(t, b, m) })
			b.work(t, func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
				if j.UID == 4 {
					once()
				}
				return scored(ctx, j, a)
			})
			keepsTheHold := func(c *round.Config) { c.Takeover = time.Minute } // who loses it forgets the ends that it has seen
			got, err := b.runner(t, keepsTheHold).Start(deadline(t), m)
			must.Do(t, err)
			if diff := cmp.Diff(bytesOf(t, want.Outcome), bytesOf(t, got.Outcome)); diff != "" || !got.Complete {
				t.Errorf("complete %v; outcome (-undisturbed +damaged):\n%s", got.Complete, diff)
			}
			if mended := fmt.Sprint(got.Mended); !strings.Contains(mended, d.want) {
				t.Errorf("mended %v, want %q", mended, d.want)
			}
			b.sound(t, m.Round)
		})
	}
}

// othersEnded waits until all jobs but miner 4's have ended, in three places. A record that
// has not ended would end after the damage. A message that is still queued, because its
// worker stalled, would be delivered again, and that worker would make a lost record anew.
// And a producer that has not seen a job end cannot put its end back.
func (b *bundle) othersEnded(t *testing.T, m job.Manifest) {
	t.Helper()
	ctx := deadline(t)
	must.Until(ctx, t, "the jobs of miners 1 and 2 have ended", func() bool {
		queued, err := b.bus.Queue.Messages(ctx, m.Round)
		must.Do(t, err)
		p := b.progress.Load()
		return queued[1]+queued[2] == 0 && p != nil && p.Done+p.Failed == 2
	})
}

// sound wants an audit, with the evaluations' digests, that has nothing harmful and
// nothing outstanding.
func (b *bundle) sound(t *testing.T, name string) {
	t.Helper()
	held, err := b.bus.InventoryDigests(t.Context(), name)
	must.Do(t, err)
	if a := audit.Of(held); !a.Holds() || a.Outstanding > 0 {
		t.Errorf("audit: %s; %v", a, a.Discrepancies)
	}
}

// Damage between two rounds is found by the producer that resumes the round, or replays
// it. The next round is not affected.
func TestDamageBetweenRoundsCostsItsOwnPart(t *testing.T) {
	t.Parallel()
	for name, d := range damages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{AckWait: 2 * time.Second})
			b.work(t, scored)
			ctx, m := deadline(t), b.plan(t, five()...)
			before, err := b.runner(t).Start(ctx, m)
			must.Do(t, err)
			d.do(t, b, m)
			another := b.runner(t, func(c *round.Config) { c.Takeover = time.Second })
			got, err := another.Resume(ctx, m.Round)
			if d.want == manifestBack { // and nobody has it any more
				if !errors.Is(err, round.ErrLost) {
					t.Errorf("resuming it: %v, want ErrLost", err)
				}
			} else {
				must.Do(t, err)
				if diff := cmp.Diff(bytesOf(t, before.Outcome), bytesOf(t, got.Outcome)); diff != "" {
					t.Errorf("the outcome (-before +after the damage):\n%s", diff)
				}
				_, _, err := another.Replay(ctx, m.Round, outcome.Selection{})
				must.Do(t, err)
			}
			next, err := another.Start(ctx, later(m, "next"))
			must.Do(t, err)
			if diff := cmp.Diff(before.Outcome.Rewards, next.Outcome.Rewards, near()); diff != "" || !next.Complete {
				t.Errorf("the next round: complete %v; rewards (-before +next):\n%s", next.Complete, diff)
			}
			b.sound(t, "next")
		})
	}
}

// A dead letter that is gone or unreadable once failed the audit and every conclusion.
// Now it is published again, although the stream remembers its id.
func TestADeadLetterIsPublishedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	m := b.plan(t, five()...)
	lose := sync.OnceFunc(func() {
		b.othersEnded(t, m)
		b.purgeStream(t, job.StreamDead)
		msg := nats.NewMsg(job.DeadSubject(m.Round, 1))
		msg.Data = []byte("rubbish")
		must.Get(b.js.PublishMsg(t.Context(), msg))(t)
	})
	b.work(t, func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		switch j.UID {
		case 1:
			return job.Evaluation{}, job.WithClass(job.Permanent, errors.New("no"))
		case 4:
			lose()
		}
		return scored(ctx, j, a)
	})
	got, err := b.runner(t, func(c *round.Config) { c.Reconcile = time.Millisecond }).Start(deadline(t), m)
	must.Do(t, err)
	if mended := fmt.Sprint(got.Mended); len(got.DeadLetters) != 1 || !strings.Contains(mended, "published again") {
		t.Errorf("dead letters %v, mended %s; want the one, published again", got.DeadLetters, mended)
	}
	letters, err := b.bus.Letters.List(t.Context(), m.Round)
	if err != nil || len(letters) != 1 || letters[0].Error != "no" {
		t.Errorf("dead letters %v, %v; want miner 1's", letters, err)
	}
	b.sound(t, m.Round)
}

// A round that must end does not wait for damaged jobs. They are dead as damaged, the
// fallback stands in as it does for pull requests that cannot be listed, and a replay
// heals them.
func TestDamageDoesNotHoldUpAnOverdueRound(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]doing{
		"its evaluation": damages()["one unreadable"].do, "its record": damages()["a record unreadable"].do,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{})
			b.work(t, scored)
			ctx := deadline(t)
			runner := b.runner(t)
			first := b.plan(t, five()...)
			good, err := runner.Start(ctx, first)
			must.Do(t, err)
			m := later(first, "overdue")
			m.OverdueAt = time.Now().Add(-time.Minute)
			b.queue(t, m)
			must.Do(t, b.bus.Rounds.PutSnapshot(ctx, m.Round, nil))
			must.Until(ctx, t, "all jobs are done", func() bool {
				records, err := b.bus.Records.List(ctx, m.Round)
				must.Do(t, err)
				done := 0
				for _, r := range records {
					if r.Phase == job.Done {
						done++
					}
				}
				return done == 3
			})
			b.purge(t, job.BucketRounds, job.SnapshotKey(m.Round)) // queue keeps an empty one
			spoil(t, b, m)
			got, err := runner.Resume(ctx, m.Round)
			must.Do(t, err)
			if len(got.DeadLetters) != 1 || got.DeadLetters[0].Class != job.Damaged || got.Overdue != 0 || got.Complete {
				t.Errorf("dead letters %+v, %d overdue, complete %v; want miner 2 dead as damaged", got.DeadLetters, got.Overdue, got.Complete)
			}
			if diff := cmp.Diff([]int{2}, got.Outcome.FromStored); diff != "" {
				t.Errorf("who goes on with stored evaluations (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(good.Outcome.Rewards, got.Outcome.Rewards, near()); diff != "" {
				t.Errorf("rewards differ from those of the round before (-want +got):\n%s", diff)
			}
			b.sound(t, m.Round)
			healed, _, err := runner.Replay(ctx, m.Round, outcome.Selection{Class: job.Damaged})
			must.Do(t, err)
			if !healed.Complete {
				t.Errorf("after a replay: dead letters %v, damaged %v; want it healed", healed.DeadLetters, healed.Damaged)
			}
			b.sound(t, m.Round)
		})
	}
}

// The values that are stored of miners for later rounds follow from the last concluded
// round. If they are gone or unreadable, they are put back before the next round begins,
// which can then fall back on them.
func TestStoredEvaluationsArePutBack(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]doing{
		"all gone":       empty("KV_" + job.BucketMiners),
		"one unreadable": unreadable(job.BucketMiners, key(func(job.Manifest) string { return "2" })),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{})
			var refuse atomic.Bool
			b.work(t, refusing(&refuse))
			ctx := deadline(t)
			runner := b.runner(t)
			first := b.plan(t, five()...)
			good, err := runner.Start(ctx, first)
			must.Do(t, err)
			before, err := b.bus.Miners.Evaluations(ctx)
			must.Do(t, err)
			lose(t, b, first)
			refuse.Store(true)
			got, err := runner.Start(ctx, later(first, "next"))
			must.Do(t, err)
			if diff := cmp.Diff([]int{2}, got.Outcome.FromStored); diff != "" || !strings.Contains(fmt.Sprint(got.Mended), "put back") {
				t.Errorf("mended %v; who goes on with stored evaluations (-want +got):\n%s", got.Mended, diff)
			}
			if diff := cmp.Diff(good.Outcome.Rewards, got.Outcome.Rewards, near()); diff != "" {
				t.Errorf("rewards differ from those of the round before (-want +got):\n%s", diff)
			}
			after, err := b.bus.Miners.Evaluations(ctx)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after))); err != nil || diff != "" {
				t.Errorf("stored evaluations (%v) (-before +after):\n%s", err, diff)
			}
		})
	}
}

// refusing makes miner 2 fail for good while it is told to.
func refusing(refuse *atomic.Bool) lease.Handler {
	return func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		if refuse.Load() && j.UID == 2 {
			return job.Evaluation{}, job.WithClass(job.Permanent, errors.New("no"))
		}
		return scored(ctx, j, a)
	}
}

// A value that cannot be put back marks the outcome: an unreadable stored evaluation that
// could have stood in, or a lost snapshot whose sources have changed since.
func TestWhatDamageCostsMarksTheOutcome(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	var refuse atomic.Bool
	b.work(t, refusing(&refuse))
	ctx := deadline(t)
	runner := b.runner(t)
	first := b.plan(t, five()...)
	_, err := runner.Start(ctx, first)
	must.Do(t, err)
	refuse.Store(true)
	b.spoil(t, job.BucketMiners, "2")
	b.purge(t, job.BucketEvaluation, b.evaluation(t, first, 2)) // so that no producer can put it back
	got, err := runner.Start(ctx, later(first, "next"))
	must.Do(t, err)
	if text := fmt.Sprint(got.Damaged); got.Complete || len(got.Damaged) != 1 || !strings.Contains(text, "stored evaluation of miner 2") {
		t.Errorf("complete %v, damaged %s; want miner 2's stored evaluation named", got.Complete, text)
	}
	refuse.Store(false)
	b.purge(t, job.BucketRounds, job.SnapshotKey("next"))
	healed, _, err := runner.Replay(ctx, "next", outcome.Selection{})
	must.Do(t, err)
	if text := fmt.Sprint(healed.Damaged); healed.Complete || healed.Failed > 0 || !strings.Contains(text, "that the round began with") {
		t.Errorf("complete %v, %d failed, damaged %s; want the snapshot named", healed.Complete, healed.Failed, text)
	}
	b.sound(t, "next")
}

// A round without its outcomes and with one unreadable record is concluded again, and
// then replayed. Both were once refused.
func TestAReplayEndsFirstWhatIsDamaged(t *testing.T) {
	t.Parallel()
	firstOutcome := key(func(m job.Manifest) string { return job.OutcomeKey(m.Round, 1) })
	for name, lose := range map[string]doing{
		"an outcome gone": gone(job.BucketRounds, firstOutcome), "an outcome unreadable": unreadable(job.BucketRounds, firstOutcome),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{})
			var refuse atomic.Bool
			refuse.Store(true)
			b.work(t, refusing(&refuse))
			ctx := deadline(t)
			runner := b.runner(t)
			m := b.plan(t, five()...)
			first, err := runner.Start(ctx, m)
			must.Do(t, err)
			lose(t, b, m)
			b.spoil(t, job.BucketRecords, job.RecordKey(m.Round, 1))
			refuse.Store(false)
			got, did, err := runner.Replay(ctx, m.Round, outcome.Selection{UIDs: []int{2}})
			must.Do(t, err)
			if !got.Complete || got.Revision != 2 || !slices.Equal(did.UIDs, []int{2}) {
				t.Errorf("complete %v, revision %d, ran %v; want miner 2 healed in the second", got.Complete, got.Revision, did.UIDs)
			}
			again, err := outcome.Read(ctx, b.bus, m.Round, 1)
			must.Do(t, err)
			if diff := cmp.Diff(bytesOf(t, first.Outcome), bytesOf(t, again.Outcome)); diff != "" {
				t.Errorf("the first revision (-before +made anew):\n%s", diff)
			}
			b.sound(t, m.Round)
		})
	}
}

// A turn that is gone or unreadable becomes that of the schedule's newest round. Without
// such a round there is no turn.
func TestTheLastTurnIsFoundAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	ctx, m := deadline(t), b.plan(t, five()...)
	if turn, revision, err := round.LastTurn(ctx, b.bus); err != nil || turn.Round != "" || revision != 0 {
		t.Errorf("before any round: %+v at %d, %v; want none", turn, revision, err)
	}
	m.Due = time.Date(2026, 6, 1, 2, 0, 0, 0, time.UTC)
	for _, name := range []string{"20260601t000000z-000001", "20260601t020000z-000002"} {
		must.Do(t, b.bus.Rounds.CreateManifest(ctx, later(m, name)))
	}
	byHand := later(m, "20260601t030000z-000003")
	byHand.Due = time.Time{}
	must.Do(t, b.bus.Rounds.CreateManifest(ctx, byHand))
	b.spoil(t, job.BucketRounds, job.ManifestKey("20260601t040000z-000004"))
	want := job.Turn{Round: "20260601t020000z-000002", Due: m.Due}
	for _, value := range []string{"", "rubbish", `{"version":9}`, `{"version":1}`} {
		if value != "" {
			must.Get(b.bus.Bucket(job.BucketRounds).PutString(ctx, job.TurnKey, value))(t)
		}
		turn, revision, err := round.LastTurn(ctx, b.bus)
		if err != nil || turn != want || (revision == 0) != (value == "") {
			t.Errorf("%q: %+v at %d, %v; want %+v", value, turn, revision, err, want)
		}
		if value != "" {
			must.Do(t, b.bus.Schedule.SetTurn(ctx, want, revision))
		}
	}
}

// The remains of a round without a manifest are removed when their time is over. So is a
// round whose manifest is unreadable or was deleted by hand. All of these once stayed for
// ever.
func TestLeftoversAreForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	ctx, now := deadline(t), time.Now()
	lost, unreadable := round.NewID(now.Add(-72*time.Hour), [3]byte{1}), round.NewID(now.Add(-71*time.Hour), [3]byte{2})
	must.Get(b.bus.Records.Plan(ctx, job.Plan(lost, 1, "")))(t)
	must.Do(t, b.bus.Queue.Publish(ctx, job.Job{Round: lost, UID: 1, GitHubID: "1", AsOf: now}))
	b.spoil(t, job.BucketRounds, job.ManifestKey(unreadable))
	deleted := round.NewID(now.Add(-70*time.Hour), [3]byte{3})
	b.spoil(t, job.BucketRounds, job.ManifestKey(deleted))
	must.Do(t, b.bus.Bucket(job.BucketRounds).Delete(ctx, job.ManifestKey(deleted)))
	gone, err := round.Forget(ctx, b.leading("keeper"), 24*time.Hour, now)
	if diff := cmp.Diff([]string{lost, unreadable, deleted}, gone); err != nil || diff != "" {
		t.Errorf("forgotten (%v) (-want +got):\n%s", err, diff)
	}
	for _, name := range gone {
		if left := b.keys(t, name); len(left) > 0 {
			t.Errorf("left of round %s: %v", name, left)
		}
	}
}
