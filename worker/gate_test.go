package main

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
)

// said hands each message of the log to a test.
type said struct {
	slog.Handler

	messages chan string
}

func (s said) Enabled(context.Context, slog.Level) bool { return true }

func (s said) Handle(_ context.Context, r slog.Record) error {
	s.messages <- r.Message
	return nil
}

// While Redis is away, the gate shuts as soon as the first waiter has waited for longer
// than the patience. It opens with the next permit.
func TestTheGateIsShutWhileNoPermitsCome(t *testing.T) {
	t.Parallel()
	store := miniredis.NewMiniRedis()
	must.Do(t, store.Start())
	t.Cleanup(store.Close)
	rdb := must.Get(ratelimit.NewClient("redis://"+store.Addr(), 0))(t)
	t.Cleanup(func() { _ = rdb.Close() })
	limiter := must.Get(ratelimit.New(ratelimit.Config{
		Window: time.Second, Horizon: 300 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}, rdb))(t)
	t.Cleanup(func() { _ = limiter.Close() })
	log := said{slog.DiscardHandler, make(chan string, 8)}

	if err := gate(limiter, 0, slog.New(log))(t.Context()); err != nil {
		t.Errorf("the gate while nobody waits: %v", err)
	}
	store.Close()
	var waiters sync.WaitGroup
	waiters.Go(func() {
		if _, err := limiter.Permit(t.Context()); err != nil {
			t.Errorf("Permit: %v", err)
		}
	})
	for limiter.Stats().BlockedSince.IsZero() {
		if t.Context().Err() != nil {
			t.Fatal("the test ended before Redis was missed")
		}
	}
	if err := gate(limiter, time.Hour, slog.New(log))(t.Context()); err != nil {
		t.Errorf("the gate of one who is patient: %v", err)
	}
	passed := make(chan error, 1)
	waiters.Go(func() { passed <- gate(limiter, time.Nanosecond, slog.New(log))(t.Context()) })
	if got := <-log.messages; got != "no permit for a while: taking no more jobs" {
		t.Errorf("logged %q, want that no more jobs are taken", got)
	}
	select {
	case err := <-passed:
		t.Errorf("the gate opened (%v) while Redis is away", err)
	default:
	}
	must.Do(t, store.Restart())
	if err := <-passed; err != nil {
		t.Errorf("the gate when Redis is back: %v", err)
	}
	if got := <-log.messages; got != "permits flow again: taking jobs" {
		t.Errorf("logged %q, want that jobs are taken again", got)
	}
	waiters.Wait()
}
