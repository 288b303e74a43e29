package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring/whatif"
)

func showCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{
			Name:     "pr",
			Category: groupRound,
			Sources:  command.Env("pr"),
			Usage:    "show one pull request in full: `OWNER/REPO#N`",
		},
		revisionFlag(),
		&cli.BoolFlag{
			Name:     "compare",
			Category: groupRound,
			Sources:  command.Env("compare"),
			Usage:    "show which scores and rewards the revision changed, and why",
		},
		&cli.BoolFlag{
			Name:     "attempts",
			Category: groupRound,
			Sources:  command.Env("attempts"),
			Usage:    "show each attempt of the miner's job: worker, times, requests, and how it ended; also while the round runs",
		},
	}
	flags = append(flags, readFlags()...)
	return &cli.Command{
		Name:  "show",
		Usage: "show a round, and why a miner has its score",
		Description: "ROUND is a round's name, or \"latest\" for the last one that was concluded. Of a round that still runs it shows what is\n" +
			"known: how far it is, its failures, and the job of each miner. It reads only NATS.\n\n" +
			"Examples:\n" +
			"  producer show latest --local\n" +
			"  producer show 20260618t185400z-0a1b2c 5 --nats nats://nats:4222\n" +
			"  producer show latest 5 --pr owner/repo#7 --json --local\n" +
			"  producer show latest 5 --attempts --local\n" +
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
	uid   *int           // nil when none is given
	pull  *view.PullName // nil when none is given
	// revision is 0 for the latest.
	revision int
	compare  bool
	attempts bool
}

// readQuestion reads the arguments and flags of show, and checks them together.
func readQuestion(c *cli.Command) (question, error) {
	revision, err := revisionOf(c)
	if err != nil {
		return question{}, err
	}
	q := question{
		round:    c.StringArg("round"),
		revision: revision,
		compare:  c.Bool("compare"),
		attempts: c.Bool("attempts"),
	}
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
		item, ok := whatif.ParseItem(text)
		if !ok {
			return q, command.Usage("--pr %q: want owner/repo#n", text)
		}
		q.pull = new(view.PullName(item))
	}
	switch {
	case q.compare && q.pull != nil:
		return q, command.Usage("--compare compares miners: leave out --pr")
	case q.attempts && q.uid == nil:
		return q, command.Usage("--attempts shows one miner's job: give its UID after ROUND")
	case q.attempts && (q.compare || q.pull != nil || q.revision > 0):
		return q, command.Usage("--attempts shows the job, which all revisions have in common: leave out --compare, --pr and --revision")
	}
	return q, natsGiven(c)
}

// show is `producer show`.
func show(ctx context.Context, c *cli.Command) error {
	q, err := readQuestion(c)
	if err != nil {
		return err
	}
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error {
		if q.attempts {
			return notThere(q.tries(ctx, c, bus))
		}
		result, err := view.Find(ctx, bus, q.round, q.revision)
		if errors.Is(err, view.ErrNotConcluded) && q.ofARoundThatRuns() {
			return notThere(q.soFar(ctx, c, bus))
		}
		if err != nil {
			return notThere(err)
		}
		return notThere(q.answer(ctx, c, bus, result))
	})
}

// ofARoundThatRuns says that a round without an outcome has an answer. "latest" names a round
// with one.
func (q question) ofARoundThatRuns() bool {
	return q.round != view.Latest && q.revision == 0 && !q.compare && q.pull == nil
}

// soFar prints what is known of a round without an outcome, or of a miner's job in it.
func (q question) soFar(ctx context.Context, c *cli.Command, bus *jobstream.Bus) error {
	if q.uid == nil {
		r, err := view.NowOf(ctx, bus, q.round, time.Now())
		if err != nil {
			return err
		}
		return printAnswer(c, r, page.RoundNow)
	}
	a, err := view.JobNowOf(ctx, bus, q.round, *q.uid, time.Now())
	if err != nil {
		return err
	}
	return printAnswer(c, a, page.JobNow)
}

// answer prints the whole outcome, one miner, one pull request, or a
// comparison. A pull request that is given without its miner is looked for in the whole
// outcome.
func (q question) answer(ctx context.Context, c *cli.Command, bus *jobstream.Bus, result outcome.Result) error {
	switch {
	case q.compare:
		changed, err := q.comparison(ctx, bus, result)
		if err != nil {
			return err
		}
		return printAnswer(c, changed, page.Comparison)
	case q.uid == nil && q.pull == nil:
		whole, err := view.OutcomeOf(ctx, bus, result)
		if err != nil {
			return err
		}
		return printAnswer(c, whole, page.Outcome)
	}
	if q.uid == nil { // q is a copy, so setting its uid changes nothing for the caller
		uid, err := view.AuthorOf(&result, *q.pull)
		if err != nil {
			return err
		}
		q.uid = &uid
	}
	miner, err := view.MinerIn(&result, *q.uid)
	if err != nil {
		return err
	}
	if q.pull == nil {
		m, err := view.MinerOf(ctx, bus, result, miner)
		if err != nil {
			return err
		}
		return printAnswer(c, m, page.Miner)
	}
	pull, err := view.PullOf(ctx, bus, result, miner, *q.pull)
	if err != nil {
		return err
	}
	return printAnswer(c, pull, page.Pull)
}

// tries prints the attempts of the miner's job. They need no outcome: a round that runs has
// them too, if it is named.
func (q question) tries(ctx context.Context, c *cli.Command, bus *jobstream.Bus) error {
	if q.round == view.Latest {
		at, err := view.Locate(ctx, bus, q.round, 0)
		if err != nil {
			return err
		}
		q.round = at.Round
	}
	attempts, err := view.AttemptsOf(ctx, bus, q.round, *q.uid)
	if err != nil {
		return err
	}
	return printAnswer(c, attempts, page.Attempts)
}

// comparison compares a revision with the one before it, for one miner if a uid is
// given.
func (q question) comparison(ctx context.Context, bus *jobstream.Bus, result outcome.Result) (c outcome.Comparison, err error) {
	two, err := view.ToCompare(ctx, bus, result.Round, 0, result.Revision)
	if err != nil {
		return c, err
	}
	// Compared as a whole and filtered afterwards: a miner's reward changes with others' scores.
	c, err = two.Compare(ctx, func(ctx context.Context, at view.OutcomeRef) (outcome.Result, error) {
		if at == two.To {
			return result, nil
		}
		return view.Read(ctx, bus, at)
	})
	if q.uid != nil {
		c.Changes = slices.DeleteFunc(c.Changes, func(change outcome.Change) bool { return change.UID != *q.uid })
	}
	return c, err
}
