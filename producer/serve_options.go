package main

import (
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/schedule"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/secret"
)

const (
	groupMiners   = "The miners"
	groupSchedule = "The schedule"
)

// serveFlags are what `producer serve` has for itself.
func serveFlags() []cli.Flag {
	atLeast := func(least time.Duration, zero string) func(time.Duration) error {
		return func(d time.Duration) error {
			if d >= least || d == 0 && zero != "" {
				return nil
			}
			return fmt.Errorf("%s: want at least %s%s", d, least, zero)
		}
	}
	return []cli.Flag{
		&cli.StringFlag{
			Name: "tokens", Category: groupMiners, Sources: command.Env("tokens"),
			Usage: "`FILE` of the access tokens that the validator has stored: a JSON list of uid, hotkey, pat, github_id",
		},
		&cli.StringFlag{
			Name: "metagraph", Category: groupMiners, Sources: command.Env("metagraph"),
			Usage: "`FILE` with an export of the metagraph: JSON, uid to hotkey",
		},
		&cli.DurationFlag{
			Name: "metagraph-max-age", Category: groupMiners, Sources: command.Env("metagraph-max-age"), Value: 6 * time.Hour,
			Usage: "how old that export may be; an older one puts the round off", Validator: atLeast(time.Second, ""),
		},
		&cli.StringFlag{
			Name: "github", Category: groupMiners, Sources: command.Env("github"), Value: miners.DefaultGitHub,
			Usage: "base `URL` of GitHub's API, which says whose account a token is",
		},
		&cli.DurationFlag{
			Name: "every", Category: groupSchedule, Sources: command.Env("every"), Value: 2 * time.Hour,
			Usage: "time from the beginning of one round to the beginning of the next", Validator: atLeast(time.Second, ""),
		},
		&cli.StringFlag{
			Name: "cron", Category: groupSchedule, Sources: command.Env("cron"),
			Usage: "begin rounds at the instants of a cron `EXPRESSION` instead, such as \"0 */2 * * *\"",
		},
		&cli.StringFlag{
			Name: "timezone", Category: groupSchedule, Sources: command.Env("timezone"), Value: "UTC",
			Usage: "time `ZONE` of --cron, such as Europe/Berlin",
		},
		&cli.DurationFlag{
			Name: "overdue", Category: groupSchedule, Sources: command.Env("overdue"), Value: 2 * time.Hour,
			Usage:     "how long a round may take before it is concluded with what there is; 0 is as long as it takes",
			Validator: atLeast(time.Second, ", or 0 for as long as it takes"),
		},
		&cli.DurationFlag{
			Name: "keep", Category: groupSchedule, Sources: command.Env("keep"), Value: 30 * 24 * time.Hour,
			Usage:     "how long rounds are kept; the last concluded one is kept longer; 0 keeps all",
			Validator: atLeast(time.Hour, ", or 0 to keep all"),
		},
	}
}

// serveOptions is what the flags say, checked together.
type serveOptions struct {
	options

	tokens, metagraph string
	metagraphMaxAge   time.Duration
	github            string
	schedule          schedule.Schedule
	overdue, keep     time.Duration
}

func readServeOptions(c *cli.Command, now time.Time) (serveOptions, error) {
	o := serveOptions{
		options: options{
			local: c.Bool("local"), state: c.String("state"), workers: c.Int("workers"), mirror: c.String("mirror"),
			files: inputFiles{registry: c.String("registry"), weights: c.String("weights"), unloadable: nonEmpty(c.StringSlice("unloadable"))},
		},
		tokens: c.String("tokens"), metagraph: c.String("metagraph"), metagraphMaxAge: c.Duration("metagraph-max-age"),
		github: c.String("github"), overdue: c.Duration("overdue"), keep: c.Duration("keep"),
	}
	if err := o.check(c); err != nil {
		return o, err
	}
	for _, file := range []struct{ flag, path string }{{"tokens", o.tokens}, {"metagraph", o.metagraph}, {"registry", o.files.registry}} {
		if file.path == "" {
			return o, command.Usage("--%s is required: --tokens, --metagraph and --registry say who is scored, and in what", file.flag)
		}
		if _, err := os.Stat(file.path); err != nil {
			return o, command.Usage("--%s: %w", file.flag, err)
		}
	}
	if err := secret.Check(o.tokens); err != nil {
		return o, command.Usage("--tokens: %w", err)
	}
	if _, err := readAPI(c); err != nil {
		return o, err
	}
	// What is wrong from the start is said at once; later it puts a round off.
	if _, err := o.plan([]input.Miner{}, now); err != nil {
		return o, err
	}
	var err error
	o.schedule, err = readSchedule(c)
	return o, err
}

func readSchedule(c *cli.Command) (schedule.Schedule, error) {
	expression := c.String("cron")
	switch {
	case expression != "" && c.IsSet("every"):
		return schedule.Schedule{}, command.Usage("--every and --cron exclude each other: give one")
	case expression == "" && c.IsSet("timezone"):
		return schedule.Schedule{}, command.Usage("--timezone is of --cron: an interval has no time zone")
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
