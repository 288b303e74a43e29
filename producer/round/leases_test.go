package round_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
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
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/shared/telemetry/telemetrytest"
	"mirrorfleet/worker/lease"
)

// withholding is a server that redelivers nothing while a test lives, as after its wall
// clock was set back. Everybody else knows the given lease, which was in force before.
func withholding(t *testing.T, leased time.Duration, maxDeliver int) *bundle {
	t.Helper()
	b := setup(t, jobstream.Config{AckWait: leased, MaxDeliver: maxDeliver})
	b.withhold(t)
	return b
}

func (b *bundle) withhold(t *testing.T) {
	t.Helper()
	consumer := must.Get(b.js.Consumer(t.Context(), job.StreamJobs, job.Consumer))(t)
	config := consumer.CachedInfo().Config
	config.AckWait = time.Hour
	must.Get(b.js.UpdateConsumer(t.Context(), job.StreamJobs, config))(t)
}

// claim gives a delivery's record to a worker that does nothing more, and returns the
// record.
func (b *bundle) claim(t *testing.T, m job.Manifest, d *jobstream.Delivery, leased time.Duration, change ...func(*job.Claim)) job.Record {
	t.Helper()
	j := must.Get(d.Job())(t)
	c := job.Claim{
		ID: fmt.Sprintf("%d-%d", d.Sequence(), d.Number()), Worker: "w9", Sequence: d.Sequence(), Delivery: d.Number(), For: leased,
	}
	for _, change := range change {
		change(&c)
	}
	record, revision, err := b.bus.Records.Load(t.Context(), m.Round, j.UID)
	must.Do(t, err)
	record = must.Get(record.Claimed(c))(t)
	must.Get(b.bus.Records.Update(t.Context(), record, revision))(t)
	return record
}

// A job whose worker died comes back even if the server does not redeliver it: the
// producer's own clock decides.
func TestAJobComesBackByTheProducersClock(t *testing.T) {
	t.Parallel()
	const back, again = "lease lapsed by this producer's clock: taken back", "message withheld from workers that wait: published again"
	for name, c := range map[string]struct {
		die        func(t *testing.T, b *bundle, m job.Manifest, d *jobstream.Delivery)
		unreported int
		want       []string
	}{
		"its worker died, and the server's clock was set back": {
			func(t *testing.T, b *bundle, m job.Manifest, d *jobstream.Delivery) {
				t.Helper()
				b.claim(t, m, d, time.Second)
			}, 1, []string{back, again},
		},
		// Otherwise every delivery would be fenced until all were used up.
		"its worker died, and the stream was made anew: messages have lower numbers": {
			func(t *testing.T, b *bundle, m job.Manifest, d *jobstream.Delivery) {
				t.Helper()
				b.claim(t, m, d, time.Second, func(c *job.Claim) { c.Sequence = 1000 })
				must.Do(t, d.Nak(t.Context(), 0)) // it is delivered, and fenced
			}, 1, []string{back, again},
		},
		"its worker died before it claimed the record": {
			func(*testing.T, *bundle, job.Manifest, *jobstream.Delivery) {}, 0, []string{again},
		},
		"it failed, and was to come again after a delay": {
			func(t *testing.T, b *bundle, m job.Manifest, d *jobstream.Delivery) {
				t.Helper()
				record := b.claim(t, m, d, time.Second)
				_, revision, err := b.bus.Records.Load(t.Context(), m.Round, 1)
				must.Do(t, err)
				record = must.Get(record.FailedAttempt(record.Claim.ID, job.Spent{}, job.Failure{Class: job.Transient, Error: "502", Delay: time.Second}))(t)
				must.Get(b.bus.Records.Update(t.Context(), record, revision))(t)
			}, 0, []string{again},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := withholding(t, 2*time.Second, 20)
			m := b.plan(t, four()[1])
			b.queue(t, m)
			c.die(t, b, m, b.next(t))
			b.work(t, always)
			got := must.Get(b.runner(t).Resume(deadline(t), m.Round))(t)
			if !got.Complete || got.Done != 1 || got.Unreported != c.unreported {
				t.Errorf("complete %v, done %d, %d unreported; want a complete round of one, %d unreported",
					got.Complete, got.Done, got.Unreported, c.unreported)
			}
			var did []string
			for _, mended := range got.Mended {
				did = append(did, mended.What)
			}
			if !slices.Equal(did, c.want) {
				t.Errorf("mended %q, want %q", did, c.want)
			}
			b.holds(t, m.Round)
		})
	}
}

// A live worker keeps its job for many leases. A job that waits its turn behind it is
// queued once.
func TestALivingWorkerKeepsItsJob(t *testing.T) {
	t.Parallel()
	b := withholding(t, 3*time.Second, 20)
	m := b.plan(t, four()...)
	b.queue(t, m)
	b.work(t, func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		err := poll(ctx, func() bool { // miner 1 takes two leases
			r, _, err := b.bus.Records.Load(ctx, m.Round, j.UID)
			return j.UID != 1 || err == nil && r.Claim.Beat >= 6
		})
		if err != nil {
			return job.Evaluation{}, err
		}
		return always(ctx, j, a)
	}, func(c *lease.Config) { c.Slots = 1 })
	got := must.Get(b.runner(t).Resume(deadline(t), m.Round))(t)
	if !got.Complete || len(got.Mended) > 0 || got.Unreported > 0 {
		t.Errorf("complete %v, mended %v, %d unreported; want nothing to mend", got.Complete, got.Mended, got.Unreported)
	}
	stream := must.Get(b.js.Stream(t.Context(), job.StreamJobs))(t)
	if n := stream.CachedInfo().State.LastSeq; n != 2 {
		t.Errorf("%d messages were queued, want 2", n)
	}
	b.holds(t, m.Round)
}

// A worker was cut off and returns after its job was taken from it. It changes nothing.
func TestAWorkerThatComesBackTooLateChangesNothing(t *testing.T) {
	t.Parallel()
	b := withholding(t, 2*time.Second, 20)
	m := b.plan(t, four()[1])
	b.queue(t, m)
	relay := nettest.NewRelay(t, b.nats)
	// It is opened before the server withholds. Later it would take the hour for its
	// lease.
	cut, _ := jobstreamtest.Open(t, relay.URL(), jobstream.Config{AckWait: 2 * time.Second, Timeout: time.Second})
	b.withhold(t)
	started, release := make(chan struct{}, 1), make(chan struct{})
	ended := make(chan struct{})
	b.work(t, func(context.Context, job.Job, job.Attempt) (job.Evaluation, error) {
		defer close(ended)
		started <- struct{}{}
		<-release // it does not heed its context
		return job.Evaluation{Requests: 100}, nil
	}, func(c *lease.Config) {
		c.Worker = "cut off"
		c.Bus = cut
		c.Slots = 1
	})
	must.Receive(deadline(t), t, started, "the job's start")
	relay.Hold(nettest.Up, nettest.Down)
	b.work(t, always, func(c *lease.Config) { c.Worker = "other" })
	got, err := b.runner(t).Resume(deadline(t), m.Round)
	relay.Release()
	close(release)
	must.Do(t, err)
	must.Receive(deadline(t), t, ended, "the end of the handler")
	if !got.Complete || got.Requests-got.LookUps != 0 || got.Unreported != 1 {
		t.Errorf("complete %v, %d requests, %d unreported; want the other's work alone", got.Complete, got.Requests-got.LookUps, got.Unreported)
	}
	if r, _, err := b.bus.Records.Load(t.Context(), m.Round, 1); err != nil || r.Claim.Worker != "other" || r.Failures != 0 || r.Deliveries != 2 {
		t.Errorf("record is %+v by %+v, %v; want it the other's", r, r.Claim, err)
	}
	b.holds(t, m.Round)
}

// A job that kills every process is dead after as many processes as a message has
// deliveries, even if each had a new message.
func TestLapsesEndAJobAsPoison(t *testing.T) {
	t.Parallel()
	const maxDeliver = 3
	b := withholding(t, time.Second, maxDeliver)
	m := b.plan(t, four()[1])
	b.queue(t, m)
	type end struct {
		result outcome.Result
		err    error
	}
	ended := make(chan end, 1)
	runner := b.runner(t)
	go func() {
		result, err := runner.Resume(deadline(t), m.Round)
		ended <- end{result, err}
	}()
	for range maxDeliver {
		d := b.next(t)
		if d.Number() != 1 {
			t.Errorf("delivery %d, want the first of a new message", d.Number())
		}
		b.claim(t, m, d, 300*time.Millisecond)
	}
	got := must.Receive(deadline(t), t, ended, "the round's end")
	must.Do(t, got.err)
	letters := got.result.DeadLetters
	if len(letters) != 1 || letters[0].Class != job.Poison || letters[0].Attempts != maxDeliver || letters[0].Worker != "w9" {
		t.Errorf("dead letters %+v, want one poison of w9 after %d attempts", letters, maxDeliver)
	}
	if mended := fmt.Sprint(got.result.Mended); got.result.Unreported != maxDeliver || !strings.Contains(mended, "buried") {
		t.Errorf("%d unreported, mended %s; want %d, and the burial", got.result.Unreported, mended, maxDeliver)
	}
	b.holds(t, m.Round)
}

// The server redelivers a job in the same instant in which the producer takes it back.
// The second of the two leaves it to the first. The job runs once, without a failure, and
// with one attempt that ended without a word.
func TestTheServerAndTheProducerBringAJobBackAtOnce(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]func(t *testing.T, b *bundle, m job.Manifest, r *round.Runner, seen job.Record){
		"the delivery is claimed first": func(t *testing.T, b *bundle, m job.Manifest, r *round.Runner, seen job.Record) {
			t.Helper()
			b.claim(t, m, b.next(t), time.Hour)
			if did, err := r.TakeBack(t.Context(), seen, 20); err != nil || did != "" {
				t.Errorf("taken back: %q, %v; want it left alone", did, err)
			}
		},
		"the job is taken back first": func(t *testing.T, b *bundle, m job.Manifest, r *round.Runner, seen job.Record) {
			t.Helper()
			if did, err := r.TakeBack(t.Context(), seen, 20); err != nil || did == "" {
				t.Errorf("taken back: %q, %v; want it done", did, err)
			}
			taken, _, err := b.bus.Records.Load(t.Context(), m.Round, 1)
			must.Do(t, err)
			b.claim(t, m, b.next(t), time.Hour)
			if did, err := r.Renew(t.Context(), taken); err != nil || did != "" {
				t.Errorf("queued anew: %q, %v; want it left alone", did, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{AckWait: time.Hour})
			m := b.plan(t, four()[1])
			b.queue(t, m)
			d := b.next(t)
			seen := b.claim(t, m, d, time.Second)
			must.Do(t, d.Nak(t.Context(), 0)) // as when the server's lease has run out
			order(t, b, m, b.runner(t), seen)
			got, _, err := b.bus.Records.Load(t.Context(), m.Round, 1)
			must.Do(t, err)
			if got.Phase != job.Running || got.Claim.Delivery != 2 || got.Deliveries != 2 || got.Unreported != 1 || got.Lapses != 1 || got.Failures != 0 {
				t.Errorf("record is %+v by %+v; want the second delivery's, with one attempt unreported", got, got.Claim)
			}
			stream := must.Get(b.js.Stream(t.Context(), job.StreamJobs))(t)
			if state := stream.CachedInfo().State; state.Msgs != 1 || state.LastSeq != 1 {
				t.Errorf("%d messages, the last is %d; want the one", state.Msgs, state.LastSeq)
			}
		})
	}
}

// A copy may be queued beside a delivery, if the claim came between the producer's look
// and its act. Even then only one evaluation counts.
func TestACopyBesideADeliveryCountsOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: time.Hour})
	m := b.plan(t, four()[1])
	b.queue(t, m)
	var handled atomic.Int64
	first := make(chan struct{})
	b.work(t, func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		if handled.Add(1) == 1 {
			close(first)
			if err := poll(ctx, func() bool { return handled.Load() > 1 }); err != nil {
				return job.Evaluation{}, err
			}
		}
		return always(ctx, j, a)
	})
	must.Receive(deadline(t), t, first, "the first delivery's start")
	if did, err := b.bus.Queue.Renew(t.Context(), m.Round, 1); err != nil || !did {
		t.Fatalf("queued anew: %v, %v; want the copy", did, err)
	}
	got := must.Get(b.runner(t).Resume(deadline(t), m.Round))(t)
	record, _, err := b.bus.Records.Load(t.Context(), m.Round, 1)
	must.Do(t, err)
	if !got.Complete || got.Done != 1 || record.Failures != 0 || record.Claim.Sequence != 2 {
		t.Errorf("complete %v, done %d, record %+v by %+v; want the copy's evaluation", got.Complete, got.Done, record, record.Claim)
	}
	b.holds(t, m.Round)
}

// TestALineAboutAJobNamesIt: whoever reads that a producer has ended a job finds the job's
// own lines and trace by the ids of that line.
func TestALineAboutAJobNamesIt(t *testing.T) {
	t.Parallel()
	b := withholding(t, 2*time.Second, 20)
	m := b.plan(t, four()[1])
	b.queue(t, m)
	record := b.claim(t, m, b.next(t), time.Second)
	record.Trace = strings.Repeat("4b", 16)
	_, revision, err := b.bus.Records.Load(t.Context(), m.Round, 1)
	must.Do(t, err)
	must.Get(b.bus.Records.Update(t.Context(), record, revision))(t)
	b.work(t, always)
	var log telemetrytest.Log
	must.Get(b.runner(t, func(cfg *round.Config) {
		cfg.Log = telemetry.Logger(&log, true, slog.LevelInfo)
	}).Resume(deadline(t), m.Round))(t)
	said := false
	for line := range strings.Lines(log.String()) {
		if !strings.Contains(line, "uid=1") {
			continue
		}
		said = true
		for _, id := range []string{"round=" + m.Round, "uid=1", "delivery=1", "trace_id=" + record.Trace} {
			if strings.Count(line, id) != 1 {
				t.Errorf("the line does not have %s once: %s", id, line)
			}
		}
	}
	if !said {
		t.Errorf("the log says nothing of the job:\n%s", &log)
	}
}
