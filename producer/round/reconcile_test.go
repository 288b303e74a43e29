package round_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/producer/audit"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/worker/lease"
)

// always is a handler that evaluates every job.
func always(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
	return evaluated(j, 1), nil
}

// queue plans a round and publishes its jobs, as a producer does that dies then. If
// miners are named, it publishes only theirs.
func (b *bundle) queue(t *testing.T, m job.Manifest, only ...int) {
	t.Helper()
	must.Do(t, b.bus.Rounds.CreateManifest(t.Context(), m))
	must.Do(t, b.bus.Rounds.PutSnapshot(t.Context(), m.Round, nil))
	for _, j := range m.Jobs() {
		if len(only) > 0 && !slices.Contains(only, j.UID) {
			continue
		}
		_, err := b.bus.Records.Plan(t.Context(), job.Plan(m.Round, j.UID, ""))
		must.Do(t, err)
		must.Do(t, b.bus.Queue.Publish(t.Context(), j))
	}
}

// message is the sequence of a miner's message in the queue.
func (b *bundle) message(t *testing.T, m job.Manifest, uid int) uint64 {
	t.Helper()
	stream, err := b.js.Stream(t.Context(), job.StreamJobs)
	must.Do(t, err)
	msg, err := stream.GetLastMsgForSubject(t.Context(), job.Subject(m.Round, uid))
	must.Do(t, err)
	return msg.Sequence
}

func (b *bundle) deleteMessage(t *testing.T, m job.Manifest, uid int) {
	t.Helper()
	stream, err := b.js.Stream(t.Context(), job.StreamJobs)
	must.Do(t, err)
	must.Do(t, stream.DeleteMsg(t.Context(), b.message(t, m, uid)))
}

func (b *bundle) deleteRecord(t *testing.T, m job.Manifest, uid int) {
	t.Helper()
	b.purge(t, job.BucketRecords, job.RecordKey(m.Round, uid))
}

// purge removes a key without a trace, and spoil overwrites it with rubbish.
func (b *bundle) purge(t *testing.T, bucket, key string) {
	t.Helper()
	jobstreamtest.Remove(t, b.js, bucket, key)
}

func (b *bundle) spoil(t *testing.T, bucket, key string) {
	t.Helper()
	must.Get(b.bus.Bucket(bucket).PutString(t.Context(), key, "rubbish"))(t)
}

// filter makes the consumer deliver only certain subjects.
func filter(t *testing.T, b *bundle, subject string) {
	t.Helper()
	consumer, err := b.js.Consumer(t.Context(), job.StreamJobs, job.Consumer)
	must.Do(t, err)
	config := consumer.CachedInfo().Config
	config.FilterSubject = subject
	_, err = b.js.UpdateConsumer(t.Context(), job.StreamJobs, config)
	must.Do(t, err)
}

func (b *bundle) audit(t *testing.T, name string) audit.Report {
	t.Helper()
	held, err := b.bus.Inventory(t.Context(), name)
	must.Do(t, err)
	return audit.Of(held)
}

func (b *bundle) holds(t *testing.T, name string) {
	t.Helper()
	if a := b.audit(t, name); !a.Holds() || a.Outstanding > 0 {
		t.Errorf("audit: %s; %v", a, a.Discrepancies)
	}
}

// Whatever a crash or a loss has left of a job, a resumed round finds it, reports it, and
// ends with every miner accounted for.
func TestReconcilerMendsWhatWasLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose func(b *bundle, m job.Manifest)
		kind audit.Kind // what the auditor reports before
		want string     // the reported repair of miner 1; "" for none
	}{
		"the producer died before it published": {
			func(b *bundle, m job.Manifest) {
				b.deleteMessage(t, m, 1)
				b.deleteRecord(t, m, 1)
			}, audit.NothingHeld, "",
		},
		"the message is gone, and its id remembered": {
			func(b *bundle, m job.Manifest) { b.deleteMessage(t, m, 1) },
			audit.RecordAlone, "record without message: published again",
		},
		"the record is gone": {
			func(b *bundle, m job.Manifest) { b.deleteRecord(t, m, 1) },
			audit.MessageAlone, "",
		},
		"the consumer has passed the message over": {
			func(b *bundle, m job.Manifest) {
				// This happens when somebody changes the consumer for a while.
				filter(t, b, "miner.job.another.*")
				must.Do(t, b.bus.Queue.Publish(t.Context(), job.Job{Round: "another", UID: 1, GitHubID: "1", AsOf: m.AsOf}))
				must.Do(t, b.next(t).Ack(t.Context()))
				filter(t, b, "")
			}, audit.DeliveriesUsedUp, "message passed over: published again",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{})
			m := b.plan(t, four()[1])
			b.queue(t, m)
			c.lose(b, m)
			if a := b.audit(t, m.Round); a.Holds() || a.Discrepancies[0].Kind != c.kind {
				t.Errorf("audit before: %v, want %q", a.Discrepancies, c.kind)
			}
			b.work(t, always)
			got, err := b.runner(t).Resume(deadline(t), m.Round)
			must.Do(t, err)
			if !got.Complete || got.Done != 1 {
				t.Errorf("complete %v, done %d; want a complete round of one", got.Complete, got.Done)
			}
			if mended := fmt.Sprint(got.Mended); c.want != "" && !strings.Contains(mended, c.want) {
				t.Errorf("mended %v, want %q", mended, c.want)
			}
			b.holds(t, m.Round)
		})
	}
}

// The same holds in the middle of a round, without a resume.
func TestReconcilerRunsBesideTheRound(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	m := b.plan(t, four()...)
	b.queue(t, m)
	b.work(t, func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		if j.UID == 1 { // before its own end: miner 2's message goes
			b.deleteMessage(t, m, 2) //nolint:contextcheck // the test's own
		}
		return evaluated(j, 1), nil
	}, func(c *lease.Config) { c.Slots = 1 })
	got, err := b.runner(t).Resume(deadline(t), m.Round)
	must.Do(t, err)
	if !got.Complete || len(got.Mended) != 1 || got.Mended[0].UID != 2 {
		t.Errorf("complete %v, mended %v; want miner 2's message", got.Complete, got.Mended)
	}
	b.holds(t, m.Round)
}

// The server tells only once that deliveries are used up. If nobody hears it, the stuck
// message still tells.
func TestUsedUpDeliveriesAreFoundWithoutTheAdvisory(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: 100 * time.Millisecond, MaxDeliver: 2})
	m := b.plan(t, four()[1])
	b.queue(t, m)
	for delivery := uint64(1); delivery <= 2; delivery++ { // two claims whose workers die
		d := b.next(t)
		record, revision, err := b.bus.Records.Load(t.Context(), m.Round, 1)
		must.Do(t, err)
		claimed, err := record.Claimed(job.Claim{ID: fmt.Sprint(delivery), Worker: "w9", Sequence: d.Sequence(), Delivery: d.Number()})
		must.Do(t, err)
		_, err = b.bus.Records.Update(t.Context(), claimed, revision)
		must.Do(t, err)
	}
	b.awaitStuck(t, m)
	advisories, err := b.js.Stream(t.Context(), job.StreamAdvisory)
	must.Do(t, err)
	must.Do(t, advisories.Purge(t.Context()))

	got, err := b.runner(t).Resume(deadline(t), m.Round)
	must.Do(t, err)
	if len(got.DeadLetters) != 1 || got.DeadLetters[0].Class != job.Poison || got.DeadLetters[0].Worker != "w9" || got.DeadLetters[0].Attempts != 2 {
		t.Errorf("dead letters %+v, want one poison of w9 after 2 attempts", got.DeadLetters)
	}
	if len(got.Mended) != 1 || !strings.Contains(got.Mended[0].What, "deliveries used up") {
		t.Errorf("mended %v, want the used up deliveries", got.Mended)
	}
	b.holds(t, m.Round)
}

// next fetches until there is a delivery.
func (b *bundle) next(t *testing.T) *jobstream.Delivery {
	t.Helper()
	for ctx := deadline(t); ; {
		got, err := b.bus.Queue.Fetch(ctx, 1, time.Second)
		must.Do(t, err)
		if len(got) > 0 {
			return got[0]
		}
	}
}

// awaitStuck waits until the server has given up a message.
func (b *bundle) awaitStuck(t *testing.T, m job.Manifest) {
	t.Helper()
	for ctx := deadline(t); ; {
		if _, err := b.bus.Queue.Fetch(ctx, 1, 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if stuck, err := b.bus.Queue.Stuck(ctx, m.Round); err != nil || len(stuck) > 0 {
			must.Do(t, err)
			return
		}
	}
}

// A worker that commits and dies before its ack leaves a message of an ended job. Nothing
// is lost by it, and the next worker removes it.
func TestALeftMessageIsHarmless(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	m := b.plan(t, four()...)
	b.queue(t, m)
	record, revision, err := b.bus.Records.Load(t.Context(), m.Round, 1)
	must.Do(t, err)
	record, err = record.Claimed(job.Claim{ID: "c", Worker: "w9", Sequence: 1, Delivery: 1})
	must.Do(t, err)
	key := job.EvaluationKey(m.Round, 1, "c")
	evaluation := evaluated(job.Job{Round: m.Round, UID: 1, Hotkey: "h1", GitHubID: "101"}, 1)
	evaluation.Claim = "c"
	must.Do(t, b.bus.Evaluations.Put(t.Context(), key, evaluation))
	record, err = record.Committed("c", 3, key, false, time.Now())
	must.Do(t, err)
	_, err = b.bus.Records.Update(t.Context(), record, revision)
	must.Do(t, err)
	if a := b.audit(t, m.Round); !a.Holds() || len(a.Discrepancies) != 1 || a.Discrepancies[0].Kind != audit.LeftMessage {
		t.Errorf("audit: %v, want one message of an ended job", a.Discrepancies)
	}
	var evaluations atomic.Int64
	b.work(t, func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		evaluations.Add(1)
		return always(ctx, j, a)
	})
	got, err := b.runner(t).Resume(deadline(t), m.Round)
	must.Do(t, err)
	if n := evaluations.Load(); got.Done != 2 || n != 1 {
		t.Errorf("done %d, evaluated %d times; want both done and one evaluated now", got.Done, n)
	}
	b.holds(t, m.Round)
}
