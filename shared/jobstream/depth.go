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
	// Waiting are those of them that no worker has been handed yet.
	Waiting uint64
	// Oldest is when the oldest message was published; zero without one.
	Oldest time.Time
}

// Depth is Queue with what takes two looks more.
func (b *Bus) Depth(ctx context.Context) (queue Queue, dead uint64, err error) {
	if queue, err = b.Queue(ctx); err != nil {
		return queue, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	workers, err := b.workers.Info(ctx)
	if err != nil {
		return queue, 0, fmt.Errorf("looking at the consumer of stream %s: %w", job.StreamJobs, err)
	}
	letters, err := b.dead.Info(ctx)
	if err != nil {
		return queue, 0, fmt.Errorf("looking at stream %s: %w", job.StreamDead, err)
	}
	queue.Waiting = workers.NumPending
	return queue, letters.State.LastSeq, nil
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
