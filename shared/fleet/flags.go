package fleet

import (
	"log/slog"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/ratelimit"
)

// FromFlags reads the flags that package command declares.
func FromFlags(c *cli.Command, name string, log *slog.Logger) Config {
	return Config{
		Name: name, NATS: c.String("nats"), Redis: c.String("redis"), ConnectTimeout: c.Duration("connect-timeout"),
		Streams: jobstream.Config{Replicas: c.Int("replicas"), AckWait: c.Duration("lease"), Log: log},
		Limit: ratelimit.Config{
			Egress: c.String("egress"), Limit: c.Int("limit-requests"), Window: c.Duration("limit-window"),
			Rate: c.Float("limit-rate"), Horizon: c.Duration("limit-horizon"),
		},
		Log: log,
	}
}
