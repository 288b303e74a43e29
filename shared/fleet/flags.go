package fleet

import (
	"log/slog"
	"net/netip"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/ratelimit"
)

// FromFlags reads the flags that package command declares.
func FromFlags(c *cli.Command, name string, log *slog.Logger) Config {
	return Config{
		Name:           name,
		NATS:           c.String("nats"),
		Redis:          c.String("redis"),
		WhoAmI:         c.String("whoami-url"),
		Process:        name,
		ConnectTimeout: c.Duration("connect-timeout"),
		Streams:        jobstream.Config{Replicas: c.Int("replicas"), AckWait: c.Duration("lease"), Log: log},
		Limit: ratelimit.Config{
			Egress:  c.String("egress"),
			Limit:   c.Int("limit-requests"),
			Window:  c.Duration("limit-window"),
			Rate:    c.Float("limit-rate"),
			Horizon: c.Duration("limit-horizon"),
			Minimum: c.Int("limit-background"),
		},
		NATSFiles:  NATSFiles(c),
		RedisFiles: RedisFiles(c),
		Source:     Source(c),
		Log:        log,
	}
}

// Source reads the flag of the address that requests leave from, whose validator has seen it.
func Source(c *cli.Command) netip.Addr {
	addr, _ := netip.ParseAddr(c.String("source-address")) // the zero address for ""
	return addr
}

// NATSFiles reads the flags of NATS's files: TLS and credentials.
func NATSFiles(c *cli.Command) jobstream.Files {
	return jobstream.Files{
		TLS:      certs.Files{CA: c.String("nats-ca"), Cert: c.String("nats-cert"), Key: c.String("nats-key")},
		Password: c.String("nats-password-file"),
		Creds:    c.String("nats-creds"),
		NKey:     c.String("nats-nkey"),
	}
}

// RedisFiles reads the flags of Redis' files.
func RedisFiles(c *cli.Command) ratelimit.Files {
	return ratelimit.Files{
		TLS:      certs.Files{CA: c.String("redis-ca"), Cert: c.String("redis-cert"), Key: c.String("redis-key")},
		Password: c.String("redis-password-file"),
	}
}
