package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/page"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/session"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/terminal"
)

// conducted is a round that was run or replayed.
type conducted struct {
	outcome.Result

	// before is the revision that a replay started from; its Revision is 0 after a
	// run, and when that revision could not be read.
	before outcome.Result
	// kept are the miners that ran again, failed, and keep what they had: the outcome is
	// as complete as before.
	kept []int
}

// conduct opens a session, has work run or replay a round in it, and shows the
// outcome. The error of an incomplete round is silent: the page that was printed has
// said what is missing, and the error only sets exit code 1.
func conduct(ctx context.Context, c *cli.Command, o options, work func(context.Context, *session.Session) (conducted, error)) error {
	screen := terminal.NewScreen(os.Stderr)
	log, err := fleet.Logger(c, screen)
	if err != nil {
		return err
	}
	jaeger, err := jaegerOf(c)
	if err != nil {
		return err
	}
	var link *page.TraceLink
	if c.Bool("trace") {
		link = page.NewTraceLink(screen, jaeger)
		// Before fleet.Observe, which reads the environment that PointTraces sets.
		if err := session.PointTraces(ctx, log); err != nil {
			return err
		}
	}
	web := &dashboardLink{out: screen, doctor: examiner(c, o)}
	if c.Bool("trace") || c.IsSet("jaeger") {
		web.jaeger = jaeger
	}
	display := func(cfg *session.Config) error {
		cfg.Watch, cfg.Traced = page.NewDisplay(screen).Run, link.Begun
		if o.web != "" {
			cfg.StartAPI = func(ctx context.Context, f *fleet.Fleet, orders session.Orders) (func() error, error) {
				return web.start(ctx, o, f, orders, log)
			}
		}
		return nil
	}
	return o.inSession(ctx, c, log, display, func(s *session.Session) error {
		defer link.Ended()
		result, err := work(ctx, s)
		if err != nil {
			return explain(ctx, s, err)
		}
		if err := showConducted(ctx, s, o, result); err != nil {
			log.ErrorContext(ctx, "the round is concluded, but its result could not be printed: `producer show` prints it",
				"round", result.Round, "error", err)
			return err
		}
		if err := web.stay(ctx, s); err != nil {
			return err
		}
		if !result.Complete {
			return command.Silent(fmt.Errorf("round %s is not complete", result.Round))
		}
		if len(result.kept) > 0 {
			return command.Silent(fmt.Errorf("running %s again has failed", view.Miners(result.kept)))
		}
		return nil
	})
}

// showConducted prints the outcome: JSON for a program, a table for a person. The comparison
// follows only where a replay has made a new revision: one that found nothing to
// replay returns the revision that it started from.
func showConducted(ctx context.Context, s *session.Session, o options, result conducted) error {
	simulated, err := s.Simulated(ctx)
	if err != nil {
		return err
	}
	if o.json {
		return page.JSON(os.Stdout, view.Outcome{Result: result.Result, Simulated: simulated})
	}
	if err := page.Result(os.Stdout, result.Result); err != nil {
		return err
	}
	if result.before.Revision > 0 && result.before.Revision < result.Revision {
		fmt.Fprintln(os.Stdout)
		if err := page.Comparison(os.Stdout, outcome.Compare(result.before, result.Result)); err != nil {
			return err
		}
	}
	if simulated != nil {
		if err := page.Simulated(os.Stdout, *simulated); err != nil {
			return err
		}
	}
	if o.local {
		where := []string{"--local"}
		if o.state != defaultState {
			where = append(where, "--state", o.state)
		}
		page.Next(os.Stdout, os.Args[0], where, result.Result)
	}
	return nil
}

// explain adds to the error of an interrupted round how the round stands, and the
// command that resumes it. It returns any other error as it is, and a plain
// interruption where the signal came before the round was named.
func explain(ctx context.Context, s *session.Session, err error) error {
	if ctx.Err() == nil {
		return err
	}
	left, begun := s.Leftover(ctx, time.Now())
	if !begun {
		return command.ErrInterrupted
	}
	resume := page.Again(os.Args)
	if !s.Replays() {
		resume = page.Resuming(os.Args, left.Round)
	}
	return fmt.Errorf("%w; %s", command.ErrInterrupted, page.After(left, resume))
}

// runAgain runs miners of a concluded round again. A dry run needs only NATS; anything else
// needs the whole fleet.
func runAgain(ctx context.Context, c *cli.Command, selection outcome.Selection) error {
	name := c.StringArg("round")
	if name == "" {
		return command.Usage("which round? Give its name, or \"latest\" (%s --help shows the usage)", c.FullName())
	}
	if c.Bool("dry-run") {
		return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error { return dryRun(ctx, c, bus, name, selection) })
	}
	o := commonOptions(c)
	o.resume = name
	if err := o.check(c); err != nil {
		return err
	}
	return conduct(ctx, c, o, func(ctx context.Context, s *session.Session) (conducted, error) {
		if err := s.ReadTokens(c.String("tokens"), c.String("github")); err != nil {
			return conducted{}, err
		}
		result, err := replayConducted(ctx, s, selection)
		return result, usageOfReplay(notThere(err))
	})
}

// dryRun prints what replay would do, as the API answers it before a POST.
func dryRun(ctx context.Context, c *cli.Command, bus *jobstream.Bus, name string, s outcome.Selection) error {
	at, err := view.Locate(ctx, bus, name, 0)
	if err != nil {
		return notThere(err)
	}
	would, err := view.ReplayOf(ctx, bus, at, s, true)
	if err != nil {
		return usageOfReplay(err)
	}
	return printAnswer(c, would, page.Replay)
}

// replayConducted runs a replay, and writes to standard error what the outcome does not
// say: miners that another replay has, and identities that are still unknown.
func replayConducted(ctx context.Context, s *session.Session, selection outcome.Selection) (conducted, error) {
	r, err := s.LookIntoReplay(ctx, selection)
	if err != nil {
		return conducted{}, err
	}
	if len(r.Already) > 0 {
		fmt.Fprintf(os.Stderr, "already being replayed: %s\n", view.Miners(r.Already))
	}
	if r.Nothing {
		fmt.Fprintf(os.Stderr, "round %s lacks nothing: revision %d stays the last one\n", r.Round, r.Before.Revision)
		return conducted{Result: r.Before, before: r.Before}, nil
	}
	result, did, err := s.Replay(ctx, r)
	if err == nil && len(did.Meanwhile) > 0 {
		fmt.Fprintf(os.Stderr, "another replay has run these in the meantime: %s\n", view.Miners(did.Meanwhile))
	}
	if err == nil && len(did.Unidentified) > 0 {
		again := "; give --tokens to ask GitHub again"
		if s.AsksGitHub() {
			again = ""
		}
		fmt.Fprintf(os.Stderr, "GitHub has not named the account of the token of %s%s\n", view.Miners(did.Unidentified), again)
	}
	again := conducted{Result: result, before: r.Before}
	for _, uid := range did.UIDs {
		if slices.Contains(result.Kept, uid) {
			again.kept = append(again.kept, uid)
		}
	}
	return again, err
}

// usageOfReplay turns an error that the caller can correct into wrong usage: a selection
// that the round does not have, a round that still runs, and an unusable token file.
func usageOfReplay(err error) error {
	if errors.Is(err, outcome.ErrSelection) || errors.Is(err, round.ErrRunning) || errors.Is(err, round.ErrRules) ||
		errors.Is(err, miners.ErrUnusable) {
		return command.UsageError{Err: err}
	}
	return err
}

// rulesFlag lets a round of other rules run again.
func rulesFlag() cli.Flag {
	return command.Offers(&cli.StringFlag{
		Name:     "rules",
		Category: groupReplay,
		Sources:  command.Env("rules"),
		Usage:    "`current` runs a round of another version of the rules again under this version's",
	}, currentRules)
}

// currentRules is the one value of --rules.
const currentRules = "current"

// readRules reads --rules.
func readRules(c *cli.Command) (current bool, err error) {
	switch rules := c.String("rules"); rules {
	case "", currentRules:
		return rules == currentRules, nil
	default:
		return false, command.Usage("--rules %q: want %q, or leave it out", rules, currentRules)
	}
}
