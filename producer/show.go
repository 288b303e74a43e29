package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/answer"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/terminal"
)

func showCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{
			Name: "pr", Category: groupRound, Sources: command.Env("pr"),
			Usage: "show one pull request in full: `OWNER/REPO#N`",
		},
		revisionFlag(),
		&cli.BoolFlag{
			Name: "compare", Category: groupRound, Sources: command.Env("compare"),
			Usage: "show what the revision changed: whose score and reward, and why",
		},
	}
	flags = append(flags, readFlags()...)
	return &cli.Command{
		Name:  "show",
		Usage: "show a concluded round, and why a miner has its score",
		Description: "ROUND is a round's name, or \"latest\" for the last one that was concluded. It reads NATS alone.\n\n" +
			"Examples:\n" +
			"  producer show latest --local\n" +
			"  producer show 20260618t185400z-0a1b2c 5 --nats nats://nats:4222\n" +
			"  producer show latest 5 --pr owner/repo#7 --json --local\n" +
			"  producer show latest --compare --local",
		Flags: flags,
		Arguments: []cli.Argument{
			&cli.StringArg{Name: "round", UsageText: "ROUND"},
			&cli.StringArg{Name: "uid", UsageText: "[UID]"},
		},
		Action: show,
	}
}

// question is what `producer show` is asked.
type question struct {
	round string
	uid   *int // nil when none is given
	pull  *answer.PullName
	// revision is 0 for the latest.
	revision int
	compare  bool
}

func readQuestion(c *cli.Command) (question, error) {
	revision, err := revisionOf(c)
	if err != nil {
		return question{}, err
	}
	q := question{round: c.StringArg("round"), revision: revision, compare: c.Bool("compare")}
	if q.round == "" {
		return q, command.Usage("which round? Give its name, or \"latest\" (%s --help shows the usage)", c.FullName())
	}
	if text := c.StringArg("uid"); text != "" {
		uid, err := strconv.Atoi(text)
		if err != nil || uid < 0 {
			return q, command.Usage("uid %q: want a whole number from 0", text)
		}
		q.uid = &uid
	}
	if text := c.String("pr"); text != "" {
		name, err := parsePull(text)
		if err != nil {
			return q, err
		}
		q.pull = &name
	}
	if q.compare && q.pull != nil {
		return q, command.Usage("--compare compares miners: leave out --pr")
	}
	return q, natsGiven(c)
}

// natsGiven says whether a command that reads NATS alone knows where it is.
func natsGiven(c *cli.Command) error {
	local, nats := c.Bool("local"), c.String("nats")
	switch {
	case local && c.IsSet("nats"):
		return command.Usage("--local reads a state directory of this machine: leave out --nats, or --local")
	case !local && nats == "":
		return command.Usage("--nats is required: give its URL, or --local for the rounds of this machine")
	}
	return nil
}

func parsePull(text string) (answer.PullName, error) {
	repository, tail, _ := strings.Cut(text, "#")
	owner, name, _ := strings.Cut(repository, "/")
	number, err := strconv.Atoi(tail)
	if err != nil || number < 1 || owner == "" || name == "" || strings.Contains(name, "/") {
		return answer.PullName{}, command.Usage("--pr %q: want owner/repo#n", text)
	}
	return answer.PullName{Repository: strings.ToLower(repository), Number: number}, nil
}

// show is `producer show`: it opens NATS, reads what is asked for, and prints
// it.
func show(ctx context.Context, c *cli.Command) error {
	q, err := readQuestion(c)
	if err != nil {
		return err
	}
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error {
		found, err := lookUp(ctx, bus, q)
		if err != nil {
			return err
		}
		return printAnswer(c, found)
	})
}

// answered is what a command prints: as JSON for a program, which
// producer/web/openapi.json describes, or rendered for a person.
type answered interface{ render(w io.Writer) error }

func printAnswer(c *cli.Command, a answered) error {
	if c.Bool("json") {
		return printJSON(c.Root().Writer, a)
	}
	return a.render(c.Root().Writer)
}

func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(terminal.JSON(w))
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// openBus connects to NATS: for a state directory to that of the process that
// runs on it, or to one of its own. It asks for nothing of the streams'
// settings: what exists stays as it is.
func openBus(ctx context.Context, c *cli.Command, log *slog.Logger) (*jobstream.Bus, func() error, error) {
	keys, err := keysOf(c)
	if err != nil {
		return nil, nil, err
	}
	address, files, closeServers := c.String("nats"), fleet.NATSFiles(c), func() error { return nil }
	if c.Bool("local") {
		files = jobstream.Files{}
		if address, closeServers, err = openState(ctx, c.String("state"), log); err != nil {
			return nil, nil, err
		}
	}
	wait := c.Duration("connect-timeout")
	nc, err := fleet.ConnectNATS(ctx, address, "producer-show", jobstream.ConnectConfig{
		Wait: wait, Setting: "--connect-timeout", Log: log, Files: files,
	})
	if err != nil {
		return nil, nil, errors.Join(err, closeServers())
	}
	closeAll := func() error { nc.Close(); return closeServers() }
	bus, err := fleet.OpenStreams(ctx, nc, jobstream.Config{Role: jobstream.RoleViewer, Keys: keys, Wait: wait, Log: log})
	if err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	return bus, closeAll, nil
}

// hasRounds says whether a local round was ever run on a directory.
func hasRounds(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "nats")); err != nil {
		return command.Usage("--state %s: no local round was run there: %w", dir, err)
	}
	return nil
}

// openState is where NATS listens for a directory of local rounds: inside the
// process that runs on it, or started here for as long as it is read. One
// without streams is not made: there would be nothing to show.
func openState(ctx context.Context, dir string, log *slog.Logger) (address string, closeServers func() error, err error) {
	found, err := local.Find(dir)
	if err == nil {
		return found.NATS, func() error { return nil }, nil
	}
	if !errors.Is(err, local.ErrNotRunning) {
		return "", nil, command.Usage("--state: %w", err)
	}
	if err := hasRounds(dir); err != nil {
		return "", nil, err
	}
	servers, err := local.Start(ctx, local.Config{Dir: dir, Log: log})
	if err != nil {
		return "", nil, command.UsageError{Err: fmt.Errorf("--state: %w", err)}
	}
	return servers.NATSURL(), servers.Close, nil
}
