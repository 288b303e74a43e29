package broadcast_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"mirrorfleet/shared/broadcast"
)

// All who wait are told, and of one event once.
func TestAllWhoWaitAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var signal broadcast.Signal
		signal.Send() // nobody waits
		var told atomic.Int32
		for range 3 {
			next := signal.Next()
			go func() { <-next; told.Add(1) }()
		}
		synctest.Wait()
		if n := told.Load(); n != 0 {
			t.Errorf("%d were told before the event", n)
		}
		signal.Send()
		synctest.Wait()
		if n := told.Load(); n != 3 {
			t.Errorf("%d were told, want 3", n)
		}
		select {
		case <-signal.Next():
			t.Error("the next event has happened already")
		default:
		}
	})
}
