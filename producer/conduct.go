package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/page"
	"mirrorfleet/producer/session"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
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
	link, err := newTraceLink(c, screen)
	if err != nil {
		return err
	}
	if link != nil { // before fleet.Observe, which reads the environment that PointTraces sets
		if err := session.PointTraces(ctx, log); err != nil {
			return err
		}
	}
	display := func(cfg *session.Config) error {
		cfg.Watch, cfg.Traced = page.NewDisplay(screen).Run, link.begun
		return nil
	}
	return o.inSession(ctx, c, log, display, func(s *session.Session) error {
		defer link.ended()
		result, err := work(ctx, s)
		if err != nil {
			return explain(ctx, s, err)
		}
		if err := o.show(ctx, s, result); err != nil {
			log.ErrorContext(ctx, "the round is concluded, but its result could not be printed: `producer show` prints it",
				"round", result.Round, "error", err)
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

// show prints the outcome: JSON for a program, a table for a person. The comparison
// follows only where a replay has made a new revision: one that found nothing to
// replay returns the revision that it started from.
func (o options) show(ctx context.Context, s *session.Session, result conducted) error {
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

// explain adds to the error of an interrupted round what is stored of it, and the
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

// traceLink is what --trace adds to what is printed. It is nil without the flag.
type traceLink struct {
	out    io.Writer
	jaeger string
	link   string
}

func newTraceLink(c *cli.Command, out io.Writer) (*traceLink, error) {
	jaeger, err := jaegerURL(c.String("jaeger"))
	if err != nil || !c.Bool("trace") {
		return nil, err
	}
	return &traceLink{out: out, jaeger: jaeger}, nil
}

// jaegerURL checks the base URL of Jaeger's pages. The error does not repeat it,
// because it may hold a password.
func jaegerURL(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return "", command.Usage("--jaeger: want a URL such as http://localhost:16686, without credentials")
	}
	return strings.TrimRight(address, "/"), nil
}

// begun prints the link as soon as the trace exists, so that a round can be followed
// in Jaeger while it runs.
func (t *traceLink) begun(id string) {
	if t == nil {
		return
	}
	t.link = t.jaeger + "/trace/" + id
	fmt.Fprintln(t.out, "trace: "+t.link)
}

// ended prints the link again: the progress display has pushed the first one out of
// sight.
func (t *traceLink) ended() {
	if t != nil && t.link != "" {
		fmt.Fprintln(t.out, "trace: "+t.link)
	}
}
