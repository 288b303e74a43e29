package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/worker/evaluate"
	"mirrorfleet/worker/tokenscore"
	"mirrorfleet/worker/tokenscore/sandbox"
)

const (
	groupWork    = "Work"
	groupScoring = "Scoring"
)

func newCommand() *cli.Command {
	return &cli.Command{
		Name:  "worker",
		Usage: "take miners' jobs, evaluate them against the mirror, commit the evaluations",
		Description: "Every worker of one egress sends from the same public IP and shares one bucket in Redis.\n" +
			"SIGTERM drains: no more jobs are taken, what can end within the grace time ends, the rest is handed back.\n" +
			"A second one hands everything back at once, a third one ends the process.\n\n" +
			"Examples:\n" +
			"  worker --nats nats://nats:4222 --redis redis://redis:6379/0 --egress eu-1\n" +
			"  worker --config fleet.yaml --slots 8 --listen :9464",
		Flags:    flags(),
		Action:   run,
		Commands: []*cli.Command{checkCommand(), scoreCommand(), filesCommand()},
	}
}

func flags() []cli.Flag {
	return slices.Concat(command.Servers(), command.Limit(), command.Background(), command.WhoAmI(), command.Mirror(),
		workFlags(), scoringFlags(),
		command.Observability(), command.Listen())
}

func workFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name:        "name",
			Category:    groupWork,
			Sources:     command.Env("name"),
			Value:       defaultName(),
			DefaultText: "host-pid",
			Usage:       "`NAME` of this process in records and logs",
		},
		&cli.IntFlag{
			Name:      "slots",
			Category:  groupWork,
			Sources:   command.Env("slots"),
			Value:     4,
			Usage:     "jobs evaluated at once",
			Validator: command.AtLeast(1),
		},
		&cli.DurationFlag{
			Name:     "grace",
			Category: groupWork,
			Sources:  command.Env("grace"),
			Value:    20 * time.Second,
			Usage:    "how long a drain waits for jobs to end before it hands them back",
		},
		&cli.StringFlag{
			Name:      "retry-delays",
			Category:  groupWork,
			Sources:   command.Env("retry-delays"),
			Value:     "2s,8s,30s", // a job has job.MaxFailures, so one wait fewer
			Usage:     "`DURATIONS` of the waits after a job's first, second and third failure, each spread by a fifth up and down",
			Validator: func(text string) error { _, err := delays(text); return err },
		},
		&cli.BoolFlag{
			Name:     "exit-with-stdin",
			Category: groupWork,
			Hidden:   true,
			Usage:    "drain when standard input ends, because the process that started this one is gone",
		},
	}
}

// parserFlags are for commands that parse without being a worker of the fleet.
func parserFlags() []cli.Flag {
	return slices.DeleteFunc(scoringFlags(), func(f cli.Flag) bool {
		return !slices.Contains([]string{"grammars", "sandbox"}, f.Names()[0])
	})
}

func scoringFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name:        "grammars",
			Category:    groupScoring,
			Sources:     command.Env("grammars"),
			Value:       besideBinary("grammars"),
			DefaultText: "beside the binary",
			Usage:       "`DIR` with the parser and its grammars, as make grammars builds it",
		},
		&cli.IntFlag{
			Name:        "children",
			Category:    groupScoring,
			Sources:     command.Env("children"),
			Value:       runtime.NumCPU(),
			DefaultText: "one per core",
			Usage:       "token-scoring child processes",
			Validator:   command.AtLeast(1),
		},
		command.Offers(&cli.StringFlag{
			Name:      "sandbox",
			Category:  groupScoring,
			Sources:   command.Env("sandbox"),
			Value:     string(sandbox.Auto),
			Usage:     "`MODE` in which the kernel holds a token-scoring child: auto (by what it has), required or off",
			Validator: func(text string) error { return sandbox.Mode(text).Check() },
		}, string(sandbox.Auto), string(sandbox.Required), string(sandbox.Off)),
		&cli.DurationFlag{
			Name:      "miner-budget",
			Category:  groupScoring,
			Sources:   command.Env("miner-budget"),
			Value:     evaluate.DefaultMinerBudget,
			Usage:     "processor time that scoring all files of a miner may take; files that remain then count as out of time",
			Validator: command.AtLeast(tokenscore.DefaultBudget), // what one pull request has
		},
	}
}

// scoreCommand is the token-scoring child process; the worker starts it. Its flags
// have no variables: strangers' files are parsed here, so its environment holds nothing of the
// worker's.
func scoreCommand() *cli.Command {
	return &cli.Command{
		Name:   "score",
		Usage:  "the token-scoring child process of a worker: frames on standard input and output",
		Hidden: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "grammars", Required: true, Usage: "`DIR` with the parser and its grammars"},
			&cli.StringFlag{Name: "sandbox", Usage: "as the worker has it"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			return tokenscore.Serve(ctx, os.Stdin, os.Stdout, tokenscore.ChildConfig{
				Grammars: c.String("grammars"), Sandbox: sandbox.Mode(c.String("sandbox")),
			})
		},
	}
}

// delays reads the waits between attempts. 0 is allowed: a trial may want no waits.
func delays(text string) ([]time.Duration, error) {
	var all []time.Duration
	for part := range strings.SplitSeq(text, ",") {
		d, err := time.ParseDuration(strings.TrimSpace(part))
		if err != nil || d < 0 {
			return nil, fmt.Errorf("%q: want durations of 0 or more with commas between them, such as 2s,8s,30s", text)
		}
		all = append(all, d)
	}
	return all, nil
}

// defaultName tells apart the workers of several hosts and several on one.
func defaultName() string {
	host, err := os.Hostname()
	if err != nil {
		slog.Debug("no host name for the worker's name", "error", err)
		host = "worker"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}

// besideBinary is where the build puts what the binary needs.
func besideBinary(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}
