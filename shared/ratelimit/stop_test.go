package ratelimit_test

import (
	"context"
	"testing"

	"mirrorfleet/shared/lifetest"
	"mirrorfleet/shared/ratelimit"
)

func TestLimitersStop(t *testing.T) {
	t.Parallel()
	rdb := patient(t, embedded(t))
	lifetest.Stress(t, 50, func(context.Context) (func() error, error) {
		l, err := ratelimit.New(quick(), rdb)
		if err != nil {
			return nil, err
		}
		return l.Close, nil
	})
}
