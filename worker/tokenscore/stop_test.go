package tokenscore_test

import (
	"context"
	"testing"

	"mirrorfleet/shared/lifetest"
	"mirrorfleet/worker/tokenscore"
)

func TestPoolsStop(t *testing.T) {
	t.Parallel()
	lifetest.Stress(t, 4, func(ctx context.Context) (func() error, error) {
		p, err := tokenscore.New(ctx, config(t))
		if err != nil {
			return nil, err
		}
		return p.Close, nil
	})
}
