package lease_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"mirrorfleet/shared/job"
	"mirrorfleet/worker/lease"
)

// TestUnfitHandsBack: what is the worker's fault costs the job nothing, even on
// its last attempt. The worker ends with the reason, and with its other jobs
// ended.
func TestUnfitHandsBack(t *testing.T) {
	t.Parallel()
	b := setup(t, never)
	b.plan(1, 2)
	both := make(chan struct{}, 2)
	unfit := b.run(lease.Config{Worker: "unfit", Slots: 2, Handler: func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		both <- struct{}{}
		for len(both) < 2 && b.ctx.Err() == nil { // until the other is under way, too
			b.messages()
		}
		if j.UID == 1 {
			return job.Evaluation{}, fmt.Errorf("%w: it has no hands", lease.ErrUnfit)
		}
		return job.Evaluation{}, nil
	}})
	if err := <-unfit.done; !errors.Is(err, lease.ErrUnfit) {
		t.Fatalf("Run ended with %v, want that the worker is unfit", err)
	}
	if one := b.record(1); one.Refused != "unfit: it has no hands" {
		t.Errorf("the record says %q, want which worker refused the job, and why", one.Refused)
	}
	if one, two := b.record(1), b.record(2); one.Phase != job.Planned || one.Failures != 0 || two.Phase != job.Done {
		t.Errorf("records are\n%+v and\n%+v, want the one planned without a failure, the other done", one, two)
	}
	fit := b.run(lease.Config{Worker: "fit", Handler: succeed})
	if r := b.awaitPhase(1, job.Done); r.Claim.Worker != "fit" || r.Refused != "" || r.Failures != 0 || r.Deliveries != 2 {
		t.Errorf("record is %+v, want it done by the other worker in its second delivery", r)
	}
	b.awaitMessages(0)
	b.finish(fit)
}
