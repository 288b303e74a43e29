package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"
	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/backup"
	"mirrorfleet/producer/page"
	"mirrorfleet/producer/session"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/ratelimit"
)

// withBus runs do with the streams, opened read-only, for commands that need only NATS.
// Servers on which no producer has run are wrong usage and not a failure.
func withBus(ctx context.Context, c *cli.Command, do func(context.Context, *jobstream.Bus) error) error {
	return withLoggedBus(ctx, c, os.Stderr, do)
}

// withLoggedBus is withBus with another place for the log.
func withLoggedBus(
	ctx context.Context, c *cli.Command, lines io.Writer, do func(context.Context, *jobstream.Bus) error,
) (err error) {
	if err := natsGiven(c); err != nil {
		return err
	}
	log, err := fleet.Logger(c, lines)
	if err != nil {
		return err
	}
	fleet.WarnOfLoose(ctx, c, log)
	bus, closeBus, err := openBus(ctx, c, log)
	if undeclared := neverRun(err); undeclared != nil {
		return command.Usage("there is no round yet: %w", undeclared)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBus()) }()
	return do(ctx, bus)
}

// neverRun returns the error's *jobstream.UndeclaredError if the servers have none of
// the streams, which means that no producer has run on them; nil for any other error.
// Servers that have some of the streams are damaged: that is no case of this.
func neverRun(err error) error {
	if undeclared, is := errors.AsType[*jobstream.UndeclaredError](err); is && undeclared.All {
		return undeclared
	}
	return nil
}

// openBus connects to NATS and opens the streams as a viewer, which declares nothing
// and changes no setting. With --local it uses the NATS of the process that runs on the
// state directory, or starts one there. The closer closes both.
func openBus(ctx context.Context, c *cli.Command, log *slog.Logger) (*jobstream.Bus, func() error, error) {
	keys, err := keysOf(c)
	if err != nil {
		return nil, nil, err
	}
	nats, err := natsOf(ctx, c, log, session.OpenState)
	if err != nil {
		return nil, nil, err
	}
	bus, closeBus, err := connectStreams(ctx, c, "producer-show", nats.address, nats.files, jobstream.Config{
		Role: jobstream.RoleViewer,
		Keys: keys,
		Log:  log,
	})
	if err != nil {
		return nil, nil, errors.Join(err, nats.close())
	}
	return bus, func() error { closeBus(); return nats.close() }, nil
}

// natsServers is where a command finds NATS.
type natsServers struct {
	address string
	files   jobstream.Files
	close   func() error // of what was started for it
}

// stateOpener finds or starts the servers of a directory of local rounds.
type stateOpener func(ctx context.Context, dir string, log *slog.Logger) (address string, closeServers func() error, err error)

// natsOf reads where NATS is. With --local, open finds or starts it; it needs no files.
func natsOf(ctx context.Context, c *cli.Command, log *slog.Logger, open stateOpener) (n natsServers, err error) {
	if c.Bool("local") {
		n.address, n.close, err = open(ctx, c.String("state"), log)
		return n, err
	}
	return natsServers{
		address: c.String("nats"),
		files:   fleet.NATSFiles(c),
		close:   func() error { return nil },
	}, nil
}

// connectStreams connects to NATS under a name, waiting for --connect-timeout, and opens
// the streams. The closer closes the connection.
func connectStreams(
	ctx context.Context, c *cli.Command, name, address string, files jobstream.Files, cfg jobstream.Config,
) (bus *jobstream.Bus, closeBus func(), err error) {
	cfg.Wait = c.Duration("connect-timeout")
	nc, err := fleet.ConnectNATS(ctx, address, name, jobstream.ConnectConfig{
		Wait:    cfg.Wait,
		Setting: "--connect-timeout",
		Log:     cfg.Log,
		Files:   files,
	})
	if err != nil {
		return nil, nil, err
	}
	if bus, err = fleet.OpenStreams(ctx, nc, cfg); err != nil {
		nc.Close()
		return nil, nil, err
	}
	return bus, nc.Close, nil
}

// withNATS runs do with a connection of its own, for a backup or a restore. The connection
// does not reconnect: a transfer that lost messages in between would be incomplete, so it
// fails instead and is run again. A backup or servers that are refused are wrong usage.
func withNATS(
	ctx context.Context, c *cli.Command, open stateOpener, do func(context.Context, *nats.Conn, *slog.Logger) error,
) (err error) {
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	fleet.WarnOfLoose(ctx, c, log)
	servers, err := natsOf(ctx, c, log, open)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.close()) }()
	nc, err := fleet.ConnectNATS(ctx, servers.address, "producer-"+c.Name, jobstream.ConnectConfig{
		Wait:    c.Duration("connect-timeout"),
		Setting: "--connect-timeout",
		Log:     log,
		Files:   servers.files,
		Options: []nats.Option{nats.NoReconnect()},
	})
	if err != nil {
		return err
	}
	defer nc.Close()
	err = do(ctx, nc, log)
	if errors.Is(err, backup.ErrRefused) {
		return command.UsageError{Err: err}
	}
	return err
}

// giveOrder gives an order and prints what it has done. It declares no stream, whatever its
// user may do. An order that is refused is wrong usage.
func giveOrder(ctx context.Context, c *cli.Command, give func(context.Context, *jobstream.Bus) (view.Steered, error)) error {
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error {
		did, err := give(ctx, bus)
		if no, is := errors.AsType[*steering.RefusedError](err); is {
			return command.UsageError{Err: no}
		}
		if err != nil {
			return err
		}
		return printAnswer(c, did, page.Steered)
	})
}

// notThere makes wrong usage of what was asked for and does not exist. For a round that
// was stopped before its outcome it adds the command that resumes it.
func notThere(err error) error {
	open, is := errors.AsType[*view.NotConcludedError](err)
	switch {
	case is && open.State == view.Stopped:
		return command.Usage("%w: producer run --resume %s resumes it", err, open.Round)
	case view.NotThere(err):
		return command.UsageError{Err: err}
	}
	return err
}

// printAnswer prints an answer as JSON for a program or as a page for a person. The
// JSON is that of the API, which producer/web/openapi.json describes.
func printAnswer[T any](c *cli.Command, answer T, render func(io.Writer, T) error) error {
	if c.Bool("json") {
		return page.JSON(c.Root().Writer, answer)
	}
	return render(c.Root().Writer, answer)
}

// likeFlag chooses a group of failures by what they have in common. A shell offers the groups
// of the round before it on the line; latest names that round where the line says "latest".
func likeFlag(usage string, latest func(context.Context, *jobstream.Bus) (string, error)) cli.Flag {
	return command.OffersAsked(&cli.StringFlag{
		Name:     "like",
		Category: groupRound,
		Sources:  command.Env("like"),
		Usage:    usage,
	}, func(ctx context.Context, c *cli.Command) (offers []command.Offer) {
		_ = withLoggedBus(ctx, c, io.Discard, func(ctx context.Context, bus *jobstream.Bus) (err error) {
			name := cmp.Or(c.StringArg("round"), view.Latest)
			if name == view.Latest {
				if name, err = latest(ctx, bus); err != nil {
					return err
				}
			}
			stands, err := view.RoundOf(ctx, bus, name, time.Now())
			for _, g := range stands.Groups {
				offers = append(offers, command.Offer{
					Value: g.Key,
					Usage: fmt.Sprintf("%s, %s: %s", g.Class, plural.Of(len(g.UIDs), "miner"), g.Text),
				})
			}
			return err
		})
		return offers
	})
}

// lastConcluded names the round that was concluded last.
func lastConcluded(ctx context.Context, bus *jobstream.Bus) (string, error) {
	at, err := view.Locate(ctx, bus, view.Latest, 0)
	return at.Round, err
}

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
	fleet.WarnOfLoose(ctx, c, log)
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
