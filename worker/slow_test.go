package main_test

import (
	"testing"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/nettest"
)

// TestASlowWorkerHoldsUpItsOwnJobs and no others. A worker whose processor or network
// stalls keeps one job waiting, because it takes only as many jobs as it has slots.
// Another worker does all other jobs. Then the slow one ends its own, which nobody else
// has touched.
func TestASlowWorkerHoldsUpItsOwnJobs(t *testing.T) {
	t.Parallel()
	const miners = 12
	for name, slow := range map[string]func(b *bundle, p *process, w *nettest.Relay) (again func()){
		"its processor": func(b *bundle, p *process, _ *nettest.Relay) func() {
			b.signal(p, sigStop)
			return func() { b.signal(p, sigCont) }
		},
		"its network": func(_ *bundle, _ *process, w *nettest.Relay) func() {
			w.Hold(nettest.Up, nettest.Down)
			return w.Release
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, small(miners, 1), never)
			w := nettest.NewRelay(t, b.natsURL)
			ending := b.start()
			b.front.hold(everybody)
			first := b.begin("slow", "--nats", w.URL())
			b.until("it has a job", func() bool { return len(b.front.begun()) > 0 })
			again := slow(b, first, w)
			own := b.front.begun()[0]
			b.front.release(everybody)
			fast := b.begin("fast", "--slots", "4")
			b.until("all other jobs are done", func() bool { return b.inPhase(job.Done) == miners-1 })
			if r := b.record(own); r.Phase != job.Running || r.Claim.Worker != "slow" {
				t.Errorf("record is %+v by %+v, want it the slow one's", r, r.Claim)
			}
			again()
			b.result(ending)
			if r := b.record(own); r.Deliveries != 1 || r.Failures != 0 || r.Claim.Worker != "slow" {
				t.Errorf("record is %+v by %s, want it ended by the slow one in its first delivery", r, r.Claim.Worker)
			}
			b.drained(fast)
			b.drained(first)
		})
	}
}

// in lists the miners whose jobs are in a phase.
func (b *bundle) in(phase job.Phase) (uids []int) {
	b.t.Helper()
	for _, r := range b.records() {
		if r.Phase == phase {
			uids = append(uids, r.UID)
		}
	}
	return uids
}

func (b *bundle) inPhase(phase job.Phase) int {
	b.t.Helper()
	return len(b.in(phase))
}
