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

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/terminal"
)

// readFlags are those of every command that reads NATS alone.
func readFlags() []cli.Flag {
	return slices.Concat(lookFlags(readLocal), only(command.Servers(), "nats", "connect-timeout"), command.Seeing())
}

func roundsCommand() *cli.Command {
	return &cli.Command{
		Name:  "rounds",
		Usage: "list the rounds, the last one first",
		Description: "A round is \"running\" while its producer lives and jobs are outstanding, \"stopped\" when no producer has been\n" +
			"heard of for its --takeover, \"concluded\" when it has an outcome, and \"replaying\" while it is concluded anew.\n" +
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

// The states of a round.
const (
	stateRunning   = "running"
	stateStopped   = "stopped"
	stateConcluded = "concluded"
	stateReplaying = "replaying"
)

// roundList is what `producer rounds` prints.
type roundList struct {
	Rounds []roundLine `json:"rounds"`
	// Earlier counts the rounds that are not listed.
	Earlier int `json:"earlier"`
}

// roundLine is one round in a list. Counts are of miners with a job.
type roundLine struct {
	Round     string    `json:"round"`
	AsOf      time.Time `json:"as_of"`
	PlannedAt time.Time `json:"planned_at"`
	State     string    `json:"state"`
	Complete  bool      `json:"complete"`

	Planned     int `json:"planned"`
	Done        int `json:"done"`
	Failed      int `json:"failed"`
	Degraded    int `json:"degraded"`
	Outstanding int `json:"outstanding"`
	// Revisions counts the outcomes; ConcludedAt and Seconds are of the first
	// one, from the plan to the outcome.
	Revisions   int        `json:"revisions"`
	ConcludedAt *time.Time `json:"concluded_at,omitempty"`
	Seconds     *float64   `json:"seconds,omitempty"`
}

// rounds is `producer rounds`.
func rounds(ctx context.Context, c *cli.Command) error {
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error {
		list, err := readRounds(ctx, bus, c.Int("limit"), time.Now())
		if err != nil {
			return err
		}
		if c.Bool("json") {
			return printJSON(c.Root().Writer, list)
		}
		return list.render(c.Root().Writer)
	})
}

func readRounds(ctx context.Context, bus *jobstream.Bus, limit int, now time.Time) (roundList, error) {
	names, err := bus.Rounds(ctx)
	if err != nil {
		return roundList{}, fmt.Errorf("listing the rounds: %w", err)
	}
	slices.Reverse(names)
	list := roundList{Rounds: []roundLine{}}
	if limit > 0 && len(names) > limit {
		list.Earlier = len(names) - limit
		names = names[:limit]
	}
	for _, name := range names {
		line, err := readLine(ctx, bus, name, now)
		if err != nil {
			return roundList{}, fmt.Errorf("round %s: %w", name, err)
		}
		list.Rounds = append(list.Rounds, line)
	}
	return list, nil
}

func readLine(ctx context.Context, bus *jobstream.Bus, name string, now time.Time) (roundLine, error) {
	m, err := bus.Manifest(ctx, name)
	if err != nil {
		return roundLine{}, err
	}
	line := roundLine{Round: name, AsOf: m.AsOf.UTC(), PlannedAt: m.PlannedAt.UTC(), Planned: len(round.Jobs(m))}
	revisions, err := bus.Outcomes(ctx, name)
	if err != nil {
		return line, err
	}
	holder, beat, err := bus.LastBeat(ctx, name)
	if err != nil {
		return line, err
	}
	live := !beat.IsZero() && !holder.Released && now.Sub(beat) <= holder.For
	if line.Revisions = len(revisions); line.Revisions == 0 {
		line.State = stateStopped
		if live {
			line.State = stateRunning
		}
		return line, line.count(ctx, bus)
	}
	line.State = stateConcluded
	if live {
		line.State = stateReplaying
	}
	return line, line.conclude(ctx, bus, revisions)
}

// count counts the jobs of a round that has no outcome.
func (l *roundLine) count(ctx context.Context, bus *jobstream.Bus) error {
	records, err := bus.Records(ctx, l.Round)
	if err != nil {
		return err
	}
	for _, r := range records {
		switch {
		case r.Phase == job.Failed:
			l.Failed++
		case r.Phase == job.Done && r.Degraded:
			l.Degraded++
			fallthrough
		case r.Phase == job.Done:
			l.Done++
		}
	}
	l.Outstanding = l.Planned - l.Done - l.Failed
	return nil
}

// conclude takes the counts of the last outcome, and the time of the first.
func (l *roundLine) conclude(ctx context.Context, bus *jobstream.Bus, revisions []int) error {
	head, at, err := readHead(ctx, bus, l.Round, revisions[len(revisions)-1])
	if err == nil && len(revisions) > 1 {
		_, at, err = readHead(ctx, bus, l.Round, revisions[0])
	}
	if err != nil {
		return err
	}
	l.Complete, l.Planned, l.Done, l.Failed, l.Degraded = head.Complete, head.Planned, head.Done, head.Failed, len(head.Degraded)
	if l.ConcludedAt = &at; !l.PlannedAt.IsZero() {
		seconds := max(0, at.Sub(l.PlannedAt).Seconds()) // by the clocks of two machines
		l.Seconds = &seconds
	}
	return nil
}

func readHead(ctx context.Context, bus *jobstream.Bus, name string, revision int) (round.Result, time.Time, error) {
	stored, err := bus.OpenOutcome(ctx, name, revision)
	if err != nil {
		return round.Result{}, time.Time{}, err
	}
	defer stored.Close()
	head, err := round.ReadHead(stored)
	return head, stored.At, err
}

// stand is a round's state in a word and its colour.
func (l *roundLine) stand() terminal.Cell {
	switch {
	case l.State == stateStopped:
		return terminal.Cell{Text: l.State, Colour: terminal.Bad}
	case l.State != stateConcluded:
		return terminal.Cell{Text: l.State, Colour: terminal.Warn}
	case l.Complete:
		return terminal.Cell{Text: "complete", Colour: terminal.Good}
	}
	return terminal.Cell{Text: "LACKING", Colour: terminal.Bad}
}

func (l roundList) render(w io.Writer) error {
	if len(l.Rounds) == 0 {
		return printLine(w, "There is no round yet.")
	}
	table := terminal.Table{Columns: []terminal.Column{
		{Title: "ROUND", Text: true, Whole: true}, {Title: "AS OF", Text: true}, {Title: "STATE", Text: true},
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
			{Text: r.Round}, {Text: r.AsOf.Format("01-02 15:04")}, r.stand(), {Text: fmt.Sprintf("%d/%d", r.Done, r.Planned)},
			counted(r.Failed, terminal.Bad), counted(r.Degraded, terminal.Warn), {Text: strconv.Itoa(r.Revisions)}, {Text: took},
		})
	}
	if err := table.Write(w); err != nil || l.Earlier == 0 {
		return err
	}
	return printLine(w, fmt.Sprintf("and %d earlier ones: --limit 0 lists them all", l.Earlier))
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

// nonNil is a list that is written as one, though it is empty.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
