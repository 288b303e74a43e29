package dashboard

import (
	"context"
	"errors"
	"io"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/ratelimit"
)

// sight is one look at a round that runs. It is for one goroutine.
type sight struct {
	d      *Dashboard
	sub    *view.Subscription
	began  time.Time
	usual  map[int]time.Duration
	stands view.Round
	read   time.Time // when stands was read
	stale  bool      // a job has changed since
	limits []view.Bucket
	away   string // why the limit cannot be read; "" if it can
}

// seen is a round as it was seen at an instant. Nobody may change it.
type seen struct {
	Began   time.Time // when it was begun to be seen
	Stands  view.Round
	Moment  view.Moment
	Records []job.Record
	Workers view.Workers
	Usual   map[int]time.Duration
	Limits  []view.Bucket
	Away    string
}

// beginSight begins to look at a round.
func (d *Dashboard) beginSight(ctx context.Context, name string) (*sight, error) {
	s := &sight{d: d, began: d.cfg.Now(), stale: true}
	var err error
	if s.sub, err = d.cfg.Hub.Subscribe(ctx, name, 0); err != nil {
		return nil, err
	}
	// Without the usual length of its jobs a round is shown all the same.
	if s.usual, err = view.Usual(ctx, d.cfg.Bus, name); err != nil && ctx.Err() == nil {
		d.cfg.Log.WarnContext(ctx, "the dashboard cannot read how long jobs took in earlier rounds", "round", name, "error", err)
	}
	return s, nil
}

func (s *sight) close() { s.sub.Close() }

// see takes what has changed. The error is io.EOF with the last sight when the round has
// ended.
func (s *sight) see(ctx context.Context, now time.Time) (*seen, error) {
	events, err := s.sub.Next(ctx, 0)
	ended := errors.Is(err, io.EOF)
	if err != nil && !ended {
		return nil, err
	}
	for _, e := range events {
		s.stale = s.stale || e.Type == view.EventProgress
		ended = ended || e.Type == view.EventEnd
	}
	m := s.sub.Moment(ctx, now)
	if err := s.readStands(ctx, ended, now); err != nil {
		return nil, err
	}
	s.readLimits(ctx)
	records, workers := s.sub.Jobs()
	all := &seen{
		Began:   s.began,
		Stands:  s.stands,
		Moment:  m,
		Records: records,
		Workers: workers,
		Usual:   s.usual,
		Limits:  s.limits,
		Away:    s.away,
	}
	if ended {
		return all, io.EOF
	}
	return all, nil
}

// readStands reads the failures and the orders, if they may have changed.
func (s *sight) readStands(ctx context.Context, ended bool, now time.Time) error {
	age := now.Sub(s.read)
	if first := s.read.IsZero(); !first && !ended && age < ordersEvery && (!s.stale || age < standsEvery) {
		return nil
	}
	stands, err := s.sub.Round(ctx, s.d.cfg.Bus, s.d.cfg.Now())
	if err != nil {
		return err
	}
	s.stands = stands
	s.read = now
	s.stale = false
	return nil
}

// readLimits reads the buckets that were used within a day. A Redis that is away takes
// nothing else from the page.
func (s *sight) readLimits(ctx context.Context) {
	buckets, err := s.d.cfg.Buckets(ctx)
	s.away = ""
	if err != nil {
		s.away = "Redis does not answer: nothing is sent until it does."
		return
	}
	s.limits = limitsOf(buckets)
}

func limitsOf(buckets []ratelimit.State) (limits []view.Bucket) {
	for _, b := range buckets {
		if b.InUse() {
			limits = append(limits, view.BucketOf(b))
		}
	}
	return limits
}
