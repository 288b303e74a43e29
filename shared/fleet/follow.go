package fleet

import (
	"context"
	"time"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/bucket"
	"mirrorfleet/shared/telemetry"
)

// The servers, as the pages and the metrics call them.
const (
	kindNATS  = "nats"
	kindRedis = "redis"
)

// await makes the metrics say from the start that no server answers. A process that waits
// for its servers already shows that.
func (s *Observability) await(kinds []string) {
	look := func(check func(context.Context, *Fleet) error, code func(error) string) func(context.Context) telemetry.Server {
		return func(ctx context.Context) telemetry.Server {
			f := s.servers.Load()
			if f == nil {
				return telemetry.Server{}
			}
			err := check(ctx, f)
			return telemetry.Server{Works: err == nil, Refuses: code(err)}
		}
	}
	looks := map[string]func(context.Context) telemetry.Server{
		kindNATS:  look(func(ctx context.Context, f *Fleet) error { return f.Bus.Check(ctx) }, jobstream.Code),
		kindRedis: look(func(ctx context.Context, f *Fleet) error { return f.Limiter.Check(ctx) }, ratelimit.Code),
	}
	for _, kind := range kinds {
		s.stops = append(s.stops, telemetry.ObserveServer(kind, looks[kind]))
	}
}

// follow makes the metrics read the bucket and the fleet's streams; a producer's metrics
// also read JetStream's storage.
func (s *Observability) follow(f *Fleet) {
	s.servers.Store(f)
	s.stops = append(s.stops, telemetry.ObserveLimit(f.limit))
	if f.Bus != nil {
		s.stops = append(s.stops, telemetry.ObserveQueue(f.queue), telemetry.ObserveConclusions(f.last))
	}
	if f.producer {
		s.stops = append(s.stops, telemetry.ObserveStorage(f.storage))
	}
}

func (f *Fleet) storage(ctx context.Context) (found []telemetry.Storage, silent int, err error) {
	stores, silent, err := f.Bus.Storage(ctx)
	for _, s := range stores {
		found = append(found, telemetry.Storage(s))
	}
	return found, silent, err
}

func (f *Fleet) last(ctx context.Context) (concluded, complete time.Time, err error) {
	last, _, err := f.Bus.Schedule.LastConclusion(ctx)
	return last.Concluded, last.Complete, err
}

func (f *Fleet) queue(ctx context.Context) (telemetry.Queue, error) {
	q, dead, err := f.Bus.Queue.Depth(ctx)
	return telemetry.Queue{
		Messages: q.Messages,
		Waiting:  q.Waiting,
		Oldest:   q.Oldest,
		Dead:     dead,
	}, err
}

func (f *Fleet) limit(ctx context.Context) (telemetry.Limit, error) {
	state, err := f.Limiter.State(ctx)
	if err != nil {
		return telemetry.Limit{}, err
	}
	used, worst := slots(state.Use, state.Window)
	return telemetry.Limit{
		Egress:   state.Egress,
		Used:     used,
		Worst:    worst,
		Allowed:  allowed(state),
		CoolDown: state.CoolDown,
		Hold:     state.Hold,
	}, nil
}

// stretch is the length of the cells by which the bucket counts permits.
const stretch = bucket.CellLength * time.Microsecond

// allowed is how many requests the mirror allows in one stretch.
func allowed(s ratelimit.State) float64 {
	if s.Window <= 0 {
		return 0
	}
	return float64(s.Limit) * stretch.Seconds() / s.Window.Seconds()
}

// slots returns two counts of permits. last is the count of the last whole stretch; the
// newest one is still running. worst is the average per stretch over the fullest span that
// holds a whole window of the mirror. A shorter span would count a burst that the mirror
// allows.
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
