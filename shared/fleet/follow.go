package fleet

import (
	"context"
	"errors"
	"time"

	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/bucket"
	"mirrorfleet/shared/telemetry"
)

// The servers, as the pages and the metrics call them.
const (
	kindNATS  = "nats"
	kindRedis = "redis"
)

// errNotYet is why a server does not answer a process that looks for it.
var errNotYet = errors.New("not there yet")

// await has the metrics say from the start on that no server answers: a process
// that never finds them ends before anybody could follow it.
func (s *Seeing) await() {
	answers := func(check func(*Fleet, context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error {
			if f := s.servers.Load(); f != nil {
				return check(f, ctx)
			}
			return errNotYet
		}
	}
	s.stops = append(s.stops,
		telemetry.ObserveServer(kindNATS, answers((*Fleet).natsAnswers)),
		telemetry.ObserveServer(kindRedis, answers((*Fleet).redisAnswers)))
}

// follow has the metrics look at the fleet's streams and at the bucket.
func (s *Seeing) follow(f *Fleet) {
	s.servers.Store(f)
	s.stops = append(s.stops, telemetry.ObserveQueue(f.queue), telemetry.ObserveLimit(f.limit), telemetry.ObserveConclusions(f.last))
}

func (f *Fleet) last(ctx context.Context) (concluded, complete time.Time, err error) {
	last, _, err := f.Bus.Last(ctx)
	return last.Concluded, last.Complete, err
}

func (f *Fleet) queue(ctx context.Context) (telemetry.Queue, error) {
	q, dead, err := f.Bus.Depth(ctx)
	return telemetry.Queue{Messages: q.Messages, Waiting: q.Waiting, Oldest: q.Oldest, Dead: dead}, err
}

func (f *Fleet) limit(ctx context.Context) (telemetry.Limit, error) {
	state, err := f.Limiter.State(ctx)
	if err != nil {
		return telemetry.Limit{}, err
	}
	used, worst := slots(state.Use, state.Window)
	return telemetry.Limit{
		Egress: state.Egress, Used: used, Worst: worst, Allowed: allowed(state),
		CoolDown: state.CoolDown, Hold: state.Hold,
	}, nil
}

// stretch is what the bucket counts slots by.
const stretch = bucket.CellLength * time.Microsecond

// allowed is what the mirror allows in one stretch.
func allowed(s ratelimit.State) float64 {
	if s.Window <= 0 {
		return 0
	}
	return float64(s.Limit) * stretch.Seconds() / s.Window.Seconds()
}

// slots says how many lay in the last whole stretch, and how many in each of
// the fullest stretches that a window fits in: fewer than a window holds would
// be a burst that the mirror allows. The last stretch is still running.
func slots(use []int64, window time.Duration) (last int64, worst float64) {
	if len(use) < 2 {
		return 0, 0
	}
	n := min(max(1, int((window+stretch-1)/stretch)), len(use))
	for i := range len(use) - n + 1 {
		sum := int64(0)
		for _, count := range use[i : i+n] {
			sum += count
		}
		worst = max(worst, float64(sum)/float64(n))
	}
	return use[len(use)-2], worst
}
