package ratelimit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/ratelimit/bucket"
)

// State is the bucket of an egress as it stands in Redis, for display. Reading it
// changes nothing.
type State struct {
	Egress string
	// Rate, Interval, Limit, Window and Horizon are this process's settings.
	Rate     float64
	Interval time.Duration
	Limit    int
	Window   time.Duration
	Horizon  time.Duration
	// Known is whether there is a bucket at all; the rest is zero without. The
	// first request starts one, with a pause of one Horizon.
	Known bool
	// NextIn is how far ahead the next free slot lies, CoolDown included; at
	// NextIn > Horizon a request is told to ask again later.
	NextIn time.Duration
	// CoolDown is how long the cool-down has still to run.
	CoolDown time.Duration
	// Granted, Refused and Restarts count over the whole fleet and the bucket's
	// life; Restarts are the starts from an unknown state, the first included.
	Granted, Refused, Restarts int64
	// LastGrant is how long ago the last granted slot was; negative while it
	// lies ahead. Zero if there has been none.
	LastGrant time.Duration
	// RunID is the Redis server that wrote the bucket, empty if it does not tell.
	RunID string
	// Use is how many slots lay in each ten seconds of the last minutes, oldest
	// first; the last one is still running, and slots granted ahead of it are
	// not shown.
	Use []int64
	// Stats are this process's own figures.
	Stats Stats
}

// State reads the bucket. It is one call and cheap enough for once a second.
func (l *Limiter) State(ctx context.Context) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	got, err := l.scripts.state.Run(ctx, l.rdb, []string{key(l.cfg.Egress)}).Slice()
	if err != nil {
		return State{}, fmt.Errorf("ratelimit: state of egress %s: %w", l.cfg.Egress, err)
	}
	clock, kept, err := parseState(got)
	if err != nil {
		return State{}, fmt.Errorf("ratelimit: state of egress %s: %w", l.cfg.Egress, err)
	}

	return l.describe(kept, clock), nil
}

// parseState reads what state.lua returns: the two parts of TIME, and the fields
// and values of the record one after another.
func parseState(got []any) (clock int64, kept bucket.State, err error) {
	if len(got) != 2 {
		return 0, kept, fmt.Errorf("%w: %d values, want 2", errReply, len(got))
	}
	var times []int64
	if times, err = redis.NewCmdResult(got[0], nil).Int64Slice(); err != nil || len(times) != 2 {
		return 0, kept, fmt.Errorf("%w: the time is %v", errReply, got[0])
	}
	pairs, ok := got[1].([]any)
	if !ok || len(pairs)%2 != 0 {
		return 0, kept, fmt.Errorf("%w: the record is %v", errReply, got[1])
	}
	record := make(map[string]string, len(pairs)/2)
	for pair := range slices.Chunk(pairs, 2) {
		record[fmt.Sprint(pair[0])] = fmt.Sprint(pair[1])
	}
	kept, err = bucket.Parse(record)

	return times[0]*int64(time.Second/time.Microsecond) + times[1], kept, err
}

// describe puts a bucket into words at the server's clock.
func (l *Limiter) describe(kept bucket.State, clock int64) State {
	state := State{
		Egress: l.cfg.Egress, Interval: l.cfg.interval(), Limit: l.cfg.Limit, Window: l.cfg.Window,
		Rate: 1 / l.cfg.interval().Seconds(), Horizon: l.cfg.Horizon,
		Known: kept.High > 0, Stats: l.Stats(),
	}
	if !state.Known {
		return state
	}
	now := kept.Time(clock)
	state.NextIn = micros(max(kept.Next, kept.Cool, now) - now)
	state.CoolDown = micros(max(kept.Cool-now, 0))
	state.Granted, state.Refused, state.Restarts = kept.Granted, kept.Refused, kept.Restarts
	if kept.Last > 0 {
		state.LastGrant = micros(clock - kept.Last)
	}
	if kept.Run != bucket.NoRun {
		state.RunID = kept.Run
	}
	state.Use = kept.Recent(clock)

	return state
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
