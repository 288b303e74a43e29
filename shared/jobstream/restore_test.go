package jobstream_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// TestAStreamThatIsGoneIsDeclaredAgain: somebody deletes a stream, a bucket or a
// consumer. To its users that looks like a server that is away, for which they would wait
// for ever. Each operation declares it again and succeeds, or finds nothing.
func TestAStreamThatIsGoneIsDeclaredAgain(t *testing.T) {
	t.Parallel()
	stream := func(name string) func(context.Context, jetstream.JetStream) error {
		return func(ctx context.Context, js jetstream.JetStream) error { return js.DeleteStream(ctx, name) }
	}
	consumer := func(stream, name string) func(context.Context, jetstream.JetStream) error {
		return func(ctx context.Context, js jetstream.JetStream) error { return js.DeleteConsumer(ctx, stream, name) }
	}
	const (
		records     = "KV_" + job.BucketRecords
		evaluations = "KV_" + job.BucketEvaluation
		rounds      = "KV_" + job.BucketRounds
	)
	for name, c := range map[string]struct {
		gone func(context.Context, jetstream.JetStream) error
		then func(context.Context, *jobstream.Bus) error
		want error
	}{
		"publish a job":       {stream(job.StreamJobs), func(ctx context.Context, b *jobstream.Bus) error { return b.Queue.Publish(ctx, aJob(2)) }, nil},
		"queue a job again":   {stream(job.StreamJobs), func(ctx context.Context, b *jobstream.Bus) error { _, err := b.Queue.Requeue(ctx, aJob(1)); return err }, nil},
		"count the messages":  {stream(job.StreamJobs), func(ctx context.Context, b *jobstream.Bus) error { _, err := b.Queue.Messages(ctx, "r1"); return err }, nil},
		"look for stuck ones": {consumer(job.StreamJobs, job.Consumer), func(ctx context.Context, b *jobstream.Bus) error { _, err := b.Queue.Stuck(ctx, "r1"); return err }, nil},
		"publish a letter": {stream(job.StreamDead), func(ctx context.Context, b *jobstream.Bus) error {
			return b.Letters.Publish(ctx, job.DeadLetter{Round: "r1", UID: 1, Class: job.Permanent})
		}, nil},
		"read letters": {stream(job.StreamDead), func(ctx context.Context, b *jobstream.Bus) error { _, err := b.Letters.List(ctx, "r1"); return err }, nil},
		"plan a record": {stream(records), func(ctx context.Context, b *jobstream.Bus) error {
			_, err := b.Records.Plan(ctx, job.Plan("r1", 1, ""))
			return err
		}, nil},
		"read a record": {stream(records), func(ctx context.Context, b *jobstream.Bus) error {
			_, _, err := b.Records.Load(ctx, "r1", 1)
			return err
		}, jobstream.ErrNotFound},
		"list records": {stream(records), func(ctx context.Context, b *jobstream.Bus) error { _, err := b.Records.List(ctx, "r1"); return err }, nil},
		"change a record": {stream(records), func(ctx context.Context, b *jobstream.Bus) error {
			_, err := b.Records.Update(ctx, job.Plan("r1", 1, ""), 1)
			return err
		}, jobstream.ErrConflict},
		"store an evaluation": {stream(evaluations), func(ctx context.Context, b *jobstream.Bus) error {
			return b.Evaluations.Put(ctx, "r1.7.c", anEvaluation("x"))
		}, nil},
		"read an evaluation": {stream(evaluations), func(ctx context.Context, b *jobstream.Bus) error {
			_, err := b.Evaluations.Load(ctx, "r1.1.c")
			return err
		}, jobstream.ErrNotFound},
		"hold a round": {stream(rounds), func(ctx context.Context, b *jobstream.Bus) error {
			_, err := b.Holders.Set(ctx, "r1", job.Holder{Name: "p"}, 0)
			return err
		}, nil},
		"forget a round": {stream(rounds), func(ctx context.Context, b *jobstream.Bus) error { return b.Rounds.Forget(ctx, "r1") }, nil},
		"keep an identity": {stream("KV_" + job.BucketIdentities), func(ctx context.Context, b *jobstream.Bus) error {
			return b.Miners.PutIdentity(ctx, job.Identity{UID: 1})
		}, nil},
		"read the stored":    {stream("KV_" + job.BucketMiners), func(ctx context.Context, b *jobstream.Bus) error { _, err := b.Miners.Evaluations(ctx); return err }, nil},
		"hear of advisories": {consumer(job.StreamAdvisory, "exhausted"), func(ctx context.Context, b *jobstream.Bus) error { return b.Restore(ctx) }, nil},
		"restore the cache":  {stream("KV_" + job.BucketScores), func(ctx context.Context, b *jobstream.Bus) error { return b.Restore(ctx) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{RetryWait: time.Millisecond})
			must.Do(t, c.gone(b.ctx, b.js))
			if err := c.then(b.ctx, b.bus); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if b.log.Count("declared again, empty") == 0 {
				t.Error("nothing says that something was gone")
			}
			for _, s := range b.inspect(jobstream.Config{}).Streams {
				if s.Missing || len(s.Drift) > 0 {
					t.Errorf("%+v, want it as declared", s)
				}
			}
		})
	}
}

// TestAConsumerThatIsGoneComesBackAsItWas: a worker that is fetching continues, with the
// lease that was in force.
func TestAConsumerThatIsGoneComesBackAsItWas(t *testing.T) {
	t.Parallel()
	for _, gone := range []string{"consumer", "stream"} {
		t.Run(gone, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{AckWait: 7 * time.Second})
			must.Do(t, b.bus.Queue.ServeOnly(b.ctx, "r1"))
			before := b.consumer()
			if gone == "stream" {
				must.Do(t, b.js.DeleteStream(b.ctx, job.StreamJobs))
			} else {
				must.Do(t, b.js.DeleteConsumer(b.ctx, job.StreamJobs, job.Consumer))
			}
			b.publish(aJob(1))
			if d := b.next(); d.Subject() != job.Subject("r1", 1) {
				t.Errorf("got %s", d.Subject())
			}
			if got := b.consumer(); got.AckWait != before.AckWait || got.FilterSubject != before.FilterSubject {
				t.Errorf("the consumer came back with AckWait %s and filter %q, want %s and %q",
					got.AckWait, got.FilterSubject, before.AckWait, before.FilterSubject)
			}
		})
	}
}

// TestNothingOfNewServersWasGone: the consumer of the advisories is declared when it is
// first read. So the first producer on new servers once reported it as lost.
func TestNothingOfNewServersWasGone(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	must.Get(b.js.Consumer(b.ctx, job.StreamAdvisory, "exhausted"))(t)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	must.Do(t, b.bus.Queue.ConsumeExhausted(ctx, nil))
	must.Do(t, b.bus.Restore(b.ctx))
	if n := b.log.Count("declared again, empty"); n > 0 {
		t.Errorf("%d times something is said to have been gone", n)
	}
}

// TestARoundIsHeldOnce: the leader says whether the key that is in the way was deleted.
func TestARoundIsHeldOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	hold := func(want error) {
		t.Helper()
		if _, err := b.bus.Holders.Set(b.ctx, "r1", job.Holder{Name: rand.Text()}, 0); !errors.Is(err, want) {
			t.Errorf("holding the round: %v, want %v", err, want)
		}
	}
	hold(nil)
	hold(jobstream.ErrConflict)
	kv := must.Get(b.js.KeyValue(b.ctx, job.BucketRounds))(t)
	must.Do(t, kv.Delete(b.ctx, job.HolderKey("r1")))
	hold(nil)
}

// TestAdvisoriesGoOn: the stream of the advisories is deleted while a producer reads it,
// and later advisories are still read. The very first producer once reported their
// consumer as lost with all it held.
func TestAdvisoriesGoOn(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{AckWait: 200 * time.Millisecond, MaxDeliver: 2, RetryWait: time.Millisecond})
	heard, ended := make(chan int, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(b.ctx)
	go func() {
		err := b.bus.Queue.ConsumeExhausted(ctx, func(_ context.Context, e jobstream.Exhausted) error { heard <- e.UID; return nil })
		if ctx.Err() == nil { // what follows would wait in vain, and not say why
			t.Errorf("it ended by itself: %v", err)
		}
		ended <- err
	}()
	exhaust := func(uid int) {
		b.publish(aJob(uid))
		for range 2 {
			b.next()
		}
	}
	hear := func(want int) {
		for {
			select {
			case uid := <-heard:
				if uid != want {
					t.Errorf("heard of %d, want %d", uid, want)
				}
				return
			case <-b.ctx.Done():
				t.Fatalf("not heard of %d", want)
			default: // the server says so when it is asked for more
				if got, err := b.bus.Queue.Fetch(b.ctx, 1, 100*time.Millisecond); err != nil || len(got) > 0 {
					t.Fatalf("a third delivery: %v, %v", got, err)
				}
			}
		}
	}
	exhaust(1)
	hear(1)
	if n := b.log.Count("declared again, empty"); n != 0 {
		t.Errorf("%d things are said to be gone before anything is", n)
	}
	must.Do(t, b.js.DeleteStream(b.ctx, job.StreamAdvisory))
	b.log.Await(b.ctx, t, "declared again, empty")
	exhaust(2)
	hear(2)
	cancel()
	must.Do(t, <-ended)
}

// TestWhatCannotBeDeclaredAgainIsSaid: somebody has put another stream in the place of
// one. The operation ends with an error that names the difference.
func TestWhatCannotBeDeclaredAgainIsSaid(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{RetryWait: time.Millisecond})
	must.Do(t, b.js.DeleteStream(b.ctx, job.StreamJobs))
	must.Get(b.js.CreateStream(b.ctx, jetstream.StreamConfig{Name: job.StreamJobs, Subjects: []string{"other"}}))(t)
	var mismatch *jobstream.MismatchError
	if err := b.bus.Queue.Publish(b.ctx, aJob(1)); !errors.As(err, &mismatch) || mismatch.Stream != job.StreamJobs {
		t.Errorf("publishing: %v, want a MismatchError", err)
	}
	if _, err := b.bus.Queue.Fetch(b.ctx, 1, time.Second); !errors.As(err, &mismatch) || jobstream.Away(err) {
		t.Errorf("fetching: %v, want a MismatchError, which does not pass by waiting", err)
	}
}

// TestAClosedConnectionSaysWhy: a worker whose connection is closed for good does not
// wait for the server.
func TestAClosedConnectionSaysWhy(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.nc.Close()
	for what, err := range map[string]error{
		"publishing": b.bus.Queue.Publish(b.ctx, aJob(1)),
		"fetching":   func() error { _, err := b.bus.Queue.Fetch(b.ctx, 1, time.Second); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), "connection closed") || jobstream.Away(err) {
			t.Errorf("%s: %v, want that the connection is closed", what, err)
		}
	}
}

// TestAWatchOutlivesItsBucket: the bucket of the records is deleted under a watch, and
// made again with other revisions. The watch shows later changes.
func TestAWatchOutlivesItsBucket(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{Timeout: 500 * time.Millisecond})
	b.plan(1)
	ctx, cancel := context.WithCancel(b.ctx)
	changes := must.Get(b.bus.Records.Watch(ctx, "r1"))(t)
	see := func(uid int) {
		for {
			select {
			case r, open := <-changes:
				if !open {
					t.Fatalf("the watch ended before miner %d", uid)
				}
				if r.UID == uid {
					return
				}
			case <-b.ctx.Done():
				t.Fatalf("miner %d was not seen", uid)
			}
		}
	}
	see(1)
	for range 10 { // revisions that the new bucket does not reach
		r, revision, err := b.bus.Records.Load(b.ctx, "r1", 1)
		must.Do(t, err)
		must.Get(b.bus.Records.Update(b.ctx, r, revision))(t)
		see(1)
	}
	must.Do(t, b.js.DeleteStream(b.ctx, "KV_"+job.BucketRecords))
	b.plan(2)
	see(2)
	cancel()
	for range changes { // its goroutine ends before the test does
	}
}

// A viewer's operation ends when a stream is gone, and names the stream, because only a
// producer brings it back. For a server that is away, it waits.
func TestAViewerHearsOfAStreamThatIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.plan(1)
	viewer, _ := jobstreamtest.Open(t, b.servers.NATSURL(), jobstream.Config{Role: jobstream.RoleViewer, RetryWait: time.Millisecond})
	must.Do(t, b.js.DeleteStream(b.ctx, "KV_"+job.BucketRecords))
	for what, do := range map[string]func() error{
		"reading":  func() error { _, _, err := viewer.Records.Load(b.ctx, "r1", 1); return err },
		"listing":  func() error { _, err := viewer.Records.List(b.ctx, "r1"); return err },
		"watching": func() error { _, err := viewer.Records.Watch(b.ctx, "r1"); return err },
	} {
		err := do()
		absent, is := errors.AsType[*jobstream.UndeclaredError](err)
		if !is || !errors.Is(err, jobstream.ErrUndeclared) || absent.All || !slices.Equal(absent.Streams, []string{"KV_" + job.BucketRecords}) {
			t.Errorf("%s: %v, want that KV_RECORDS is gone", what, err)
		}
	}
	if _, err := viewer.Rounds.List(b.ctx); err != nil {
		t.Errorf("what is of another stream: %v", err)
	}
}
