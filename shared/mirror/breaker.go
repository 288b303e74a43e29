package mirror

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/broadcast"
	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/telemetry"
)

// breaker opens when request after request fails. Calls then wait for it:
// inside the lease, and without counting as a failure of anybody's job.
type breaker struct {
	*gobreaker.CircuitBreaker[struct{}]

	mu      sync.Mutex
	changed broadcast.Signal // the state has
	// failing are the paths of the requests that have failed since the last
	// success; as many as matter.
	failing map[string]bool
	// last is the last failure; opened is when the breaker opened last.
	last   error
	opened time.Time
}

func newBreaker(cfg Config) *breaker {
	b := &breaker{failing: map[string]bool{}}
	b.CircuitBreaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        "mirror",
		MaxRequests: 1,
		Timeout:     cfg.BreakFor,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			return n.ConsecutiveFailures >= cfg.BreakAfter && b.across() >= cfg.BreakAcross
		},
		IsSuccessful: successful,
		IsExcluded:   excluded,
		OnStateChange: func(_ string, from, to gobreaker.State) {
			cfg.Log.Warn("the mirror's breaker changed", "from", from.String(), "to", to.String())
			telemetry.BreakerIs(to.String(), true)
			b.mu.Lock()
			defer b.mu.Unlock()
			if to == gobreaker.StateOpen {
				b.opened = time.Now()
			}
			b.changed.Send()
		},
	})
	telemetry.BreakerIs(gobreaker.StateClosed.String(), false)
	return b
}

// successful is an answer, if only a final one.
func successful(err error) bool { return err == nil || errors.Is(err, ErrFinal) }

// excluded is what says nothing of the mirror's health: it throttles because
// of us, or the caller has given up. An excluded probe of a
// half-open breaker makes way for the next one.
func excluded(err error) bool {
	if failed, ok := errors.AsType[*RequestError](err); ok {
		return failed.Status == http.StatusTooManyRequests
	}
	return err != nil // a cancelled context, a closed client: no request failed
}

// Open says whether the breaker holds requests back.
func (c *Client) Open() bool { return c.breaker.State() == gobreaker.StateOpen }

// Away says why requests are held back, and for how long they still are; "" while
// they are not. A probe that is under way holds them back, too.
func (c *Client) Away() (why string, left time.Duration) {
	if c.breaker.State() == gobreaker.StateClosed {
		return "", 0
	}
	c.breaker.mu.Lock()
	defer c.breaker.mu.Unlock()
	return c.breaker.away(c.cfg.BreakFor, time.Now())
}

func (b *breaker) away(breakFor time.Duration, now time.Time) (why string, left time.Duration) {
	last := b.last
	if failed, ok := errors.AsType[*RequestError](last); ok {
		last = failed.Err // which request it was says nothing of the others
	}
	return clip(fmt.Sprint(last)), max(0, b.opened.Add(breakFor).Sub(now))
}

// leave says whether the next probe is left to requests that are none of the
// background: for as long again as the breaker stays open.
func (b *breaker) leave(breakFor time.Duration, now time.Time) bool {
	if b.State() == gobreaker.StateClosed {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return now.Sub(b.opened) < 2*breakFor
}

// across is how many different requests have failed since the last success.
func (b *breaker) across() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.failing)
}

// note remembers which request failed, before the breaker counts it.
func (b *breaker) note(path string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case excluded(err):
	case successful(err):
		clear(b.failing)
	default:
		b.last = err
		if len(b.failing) < maxPaths {
			b.failing[path] = true
		}
	}
}

// maxPaths is how many failing paths are remembered: more than any sensible
// BreakAcross.
const maxPaths = 1000

// guarded runs call, which asks for path, once the breaker lets it.
func (c *Client) guarded(ctx context.Context, path string, call func() error) error {
	for {
		changed := c.breaker.changed.Next()
		if c.background && c.breaker.leave(c.cfg.BreakFor, time.Now()) {
			if err := c.untilChanged(ctx, changed); err != nil {
				return fmt.Errorf("mirror %s: %w", path, err)
			}
			continue
		}
		_, err := c.breaker.Execute(func() (struct{}, error) {
			err := call()
			c.breaker.note(path, err)
			return struct{}{}, err
		})
		if !errors.Is(err, gobreaker.ErrOpenState) && !errors.Is(err, gobreaker.ErrTooManyRequests) {
			return err //nolint:wrapcheck // call's own error
		}
		trace.SpanFromContext(ctx).AddEvent("waiting for the breaker", trace.WithAttributes(
			telemetry.BreakerState.String(c.breaker.State().String())))
		if err := c.untilChanged(ctx, changed); err != nil {
			return fmt.Errorf("mirror %s: %w", path, err)
		}
	}
}

// untilChanged waits for a change of the breaker's state, or for a part of the
// time that it stays open: an open breaker turns half-open only when asked.
func (c *Client) untilChanged(ctx context.Context, changed <-chan struct{}) error {
	const parts = 4
	defer doing.Wait(ctx, func(time.Time) doing.State {
		why, left := c.Away()
		return doing.State{Waits: doing.Breaker, For: left, Why: why}
	})()
	timer := time.NewTimer(c.cfg.BreakFor / parts)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
		return fmt.Errorf("waiting for the mirror's breaker: %w", ended(ctx))
	}
	return nil
}
