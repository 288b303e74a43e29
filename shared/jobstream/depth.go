package jobstream

import (
	"context"
	"fmt"
	"time"

	"mirrorfleet/shared/job"
)

// Queue is what the stream of jobs holds: a message stays until its job has
// ended, so the oldest one is the job that has waited or run longest.
type Queue struct {
	Messages uint64
	// Oldest is when the oldest message was published; zero without one.
	Oldest time.Time
}

// Queue looks at the stream once, within the time of one operation: an error
// says that JetStream does not answer now.
func (b *Bus) Queue(ctx context.Context) (Queue, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	info, err := b.jobs.Info(ctx)
	if err != nil {
		return Queue{}, fmt.Errorf("looking at stream %s: %w", job.StreamJobs, err)
	}
	if info.State.Msgs == 0 {
		return Queue{}, nil
	}
	return Queue{Messages: info.State.Msgs, Oldest: info.State.FirstTime}, nil
}
