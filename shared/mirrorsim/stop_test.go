package mirrorsim_test

import (
	"context"
	"testing"

	"mirrorfleet/shared/lifetest"
	"mirrorfleet/shared/mirrorsim"
)

func TestServersStop(t *testing.T) {
	t.Parallel()
	lifetest.Stress(t, 50, func(ctx context.Context) (func() error, error) {
		s, err := mirrorsim.Start(ctx, mirrorsim.Config{World: smallWorld()})
		if err != nil {
			return nil, err
		}
		return s.Close, nil
	})
}
