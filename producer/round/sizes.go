package round

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// inOrder orders a round's jobs by the sizes that the last concluded round
// before it gives. Sizes that cannot be read cost the order and nothing else.
func (r *Runner) inOrder(ctx context.Context, round string, jobs []job.Job) ([]job.Job, error) {
	sizes, err := r.sizes(ctx, round)
	var damaged *jobstream.ValueError
	switch {
	case errors.As(err, &damaged):
		r.cfg.Log.WarnContext(ctx, "jobs are published in the order of the miners", "error", err)
		return jobs, nil
	case err != nil:
		return nil, fmt.Errorf("reading the sizes of the last round: %w", err)
	}
	return heaviestFirst(jobs, sizes), nil
}

// sizes are those of the last round that was concluded before this one; names
// sort by time.
func (r *Runner) sizes(ctx context.Context, round string) (map[int]int, error) {
	concluded, err := r.cfg.Bus.Concluded(ctx)
	if err != nil {
		return nil, err
	}
	for _, earlier := range slices.Backward(concluded) {
		if earlier < round {
			records, err := r.cfg.Bus.Records(ctx, earlier)
			return sizesOf(records), err
		}
	}
	return map[int]int{}, nil
}
