// Package lifetest has the one stress test of everything that lives long: whatever
// is started has one way to stop. It stops once, however many ask, waits for its
// goroutines, and may be stopped again. That no goroutine is left is for the leak
// check of each package's TestMain to tell.
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
