package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/schedule"
	"mirrorfleet/producer/session"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/secret"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "run scoring rounds on schedule, one producer active and others standing by",
		Description: "It runs until SIGTERM or SIGINT. A standby, or the next start, resumes a round that is under way then.\n" +
			"With --once it begins one round of the schedule at once and ends with it, without a warm-up; the flags of the schedule\n" +
			"do nothing then. It refuses to begin one beside another active producer, or while the schedule is paused (exit code 2).\n" +
			"Exit code 0 when it was stopped, 2 for wrong usage; with --once 0 only for a complete round, 1 for any other.\n\n" +
			"Examples:\n" +
			"  producer serve --nats nats://nats:4222 --redis redis://redis:6379/0 \\\n" +
			"      --tokens miner_pats.json --metagraph metagraph.json \\\n" +
			"      --registry master_repositories.json --api 127.0.0.1:8440\n" +
			"  producer serve --once --nats nats://nats:4222 --redis redis://redis:6379/0 \\\n" +
			"      --tokens miner_pats.json --metagraph metagraph.json \\\n" +
			"      --registry master_repositories.json\n" +
			"  producer serve --local --tokens miner_pats.json --metagraph metagraph.json \\\n" +
			"      --registry master_repositories.json --cron \"0 */2 * * *\"",
		Flags: slices.Concat(minerFlags(), scheduleFlags(), []cli.Flag{&cli.BoolFlag{
			Name:     "once",
			Category: groupSchedule,
			Sources:  command.Env("once"),
			Usage:    "run one round at once, and end with it",
		}},
			warmUpFlags("how long before a turn workers begin to fetch the files that the score cache lacks; 0 is never", 0),
			only(slices.Concat(roundFlags(), localFlags()),
				"registry", "weights", "unloadable", "local", "state", "workers"),
			otherFlags(), signingFlags(), command.Servers(), command.Streams(), command.Mirror(), []cli.Flag{allIssuesFlag()},
			command.Limit(), command.Background(), egressFlags(), command.WhoAmI(), command.Observability(), command.Listen(),
			only(traceFlags(), "jaeger"), apiFlags()),
		Action: serve,
	}
}

// serve is `producer serve`. After a signal it returns nil, whatever the signal has
// interrupted: being stopped is not a failure, and supervisors restart on one.
func serve(ctx context.Context, c *cli.Command) error {
	o, err := readServeOptions(c, time.Now())
	if err != nil {
		return err
	}
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	// The API needs servers that the session opens in Serve, so it is given as a function.
	serving := func(cfg *session.Config) error {
		cfg.StartAPI = func(ctx context.Context, f *fleet.Fleet, orders session.Orders) (func() error, error) {
			return startAPI(ctx, c, o.options, f, orders, log)
		}
		return nil
	}
	return o.inSession(ctx, c, log, serving, func(s *session.Session) error {
		if c.Bool("once") {
			return serveOnce(ctx, s, o.ServeConfig, log)
		}
		if err := s.Serve(ctx, o.ServeConfig); err != nil && ctx.Err() == nil {
			return err
		}
		tellStopped(context.WithoutCancel(ctx), s, log) // ctx has ended, and this asks NATS once more
		return nil
	})
}

// serveOnce runs one round and prints its outcome. The error of an incomplete round is
// silent: the page says what is missing.
func serveOnce(ctx context.Context, s *session.Session, cfg session.ServeConfig, log *slog.Logger) error {
	result, err := s.ServeOnce(ctx, cfg)
	switch {
	case err != nil && ctx.Err() != nil:
		tellStopped(context.WithoutCancel(ctx), s, log)
		return command.ErrInterrupted
	case err != nil:
		return err
	}
	if err := page.Result(os.Stdout, result); err != nil {
		return err
	}
	if !result.Complete {
		return command.Silent(fmt.Errorf("round %s is not complete", result.Round))
	}
	return nil
}

// tellStopped logs what a signal has interrupted, and who continues it.
func tellStopped(ctx context.Context, s *session.Session, log *slog.Logger) {
	rounds, led := s.UnderWay(ctx, time.Now())
	if len(rounds) == 0 {
		log.InfoContext(ctx, page.Idle(led))
	}
	for _, left := range rounds {
		log.InfoContext(ctx, page.AfterServe(left), "round", left.Round)
	}
}

// scheduleFlags say when rounds begin, how long they may take, and how long they are
// kept. The ages in docs/validator.md assume a round every two hours, the default.
func scheduleFlags() []cli.Flag {
	atLeast := func(minimum time.Duration, zero string) func(time.Duration) error {
		return func(d time.Duration) error {
			if d >= minimum || d == 0 && zero != "" {
				return nil
			}
			return fmt.Errorf("%s: want at least %s%s", d, minimum, zero)
		}
	}
	return []cli.Flag{
		&cli.DurationFlag{
			Name:      "every",
			Category:  groupSchedule,
			Sources:   command.Env("every"),
			Value:     2 * time.Hour,
			Usage:     "time from the beginning of one round to the beginning of the next",
			Validator: atLeast(time.Second, ""),
		},
		&cli.StringFlag{
			Name:     "cron",
			Category: groupSchedule,
			Sources:  command.Env("cron"),
			Usage:    "begin rounds at the instants of a cron `EXPRESSION` instead, such as \"0 */2 * * *\"",
		},
		&cli.StringFlag{
			Name:     "timezone",
			Category: groupSchedule,
			Sources:  command.Env("timezone"),
			Value:    "UTC",
			Usage:    "time `ZONE` of --cron, such as Europe/Berlin",
		},
		&cli.DurationFlag{
			Name:      "overdue",
			Category:  groupSchedule,
			Sources:   command.Env("overdue"),
			Value:     2 * time.Hour,
			Usage:     "how long a round may take before it is concluded with what it has; 0 sets no limit",
			Validator: atLeast(time.Second, ", or 0 for no limit"),
		},
		&cli.DurationFlag{
			Name:      "keep",
			Category:  groupSchedule,
			Sources:   command.Env("keep"),
			Value:     30 * 24 * time.Hour,
			Usage:     "how long rounds are kept; the last concluded one is always kept; 0 keeps all",
			Validator: atLeast(time.Hour, ", or 0 to keep all"),
		},
	}
}

// serveOptions are the flags of serve, checked together.
type serveOptions struct {
	options
	session.ServeConfig
}

// readServeOptions reads and checks the flags and the files that they name. A file that
// is missing or refused at the start is wrong usage, so that a bad installation does not
// start; one that becomes so later only postpones rounds.
func readServeOptions(c *cli.Command, now time.Time) (serveOptions, error) {
	o := serveOptions{
		options: options{
			local:   c.Bool("local"),
			state:   c.String("state"),
			workers: c.Int("workers"),
			mirror:  c.String("mirror"),
			files: session.InputFiles{
				Registry: c.String("registry"), Weights: c.String("weights"), Unloadable: nonEmpty(c.StringSlice("unloadable")),
			},
		},
		ServeConfig: session.ServeConfig{
			Tokens:          c.String("tokens"),
			Metagraph:       c.String("metagraph"),
			MetagraphMaxAge: c.Duration("metagraph-max-age"),
			GitHub:          c.String("github"),
			Overdue:         c.Duration("overdue"),
			Keep:            c.Duration("keep"),
			WarmUp:          c.Duration("warm-up"),
			WarmUpShare:     c.Float("warm-up-share"),
		},
	}
	if err := o.check(c); err != nil {
		return o, err
	}
	// All three are read again for each round. Only now can a wrong path still be told to the
	// person who has typed it.
	for _, file := range []struct{ flag, path string }{{"tokens", o.Tokens}, {"metagraph", o.Metagraph}, {"registry", o.files.Registry}} {
		if file.path == "" {
			return o, command.Usage("--%s is required: --tokens and --metagraph say which miners are scored, --registry for which repositories",
				file.flag)
		}
		if _, err := os.Stat(file.path); err != nil {
			return o, command.Usage("--%s: %w: give the path of a file that is there; deploy/compose.yaml takes it from the folder INPUTS",
				file.flag, err)
		}
	}
	if err := secret.Check(o.Tokens); err != nil {
		return o, command.Usage("--tokens: %w", err)
	}
	if _, err := readAPI(c); err != nil {
		return o, err
	}
	// Planning with no miners checks the registry and the weights.
	if _, err := o.files.PlanOf([]input.Miner{}, o.mirror, now); err != nil {
		return o, err
	}
	var err error
	o.Schedule, err = readSchedule(c)
	return o, err
}

// readSchedule reads --every or --cron with --timezone.
func readSchedule(c *cli.Command) (schedule.Schedule, error) {
	expression := c.String("cron")
	switch {
	case expression != "" && c.IsSet("every"):
		return schedule.Schedule{}, command.Usage("--every and --cron exclude each other: give one")
	case expression == "" && c.IsSet("timezone"):
		return schedule.Schedule{}, command.Usage("--timezone needs --cron: an interval has no time zone")
	case expression == "":
		s, err := schedule.Every(c.Duration("every"))
		if err != nil {
			return s, command.Usage("--every: %w", err)
		}
		return s, nil
	}
	zone, err := time.LoadLocation(c.String("timezone"))
	if err != nil {
		return schedule.Schedule{}, command.Usage("--timezone %q: want a name such as UTC or Europe/Berlin", c.String("timezone"))
	}
	s, err := schedule.Cron(expression, zone)
	if err != nil {
		return s, command.Usage("--cron %q: %w", expression, err)
	}
	return s, nil
}
