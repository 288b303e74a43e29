package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring/shadow"
)

// records matches the files that the validator's adapter writes into a folder.
const records = "validator-*.json.gz"

func shadowCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.IntFlag{
			Name:     "newest",
			Category: groupRound,
			Sources:  command.Env("newest"),
			Usage:    "take only the `N` newest records of each directory; 0 takes all",
		},
		&cli.BoolFlag{
			Name:     "all",
			Category: groupOutput,
			Sources:  command.Env("all"),
			Usage:    "list every miner, those that are equal too",
		},
		revisionFlag(),
	}
	return &cli.Command{
		Name:  "shadow",
		Usage: "compare rounds that a validator scored by itself with ours, miner by miner",
		Description: "FILE is a record that the validator's adapter has written, DIR a directory of them (MIRRORFLEET_RECORD). ROUND is a\n" +
			"round's name, or \"latest\" for the last one that was concluded; without it, each record is compared with the concluded\n" +
			"round that is nearest in time. A figure is equal only if it is equal to the last bit. It reads only NATS, and stores\n" +
			"nothing.\n\n" +
			"Exit code 0 when nothing is wrong: each miner is equal, or time or other answers of the mirror explain its figures; 1\n" +
			"when a rule gives another result, when registry, weights, windows or token scores differ, or when the two sides do\n" +
			"not have the same miners (hotkeys, accounts, or who takes part); 2 for wrong usage, or when a record could not be\n" +
			"compared and the others have nothing wrong.\n\n" +
			"Examples:\n" +
			"  producer shadow /srv/validator/data/rounds --newest 1 --nats nats://nats:4222\n" +
			"  producer shadow latest validator-20260618t190211512345z.json.gz --local\n" +
			"  producer shadow 20260618t185400z-0a1b2c rounds --all --json --local",
		Flags:     slices.Concat(flags, readFlags()),
		Arguments: []cli.Argument{&cli.StringArgs{Name: "records", UsageText: "[ROUND|latest] FILE|DIR...", Max: -1}},
		Action:    shadowRounds,
	}
}

// shadowRounds is `producer shadow`. If a file cannot be compared, the others still are.
func shadowRounds(ctx context.Context, c *cli.Command) error {
	revision, err := revisionOf(c)
	if err != nil {
		return err
	}
	round, files, err := recordsOf(c)
	if err != nil {
		return err
	}
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error {
		if round != "" {
			at, err := view.Locate(ctx, bus, round, revision)
			if err != nil {
				return notThere(err)
			}
			round = at.Round
		}
		answer := view.Shadow{Records: []view.Shadowed{}}
		for _, file := range files {
			data, err := readRecord(file)
			var compared view.Shadowed
			if err == nil {
				compared, err = view.ShadowOf(ctx, bus, round, revision, data)
			}
			switch {
			case ctx.Err() != nil:
				return command.ErrInterrupted
			case ofTheRecord(err):
				compared = view.NotShadowed(file, err)
			case err != nil:
				return notThere(err)
			}
			compared.File = file
			answer.Records = append(answer.Records, compared)
		}
		err := printAnswer(c, answer, page.Shadow(c.Bool("all")))
		switch failed := answer.Failed(); {
		case err != nil:
			return err
		case answer.Wrong(): // whatever else there is: the page names what could not be compared
			return command.Silent(errors.New("something is wrong"))
		case failed > 0:
			return command.Usage("%s could not be compared", plural.Of(failed, "record"))
		}
		return nil
	})
}

// readRecord reads a file of a bounded size. A pipe or a device might never end.
func readRecord(name string) ([]byte, error) {
	of, err := os.Stat(name)
	if err == nil && !of.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is no regular file", shadow.ErrRefused)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading a record: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, shadow.MaxRecord+1)) // Decode refuses what is longer
	if err != nil {
		return nil, fmt.Errorf("reading a record: %w", err)
	}
	return data, nil
}

// ofTheRecord says whether an error is about one record, and not about the servers.
func ofTheRecord(err error) bool {
	for _, kind := range []error{shadow.ErrRefused, shadow.ErrForeign, view.ErrOtherRound, view.ErrNotKept} {
		if errors.Is(err, kind) {
			return true
		}
	}
	_, ofFile := errors.AsType[*os.PathError](err)
	return ofFile
}

// recordsOf reads the arguments. The first one is a round if it is no file.
func recordsOf(c *cli.Command) (round string, files []string, err error) {
	newest, given := c.Int("newest"), c.StringArgs("records")
	if newest < 0 {
		return "", nil, command.Usage("--newest %d: want 0 or more", newest)
	}
	if len(given) > 0 && (given[0] == view.Latest || job.ValidRound(given[0])) && !exists(given[0]) {
		round, given = given[0], given[1:]
	}
	if len(given) == 0 {
		return "", nil, command.Usage("which records? Give files, or directories of them, that the validator's adapter has written (%s --help)",
			c.FullName())
	}
	for _, name := range given {
		of, err := os.Stat(name)
		switch {
		case err != nil:
			return "", nil, command.UsageError{Err: err}
		case !of.IsDir():
			files = append(files, name)
			continue
		}
		found, err := filepath.Glob(filepath.Join(name, records))
		if err == nil && len(found) == 0 {
			return "", nil, command.Usage("%s has no records (%s): the validator writes them with MIRRORFLEET_RECORD", name, records)
		}
		if newest > 0 {
			found = found[max(0, len(found)-newest):] // their names are in the order of their instants
		}
		files = append(files, found...)
	}
	return round, files, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
