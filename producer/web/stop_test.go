package web_test

import (
	"context"
	"testing"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/lifetest"
	"mirrorfleet/shared/ratelimit"
)

func TestServersStop(t *testing.T) {
	t.Parallel()
	cfg := web.Config{
		Guard:   guard(t, ""),
		Bus:     new(jobstream.Bus), // nobody asks for anything
		Hub:     view.NewHub(t.Context(), new(jobstream.Bus), jobstreamtest.Quiet()),
		Limit:   func(context.Context) (s ratelimit.State, err error) { return s, nil },
		Buckets: func(context.Context) ([]ratelimit.State, error) { return nil, nil },
		Replay: func(context.Context, string, outcome.Selection) (r outcome.Result, p outcome.Replayed, err error) {
			return r, p, nil
		},
		Cancel: func(context.Context, round.Cancelled) error { return nil },
		Log:    jobstreamtest.Quiet(),
	}
	lifetest.Stress(t, 50, func(ctx context.Context) (func() error, error) {
		s, err := web.Listen(ctx, "127.0.0.1:0", cfg)
		if err != nil {
			return nil, err
		}
		return s.Close, nil
	})
}
