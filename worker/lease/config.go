package lease

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// Handler evaluates one miner. It must return soon after ctx ends. An error without a class
// (job.WithClass) is transient. An error that is ErrUnfit does not count as a failure of the
// job. If an evaluation comes with an error (its Version is set), and that error ends the
// job, the evaluation is stored with the failed job.
type Handler func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error)

// Config is the configuration of a Runner.
type Config struct {
	// Worker names this process in records and dead letters. Required.
	Worker string
	// Bus is where jobs come from. Required.
	Bus *jobstream.Bus
	// Handler does the work. Required.
	Handler Handler
	// Slots is how many jobs run at once. Default: 4.
	Slots int
	// Grace is how long running jobs may go on after a drain has begun. Default: 20 s, less
	// than the 30 s after which Kubernetes kills.
	Grace time.Duration
	// FetchWait is how long one pull waits for a job. A drain may have to wait as long.
	// Default: 1 s.
	FetchWait time.Duration
	// Delays are the waits after the first, the second, … failure. The last one applies to
	// all further failures. Default: 2 s, 8 s, 30 s.
	Delays []time.Duration
	// Jitter is the share by which each delay varies up and down. Default: 0.2; negative for
	// none.
	Jitter float64
	// HandBackDelay delays the redelivery of a handed-back job, so that this worker does not
	// get it again while it stops. Default: 100 ms.
	HandBackDelay time.Duration
	// Gate, if set, is called before each pull. It blocks while pulling is pointless, such
	// as during a long cool-down. Its errors are logged, and it is called again.
	Gate func(ctx context.Context) error
	// Stalled, if set, says why all jobs of this process stand still; nil while they do not.
	// Each sign of life carries it.
	Stalled func() *job.Stall
	// Log receives everything that does not end well. Default: slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Slots = cmp.Or(c.Slots, 4)
	c.Grace = cmp.Or(c.Grace, 20*time.Second)
	c.FetchWait = cmp.Or(c.FetchWait, time.Second)
	c.Jitter = cmp.Or(c.Jitter, 0.2)
	c.HandBackDelay = cmp.Or(c.HandBackDelay, 100*time.Millisecond)
	if len(c.Delays) == 0 {
		c.Delays = []time.Duration{2 * time.Second, 8 * time.Second, 30 * time.Second}
	}
	if c.Stalled == nil {
		c.Stalled = func() *job.Stall { return nil }
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

// validate names the field, its value and what would be right.
//
//nolint:staticcheck // each error begins with its field's name
func (c Config) validate() error {
	switch {
	case c.Worker == "":
		return errors.New("Worker is empty, want a name for this process")
	case c.Bus == nil:
		return errors.New("Bus is nil, want an open one")
	case c.Handler == nil:
		return errors.New("Handler is nil, want one")
	case c.Slots < 1:
		return fmt.Errorf("Slots is %d, want at least 1", c.Slots)
	case c.Grace < 0:
		return fmt.Errorf("Grace is %s, want 0 or more", c.Grace)
	case c.FetchWait < 10*time.Millisecond:
		return fmt.Errorf("FetchWait is %s, want at least 10ms", c.FetchWait)
	case c.Jitter >= 1:
		return fmt.Errorf("Jitter is %g, want less than 1", c.Jitter)
	case c.HandBackDelay < 0:
		return fmt.Errorf("HandBackDelay is %s, want 0 or more", c.HandBackDelay)
	}
	for i, d := range c.Delays {
		if d < 0 {
			return fmt.Errorf("Delays[%d] is %s, want 0 or more", i, d)
		}
	}
	return nil
}

// delay is the wait before the next attempt after the nth failure; the first is 1. random is
// in [0, 1).
func (c Config) delay(failures int, random float64) time.Duration {
	base := c.Delays[min(max(failures, 1), len(c.Delays))-1]
	return time.Duration(float64(base) * (1 + max(c.Jitter, 0)*(2*random-1)))
}
