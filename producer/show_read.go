package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mirrorfleet/producer/answer"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/terminal"
)

// shown is what there is to print: a round, what a revision changed, a miner,
// or one of the miner's pull requests. The more particular ones are nil when
// not asked for.
type shown struct {
	round      *roundAnswer
	comparison *round.Comparison
	miner      *minerAnswer
	pull       *pullAnswer
}

// roundAnswer is a round's outcome, with what its jobs look like now.
type roundAnswer struct {
	round.Result

	Revisions []int       `json:"revisions"`
	Audit     round.Audit `json:"audit"`
}

// data is the answer for a program.
func (a shown) data() any {
	switch {
	case a.pull != nil:
		return a.pull
	case a.miner != nil:
		return a.miner
	case a.comparison != nil:
		return a.comparison
	}
	return a.round
}

// render prints the answer for a person.
func (a shown) render(w io.Writer) error {
	switch {
	case a.pull != nil:
		return a.pull.render(w)
	case a.miner != nil:
		return a.miner.render(w)
	case a.comparison != nil:
		return writeComparison(w, *a.comparison)
	}
	return a.round.render(w)
}

// mostNamed bounds the discrepancies that a page names one by one.
const mostNamed = 20

func (a *roundAnswer) render(w io.Writer) error {
	if err := printResult(w, a.Result); err != nil {
		return err
	}
	p := newPage(w)
	if len(a.Revisions) > 1 {
		p.textf(0, "Revision %d of %d; --compare shows what it changed.", a.Revision, len(a.Revisions))
	}
	printAudit(p, a.Audit)
	return p.writeTo(w)
}

// printAudit names each thing that is wrong, and counts what is harmless.
func printAudit(p *page, a round.Audit) {
	colour := terminal.Plain
	if !a.Holds() {
		colour = terminal.Bad
	}
	p.painted(colour, func() { p.textf(0, "audit: %s", a) })
	wrong, harmless := 0, map[round.Kind]int{}
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
		p.textf(2, "harmless: %s, %d times", kind, harmless[kind])
	}
}

// minerAnswer is everything that a round has to say of one miner.
type minerAnswer struct{ answer.Miner }

// pullAnswer is one pull request: scored, or dropped.
type pullAnswer struct {
	answer.Heading

	PullRequest *scoring.PullRequestOutcome `json:"pull_request,omitempty"`
	Dropped     *scoring.Dropped            `json:"dropped,omitempty"`
	// Gate is the repository's, which decides whether a merge earns.
	Gate *scoring.Gate `json:"pull_gate,omitempty"`
	// NoFiles says why there are no figures of files; "" when there are.
	NoFiles string `json:"no_files,omitempty"`
}

// lookUp reads what is asked for.
func lookUp(ctx context.Context, bus *jobstream.Bus, q question) (shown, error) {
	result, err := readRound(ctx, bus, q.round, q.revision)
	if err != nil {
		return shown{}, err
	}
	if q.compare {
		return compareWithFormer(ctx, bus, result, q.uid)
	}
	if q.uid == nil && q.pull == nil {
		return auditedRound(ctx, bus, result)
	}
	if q.uid == nil {
		uid, err := authorOf(result, *q.pull)
		if err != nil {
			return shown{}, err
		}
		q.uid = &uid
	}
	miner, err := answer.MinerIn(&result, *q.uid)
	if err != nil {
		return shown{}, notThere(err, q.round)
	}
	if q.pull == nil {
		m, err := answer.MinerOf(ctx, bus, result, miner)
		return shown{miner: &minerAnswer{m}}, err
	}
	pull, err := newPullAnswer(ctx, bus, result, miner, *q.pull)
	return shown{pull: pull}, err
}

// auditedRound is a round's outcome with its audit.
func auditedRound(ctx context.Context, bus *jobstream.Bus, result round.Result) (shown, error) {
	held, err := bus.Held(ctx, result.Round)
	if err != nil {
		return shown{}, err
	}
	return shown{round: &roundAnswer{result, held.Outcomes, round.AuditOf(held)}}, nil
}

// readRound reads a revision of a round's outcome, 0 being the last one.
func readRound(ctx context.Context, bus *jobstream.Bus, name string, revision int) (round.Result, error) {
	result, err := answer.Find(ctx, bus, name, revision)
	return result, notThere(err, name)
}

// withOutcome lets work read a revision of a round's outcome as it is stored, 0
// being the last one; it is told which round that is.
func withOutcome(ctx context.Context, bus *jobstream.Bus, name string, revision int, work func(name string, stored io.Reader) error) error {
	place, err := answer.Locate(ctx, bus, name, revision)
	if err != nil {
		return notThere(err, name)
	}
	stored, err := bus.OpenOutcome(ctx, place.Round, place.Revision)
	if err != nil {
		return fmt.Errorf("reading the outcome of round %s: %w", place.Round, err)
	}
	defer stored.Close()
	return work(place.Round, stored)
}

// notThere makes wrong usage of what was asked for and is not there.
func notThere(err error, name string) error {
	switch {
	case errors.Is(err, answer.ErrNotConcluded):
		return command.Usage("%w: producer run --resume %s goes on with it", err, name)
	case answer.NotThere(err):
		return command.UsageError{Err: err}
	}
	return err
}

// mostListed bounds what an error lists.
const mostListed = 20

func listed(rounds []string) string { return answer.Listed(rounds) }

// authorOf finds the miner that has a pull request.
func authorOf(r round.Result, name pullName) (int, error) {
	for i := range r.Outcome.Miners {
		if slices.Contains(pullNames(&r.Outcome.Miners[i]), name) {
			return r.Outcome.Miners[i].UID, nil
		}
	}
	return 0, command.Usage("no miner of round %s has a pull request %s; give a UID to see what it has", r.Round, name)
}

// pullNames lists a miner's pull requests, the dropped ones last.
func pullNames(m *scoring.MinerOutcome) []pullName {
	var names []pullName
	for i := range m.PullRequests {
		names = append(names, pullName{m.PullRequests[i].Repository, m.PullRequests[i].Number})
	}
	for i := range m.Dropped {
		names = append(names, pullName{m.Dropped[i].Repository, m.Dropped[i].Number})
	}
	return names
}

// newPullAnswer finds one pull request of a miner, with its files.
func newPullAnswer(
	ctx context.Context, bus *jobstream.Bus, r round.Result, m *scoring.MinerOutcome, name pullName,
) (*pullAnswer, error) {
	a := &pullAnswer{Heading: answer.HeadingOf(r, m.UID)}
	for i := range m.Repositories {
		if m.Repositories[i].Repository == name.repository {
			a.Gate = m.Repositories[i].PullGate
		}
	}
	for i := range m.PullRequests {
		if pull := &m.PullRequests[i]; pull.Repository == name.repository && pull.Number == name.number {
			a.PullRequest = pull
			return a, a.readFiles(ctx, bus, m)
		}
	}
	for i := range m.Dropped {
		if pull := &m.Dropped[i]; pull.Repository == name.repository && pull.Number == name.number {
			a.Dropped, a.NoFiles = pull, "a dropped pull request's files are not fetched"
			return a, nil
		}
	}
	names := pullNames(m)
	if len(names) == 0 {
		return nil, command.Usage("miner %d has no pull request in round %s", m.UID, r.Round)
	}
	list := make([]string, len(names))
	for i := range names {
		list[i] = names[i].String()
	}
	return nil, command.Usage("miner %d has no pull request %s in round %s; it has %s", m.UID, name, r.Round, strings.Join(list, ", "))
}

// readFiles fetches the figures of the pull request's files, which are kept
// with the evaluation alone. That they are gone is told, and hides no more.
func (a *pullAnswer) readFiles(ctx context.Context, bus *jobstream.Bus, m *scoring.MinerOutcome) error {
	if m.FromStored {
		a.NoFiles = "it is from the miner's stored evaluation, which keeps no files"
		return nil
	}
	if !a.PullRequest.Scored {
		a.NoFiles = "the pull request is not scored: " + string(a.PullRequest.Reasons.Base.Code)
		return nil
	}
	evaluation, err := evaluationOf(ctx, bus, a.Round, m.UID)
	var damaged *jobstream.ValueError
	switch {
	case errors.Is(err, jobstream.ErrNotFound):
		a.NoFiles = "the evaluation is not kept any more"
		return nil
	case errors.As(err, &damaged):
		a.NoFiles = "the evaluation cannot be read: " + err.Error()
		return nil
	case err != nil:
		return err
	}
	for _, list := range [][]scoring.ScoredPullRequest{evaluation.Merged, evaluation.Open, evaluation.Closed} {
		for i := range list {
			if list[i].Repository == a.PullRequest.Repository && list[i].Number == a.PullRequest.Number {
				a.PullRequest.Tokens = list[i].Tokens
			}
		}
	}
	if a.PullRequest.Tokens == nil {
		a.NoFiles = "the mirror gave none"
	}
	return nil
}

func evaluationOf(ctx context.Context, bus *jobstream.Bus, name string, uid int) (scoring.Evaluation, error) {
	record, _, err := bus.Record(ctx, name, uid)
	if err != nil {
		return scoring.Evaluation{}, fmt.Errorf("reading the record of miner %d: %w", uid, err)
	}
	if record.Evaluation == "" {
		return scoring.Evaluation{}, fmt.Errorf("miner %d: %w", uid, jobstream.ErrNotFound)
	}
	evaluation, err := bus.Evaluation(ctx, record.Evaluation)
	if err != nil {
		return scoring.Evaluation{}, fmt.Errorf("reading the evaluation of miner %d: %w", uid, err)
	}
	return evaluation.Evaluation, nil
}
