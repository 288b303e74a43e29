// Package pause waits for a length of time, or until a context ends.
package pause

import (
	"context"
	"time"
)

// For waits for d or for the end of ctx, whose cause it returns.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx) //nolint:wrapcheck // the caller's own
	case <-timer.C:
		return nil
	}
}
