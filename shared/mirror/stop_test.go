package mirror_test

import (
	"context"
	"net/http"
	"testing"

	"mirrorfleet/shared/lifetest"
)

func TestClientsStop(t *testing.T) {
	t.Parallel()
	b := setup(t, say(http.StatusOK, `{}`))
	lifetest.Stress(t, 50, func(ctx context.Context) (func() error, error) {
		client := b.another(t) //nolint:contextcheck // its breaker needs none
		if err := client.Health(ctx); err != nil {
			return nil, err
		}
		return func() error { client.Close(); return nil }, nil
	})
}
