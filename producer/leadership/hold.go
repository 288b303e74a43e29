package leadership

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// A holder writes itself anew five times in its time, and gives up at three
// quarters of it; who stands by looks twenty times.
const (
	beatEvery = 5
	lookEvery = 20
)

// LookInterval is the time between two looks at a hold that lasts as given.
func LookInterval(takeover time.Duration) time.Duration {
	return max(takeover/lookEvery, time.Millisecond)
}

// hold is this producer's hold on a round. Only work is at stake: what must
// happen once is held by compare-and-set and create-once wherever it happens.
type hold struct {
	bus      *jobstream.Bus
	round    string
	me       job.Holder
	revision uint64
	beats    sync.WaitGroup
	quit     context.CancelFunc
}

// keep writes signs of life until ctx ends, and ends the work with ErrLost when one
// is not confirmed in time, or another hold is in its place.
func (h *hold) keep(ctx context.Context, lose context.CancelCauseFunc) {
	ctx, h.quit = context.WithCancel(ctx)
	h.beats.Go(func() {
		ticker := time.NewTicker(h.me.For / beatEvery)
		defer ticker.Stop()
		confirmed := time.Now()
		for {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			h.me.Beat++
			sent := time.Now()
			bounded, cancel := context.WithDeadline(ctx, confirmed.Add(h.me.For*3/4))
			revision, err := h.bus.Holders.Set(bounded, h.round, h.me, h.revision)
			cancel()
			switch {
			case err == nil:
				h.revision, confirmed = revision, sent
			case ctx.Err() != nil:
				return
			case errors.Is(err, jobstream.ErrConflict):
				lose(fmt.Errorf("%w: another one is in its place: %w", ErrLost, err))
				return
			default:
				silent := time.Since(confirmed).Round(time.Millisecond)
				lose(fmt.Errorf("%w: NATS has confirmed no sign of life of this producer for %s: %w", ErrLost, silent, err))
				return
			}
		}
	})
}

// release ends the signs of life and marks the hold as released. If the write fails, a
// producer that stands by waits for the full Takeover.
func (h *hold) release(ctx context.Context) {
	h.quit()
	h.beats.Wait()
	h.me.Released = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.me.For)
	defer cancel()
	_, err := h.bus.Holders.Set(ctx, h.round, h.me, h.revision)
	if errors.Is(err, jobstream.ErrConflict) { // the last sign of life may have been written, its answer not awaited
		holder, revision, readErr := h.bus.Holders.Load(ctx, h.round)
		if readErr == nil && holder.Name == h.me.Name {
			_, err = h.bus.Holders.Set(ctx, h.round, h.me, revision)
		}
	}
	if err == nil {
		crash.At(crash.RoundReleased)
	}
}
