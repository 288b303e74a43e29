package lease

import (
	"context"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// Hold is a claim on a record, as a test has it.
type Hold struct{ h *hold }

// Claim gives a job's record to a worker of the test's own.
func Claim(ctx context.Context, bus *jobstream.Bus, d *jobstream.Delivery, j job.Job) (Hold, error) {
	r := &Runner{cfg: Config{Worker: "w9", Bus: bus}}
	h, err := r.claim(ctx, d, j)
	return Hold{h}, err
}

// Beat shows a sign of life.
func (h Hold) Beat(ctx context.Context) error { return h.h.beat(ctx) }

// Change makes a transition under the claim.
func (h Hold) Change(ctx context.Context, transition func(job.Record) (job.Record, error)) error {
	return h.h.change(ctx, transition)
}
