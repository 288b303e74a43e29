package steering_test

import (
	"context"
	"testing"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/steering"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/lifetest"
	"mirrorfleet/shared/ratelimit"
)

func TestOperatorsStop(t *testing.T) {
	t.Parallel()
	cfg := steering.Config{
		Bus: new(jobstream.Bus), // nobody orders anything
		Replay: func(context.Context, string, outcome.Selection) (r outcome.Result, p outcome.Replayed, err error) {
			return r, p, nil
		},
		Cancel: func(context.Context, round.Cancelled) error { return nil },
		Egress: func(string) (*ratelimit.Operator, error) { return nil, ratelimit.ErrNoBucket },
		Log:    jobstreamtest.Quiet(),
	}
	lifetest.Stress(t, 50, func(ctx context.Context) (func() error, error) {
		o, err := steering.NewOperator(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return func() error { o.Close(); return nil }, nil
	})
}
