package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/answer"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// readFlags are those of every command that reads NATS alone.
func readFlags() []cli.Flag {
	servers := only(command.Servers(), append(command.NATSFiles(), "nats", "connect-timeout")...)
	return slices.Concat(lookFlags(readLocal), servers, []cli.Flag{verifyFlag()}, command.Seeing())
}

func roundsCommand() *cli.Command {
	return &cli.Command{
		Name:  "rounds",
		Usage: "list the rounds, the last one first",
		Description: "A round is \"running\" while its producer lives and jobs are outstanding, \"stopped\" when no producer has been\n" +
			"heard of for its --takeover, \"complete\" or \"LACKING\" when it has an outcome, and \"replaying\" while it is\n" +
			"concluded anew.\n" +
			"DUE is the turn of the schedule that the round was begun for; the API never serves a round run by hand as \"latest\".\n" +
			"It reads NATS alone.\n\n" +
			"Examples:\n" +
			"  producer rounds --local\n" +
			"  producer rounds --nats nats://nats:4222 --limit 5 --json",
		Flags: append([]cli.Flag{&cli.IntFlag{
			Name: "limit", Category: groupRound, Sources: command.Env("limit"), Value: 20,
			Usage: "list the last `N` rounds; 0 for all of them", Validator: func(n int) error {
				if n >= 0 {
					return nil
				}
				return fmt.Errorf("%d: want 1 or more, or 0 for all", n)
			},
		}}, readFlags()...),
		Action: rounds,
	}
}

// roundList is what `producer rounds` prints.
type roundList struct{ answer.List }

// rounds is `producer rounds`.
func rounds(ctx context.Context, c *cli.Command) error {
	list := answer.List{Rounds: []answer.Summary{}}
	err := withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) (err error) {
		list, err = answer.ListOf(ctx, bus, "", c.Int("limit"), time.Now())
		return err
	})
	if err != nil && neverRun(err) == nil {
		return err
	}
	return printAnswer(c, roundList{list})
}

// stand is a round's state in a word and its colour.
func stand(s *answer.Summary) terminal.Cell {
	switch {
	case s.State == answer.Stopped || s.State == answer.Damaged:
		return terminal.Cell{Text: string(s.State), Colour: terminal.Bad}
	case s.State != answer.Concluded:
		return terminal.Cell{Text: string(s.State), Colour: terminal.Warn}
	case s.Complete:
		return terminal.Cell{Text: "complete", Colour: terminal.Good}
	}
	return terminal.Cell{Text: "LACKING", Colour: terminal.Bad}
}

func (l roundList) render(w io.Writer) error {
	if len(l.Rounds) == 0 {
		return printLine(w, "There is no round yet.")
	}
	table := terminal.Table{Columns: []terminal.Column{
		{Title: "ROUND", Text: true, Whole: true}, {Title: "DUE", Text: true, Whole: true},
		{Title: "STATE", Text: true, Whole: true},
		{Title: "DONE"}, {Title: "DEAD"}, {Title: "DEGR"}, {Title: "REV"}, {Title: "TOOK"},
	}}
	counted := func(n int, colour terminal.Colour) terminal.Cell {
		if n == 0 {
			colour = terminal.Plain
		}
		return terminal.Cell{Text: strconv.Itoa(n), Colour: colour}
	}
	for i := range l.Rounds {
		r := &l.Rounds[i]
		took := ""
		if r.Seconds != nil {
			took = brisk(*r.Seconds)
		}
		table.Rows = append(table.Rows, []terminal.Cell{
			{Text: r.Round}, {Text: due(r)}, stand(r), {Text: fmt.Sprintf("%d/%d", r.Done, r.Planned)},
			counted(r.Failed, terminal.Bad), counted(r.Degraded, terminal.Warn), {Text: strconv.Itoa(r.Revision)}, {Text: took},
		})
	}
	if err := table.Write(w); err != nil || l.Earlier == 0 {
		return err
	}
	return printLine(w, fmt.Sprintf("and %s: --limit 0 lists all", plural.Of(l.Earlier, "earlier round")))
}

// due is the turn of the schedule that a round was begun for.
func due(r *answer.Summary) string {
	if r.Due == nil {
		return "by hand"
	}
	return r.Due.Format("01-02 15:04")
}

// brisk is a length of time in two units at most.
func brisk(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Hour {
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

func printLine(w io.Writer, text string) error {
	if _, err := io.WriteString(w, strings.TrimRight(text, "\n")+"\n"); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
