package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/telemetry"
)

// flushTime is how long a process that ends waits for its last spans to leave.
const flushTime = 5 * time.Second

// Logger is the process's log: text at a terminal, JSON otherwise.
func Logger(c *cli.Command, w *os.File) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return nil, command.Usage("--log-level: %w", err)
	}
	log := telemetry.Logger(w, term.IsTerminal(int(w.Fd())), level)
	slog.SetDefault(log)
	return log, nil
}

// Telemetry sets up traces as the environment says, and returns what flushes
// them at the end.
func Telemetry(ctx context.Context, service, instance string) (func() error, error) {
	shutdown, err := telemetry.Setup(ctx, telemetry.Config{Service: service, Instance: instance})
	if err != nil {
		return nil, command.UsageError{Err: err}
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
		defer cancel()
		if err := shutdown(ctx); err != nil {
			return fmt.Errorf("flushing the traces: %w", err)
		}
		return nil
	}, nil
}
