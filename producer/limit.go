package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
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

func limitCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.DurationFlag{
			Name:     "hold",
			Category: groupHand,
			Sources:  command.Env("hold"),
			Usage:    "stop the whole egress for `DURATION` from now (1s to 24h); a hold that ends later stays",
		},
		&cli.BoolFlag{
			Name:     "release",
			Category: groupHand,
			Sources:  command.Env("release"),
			Usage:    "end the hold",
		},
	}
	flags = slices.Concat(flags, lookFlags("find the Redis of the local round that runs on --state"),
		only(slices.Concat(command.Servers(), command.Limit()),
			slices.Concat([]string{"nats", "redis", "connect-timeout", "egress"}, command.NATSFiles(), command.RedisFiles())...))
	return &cli.Command{
		Name:  "limit",
		Usage: "show the egresses' buckets; stop and resume an egress by hand",
		Description: "It lists every bucket in Redis, then shows the bucket of --egress in full. With --hold or --release it shows only\n" +
			"that bucket. If --nats is given, buckets of egresses that the fleet has not declared are pointed out. --local\n" +
			"finds both servers of the local round that is running.\n\n" +
			"Examples:\n" +
			"  producer limit --redis redis://redis:6379/0 --nats nats://nats:4222\n" +
			"  producer limit --redis redis://redis:6379/0 --egress eu-1\n" +
			"  producer limit --local --hold 5m\n" +
			"  producer limit --local --release",
		Flags:  append(flags, command.Observability()...),
		Action: limit,
	}
}

// limitRequest is what `producer limit` is asked to do before it shows the bucket.
type limitRequest struct {
	egress      string
	redis, nats string
	natsFiles   jobstream.Files
	redisFiles  ratelimit.Files
	hold        time.Duration // 0 for none
	release     bool
}

func readLimitRequest(c *cli.Command) (limitRequest, error) {
	r := limitRequest{
		egress:     c.String("egress"),
		redis:      c.String("redis"),
		nats:       c.String("nats"),
		hold:       c.Duration("hold"),
		release:    c.Bool("release"),
		natsFiles:  fleet.NATSFiles(c),
		redisFiles: fleet.RedisFiles(c),
	}
	switch {
	case c.IsSet("hold") && r.release:
		return r, command.Usage("--hold and --release exclude each other")
	case c.IsSet("hold") && (r.hold < ratelimit.MinHold || r.hold > ratelimit.MaxHold):
		return r, command.Usage("--hold %s: want %s to %s", r.hold, ratelimit.MinHold, ratelimit.MaxHold)
	case c.Bool("local") && (c.IsSet("redis") || c.IsSet("nats")):
		return r, command.Usage("--local finds the servers of a round on this machine: leave out --redis and --nats, or --local")
	case c.Bool("local"):
		found, err := local.Find(c.String("state"))
		if err != nil {
			return r, command.Usage("--state: %w (producer run --local starts one; elsewhere give --redis URL)", err)
		}
		r.redis = found.Redis
		r.nats = found.NATS
		r.redisFiles = ratelimit.Files{}
		r.natsFiles = jobstream.Files{}
	case r.redis == "":
		return r, command.Usage("--redis is required: give its URL, or --local for the round that runs on this machine")
	}
	return r, nil
}

// limit is `producer limit`.
func limit(ctx context.Context, c *cli.Command) (err error) {
	r, err := readLimitRequest(c)
	if err != nil {
		return err
	}
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	rdb, err := fleet.NewRedis(r.redis, lookTimeout, r.redisFiles)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rdb.Close()) }()
	operator, err := ratelimit.NewOperator(r.egress, rdb, lookTimeout)
	if err != nil {
		return command.Usage("--egress: %w", err)
	}
	if err := fleet.AwaitRedis(ctx, rdb, c.Duration("connect-timeout"), log); err != nil {
		return err
	}
	var all view.Limit
	look := r.hold == 0 && !r.release // a hold or a release concerns only its own bucket
	if look {
		all = r.lookAround(ctx, rdb, log)
	}
	if look && (all.Bucket != nil || !c.IsSet("egress") && len(all.Egresses) > 0) {
		return printAnswer(c, all, page.Limit)
	}
	state, err := r.carryOut(ctx, operator)
	if err != nil {
		return r.explain(ctx, rdb, operator, err)
	}
	bucket := view.BucketOf(state)
	if !look {
		return printAnswer(c, bucket, func(w io.Writer, b view.Bucket) error { return page.Bucket(w, b, r.did(b, time.Now())) })
	}
	all.Bucket = &bucket // listing the buckets has failed, but this one could be read
	return printAnswer(c, all, page.Limit)
}

// lookAround reads all buckets and the declared egresses. Either may fail: the answer
// then lacks it and the log says why, because the bucket of --egress can still be
// shown.
func (r limitRequest) lookAround(ctx context.Context, rdb redis.UniversalClient, log *slog.Logger) view.Limit {
	buckets, err := ratelimit.Buckets(ctx, rdb, lookTimeout)
	if err != nil {
		log.WarnContext(ctx, "the buckets of other egresses cannot be listed", "error", err)
	}
	declared, err := r.declared(ctx, log)
	if err != nil {
		log.WarnContext(ctx, "the declared egresses cannot be read", "error", err)
	}
	return view.LimitOf(buckets, declared, r.egress)
}

// declared reads the declared egresses from NATS; none without --nats. The URL may
// come from the environment, so an unreachable server costs lookTimeout at most.
func (r limitRequest) declared(ctx context.Context, log *slog.Logger) (job.Egresses, error) {
	if r.nats == "" {
		return job.Egresses{}, nil
	}
	nc, err := fleet.ConnectNATS(ctx, r.nats, "producer-limit", jobstream.ConnectConfig{
		Wait:    lookTimeout,
		Setting: "a look",
		Log:     log,
		Files:   r.natsFiles,
	})
	if err != nil {
		return job.Egresses{}, err
	}
	defer nc.Close()
	return jobstream.DeclaredEgresses(ctx, nc)
}

// carryOut sets or releases the hold, if that is asked for, and returns the bucket as
// it is afterwards. A bucket that only a look would show must exist: looking creates
// none.
func (r limitRequest) carryOut(ctx context.Context, operator *ratelimit.Operator) (state ratelimit.State, err error) {
	switch {
	case r.hold > 0:
		state, err = operator.Hold(ctx, r.hold)
	case r.release:
		state, err = operator.Release(ctx)
	default:
		state, err = operator.State(ctx)
		if err == nil && !state.Known {
			err = ratelimit.ErrNoBucket
		}
	}
	return state, err
}

// did says what a hold or a release has done, and what still stops the egress. A hold
// never shortens another one, so that two operators do not undo each other; a cool-down
// is the mirror's demand, which no operator can end. Another operator may set a hold
// between a release and the look at the bucket.
func (r limitRequest) did(b view.Bucket, now time.Time) string {
	until := func(seconds float64) string {
		at := now.Add(time.Duration(seconds * float64(time.Second))).UTC().Format(view.InstantLayout)
		return fmt.Sprintf("until %s (%s more)", at, page.Length(seconds))
	}
	var text string
	switch {
	case r.release && b.Hold > 0:
		text = fmt.Sprintf("The hold is released, but somebody has set another one on egress %s: %s.", b.Egress, until(b.Hold))
	case r.release && b.CoolDown <= 0:
		return fmt.Sprintf("The hold is released: nothing stops egress %s now.", b.Egress)
	case r.release:
		text = "The hold is released."
	case b.Hold > r.hold.Seconds():
		text = fmt.Sprintf("Egress %s already has a hold that ends later than %s from now, and that hold stays: %s. "+
			"producer limit --release ends it.",
			b.Egress, r.hold, until(b.Hold))
	default:
		text = fmt.Sprintf("Egress %s is held %s.", b.Egress, until(b.Hold))
	}
	if b.CoolDown > b.Hold {
		text += fmt.Sprintf(" Egress %s stays stopped %s: the mirror asked for this cool-down, and no operator can end it.",
			b.Egress, until(b.CoolDown))
	}
	return text
}

// explain makes wrong usage of what the caller can correct: a release without a hold,
// and an egress without a bucket, which is most often a misspelt name. The buckets that
// exist are listed for that reason.
func (r limitRequest) explain(ctx context.Context, rdb redis.UniversalClient, operator *ratelimit.Operator, err error) error {
	switch {
	case errors.Is(err, ratelimit.ErrNotHeld):
		return command.Usage("--release: egress %s is not held%s", r.egress, stillCooling(ctx, operator))
	case !errors.Is(err, ratelimit.ErrNoBucket):
		return fmt.Errorf("egress %s: %w", r.egress, ratelimit.Trouble(err))
	}
	buckets, err := ratelimit.Buckets(ctx, rdb, lookTimeout)
	if err != nil {
		return fmt.Errorf("egress %s has no bucket: %w", r.egress, err)
	}
	known := "no egress has one in this Redis"
	if len(buckets) > 0 {
		var names []string
		for _, b := range buckets[:min(len(buckets), view.MaxListed)] {
			names = append(names, b.Egress)
		}
		known = "in this Redis there are " + strings.Join(names, ", ")
	}
	return command.Usage("--egress %s has no bucket: no process has asked it for a permit yet; %s", r.egress, known)
}

// stillCooling explains why an egress without a hold still sends nothing; "" if it
// does not cool down.
func stillCooling(ctx context.Context, operator *ratelimit.Operator) string {
	state, err := operator.State(ctx)
	if err != nil || state.CoolDown <= 0 {
		return ""
	}
	return fmt.Sprintf("; it cools down for %s more, because the mirror asked for it, and no operator can end that",
		page.Length(state.CoolDown.Seconds()))
}
