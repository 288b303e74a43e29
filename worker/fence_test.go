package main_test

import (
	"testing"
	"time"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/crash/crashtest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/nettest"
)

// fenceLease is short, and yet long enough for a worker on a busy machine to show signs
// of life.
const fenceLease = 3 * time.Second

// saysNoMore is what a worker logs when another one has its job.
const saysNoMore = "this worker says no more about the job"

// TestAStoppedWorkerChangesNothing stops a real worker between two steps for longer than
// its lease. It continues the worker while another one works on the same job. Whatever
// the first one was about to do, record and message stay the other's.
func TestAStoppedWorkerChangesNothing(t *testing.T) {
	t.Parallel()
	runs := map[string]func(t *testing.T){}
	for point, e := range map[crash.Point]ending{
		crash.Claimed:          done,      // would ask the mirror and commit
		crash.EvaluationStored: done,      // would end the record
		crash.FailureCounted:   transient, // would give the message back: a stale nak
		crash.DeadPublished:    permanent, // would bury the record and terminate the message
	} {
		runs[string(point)] = func(t *testing.T) { t.Helper(); stopAndContinue(t, point, e) }
	}
	crashtest.SideBySide(t, 12, runs)
}

func stopAndContinue(t *testing.T, point crash.Point, e ending) {
	t.Helper()
	b := setup(t, e.world(), fenceLease)
	b.front.refuse(1, e == permanent)
	ending := b.start()
	stopped := b.work("stopped", []string{crash.Env + "=" + crash.Stopping(point, 1)})
	b.logs(stopped, "stops itself")
	b.front.refuse(1, false)
	b.front.hold(1)
	other := b.begin("other")
	b.until("the other has the job", func() bool { r := b.record(1); return r.Claim.Worker == "other" && r.Phase == job.Running })
	before := b.record(1)
	b.signal(stopped, sigCont)
	b.logs(stopped, saysNoMore)
	b.front.release(1)
	result := b.result(ending)
	b.until("the stream is empty", func() bool { return b.messages() == 0 })
	after := b.record(1)
	if after.Claim.ID != before.Claim.ID || after.Phase != job.Done || after.Deliveries != before.Deliveries || after.Failures != before.Failures {
		t.Errorf("record is %+v by %+v, want the other's work as it stood: %+v by %+v", after, after.Claim, before, before.Claim)
	}
	if result.Done != 1 || result.Failed != 0 {
		t.Errorf("done %d, failed %d, want the one done", result.Done, result.Failed)
	}
	b.drained(stopped)
	b.drained(other)
}

// TestALateAckTakesNothing: a worker is stopped between its commit and its ack. When it
// continues, its message is gone: another worker has only removed it.
func TestALateAckTakesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, done.world(), fenceLease)
	ending := b.start()
	stopped := b.work("stopped", []string{crash.Env + "=" + crash.Stopping(crash.RecordDone, 1)})
	b.logs(stopped, "stops itself")
	b.result(ending)
	committed, asked := b.record(1), b.front.asked()[1]
	other := b.begin("other")
	b.until("the other has removed the message", func() bool { return b.messages() == 0 })
	b.signal(stopped, sigCont)
	b.drained(stopped)
	b.drained(other)
	if got := b.record(1); got.Claim.ID != committed.Claim.ID || got.Deliveries != 1 || b.front.asked()[1] != asked {
		t.Errorf("record is %+v by %+v, %d requests; want the stopped one's commit untouched and nothing asked again (%d)",
			got, got.Claim, b.front.asked()[1], asked)
	}
}

// TestAPartitionedWorkerCommitsNothing: a worker reaches the mirror and not NATS, so it
// evaluates a job that it cannot commit. When NATS is back, and with it everything that
// was held up on the way, the other worker's result stays.
func TestAPartitionedWorkerCommitsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, done.world(), fenceLease)
	w := nettest.NewRelay(t, b.natsURL)
	ending := b.start()
	b.front.hold(filesOf(1))
	cut := b.begin("cut-off", "--nats", w.URL())
	b.until("its files are asked for", func() bool { return b.front.asked()[1] == 2 })
	w.Hold(nettest.Up, nettest.Down)
	b.front.release(filesOf(1))
	other := b.begin("other")
	b.result(ending)
	committed := b.record(1)
	b.logs(cut, saysNoMore)
	w.Release()
	b.drained(cut)
	b.until("the stream is empty", func() bool { return b.messages() == 0 })
	b.drained(other)
	if got := b.record(1); got.Claim.Worker != "other" || got.Claim.ID != committed.Claim.ID || got.Deliveries != 2 || got.Failures != 0 {
		t.Errorf("record is %+v by %+v, want the other's work untouched", got, got.Claim)
	}
}
