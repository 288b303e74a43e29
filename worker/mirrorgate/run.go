package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/listen"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/worker/mirrorgate/gateway"
)

// run is the gateway: everything is opened in order, used until a signal comes, and
// closed in the opposite order.
//
// It has no NATS, and so does not hold its egress against those that a producer has
// declared, as workers do: it is the first thing that a validator starts, when there may
// be no producer yet, and a client that takes it over should find nothing of the
// fleet behind it. Instead it warns of a name that no other process uses.
func run(ctx context.Context, c *cli.Command) (err error) {
	if c.String("redis") == "" {
		return command.Usage("--redis is required")
	}
	name := c.String("name")
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	log = log.With("gateway", name)
	observability, err := fleet.ObserveLimiter(ctx, c, "mirrorgate", name, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, observability.Close()) }()
	cfg := fleet.FromFlags(c, name, log)
	cfg.Process = "gateway " + name
	cfg.Limit.BackgroundReservations = reservations
	f, err := fleet.OpenLimiter(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	observability.Follow(f)
	warn(ctx, c, f.Limiter, log)
	meter, err := f.Limiter.Background(everything)
	if err != nil {
		return err
	}
	client, err := newClient(c, meter, log) //nolint:contextcheck // its breaker is nobody's request
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := serve(ctx, c, client, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	url := "http://" + server.Addr()
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"url": url}); err != nil {
		log.WarnContext(ctx, "nobody hears where this gateway listens", "error", err)
	}
	log.InfoContext(ctx, "passing requests on", "url", url, "mirror", c.String("mirror"), "egress", c.String("egress"))
	<-ctx.Done()
	log.InfoContext(ctx, "ending: requests under way may finish", "grace", c.Duration("drain"))
	return nil
}

// reservations is how many slots are held at once: with three, all of the background's
// minimum comes beside the eight workers of docs/limit.md.
const reservations = 3

// everything is the share of the limit that clients may have when no round wants it.
const everything = 1

// warn names settings that may be meant otherwise. A wrong --egress would be a bucket of its
// own, so that both together go over the limit of the IP.
func warn(ctx context.Context, c *cli.Command, limiter *ratelimit.Limiter, log *slog.Logger) {
	if state, err := limiter.State(ctx); err == nil && !state.Known {
		log.WarnContext(ctx, "nobody has sent from this egress yet: if there are workers behind this IP, theirs must be the same",
			"egress", c.String("egress"))
	}
	if !listen.Loopback(c.String("addr")) {
		log.WarnContext(ctx, "other machines may reach this gateway: their requests spend the egress's permits, and nothing is encrypted",
			"addr", c.String("addr"))
	}
}

func newClient(c *cli.Command, meter mirror.Meter, log *slog.Logger) (*mirror.Client, error) {
	client, err := mirror.New(mirror.Config{
		BaseURL:  c.String("mirror"),
		Meter:    meter,
		Source:   fleet.Source(c),
		PoolSize: c.Int("pool"),
		Timeout:  c.Duration("timeout"),
		Log:      log,
	})
	if err != nil {
		return nil, command.Usage("--mirror: %w", err)
	}
	return client, nil
}

// idle is how many connections there may be beside those whose requests are waited for
// or passed on: a validator opens one for each miner, and each stays for a while.
const idle = 1000

// serve listens for clients.
func serve(ctx context.Context, c *cli.Command, client *mirror.Client, log *slog.Logger) (*listen.Server, error) {
	g, err := gateway.New(gateway.Config{
		Client:     client,
		Mirror:     c.String("mirror"),
		Wait:       c.Duration("wait"),
		Waiting:    c.Int("waiting"),
		Patience:   c.Duration("patience"),
		MaxRequest: int64(c.Int("max-request")),
		MaxAnswer:  int64(c.Int("max-answer")),
		Log:        log,
	})
	if err != nil {
		return nil, err
	}
	server, err := listen.Start(ctx, listen.Config{
		Name:        "the gateway",
		Addr:        c.String("addr"),
		Handler:     g,
		Connections: idle + c.Int("waiting") + c.Int("pool"),
		// The last permit may come at the end of the wait; the client ends what takes longer.
		WriteTime: c.Duration("wait") + c.Duration("timeout") + 10*time.Second,
		Grace:     c.Duration("drain"),
		Log:       log,
	})
	if err != nil {
		return nil, command.Usage("--addr: %w", fmt.Errorf("want a free HOST:PORT of this machine: %w", err))
	}
	return server, nil
}
