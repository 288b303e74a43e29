package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/page"
	"mirrorfleet/producer/session"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

const groupDoctor = "Checks"

// lookedAtFlags say what is looked at beside the servers, and for how long.
func lookedAtFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name:     "worker-nats",
			Category: groupDoctor,
			Sources:  command.Env("worker-nats"),
			Usage:    "`URL` that workers are given, if they log in as another user than --nats does",
		},
		&cli.StringFlag{
			Name:      "worker-nats-creds",
			Category:  groupDoctor,
			Sources:   command.Env("worker-nats-creds"),
			TakesFile: true,
			Usage:     "`FILE` that workers are given as --nats-creds",
		},
		&cli.StringFlag{
			Name:      "worker-nats-nkey",
			Category:  groupDoctor,
			Sources:   command.Env("worker-nats-nkey"),
			TakesFile: true,
			Usage:     "`FILE` that workers are given as --nats-nkey",
		},
		&cli.StringFlag{
			Name:     "grammars",
			Category: groupDoctor,
			Sources:  command.Env("grammars"),
			Usage:    "`DIR` with the parser and its grammars; without it the one beside the worker",
		},
		&cli.StringFlag{
			Name:     "tokens",
			Category: groupDoctor,
			Sources:  command.Env("tokens"),
			Usage:    "`FILE` of the miners' stored access tokens: it must parse as for serve, and other users must not read it",
		},
		&cli.StringFlag{
			Name:     "metagraph",
			Category: groupDoctor,
			Sources:  command.Env("metagraph"),
			Usage:    "`FILE` with the export of the metagraph: it must parse as for serve, and be no older than --metagraph-max-age",
		},
		&cli.DurationFlag{
			Name:      "connect-timeout",
			Category:  groupDoctor,
			Sources:   command.Env("connect-timeout"),
			Value:     doctor.DefaultWait,
			Usage:     "how long to retry a server that cannot be reached",
			Validator: command.Positive,
		},
		&cli.DurationFlag{
			Name:     "check-timeout",
			Category: groupDoctor,
			Sources:  command.Env("check-timeout"),
			Value:    30 * time.Second,
			Usage:    "how long each check may take; they run side by side",
		},
	}
}

func doctorCommand() *cli.Command {
	flags := slices.Concat(lookedAtFlags(), only(slices.Concat(minerFlags(), roundFlags()),
		"metagraph-max-age", "miners", "registry", "weights", "unloadable"),
		lookFlags("check what local rounds need, and the servers of the round that runs on --state"),
		only(slices.Concat(localFlags(), command.Servers(), command.Streams()),
			slices.Concat([]string{"workers", "nats", "redis", "replicas", "lease"}, command.NATSFiles(), command.RedisFiles())...))
	return &cli.Command{
		Name:  "doctor",
		Usage: "check everything that an installation needs, and say how to fix each fault",
		Description: "It changes nothing that a round uses. It takes one permit, sends one request to the mirror with it, and writes\n" +
			"two bytes under one key of two buckets, to see whether NATS confirms writes.\n" +
			"Exit code 0 when all is well, warnings allowed; 1 when there is a fault; 2 for wrong usage.\n\n" +
			"Examples:\n" +
			"  producer doctor --nats nats://nats:4222 --nats-creds producer.creds \\\n" +
			"      --worker-nats-creds worker.creds --redis redis://redis:6379/0 \\\n" +
			"      --egress eu-1 --miners miners.json --registry master_repositories.json\n" +
			"  producer doctor --local",
		Flags:  slices.Concat(flags, command.Mirror(), command.Limit(), egressFlags(), command.Observability()),
		Action: examine,
	}
}

// examine is `producer doctor`. The log level is checked and nothing is logged: every
// finding is on standard output. Faults set exit code 1 without a further message.
func examine(ctx context.Context, c *cli.Command) error {
	if _, err := fleet.Logger(c, os.Stderr); err != nil {
		return err
	}
	checks, err := checksOf(c)
	if err != nil {
		return err
	}
	found := doctor.Run(ctx, checks, c.Duration("check-timeout"))
	if ctx.Err() != nil {
		return command.ErrInterrupted
	}
	diagnosis := doctor.Diagnose(found)
	if err = printAnswer(c, diagnosis, page.Diagnosis); err == nil && diagnosis.Faults > 0 {
		return command.Silent(errors.New(plural.Of(diagnosis.Faults, "fault")))
	}
	return err
}

// checksOf returns the checks that the flags ask for, in the order in which they are
// printed. They run side by side: a check that another one decides (the clocks need
// what the mirror check has measured) waits for it on a channel.
func checksOf(c *cli.Command) ([]doctor.Check, error) {
	o := commonOptions(c)
	if err := o.check(c); err != nil {
		return nil, err
	}
	if c.Duration("check-timeout") < time.Second { // in less, a slow answer would count as none
		return nil, command.Usage("--check-timeout %s: want at least 1s", c.Duration("check-timeout"))
	}
	quiet := slog.New(slog.DiscardHandler) // each finding already says what the adapters would log
	cfg := fleet.FromFlags(c, "producer-doctor", quiet)
	cfg.Limit.Log = quiet
	servers, err := serverChecks(c, o, &cfg)
	if err != nil {
		return nil, err
	}
	clocks := doctor.Clocks{
		NATS:       cfg.NATS,
		Redis:      cfg.Redis,
		NATSFiles:  cfg.NATSFiles,
		RedisFiles: cfg.RedisFiles,
		Wait:       cfg.ConnectTimeout,
	}
	checks := slices.Concat(servers, []doctor.Check{
		doctor.Formula(cfg.Limit), doctor.Grammars(session.Beside("worker"), c.String("grammars")),
	}, doctor.FileChecks(fileChecks(c, time.Now())))
	if o.local {
		checks = append(checks, doctor.State(o.state, local.CheckDir))
	}
	switch {
	case o.world != "": // a simulated mirror starts with the round: there is none to check now
	case cfg.Redis == "":
		checks = append(checks, doctor.NotAsked("the bucket of a local round exists only while the round runs"))
	default:
		clock := make(chan doctor.Clock, 1)
		checks = append(checks, doctor.Mirror{
			URL:   o.mirror,
			Redis: cfg.Redis,
			Files: cfg.RedisFiles,
			Limit: cfg.Limit,
			Log:   quiet,
			Now:   time.Now(),
			Clock: clock,
		}.Check())
		clocks.Mirror = clock
	}
	if !o.local { // all servers of a local round share this machine's clock
		checks = append(checks, clocks.Check())
	}
	return checks, nil
}

// serverChecks returns the checks of NATS and Redis. A local round has servers of its
// own, which can be checked only while it runs: cfg then gets their addresses. Its
// Redis is embedded, so that the checks of a production server do not apply.
func serverChecks(c *cli.Command, o options, cfg *fleet.Config) ([]doctor.Check, error) {
	setting, err := egressesOf(c)
	if err != nil {
		return nil, err
	}
	n := doctor.NATS{
		URL:         cfg.NATS,
		Worker:      cmp.Or(c.String("worker-nats"), cfg.NATS),
		Files:       cfg.NATSFiles,
		WorkerFiles: workerFiles(c, cfg.NATSFiles),
		Streams:     cfg.Streams,
		Wait:        cfg.ConnectTimeout,
		Build:       command.Build(),
	}
	if !o.local {
		return append(n.Checks(), doctor.Redis{
			URL:       cfg.Redis,
			Files:     cfg.RedisFiles,
			NATS:      cfg.NATS,
			NATSFiles: cfg.NATSFiles,
			Egresses:  setting.Names,
			Limit:     cfg.Limit,
			Wait:      cfg.ConnectTimeout,
		}.Checks()...), nil
	}
	cfg.Limit.Horizon = localHorizon(c, o.workers)
	found, err := local.Find(o.state)
	if errors.Is(err, local.ErrNotRunning) {
		return []doctor.Check{doctor.Nothing("servers", "a local round starts its own NATS and Redis")}, nil
	}
	if err != nil {
		return nil, command.Usage("--state: %w", err)
	}
	cfg.NATS, cfg.Redis = found.NATS, found.Redis
	n.URL, n.Local = found.NATS, true
	return append(n.Checks(), doctor.Redis{
		URL:      found.Redis,
		NATS:     found.NATS,
		Egresses: setting.Names,
		Limit:    cfg.Limit,
		Embedded: true,
		Wait:     cfg.ConnectTimeout,
	}.Checks()...), nil
}

// workerFiles returns the files that workers connect with: the producer's own unless a
// --worker-nats… flag is given. With one, only TLS is shared: the producer's
// credentials would answer for a user that workers do not have.
func workerFiles(c *cli.Command, own jobstream.Files) jobstream.Files {
	creds, nkey := c.String("worker-nats-creds"), c.String("worker-nats-nkey")
	if creds == "" && nkey == "" && c.String("worker-nats") == "" {
		return own
	}
	return jobstream.Files{
		Setting: "--worker-nats",
		TLS:     own.TLS,
		Creds:   creds,
		NKey:    nkey,
	}
}

// fileChecks returns one check for each file that a round reads, in the way in which
// a round reads it. A file whose flag is not given gets no line.
func fileChecks(c *cli.Command, now time.Time) []doctor.File {
	weights, unloadable := session.InputFiles{Weights: c.String("weights")}, nonEmpty(c.StringSlice("unloadable"))
	metagraph := c.String("metagraph")
	return []doctor.File{
		{Flag: "miners", Path: c.String("miners"), Parse: func(data []byte) (string, []string, error) {
			list, err := input.ParseMiners(data)
			return plural.Of(len(list), "miner"), nil, err
		}},
		{Flag: "registry", Path: c.String("registry"), Parse: func(data []byte) (string, []string, error) {
			registry, err := input.ParseRegistry(data)
			return plural.Forms(len(registry.Repositories), "repository", "repositories"), nil, err
		}},
		{Flag: "weights", Path: weights.Weight("programming_languages.json"), Parse: func(data []byte) (string, []string, error) {
			return parseWeights(data, nil, unloadable)
		}},
		{Flag: "weights", Path: weights.Weight("token_weights.json"), Parse: func(data []byte) (string, []string, error) {
			return parseWeights(nil, data, unloadable)
		}},
		{Flag: "tokens", Path: c.String("tokens"), Secret: true, Parse: func(data []byte) (string, []string, error) {
			stored, notes, err := miners.ParseTokens(data)
			return plural.Of(len(stored), "miner") + " with a token", notes, err
		}},
		{Flag: "metagraph", Path: metagraph, Parse: func(data []byte) (string, []string, error) {
			return parseMetagraph(data, metagraph, c.Duration("metagraph-max-age"), now)
		}},
	}
}

// parseMetagraph reads an export of the metagraph and checks its age. An export
// without an instant of its own is as old as its file.
func parseMetagraph(data []byte, path string, maxAge time.Duration, now time.Time) (string, []string, error) {
	m, err := miners.ParseMetagraph(data)
	if err != nil {
		return "", nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, fmt.Errorf("reading when it was written: %w", err)
	}
	return plural.Of(len(m.Hotkeys), "uid"), nil, m.TooOld(info.ModTime(), now, maxAge)
}

// parseWeights checks one of the two weights files; nil stands for the product's own.
// The parser takes both together, so that the fault is reported for the file that has
// it.
func parseWeights(languages, tokenFile []byte, unloadable []string) (string, []string, error) {
	ownLanguages, ownTokens := tokens.DefaultWeights()
	if languages == nil {
		languages = ownLanguages
	}
	if tokenFile == nil {
		tokenFile = ownTokens
	}
	weights, err := tokens.ParseWeights(languages, tokenFile)
	if err != nil {
		return "", nil, err
	}
	if _, err := weights.Without(unloadable); err != nil {
		return "", nil, fmt.Errorf("--unloadable: %w", err)
	}
	return "weights " + weights.Digest()[:12], nil, nil
}
