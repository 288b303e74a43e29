package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/mirrorsim/gitworld"
)

// Groups of flags in --help.
const (
	groupWorld  = "The world"
	groupServe  = "Serving it"
	groupLimit  = "The limit in front"
	groupFaults = "Latency and faults"
)

// env is a flag's environment variable: MIRRORFLEET_SIM_ and its name.
func env(flag string) cli.ValueSourceChain { return command.Env("sim-" + flag) }

// flags are all flags, each in its group of --help.
func flags() []cli.Flag { return slices.Concat(worldFlags(), serverFlags(), answerFlags()) }

// worldFlags choose the world that is served.
func worldFlags() []cli.Flag {
	return []cli.Flag{
		command.Offers(&cli.StringFlag{
			Name:     "world",
			Category: groupWorld,
			Sources:  env("world"),
			Value:    "demo",
			Usage:    "the `WORLD` to serve: demo, git:DIR[,DIR…] or case:FILE",
		}, "demo"),
		&cli.Uint64Flag{
			Name:     "seed",
			Category: groupWorld,
			Sources:  env("seed"),
			Value:    1,
			Usage:    "decides faults, latencies and the phases of the limit's windows",
		},
		&cli.IntFlag{
			Name:      "git-pulls",
			Category:  groupWorld,
			Sources:   env("git-pulls"),
			Value:     400,
			Usage:     "pull requests to take from each git history, the latest ones",
			Validator: atLeast(1),
		},
		&cli.BoolFlag{
			Name:     "git-keep-dates",
			Category: groupWorld,
			Sources:  env("git-keep-dates"),
			Usage:    "keep the dates of git histories, even outside the lookback",
		},
		&cli.IntFlag{
			Name:      "case-round",
			Category:  groupWorld,
			Sources:   env("case-round"),
			Value:     0,
			Usage:     "`N`th round of a case, counted from 0",
			Validator: atLeast(0),
		},
		command.Offers(&cli.StringFlag{
			Name:     "case-fault",
			Category: groupWorld,
			Sources:  env("case-fault"),
			Value:    "500",
			Usage:    "`KIND` of fault (see --fault) that a case's failed requests meet; 500 is tried again, 400 is final",
		}, mirrorsim.FaultNames()...),
	}
}

// serverFlags say how.
func serverFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name:     "addr",
			Category: groupServe,
			Sources:  env("addr"),
			Value:    "127.0.0.1:0",
			Usage:    "`HOST:PORT` to listen on; port 0 takes a free one",
		},
		&cli.StringFlag{
			Name:     "write",
			Category: groupServe,
			Sources:  env("write"),
			Usage:    "`DIR` to write miners.json and master_repositories.json into; none are written without it",
		},
		&cli.BoolFlag{
			Name:     "own-user",
			Category: groupServe,
			Sources:  env("own-user"),
			Usage:    "answer only the user that runs it, no other of this machine (Linux; on an IPv4 loopback address)",
		},
		&cli.BoolFlag{
			Name:     "exit-with-stdin",
			Category: groupServe,
			Sources:  env("exit-with-stdin"),
			Usage:    "end when standard input ends",
		},
	}
}

// answerFlags are the limit that it answers behind, and what goes wrong with its answers.
func answerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{
			Name:      "limit",
			Category:  groupLimit,
			Sources:   env("limit"),
			Value:     mirrorsim.RealLimit,
			Usage:     "requests let through in a window; 0 for no limit",
			Validator: atLeast(0),
		},
		&cli.DurationFlag{
			Name:      "window",
			Category:  groupLimit,
			Sources:   env("window"),
			Value:     mirrorsim.RealWindow,
			Usage:     "length of a window",
			Validator: command.Positive,
		},
		&cli.DurationFlag{
			Name:      "mitigation",
			Category:  groupLimit,
			Sources:   env("mitigation"),
			Value:     mirrorsim.RealMitigation,
			Usage:     "how long every request is refused after the limit was exceeded",
			Validator: command.Positive,
		},
		&cli.StringFlag{
			Name:     "latency",
			Category: groupFaults,
			Sources:  env("latency"),
			Value:    "0s",
			Usage:    "`LATENCY` before each answer: 50ms, uniform:20ms,200ms or lognormal:80ms,0.5 (median, sigma)",
		},
		&cli.StringSliceFlag{
			Name:     "fault",
			Category: groupFaults,
			Sources:  env("fault"),
			Usage: "`KIND=PROBABILITY` of a fault, repeatable, or several with commas: 5xx, reset, stall, cut, malformed, html, " +
				"no-files, some-files or no-texts (half-written files), or a status: 400, 429, 500, 502, 503, 520 to 524",
		},
		&cli.DurationFlag{
			Name:      "stall",
			Category:  groupFaults,
			Sources:   env("stall"),
			Value:     time.Minute,
			Usage:     "how long a stalled request is held before its connection is reset",
			Validator: command.Positive,
		},
	}
}

// atLeast refuses lower numbers.
func atLeast(minimum int) func(int) error {
	return func(n int) error {
		if n < minimum {
			return fmt.Errorf("%d: want %d or more", n, minimum)
		}
		return nil
	}
}

// settings are the server's part of the flags.
func settings(cmd *cli.Command) (mirrorsim.Config, error) {
	latency, err := mirrorsim.ParseLatency(cmd.String("latency"))
	if err != nil {
		return mirrorsim.Config{}, command.Usage("--latency: %w", err)
	}
	faults := map[mirrorsim.Fault]float64{}
	// Commas may also stand between faults, for the environment variable.
	for text := range strings.SplitSeq(strings.Join(cmd.StringSlice("fault"), ","), ",") {
		if text == "" {
			continue
		}
		fault, probability, err := mirrorsim.ParseFault(text)
		if err != nil {
			return mirrorsim.Config{}, command.Usage("--fault: %w", err)
		}
		faults[fault] += probability
	}
	total := 0.0
	for _, probability := range faults {
		total += probability
	}
	if total > 1 {
		return mirrorsim.Config{}, command.Usage("--fault: probabilities add up to %g, want 1 at most", total)
	}
	return mirrorsim.Config{
		Addr:       cmd.String("addr"),
		OwnUser:    cmd.Bool("own-user"),
		Limit:      cmd.Int("limit"),
		Window:     cmd.Duration("window"),
		Mitigation: cmd.Duration("mitigation"),
		Latency:    latency,
		Faults:     faults,
		Stall:      cmd.Duration("stall"),
		Seed:       cmd.Uint64("seed"),
	}, nil
}

// makeWorld makes what --world names.
func makeWorld(ctx context.Context, cmd *cli.Command) (*mirrorsim.World, error) {
	name := cmd.String("world")
	kind, argument, _ := strings.Cut(name, ":")
	var world *mirrorsim.World
	var err error
	switch {
	case name == "demo":
		world, err = mirrorsim.Demo()
	case kind == "git" && argument != "":
		world, err = gitworld.New(ctx, gitworld.Config{
			Dirs: strings.Split(argument, ","), Pulls: cmd.Int("git-pulls"), KeepDates: cmd.Bool("git-keep-dates"),
		})
	case kind == "case" && argument != "":
		world, err = makeCase(argument, cmd.Int("case-round"))
	default:
		return nil, command.Usage("--world %q: want demo, git:DIR[,DIR…] or case:FILE", name)
	}
	if err != nil {
		return nil, command.Usage("--world %s: %w", name, err)
	}
	if err := world.FailWith(mirrorsim.Fault(cmd.String("case-fault"))); err != nil {
		return nil, errors.Join(command.Usage("--case-fault: %w", err), world.Close())
	}
	return world, nil
}

// makeCase makes one round of a case file.
func makeCase(file string, round int) (*mirrorsim.World, error) {
	c, err := mirrorsim.ReadCase(file)
	if err != nil {
		return nil, err
	}
	return c.World(round)
}
