package ratelimit

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/ratelimit/bucket"
	"mirrorfleet/shared/whoami"
)

// State is the bucket of an egress as it stands in Redis, for display. Reading it
// changes nothing.
type State struct {
	Egress string
	// Known is whether there is a bucket at all. The first request starts one,
	// with a pause of one Horizon.
	Known bool
	// Rate, Interval, Limit, Window and Horizon are those in force. Without a bucket they
	// are the settings of the process that asks, if it has any.
	Rate     float64
	Interval time.Duration
	Limit    int
	Window   time.Duration
	Horizon  time.Duration
	// NextIn is how far ahead the next free slot lies, CoolDown and Hold
	// included; at NextIn > Horizon a request is told to ask again later.
	NextIn time.Duration
	// CoolDown is how much longer the cool-down lasts, and Hold how much longer the hold by
	// hand does.
	CoolDown, Hold time.Duration
	// Note says who holds the egress and why; empty without a hold.
	Note Note
	// Granted, Refused, Restarts and CoolDowns count for the whole fleet over the bucket's
	// life. Restarts are the starts from an unknown state or with other parameters,
	// including the first. CoolDowns counts each cool-down once, however many processes the
	// mirror told of it.
	Granted, Refused, Restarts, CoolDowns int64
	// Age is how long ago the last of the Restarts was, as far as the bucket's
	// own time tells.
	Age time.Duration
	// LastGrant is how long ago the last granted slot was; negative while it
	// lies ahead. Zero if there has been none.
	LastGrant time.Duration
	// Background is how many of Granted went to the background. LastBackground is how long
	// ago its last slot was, as in LastGrant; zero if there has been none since the last of
	// the Restarts.
	Background     int64
	LastBackground time.Duration
	// RunID is the run id of the Redis server that wrote the bucket; empty if the server
	// does not tell it.
	RunID string
	// Use is how many slots lay in each ten seconds of the last minutes, oldest
	// first; the last one is still running, and slots granted ahead of it are
	// not shown.
	Use []int64
	// UseBackground are those of Use that went to the background.
	UseBackground []int64
	// Processes are those of the egress that have told from which addresses they send. Only
	// Buckets reads them. Unread is why they could not be read; nil if they were.
	Processes []whoami.Process
	Unread    error
	// Stats are what this process counted itself.
	Stats Stats
}

// State reads the bucket. It is one call and cheap enough for once a second.
func (l *Limiter) State(ctx context.Context) (State, error) {
	state, err := l.record.look(ctx)
	if err != nil {
		return State{}, err
	}
	if !state.Known {
		state.inForce(l.cfg.request().Params())
	}
	state.Stats = l.Stats()
	return state, nil
}

// look reads the record. Anybody with access to Redis may have written it, so nothing else in
// the hash is read, and no more of a field than the script's own can have.
func (r record) look(ctx context.Context) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	names := bucket.Fields()
	args := []any{bucket.MaxField}
	for _, name := range names {
		args = append(args, name)
	}
	got, err := r.state.Run(ctx, r.rdb, []string{key(r.egress)}, args...).Slice()
	if err != nil {
		return State{}, fmt.Errorf("ratelimit: state of egress %s: %w", r.egress, err)
	}
	clock, fields, err := parseState(got, names)
	if err != nil {
		return State{}, fmt.Errorf("ratelimit: state of egress %s: %w", r.egress, err)
	}
	kept, err := bucket.Parse(fields)
	if err != nil {
		return State{}, fmt.Errorf("ratelimit: state of egress %s: %w", r.egress, err)
	}
	state := State{Egress: r.egress, Known: kept.Time > 0}
	if state.Known {
		state.describe(kept, clock)
	}
	return state, nil
}

// parseState reads what state.lua returns: the two parts of TIME, and the values of the named
// fields, nil for one that is missing.
func parseState(got []any, names []string) (clock int64, fields map[string]string, err error) {
	if len(got) != 2 {
		return 0, nil, fmt.Errorf("%w: %d values, want 2", errReply, len(got))
	}
	if clock, err = parseTime(got[0]); err != nil {
		return 0, nil, err
	}
	values, ok := got[1].([]any)
	if !ok || len(values) != len(names) {
		return 0, nil, fmt.Errorf("%w: the record has %d fields, want %d", errReply, len(values), len(names))
	}
	fields = make(map[string]string, len(names))
	for i, value := range values {
		if text, is := value.(string); is {
			fields[names[i]] = text
		}
	}
	return clock, fields, nil
}

// parseTime reads what TIME returns, as microseconds.
func parseTime(got any) (int64, error) {
	times, err := redis.NewCmdResult(got, nil).Int64Slice()
	if err != nil || len(times) != 2 {
		return 0, fmt.Errorf("%w: the time is %v", errReply, got)
	}
	return times[0]*int64(time.Second/time.Microsecond) + times[1], nil
}

// inForce puts parameters into words.
func (s *State) inForce(p bucket.Params) {
	s.Interval = micros(p.Interval)
	s.Horizon = micros(p.Horizon)
	s.Window = micros(p.Window)
	s.Limit = int(p.Limit)
	if p.Interval > 0 {
		s.Rate = 1 / s.Interval.Seconds()
	}
}

// describe puts a bucket into words at the server's clock.
func (s *State) describe(kept bucket.State, clock int64) {
	s.inForce(kept.Params)
	now := kept.TimeAt(clock)
	s.CoolDown = micros(max(kept.CoolUntil-now, 0))
	s.Hold = micros(max(kept.HoldUntil-clock, 0))
	if s.Hold > 0 {
		s.Note = parseNote(kept.HoldNote)
	}
	s.NextIn = max(micros(max(kept.NextSlot-now, 0)), s.CoolDown, s.Hold)
	s.Granted = kept.Granted
	s.Refused = kept.Refused
	s.Restarts = kept.Restarts
	s.CoolDowns = kept.Cools
	s.Age = micros(now - kept.Epoch)
	if kept.Last > 0 {
		s.LastGrant = micros(clock - kept.Last)
	}
	s.Background = kept.GrantedBackground
	if kept.LastBackground > 0 {
		s.LastBackground = micros(now - kept.LastBackground)
	}
	if kept.Run != bucket.NoRun {
		s.RunID = kept.Run
	}
	s.Use = kept.Recent(clock)
	s.UseBackground = kept.RecentBackground(clock)
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
