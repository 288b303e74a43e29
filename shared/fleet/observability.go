package fleet

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/health"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/shared/terminal"
)

// flushTime is how long an ending process waits until its last spans are sent.
const flushTime = 5 * time.Second

// Logger is the process's log: text at a terminal, JSON otherwise.
func Logger(c *cli.Command, w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return nil, command.Usage("--log-level: %w", err)
	}
	log := telemetry.Logger(w, terminal.Of(w).Width > 0, level)
	slog.SetDefault(log)
	return log, nil
}

// WarnOfLoose warns of secret files that too many users can read. A command that calls Observe
// has no need of it.
func WarnOfLoose(ctx context.Context, c *cli.Command, log *slog.Logger) {
	for _, line := range command.Loose(c) {
		log.WarnContext(ctx, line)
	}
}

// setUp sets up traces and metrics from the environment, and returns the function that
// flushes them at the end. A collector that does not accept them is logged; the work goes
// on.
func setUp(ctx context.Context, cfg telemetry.Config) (func() error, error) {
	shutdown, err := telemetry.Setup(ctx, cfg)
	if err != nil {
		return nil, command.UsageError{Err: err}
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
		defer cancel()
		if err := shutdown(ctx); err != nil {
			slog.WarnContext(ctx, "the last traces or metrics did not leave", "error", err)
		}
		return nil
	}, nil
}

// Observability makes a process observable: telemetry and, with --listen, the pages of
// health and metrics.
type Observability struct {
	*health.Server // nil without --listen

	flush func() error
	stops []func()
	// servers is nil until there is a fleet to follow.
	servers atomic.Pointer[Fleet]
}

// errStopping is the reason why a draining process is not ready.
var errStopping = errors.New("stopping")

// Observe sets up telemetry from the environment, and serves the pages on --listen. It warns
// of secret files that too many users can read. The process is ready only when each of parts
// has been Set, beside NATS and Redis.
func Observe(ctx context.Context, c *cli.Command, service, instance string, log *slog.Logger, parts ...string) (*Observability, error) {
	return observe(ctx, c, self(service, instance, log), []string{kindNATS, kindRedis}, parts)
}

// ObserveLimiter is Observe for a process that uses OpenLimiter.
func ObserveLimiter(ctx context.Context, c *cli.Command, service, instance string, log *slog.Logger) (*Observability, error) {
	return observe(ctx, c, self(service, instance, log), []string{kindRedis}, nil)
}

// self is what a process says of itself.
func self(service, instance string, log *slog.Logger) telemetry.Config {
	return telemetry.Config{
		Service:  service,
		Version:  command.Build(),
		Instance: instance,
		Log:      log,
	}
}

func observe(ctx context.Context, c *cli.Command, cfg telemetry.Config, servers, parts []string) (*Observability, error) {
	log := cfg.Log
	WarnOfLoose(ctx, c, log)
	addr := c.String("listen")
	var pages http.Handler
	if addr != "" {
		cfg.Metrics = prometheus.NewRegistry()
		pages = telemetry.Pages(cfg.Metrics)
	}
	flush, err := setUp(ctx, cfg)
	if err != nil {
		return nil, err
	}
	o := &Observability{flush: flush}
	o.await(servers)
	if addr == "" {
		return o, nil
	}
	if o.Server, err = health.Listen(ctx, addr, pages, log, append(parts, servers...)...); err != nil {
		return nil, errors.Join(command.Usage("--listen: %w", err), o.Close())
	}
	o.Set("process", func(context.Context) error {
		if ctx.Err() != nil {
			return errStopping
		}
		return nil
	})
	log.InfoContext(ctx, "health and metrics", "address", o.Addr())
	return o, nil
}

// Follow makes the fleet's servers parts of readiness, and adds the state of the whole fleet
// to this process's metrics. Every process shows it, because producers may be commands that
// end, and all workers may be gone.
func (o *Observability) Follow(f *Fleet) {
	if f.Bus != nil {
		o.Set(kindNATS, f.Bus.Check)
	}
	o.Set(kindRedis, f.Limiter.Check)
	o.follow(f)
}

// Close stops the pages, and sends the remaining telemetry.
func (o *Observability) Close() error {
	for _, stop := range o.stops {
		stop()
	}
	return errors.Join(o.Server.Close(), o.flush())
}
