package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/ratelimit"
)

// lookTimeout bounds each call to Redis. It is longer than a worker's timeout: for a
// person a late answer is better than none.
const lookTimeout = 2 * time.Second

// bucketServers are where a command that shows buckets finds them: Redis, and NATS for the
// declared egresses.
type bucketServers struct {
	redis, nats string
	natsFiles   jobstream.Files
	redisFiles  ratelimit.Files
}

// bucketServersOf reads them from the flags, or from the local round that runs.
func bucketServersOf(c *cli.Command) (bucketServers, error) {
	s := bucketServers{
		redis:      c.String("redis"),
		nats:       c.String("nats"),
		natsFiles:  fleet.NATSFiles(c),
		redisFiles: fleet.RedisFiles(c),
	}
	switch {
	case c.Bool("local") && (c.IsSet("redis") || c.IsSet("nats")):
		return s, command.Usage("--local finds the servers of a round on this machine: leave out --redis and --nats, or --local")
	case c.Bool("local"):
		found, err := local.Find(c.String("state"))
		if err != nil {
			return s, command.Usage("--state: %w (producer run --local starts one; elsewhere give --redis URL)", err)
		}
		return bucketServers{redis: found.Redis, nats: found.NATS}, nil
	case s.redis == "":
		return s, command.Usage("--redis is required: give its URL, or --local for the round that runs on this machine")
	}
	return s, nil
}

// openRedis connects, and waits for a server that does not answer yet.
func (s bucketServers) openRedis(ctx context.Context, c *cli.Command, log *slog.Logger) (redis.UniversalClient, error) {
	rdb, err := fleet.NewRedis(s.redis, lookTimeout, s.redisFiles)
	if err != nil {
		return nil, err
	}
	if err := fleet.AwaitRedis(ctx, rdb, c.Duration("connect-timeout"), log); err != nil {
		return nil, errors.Join(err, rdb.Close())
	}
	return rdb, nil
}

// buckets reads the bucket of every egress.
func (s bucketServers) buckets(ctx context.Context, rdb redis.UniversalClient) ([]ratelimit.State, error) {
	buckets, err := ratelimit.Buckets(ctx, rdb, lookTimeout)
	if err != nil {
		return nil, fmt.Errorf("the buckets cannot be listed: %w", ratelimit.Trouble(err))
	}
	return buckets, nil
}

// declared reads the declared egresses from NATS; none without --nats. The URL may
// come from the environment, so an unreachable server costs lookTimeout at most.
func (s bucketServers) declared(ctx context.Context, log *slog.Logger) (job.Egresses, error) {
	if s.nats == "" {
		return job.Egresses{}, nil
	}
	nc, err := fleet.ConnectNATS(ctx, s.nats, "producer-limit", jobstream.ConnectConfig{
		Wait:    lookTimeout,
		Setting: "a look",
		Log:     log,
		Files:   s.natsFiles,
	})
	if err != nil {
		return job.Egresses{}, err
	}
	defer nc.Close()
	return jobstream.DeclaredEgresses(ctx, nc)
}
