package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"mirrorfleet/shared/ratelimit"
)

// patience is how long the first request in line may wait for its permit before
// this worker takes no more jobs: they would only wait here, and others may be
// better placed. It is longer than a turn takes in a fleet that a horizon serves.
// What waits keeps its lease and goes on waiting.
const patience = 15 * time.Second

// gate lets pulls through while permits flow. Whatever holds them up shows there:
// Redis gone, a cool-down, a hold, other parameters, or too large a fleet.
func gate(l *ratelimit.Limiter, patience time.Duration, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		now := l.Stats()
		stuck := now.Waiting > 0 && time.Since(now.TurnSince) >= patience
		if !stuck {
			return nil
		}
		why := "permits are granted to others, or the egress stands still"
		if now.Trouble != nil {
			why = now.Trouble.Error()
		}
		log.WarnContext(ctx, "no permit for a while: taking no more jobs",
			"for", time.Since(now.TurnSince), "waiting", now.Waiting, "why", why)
		if err := l.Flowing(ctx, patience); err != nil {
			return fmt.Errorf("waiting until permits flow: %w", err)
		}
		log.InfoContext(ctx, "permits flow again: taking jobs")
		return nil
	}
}
