// Package lifetest tests that whatever is started can be stopped once, by any number of
// callers. Everything that lives long has one way to stop. It stops once, waits for its
// goroutines, and may be stopped again. The leak check of each package's TestMain tells
// whether a goroutine is left.
package lifetest

import (
	"context"
	"sync"
	"testing"

	"mirrorfleet/shared/must"
)

// stoppers is how many stop one thing at once.
const stoppers = 4

// Stress starts something so many times, one after the other, and has several stop it
// at once: at once after the start, and after the end of the context that it was
// started with. Each of them wants no error, and so does one that comes late.
func Stress(t *testing.T, times int, start func(ctx context.Context) (stop func() error, err error)) {
	t.Helper()
	for i := range times {
		ctx, cancel := context.WithCancel(t.Context())
		stop := must.Get(start(ctx))(t)
		if i%2 == 1 {
			cancel()
		}
		var wait sync.WaitGroup
		for range stoppers {
			wait.Go(func() { must.Check(t, stop()) })
		}
		wait.Wait()
		must.Check(t, stop())
		cancel()
	}
}
