package command

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// between is the time from one try of an unreachable server to the next.
const between = 500 * time.Millisecond

// Await tries a server until it answers, for at most the timeout. It logs the first
// failure, so that the log shows what the process waits for. A UsageError ends the wait
// at once, because only the caller can correct it. The returned error is that of the last
// try that the timeout did not cut short: that one says why the server does not answer.
func Await(ctx context.Context, log *slog.Logger, what string, timeout time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not reachable within --connect-timeout %s", timeout))
	defer cancel()
	ticker := time.NewTicker(between)
	defer ticker.Stop()
	var last error
	for first := true; ; first = false {
		err := try(ctx)
		if err == nil || Code(err) == ExitUsage {
			return err
		}
		if first && ctx.Err() == nil {
			log.WarnContext(ctx, "waiting for "+what, "error", err, "for", timeout)
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", what, context.Cause(ctx), last)
		case <-ticker.C:
		}
	}
}
