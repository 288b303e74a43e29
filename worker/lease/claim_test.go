package lease_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/job"
	"mirrorfleet/worker/lease"
)

// reads counts the reads of records from now on, by uid.
func (b *bundle) reads() func() map[int]int {
	b.t.Helper()
	nc, err := nats.Connect(b.servers.NATSURL())
	b.must(err)
	b.t.Cleanup(nc.Close)
	sub, err := nc.SubscribeSync("$JS.API.DIRECT.GET.KV_" + job.BucketRecords + ".>")
	b.must(err)
	b.must(nc.Flush())
	return func() map[int]int {
		b.t.Helper()
		b.must(nc.Flush()) // what the server has had before is here then
		counts := map[int]int{}
		for waiting, _, _ := sub.Pending(); waiting > 0; waiting-- {
			msg, err := sub.NextMsg(time.Second)
			b.must(err)
			_, key, _ := strings.Cut(msg.Subject, "$KV."+job.BucketRecords+".")
			_, uid, err := job.ParseRecordKey(key)
			b.must(err)
			counts[uid]++
		}
		return counts
	}
}

// TestAFirstDeliveryClaimsUnread: the message tells the revision that its
// record was planned at; one that does not, as an earlier build's, has its
// record read. Both records end alike.
func TestAFirstDeliveryClaimsUnread(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	for uid, told := range map[int]bool{1: true, 2: false} {
		revision, err := b.bus.PlanRecord(b.ctx, job.Plan("r1", uid, "trace"))
		b.must(err)
		j := aJob(uid)
		if told {
			j.Planned = job.AsPlanned{Revision: revision, Trace: "trace"}
		}
		b.must(b.bus.PublishJob(b.ctx, j))
	}
	reads := b.reads()
	b.finish(b.until(0, b.run(lease.Config{Handler: succeed})))
	if got, want := reads(), map[int]int{2: 1}; !maps.Equal(got, want) {
		t.Errorf("records were read %v times by uid, want %v: the one whose message tells no revision", got, want)
	}
	one, two := b.record(1), b.record(2)
	if two.Phase != job.Done {
		t.Errorf("the record of a message that tells no revision is %+v, want it done", two)
	}
	if one.Phase != job.Done || one.Trace != "trace" || one.Deliveries != 1 || one.Trace != two.Trace {
		t.Errorf("records are\n%+v and\n%+v, want both done by one delivery, with their trace", one, two)
	}
}

// until waits until n messages are left.
func (b *bundle) until(n uint64, w *worker) *worker {
	b.t.Helper()
	b.awaitMessages(n)
	return w
}

// TestARevisionThatHasPassedIsRead: whatever has become of a record since its
// message was published, the claim sees it.
func TestARevisionThatHasPassedIsRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		become     func(job.Record) (job.Record, error)
		handled    bool
		deliveries int
		failures   int
	}{
		"ended": {func(r job.Record) (job.Record, error) {
			r.Phase, r.Evaluation = job.Done, "r1.1.former"
			return r, nil
		}, false, 0, 0},
		"failed once": {func(r job.Record) (job.Record, error) {
			r, err := r.Claimed(job.Claim{ID: "former"})
			if err != nil {
				return r, err
			}
			return r.FailedAttempt("former", 0, job.Failure{Class: job.Transient})
		}, true, 2, 1},
		"opened for a replay": {func(r job.Record) (job.Record, error) {
			r.Phase = job.Failed
			return r.Replanned(1, "")
		}, false, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, never)
			planned := job.Plan("r1", 1, "")
			revision, err := b.bus.PlanRecord(b.ctx, planned)
			b.must(err)
			now, err := c.become(planned)
			b.must(err)
			_, err = b.bus.UpdateRecord(b.ctx, now, revision)
			b.must(err)
			j := aJob(1)
			j.Planned.Revision = revision
			b.must(b.bus.PublishJob(b.ctx, j))
			handled := false
			b.finish(b.until(0, b.run(lease.Config{Handler: func(context.Context, job.Job, lease.Attempt) (job.Evaluation, error) {
				handled = true
				return job.Evaluation{}, nil
			}})))
			if r := b.record(1); handled != c.handled || r.Deliveries != c.deliveries || r.Failures != c.failures {
				t.Errorf("handled %t, record %+v; want handled %t, %d deliveries and %d failures", handled, r, c.handled, c.deliveries, c.failures)
			}
		})
	}
}

// TestALostRecordIsPlannedAnew though its message tells a revision.
func TestALostRecordIsPlannedAnew(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	revision, err := b.bus.PlanRecord(b.ctx, job.Plan("r1", 1, ""))
	b.must(err)
	b.must(b.bus.Bucket(job.BucketRecords).Delete(b.ctx, job.RecordKey("r1", 1)))
	j := aJob(1)
	j.Planned.Revision = revision
	b.must(b.bus.PublishJob(b.ctx, j))
	b.finish(b.until(0, b.run(lease.Config{Handler: succeed})))
	b.awaitLog("message without record")
	if r := b.record(1); r.Phase != job.Done {
		t.Errorf("record is %+v, want it done", r)
	}
}
