package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"mirrorfleet/producer/answer"
	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// roundAnswer is a round's outcome, with what its jobs look like now.
type roundAnswer struct{ answer.Outcome }

// mostNamed bounds the discrepancies that a page names one by one.
const mostNamed = 20

func (a roundAnswer) render(w io.Writer) error {
	if err := printResult(w, a.Result); err != nil {
		return err
	}
	p := newPage(w)
	if len(a.Revisions) > 1 {
		p.textf(0, "Revision %d of %d; --compare shows what it changed.", a.Revision, len(a.Revisions))
	}
	p.textf(0, "%s", signature(a.SignedBy, a.Verified))
	printAudit(p, *a.Audit)
	return p.writeTo(w)
}

// signature says who vouches for an outcome.
func signature(by string, verified bool) string {
	switch {
	case by == "":
		return "Unsigned: whoever can write to NATS as a producer can change it unseen."
	case verified:
		return "Signed by key " + by + ", verified."
	}
	return "Signed by key " + by + ", not verified: give --verify-key."
}

// printAudit names each thing that is wrong, and counts what is harmless.
func printAudit(p *page, a audit.Report) {
	colour := terminal.Plain
	if !a.Holds() {
		colour = terminal.Bad
	}
	p.painted(colour, func() { p.textf(0, "audit: %s", a) })
	wrong, harmless := 0, map[audit.Kind]int{}
	for _, d := range a.Discrepancies {
		if d.Harmless {
			harmless[d.Kind]++
			continue
		}
		if wrong++; wrong <= mostNamed {
			p.textf(2, "%s", d)
		}
	}
	if more := wrong - mostNamed; more > 0 {
		p.textf(2, "and %d more", more)
	}
	for _, kind := range slices.Sorted(maps.Keys(harmless)) {
		p.textf(2, "harmless: %s, %s", kind, plural.Of(harmless[kind], "time"))
	}
}

// minerAnswer is everything that a round has to say of one miner.
type minerAnswer struct{ answer.Miner }

// pullAnswer is one pull request: scored, or dropped.
type pullAnswer struct{ answer.PullRequest }

// lookUp reads what is asked for.
func lookUp(ctx context.Context, bus *jobstream.Bus, q question) (answered, error) {
	result, err := readRound(ctx, bus, q.round, q.revision)
	switch {
	case err != nil:
		return nil, err
	case q.compare:
		return compareWithFormer(ctx, bus, result, q.uid)
	case q.uid == nil && q.pull == nil:
		whole, err := answer.OutcomeOf(ctx, bus, result)
		return roundAnswer{whole}, err
	}
	found, err := lookInto(ctx, bus, &result, q)
	return found, notThere(err)
}

// lookInto reads a miner, or one of its pull requests.
func lookInto(ctx context.Context, bus *jobstream.Bus, result *outcome.Result, q question) (answered, error) {
	if q.uid == nil {
		uid, err := answer.AuthorOf(result, *q.pull)
		if err != nil {
			return nil, err
		}
		q.uid = &uid
	}
	miner, err := answer.MinerIn(result, *q.uid)
	if err != nil {
		return nil, err
	}
	if q.pull == nil {
		m, err := answer.MinerOf(ctx, bus, *result, miner)
		return minerAnswer{m}, err
	}
	pull, err := answer.PullOf(ctx, bus, *result, miner, *q.pull)
	return pullAnswer{pull}, err
}

// readRound reads a revision of a round's outcome, 0 being the last one.
func readRound(ctx context.Context, bus *jobstream.Bus, name string, revision int) (outcome.Result, error) {
	result, err := answer.Find(ctx, bus, name, revision)
	return result, notThere(err)
}

// withOutcome lets work read a revision of a round's outcome as it is stored, 0
// being the last one; it is told which round that is.
func withOutcome(ctx context.Context, bus *jobstream.Bus, name string, revision int, work func(name string, stored io.Reader) error) error {
	place, err := answer.Locate(ctx, bus, name, revision)
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

// notThere makes wrong usage of what was asked for and is not there.
func notThere(err error) error {
	open, is := errors.AsType[*answer.NotConcludedError](err)
	switch {
	case is && open.State == answer.Stopped:
		return command.Usage("%w: producer run --resume %s resumes it", err, open.Round)
	case answer.NotThere(err):
		return command.UsageError{Err: err}
	}
	return err
}

// mostListed bounds what an error lists.
const mostListed = 20
