package main

import (
	"context"
	"errors"
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

	// before is the revision that a replay started from.
	before outcome.Result
}

// conduct lets work bring a round to its end and shows the outcome: everything
// is opened in order, used, and closed in the opposite order, whatever happens
// in between.
func conduct(ctx context.Context, c *cli.Command, o options, work func(context.Context, *session.Session) (conducted, error)) (err error) {
	screen := terminal.NewScreen(os.Stderr)
	log, err := fleet.Logger(c, screen)
	if err != nil {
		return err
	}
	link, err := newTraceLink(c, screen)
	if err != nil {
		return err
	}
	if link != nil {
		if err := session.PointTraces(ctx, log); err != nil {
			return err
		}
	}
	observability, err := fleet.Observe(ctx, c, "producer", "", log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, observability.Close()) }()

	cfg, err := o.session(c, log, observability)
	if err != nil {
		return err
	}
	cfg.Watch, cfg.Traced = page.NewDisplay(screen).Run, link.begun
	s := session.New(cfg)
	defer func() { err = errors.Join(err, s.Close()) }()
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
	return nil
}

// show prints the outcome: JSON for a program, a table for a person.
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

// explain says how the round stands after a signal, if there was one already.
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

// jaegerURL checks the setting here, where an error need not repeat it.
func jaegerURL(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return "", command.Usage("--jaeger: want a URL such as http://localhost:16686, without credentials")
	}
	return strings.TrimRight(address, "/"), nil
}

// begun prints the link as soon as there is something to see.
func (t *traceLink) begun(id string) {
	if t == nil {
		return
	}
	t.link = t.jaeger + "/trace/" + id
	fmt.Fprintln(t.out, "trace: "+t.link)
}

// ended prints it again, below all that has been printed since.
func (t *traceLink) ended() {
	if t != nil && t.link != "" {
		fmt.Fprintln(t.out, "trace: "+t.link)
	}
}
