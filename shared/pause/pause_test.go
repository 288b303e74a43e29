package pause_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"mirrorfleet/shared/pause"
)

// It lasts as long as it is told, or until it is wanted no longer.
func TestFor(t *testing.T) {
	t.Parallel()
	why := errors.New("why")
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := pause.For(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("a minute took %s, %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		began = time.Now()
		if err := pause.For(ctx, time.Minute); !errors.Is(err, why) || time.Since(began) != time.Second {
			t.Errorf("one that ends after a second took %s, %v; want the cause", time.Since(began), err)
		}
	})
}
