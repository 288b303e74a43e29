package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mirrorfleet/shared/command"
)

func TestCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("failed"), 1},
		{command.Usage("--x %q", "y"), 2},
		{fmt.Errorf("wrapped: %w", command.Usage("--x")), 2},
		{errors.Join(errors.New("first"), command.Usage("--x")), 2},
		{fmt.Errorf("%w; go on", command.ErrInterrupted), 130},
		{command.Silent(errors.New("shown already")), 1},
	} {
		if got := command.Code(c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}

// A server that comes late is waited for, and whoever watches is told once.
func TestAwaitWaitsAndSaysSoOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		tries := 0
		err := command.Await(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), "Redis", time.Minute, func(context.Context) error {
			if tries++; tries < 5 {
				return errors.New("refused")
			}
			return nil
		})
		if err != nil || tries != 5 || strings.Count(log.String(), "waiting for Redis") != 1 {
			t.Errorf("got %v after %d tries, log %q; want success at the fifth and one line", err, tries, log.String())
		}
	})
}

func TestAwaitGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused, start := errors.New("refused"), time.Now()
		err := command.Await(t.Context(), slog.New(slog.DiscardHandler), "Redis", 2*time.Second, func(context.Context) error { return refused })
		if !errors.Is(err, refused) || !strings.Contains(err.Error(), "--connect-timeout 2s") || time.Since(start) != 2*time.Second {
			t.Errorf("after %s: got %v, want the last failure and the setting after 2s", time.Since(start), err)
		}
	})
}

// A try that the timeout cuts off tells nothing: the error names what the server said.
func TestAwaitGivesUpWithWhatWasSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused, tries := errors.New("connection refused"), 0
		err := command.Await(t.Context(), slog.New(slog.DiscardHandler), "Redis", time.Second, func(ctx context.Context) error {
			if tries++; tries == 1 {
				return refused
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, refused) {
			t.Errorf("got %v, want that the connection was refused", err)
		}
	})
}
