package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/export"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/terminal"
)

const groupExport = "What is exported"

func exportCommand() *cli.Command {
	flags := []cli.Flag{
		command.Offers(&cli.StringFlag{
			Name:     "format",
			Category: groupExport,
			Sources:  command.Env("format"),
			Value:    string(export.JSONLines),
			Usage:    "`FORMAT` of the rows: jsonl or csv",
			Validator: func(text string) error {
				if f := export.Format(text); f != export.JSONLines && f != export.CSV {
					return fmt.Errorf("format %q: want jsonl or csv", text)
				}
				return nil
			},
		}, string(export.JSONLines), string(export.CSV)),
		command.Offers(&cli.StringSliceFlag{
			Name:     "what",
			Category: groupExport,
			Sources:  command.Env("what"),
			Value:    kindNames(),
			Usage:    "`KINDS` of rows, with commas: " + strings.Join(kindNames(), ", "),
		}, kindNames()...),
		&cli.StringFlag{
			Name:      "output",
			Category:  groupExport,
			Sources:   command.Env("output"),
			Value:     "-",
			TakesFile: true,
			Usage:     "`DIR` that gets a file for each kind; - for standard output, where CSV takes one kind",
		},
		revisionFlag(),
	}
	return &cli.Command{
		Name:  "export",
		Usage: "write a concluded round as JSON lines or CSV",
		Description: "ROUND is a round's name, or \"latest\" (the default) for the last one that was concluded. docs/export.md lists the\n" +
			"columns. Files are named ROUND.KIND.FORMAT and appear only when they are complete. It reads only NATS.\n\n" +
			"Examples:\n" +
			"  producer export --local > round.jsonl\n" +
			"  producer export --format csv --what pulls --nats nats://nats:4222 > pulls.csv\n" +
			"  producer export 20260618t185400z-0a1b2c --format csv --output rounds/ \\\n" +
			"      --nats nats://nats:4222",
		Flags:     slices.Concat(flags, slices.DeleteFunc(readFlags(), func(f cli.Flag) bool { return f.Names()[0] == "json" })),
		Arguments: []cli.Argument{&cli.StringArg{Name: "round", UsageText: "[ROUND]"}},
		Action:    exportRound,
	}
}

// kindNames are the values of --what: its default, and what a shell completes.
func kindNames() []string {
	var names []string
	for _, kind := range export.Kinds() {
		names = append(names, string(kind))
	}
	return names
}

// exporting is what `producer export` is asked for.
type exporting struct {
	round    string
	revision int // 0 for the latest
	format   export.Format
	kinds    []export.Kind
	output   string // a directory, or "-" for standard output
}

// readExporting reads the flags of export, and checks them together. Everything wrong is
// found before NATS is asked.
func readExporting(c *cli.Command) (e exporting, err error) {
	e = exporting{round: cmp.Or(c.StringArg("round"), view.Latest), format: export.Format(c.String("format")), output: c.String("output")}
	if e.revision, err = revisionOf(c); err != nil {
		return e, err
	}
	for _, name := range nonEmpty(c.StringSlice("what")) {
		kind := export.Kind(strings.TrimSpace(name))
		if !slices.Contains(export.Kinds(), kind) {
			return e, command.Usage("--what %q: want some of %s", name, strings.Join(kindNames(), ", "))
		}
		if !slices.Contains(e.kinds, kind) { // "--what miners,miners" is one file
			e.kinds = append(e.kinds, kind)
		}
	}
	switch {
	case len(e.kinds) == 0:
		return e, command.Usage("--what is empty: want some of %s", strings.Join(kindNames(), ", "))
	case e.output == "":
		return e, command.Usage("--output is empty: want a directory, or - for standard output")
	case e.output == "-" && e.format == export.CSV && len(e.kinds) > 1:
		return e, command.Usage("CSV on standard output takes one kind, not %d: give --what KIND, or --output DIR for a file of each",
			len(e.kinds))
	}
	return e, nil
}

// exportRound is `producer export`.
func exportRound(ctx context.Context, c *cli.Command) error {
	e, err := readExporting(c)
	if err != nil {
		return err
	}
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error {
		return withOutcome(ctx, bus, e.round, e.revision, func(name string, stored io.Reader) error {
			if e.output == "-" {
				return e.print(stored, c.Root().Writer)
			}
			return e.keep(stored, name)
		})
	})
}

// place wraps w so that text which strangers wrote (titles, logins) cannot control a
// terminal. JSON lines are escaped everywhere: escapes do not change their values, and
// a file gets the same bytes as a terminal. CSV has no escapes, so it is filtered only
// on a terminal: a database gets every character.
func (e exporting) place(w io.Writer, isTerminal bool) io.Writer {
	switch {
	case e.format == export.JSONLines:
		return terminal.JSON(w)
	case isTerminal:
		return terminal.Text(w)
	}
	return w
}

// print writes all kinds to one place, where each row of JSON lines names its kind. An error
// in the middle leaves the rows before it, because a pipe cannot be taken back.
func (e exporting) print(stored io.Reader, w io.Writer) error {
	buffered := bufio.NewWriter(w)
	place := e.place(buffered, terminal.Of(w).Width > 0)
	to := map[export.Kind]io.Writer{}
	for _, kind := range e.kinds {
		to[kind] = place
	}
	if _, err := (export.Rounds{Format: e.format, To: to}).Write(stored); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// keep writes a file for each kind, under a temporary name until all of them are
// complete and synced. A reader therefore never finds a file that is cut short. The
// renames are one by one: a crash between two leaves new files beside old ones, each of
// them complete.
func (e exporting) keep(stored io.Reader, name string) (err error) {
	if err := os.MkdirAll(e.output, 0o750); err != nil {
		return command.Usage("--output: %w", err)
	}
	files, to := map[string]*os.File{}, map[export.Kind]io.Writer{}
	var buffers []*bufio.Writer
	defer func() {
		for _, file := range files { // those that still have their temporary name
			err = errors.Join(err, file.Close(), os.Remove(file.Name()))
		}
	}()
	for _, kind := range e.kinds {
		path := filepath.Join(e.output, fmt.Sprintf("%s.%s.%s", name, kind, e.format))
		// In the same directory, because a rename does not cross file systems. The leading dot
		// keeps patterns such as *.csv from finding it.
		file, err := os.CreateTemp(e.output, "."+filepath.Base(path)+".*")
		if err != nil {
			return command.Usage("--output: %w", err)
		}
		files[path] = file
		buffers = append(buffers, bufio.NewWriter(file))
		to[kind] = e.place(buffers[len(buffers)-1], false)
	}
	if _, err := (export.Rounds{Format: e.format, To: to}).Write(stored); err != nil {
		return err
	}
	for _, buffer := range buffers {
		if err := buffer.Flush(); err != nil {
			return fmt.Errorf("writing the export: %w", err)
		}
	}
	for _, file := range files {
		if err := file.Sync(); err != nil {
			return fmt.Errorf("writing the export: %w", err)
		}
	}
	for path, file := range files {
		// CreateTemp makes files that only the owner can read, and others load an export.
		if err := errors.Join(file.Chmod(0o644), os.Rename(file.Name(), path), file.Close()); err != nil {
			return fmt.Errorf("naming the export: %w", err)
		}
		delete(files, path)
	}
	return nil
}

// withOutcome opens the stored outcome of a round for work, and tells it the round's
// name ("latest" is resolved). Revision 0 is the last one. An outcome is streamed
// because it may be large; that the revision after it was made from this very one is
// checked by digest before work reads it.
func withOutcome(ctx context.Context, bus *jobstream.Bus, name string, revision int, work func(name string, stored io.Reader) error) error {
	place, err := view.Locate(ctx, bus, name, revision)
	if err != nil {
		return notThere(err)
	}
	stored, err := bus.Outcomes.Open(ctx, place.Round, place.Revision)
	if err != nil {
		return fmt.Errorf("reading the outcome of round %s: %w", place.Round, err)
	}
	defer stored.Close()
	if err := outcome.CheckNext(ctx, bus, place.Round, place.Revision, stored.SHA256); err != nil {
		return fmt.Errorf("reading the outcome of round %s: %w", place.Round, err)
	}
	return work(place.Round, stored)
}
