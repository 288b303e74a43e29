package jobstream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// Backlog is what the stream of jobs holds: a message stays until its job has
// ended, so the oldest one is the job that has waited or run longest.
type Backlog struct {
	Messages uint64
	// Waiting are those of them that no worker has been handed yet.
	Waiting uint64
	// Oldest is when the oldest message was published; zero without one.
	Oldest time.Time
}

// Depth is the Backlog with what takes two looks more.
func (q Queue) Depth(ctx context.Context) (queue Backlog, dead uint64, err error) {
	if queue, err = q.Backlog(ctx); err != nil {
		return queue, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, q.cfg.Timeout)
	defer cancel()
	workers, err := q.workers.Info(ctx)
	if err != nil {
		return queue, 0, fmt.Errorf("looking at the consumer of stream %s: %w", job.StreamJobs, err)
	}
	letters, err := q.dead.Info(ctx)
	if err != nil {
		return queue, 0, fmt.Errorf("looking at stream %s: %w", job.StreamDead, err)
	}
	queue.Waiting = workers.NumPending
	return queue, letters.State.LastSeq, nil
}

// Backlog looks at the stream once, within the time of one operation: an error
// says that JetStream does not answer now.
func (q Queue) Backlog(ctx context.Context) (Backlog, error) {
	ctx, cancel := context.WithTimeout(ctx, q.cfg.Timeout)
	defer cancel()
	info, err := q.jobs.Info(ctx)
	if err != nil {
		return Backlog{}, fmt.Errorf("looking at stream %s: %w", job.StreamJobs, err)
	}
	if info.State.Msgs == 0 {
		return Backlog{}, nil
	}
	return Backlog{Messages: info.State.Msgs, Oldest: info.State.FirstTime}, nil
}

// HandOut is how the jobs of a round are handed out at an instant.
type HandOut struct {
	// Idle says that a worker waits for a job: it would have been given any that
	// may be handed out.
	Idle bool
	// MaxDeliver is how many deliveries a message has.
	MaxDeliver int
	// Out is how many messages of any round are with workers, or wait for another
	// attempt.
	Out int
	// Withheld is why no waiting worker is given a job of the round; "" if workers
	// are.
	Withheld string
	// Held says that the product's own pause is why (Steering).
	Held bool
}

// HandOut looks at the workers' consumer.
func (q Queue) HandOut(ctx context.Context, round string) (HandOut, error) {
	info, err := q.consumerInfo(ctx)
	if err != nil {
		return HandOut{}, err
	}
	c := info.Config
	out := HandOut{MaxDeliver: c.MaxDeliver, Out: info.NumAckPending, Held: held(c)}
	switch {
	case out.Held:
		out.Withheld = "the round is paused by hand"
	case info.Paused:
		out.Withheld = fmt.Sprintf("consumer %s is paused", job.Consumer)
	case c.FilterSubject != "" && c.FilterSubject != job.RoundSubject(round):
		out.Withheld = fmt.Sprintf("consumer %s hands out %s alone", job.Consumer, c.FilterSubject)
	}
	full := c.MaxAckPending > 0 && info.NumAckPending >= c.MaxAckPending
	out.Idle = info.NumWaiting > 0 && !full && out.Withheld == ""
	return out, nil
}

// consumerInfo asks the server anew.
func (l *link) consumerInfo(ctx context.Context) (*jetstream.ConsumerInfo, error) {
	var info *jetstream.ConsumerInfo
	err := l.retry(ctx, "looking at consumer "+job.Consumer, func(ctx context.Context) error {
		consumer, err := l.js.Consumer(ctx, job.StreamJobs, job.Consumer)
		if err == nil {
			info = consumer.CachedInfo()
		}
		return err //nolint:wrapcheck // retry names the operation
	})
	return info, err
}
