package main

import (
	"context"
	"log/slog"
	"os"
	"sync"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/worker/signs"
)

// newSigns makes what shows this process to others.
func newSigns(c *cli.Command, f *fleet.Fleet, log *slog.Logger) (*signs.Writer, error) {
	host, err := os.Hostname()
	if err != nil {
		log.Debug("no host name for the signs of life", "error", err)
	}
	return signs.New(signs.Config{
		Bus:       f.Bus,
		Limiter:   f.Limiter,
		Addresses: f.Addresses,
		Log:       log,
		Worker: job.Worker{
			Name:   c.String("name"),
			Build:  command.Build(),
			Host:   host,
			Egress: c.String("egress"),
			Slots:  c.Int("slots"),
		},
	})
}

// showSigns shows the process until leave is called with what has ended it. The signs continue
// while the process drains, which may take longer than a reader believes a silent process to
// be alive (job.WorkerSilent).
func showSigns(ctx context.Context, shown *signs.Writer) (leave func(error)) {
	ctx = context.WithoutCancel(ctx)
	showing, end := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { shown.Run(showing) })
	return func(err error) {
		end()
		work.Wait()
		shown.Leave(ctx, lastWord(err))
	}
}

// lastWord is what a process that leaves says of its end. An error has no secrets: it is what
// the process also logs.
func lastWord(err error) string {
	if err != nil {
		return "ended with an error: " + err.Error()
	}
	return "drained"
}
