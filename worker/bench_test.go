package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
)

// benchLease is the lease of the crash benchmark: long enough that what runs
// elsewhere sooner did not wait for it.
const benchLease = 5 * time.Second

// BenchmarkCrash kills one of four workers in the middle of a round and
// reports when the last of its jobs runs elsewhere ("late-s": seconds past the
// lease), how many effects were had twice, and how many files were fetched
// again of jobs that had committed.
func BenchmarkCrash(b *testing.B) {
	for b.Loop() {
		const miners, pulls, workers = 32, 2, 4
		f := setup(b, small(miners, pulls), benchLease)
		for uid := 1; uid <= miners; uid++ {
			f.front.hold(uid)
		}
		ending := f.start()
		var fleet []*process
		for n := range workers {
			fleet = append(fleet, f.begin(fmt.Sprintf("w%d", n), "--slots", "2"))
		}
		f.until("every slot has a job", func() bool { return f.inPhase(job.Running) == 2*workers })
		killed := time.Now()
		must.Do(b, fleet[0].Process.Kill())
		<-fleet[0].done
		orphans := f.claimedBy("w0")
		for uid := 1; uid <= miners; uid++ {
			f.front.release(uid)
		}
		var moved time.Time
		f.until("its jobs run elsewhere", func() bool {
			moved = killed
			for _, uid := range orphans {
				c := f.record(uid).Claim
				if c.Worker == "w0" {
					return false
				}
				if c.Since.After(moved) {
					moved = c.Since
				}
			}
			return true
		})
		f.result(ending)
		again, twice := 0, len(f.keys(job.BucketEvaluation))-miners
		for _, r := range f.records() {
			if n := f.front.asked()[r.UID] - perMiner(pulls); n > 0 && r.Deliveries == 1 {
				again += n
			}
		}
		for _, p := range fleet[1:] {
			f.drained(p)
		}
		b.ReportMetric(moved.Sub(killed).Seconds()-benchLease.Seconds(), "late-s")
		b.ReportMetric(float64(len(orphans)), "jobs")
		b.ReportMetric(float64(twice), "effects-twice")
		b.ReportMetric(float64(again), "fetched-again")
	}
}

// claimedBy lists the miners whose jobs a worker has in hand.
func (b *bundle) claimedBy(worker string) (uids []int) {
	b.t.Helper()
	for _, r := range b.records() {
		if r.Phase == job.Running && r.Claim.Worker == worker {
			uids = append(uids, r.UID)
		}
	}
	return uids
}

// BenchmarkHandOver is the time from SIGTERM, with no grace, to the claim of
// the handed-back job by another worker, which waits for one.
func BenchmarkHandOver(b *testing.B) {
	for b.Loop() {
		f := setup(b, small(1, 1), never)
		f.front.hold(1)
		ending := f.start()
		leaving := f.begin("leaving", "--grace", "1ms")
		f.until("the job is under way", func() bool { return f.front.asked()[1] > 0 })
		staying := f.begin("staying")
		told := time.Now()
		f.signal(leaving, sigTerm)
		f.until("the other has the job", func() bool { return strings.HasPrefix(f.record(1).Claim.Worker, "staying") })
		b.ReportMetric(f.record(1).Claim.Since.Sub(told).Seconds(), "handover-s")
		f.front.release(1)
		f.result(ending)
		f.ended(leaving)
		f.drained(staying)
	}
}
