package lease

import (
	"context"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// Claimed is a claim on a record, as a test has it.
type Claimed struct{ c *claim }

// Claim gives a job's record to a worker of the test's own.
func Claim(ctx context.Context, bus *jobstream.Bus, d *jobstream.Delivery, j job.Job) (Claimed, error) {
	r := &Runner{cfg: Config{Worker: "w9", Bus: bus}}
	c, err := r.claimRecord(ctx, d, j)
	return Claimed{c}, err
}

// Beat shows a sign of life.
func (c Claimed) Beat(ctx context.Context) error { return c.c.beat(ctx) }

// Change makes a transition under the claim.
func (c Claimed) Change(ctx context.Context, transition func(job.Record) (job.Record, error)) error {
	return c.c.change(ctx, transition)
}
