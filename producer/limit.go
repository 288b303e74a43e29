package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/answer"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/ratelimit"
)

const groupHand = "By hand"

// lookTimeout bounds each call to Redis: a person waits longer than a permit does.
const lookTimeout = 2 * time.Second

func limitCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.DurationFlag{
			Name: "hold", Category: groupHand, Sources: command.Env("hold"),
			Usage: "stop the whole egress for `DURATION` from now (1s to 24h); a hold that ends later stays",
		},
		&cli.BoolFlag{Name: "release", Category: groupHand, Sources: command.Env("release"), Usage: "end the hold"},
	}
	flags = slices.Concat(flags, lookFlags("find the Redis of the local round that runs on --state"),
		only(slices.Concat(command.Servers(), command.Limit()), "redis", "connect-timeout", "egress"))
	return &cli.Command{
		Name:  "limit",
		Usage: "show an egress's bucket; stop and resume the egress by hand",
		Description: "It asks Redis alone. --local finds the Redis of the local round that is running.\n\n" +
			"Examples:\n" +
			"  producer limit --redis redis://redis:6379/0 --egress eu-1\n" +
			"  producer limit --local --hold 5m\n" +
			"  producer limit --local --release",
		Flags:  append(flags, command.Seeing()...),
		Action: limit,
	}
}

// order is what `producer limit` is asked to do before it shows the bucket.
type order struct {
	egress, redis string
	hold          time.Duration // 0 for none
	release       bool
}

func readOrder(c *cli.Command) (order, error) {
	o := order{egress: c.String("egress"), redis: c.String("redis"), hold: c.Duration("hold"), release: c.Bool("release")}
	switch {
	case c.IsSet("hold") && o.release:
		return o, command.Usage("--hold and --release exclude each other")
	case c.IsSet("hold") && (o.hold < ratelimit.MinHold || o.hold > ratelimit.MaxHold):
		return o, command.Usage("--hold %s: want %s to %s", o.hold, ratelimit.MinHold, ratelimit.MaxHold)
	case c.Bool("local") && c.IsSet("redis"):
		return o, command.Usage("--local finds the Redis of a round on this machine: leave out --redis, or --local")
	case c.Bool("local"):
		found, err := local.Find(c.String("state"))
		if err != nil {
			return o, command.Usage("--state: %w (producer run --local starts one; elsewhere give --redis URL)", err)
		}
		o.redis = found.Redis
	case o.redis == "":
		return o, command.Usage("--redis is required: give its URL, or --local for the round that runs on this machine")
	}
	return o, nil
}

// limit is `producer limit`.
func limit(ctx context.Context, c *cli.Command) (err error) {
	o, err := readOrder(c)
	if err != nil {
		return err
	}
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	rdb, err := ratelimit.NewClient(o.redis, lookTimeout)
	if err != nil {
		return command.Usage("--redis: %w", err)
	}
	defer func() { err = errors.Join(err, rdb.Close()) }()
	desk, err := ratelimit.NewDesk(o.egress, rdb, lookTimeout)
	if err != nil {
		return command.Usage("--egress: %w", err)
	}
	err = command.Await(ctx, log, "Redis", c.Duration("connect-timeout"), func(ctx context.Context) error {
		return rdb.Ping(ctx).Err()
	})
	if err != nil {
		return fmt.Errorf("--redis: %w", err)
	}
	state, err := o.carryOut(ctx, desk)
	if err != nil {
		return o.explain(ctx, rdb, err)
	}
	return printAnswer(c, limitPage{answer.BucketOf(state)})
}

// carryOut does what is asked and returns the bucket as it is then.
func (o order) carryOut(ctx context.Context, desk *ratelimit.Desk) (state ratelimit.State, err error) {
	switch {
	case o.hold > 0:
		state, err = desk.Hold(ctx, o.hold)
	case o.release:
		state, err = desk.Release(ctx)
	default:
		state, err = desk.State(ctx)
		if err == nil && !state.Known {
			err = ratelimit.ErrNoBucket
		}
	}
	return state, err
}

// explain turns what the caller can mend into wrong usage.
func (o order) explain(ctx context.Context, rdb redis.UniversalClient, err error) error {
	switch {
	case errors.Is(err, ratelimit.ErrNotHeld):
		return command.Usage("--release: egress %s is not held", o.egress)
	case !errors.Is(err, ratelimit.ErrNoBucket):
		return fmt.Errorf("egress %s: %w", o.egress, err)
	}
	names, err := ratelimit.Egresses(ctx, rdb)
	if err != nil {
		return fmt.Errorf("egress %s has no bucket: %w", o.egress, err)
	}
	known := "no egress has one in this Redis"
	if len(names) > 0 {
		known = "in this Redis there are " + strings.Join(names[:min(len(names), mostListed)], ", ")
	}
	return command.Usage("--egress %s has no bucket: nobody has asked for a permit of it yet; %s", o.egress, known)
}
