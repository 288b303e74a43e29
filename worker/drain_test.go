package main_test

import (
	"fmt"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirrorsim"
)

// never is a lease that outlives every test. A job that comes again under it was handed
// back.
const never = 10 * time.Minute

// TestDrain of a real process: jobs that can end within the grace time end. The others
// are handed back, and another worker takes them at once.
func TestDrain(t *testing.T) {
	t.Parallel()
	b := setup(t, small(2, 1), never)
	ending := b.start()
	b.front.hold(everybody)
	leaving := b.begin("leaving", "--slots", "2", "--grace", "2s")
	b.until("both jobs are under way", func() bool { return b.front.asked()[1] > 0 && b.front.asked()[2] > 0 })
	staying := b.begin("staying")
	b.signal(leaving, sigTerm)
	b.logs(leaving, "draining")
	b.front.hold(2)
	b.front.release(1, everybody)
	b.ended(leaving)
	if code := leaving.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit %d, want 0\n%s", code, leaving.log)
	}
	b.until("the other has the job", func() bool { r := b.record(2); return r.Claim.Worker == "staying" && r.Phase == job.Running })
	b.front.release(2)
	b.result(ending)
	if r := b.record(1); r.Claim.Worker != "leaving" || r.Failures != 0 || r.Deliveries != 1 {
		t.Errorf("record is %+v by %s, want it done within the grace time", r, r.Claim.Worker)
	}
	if r := b.record(2); r.Failures != 0 || r.Deliveries != 2 {
		t.Errorf("record is %+v, want it handed back without a failure", r)
	}
	b.drained(staying)
}

// TestTheSecondSignalHandsEverythingBack, without waiting for the grace time.
func TestTheSecondSignalHandsEverythingBack(t *testing.T) {
	t.Parallel()
	b := setup(t, small(2, 1), never)
	ending := b.start()
	b.front.hold(everybody)
	leaving := b.begin("leaving", "--slots", "2", "--grace", never.String())
	b.until("both jobs are under way", func() bool { return b.front.asked()[1] > 0 && b.front.asked()[2] > 0 })
	b.signal(leaving, sigTerm)
	b.logs(leaving, "draining")
	b.drained(leaving) // the second one
	for uid := 1; uid <= 2; uid++ {
		if r := b.record(uid); r.Phase != job.Planned || r.Failures != 0 {
			t.Errorf("record is %+v, want it planned again, no failure", r)
		}
	}
	b.front.release(everybody)
	staying := b.begin("staying")
	b.result(ending)
	b.drained(staying)
}

// TestRollingRestart replaces every worker in the middle of a round, one after the other,
// with a grace time that is too short for any job. Workers leave and join, no failure is
// counted, and there are no duplicate effects. The only repeated requests are those of
// the jobs that were handed back.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	const (
		miners  = 24
		pulls   = 2
		workers = 3
	)
	b := setup(t, small(miners, pulls), never)
	for uid := 1; uid <= miners; uid++ {
		b.front.hold(uid)
	}
	ending := b.start()
	args := []string{"--slots", "2", "--grace", "1ms"}
	var fleet []*process
	for n := range workers {
		fleet = append(fleet, b.begin(fmt.Sprintf("old-%d", n), args...))
	}
	for n, old := range fleet {
		b.until("every slot has a job", func() bool { return b.inPhase(job.Running) == 2*workers })
		b.drained(old)
		fleet[n] = b.begin(fmt.Sprintf("new-%d", n), args...)
		ends := b.in(job.Running)[:2] // the round goes on
		b.front.release(ends...)
		b.until("two jobs have ended", func() bool { return b.inPhase(job.Done) == 2*(n+1) })
	}
	for uid := 1; uid <= miners; uid++ {
		b.front.release(uid)
	}
	result := b.result(ending)
	for _, p := range fleet {
		b.drained(p)
	}
	handedBack := 0
	for _, r := range b.records() {
		handedBack += r.Deliveries - 1
		if r.Failures != 0 || r.Phase != job.Done {
			t.Errorf("record is %+v, want it done, no failure", r)
		}
		if n := b.front.asked()[r.UID]; n > r.Deliveries*perMiner(pulls) || r.Deliveries == 1 && n != perMiner(pulls) {
			t.Errorf("miner %d: %d requests in %d deliveries, want %d in one", r.UID, n, r.Deliveries, perMiner(pulls))
		}
	}
	if keys := b.keys(job.BucketEvaluation); len(keys) != miners || result.Done != miners {
		t.Errorf("%d evaluations, %d done, want %d", len(keys), result.Done, miners)
	}
	// The producer's requests for health and maintainers belong to no miner.
	extra := b.sim.Stats().ByRoute[mirrorsim.RoutePulls].Requests - miners
	if extra > handedBack || handedBack != 2*workers {
		t.Errorf("%d jobs handed back and %d lists asked again, want %d, and one list each at most", handedBack, extra, 2*workers)
	}
	t.Logf("%d jobs handed back by %d restarts, %d lists asked again", handedBack, workers, extra)
}

func (b *bundle) keys(bucket string) []string {
	b.t.Helper()
	lister, err := b.bus.Bucket(bucket).ListKeys(b.ctx)
	b.must(err)
	var keys []string
	for key := range lister.Keys() {
		keys = append(keys, key)
	}
	return keys
}
