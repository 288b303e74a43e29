package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
)

// answer is what there is to print: a round, what a revision changed, a miner,
// or one of the miner's pull requests. The more particular ones are nil when
// not asked for.
type answer struct {
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
func (a answer) data() any {
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
func (a answer) render(w io.Writer) error {
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
	printResult(w, a.Result)
	p := &page{}
	if len(a.Revisions) > 1 {
		p.textf(0, "Revision %d of %d; --compare shows what it changed.", a.Revision, len(a.Revisions))
	}
	printAudit(p, a.Audit)
	return p.writeTo(w)
}

// printAudit names each thing that is wrong, and counts what is harmless.
func printAudit(p *page, a round.Audit) {
	p.textf(0, "audit: %s", a)
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

// heading names what an answer is about.
type heading struct {
	Round    string `json:"round"`
	Revision int    `json:"revision"`
	AsOf     string `json:"as_of"`
	UID      int    `json:"uid"`
}

// minerAnswer is everything that a round has to say of one miner.
type minerAnswer struct {
	heading

	// Trace is that of the miner's last job; "" when nothing was traced.
	Trace   string               `json:"trace,omitempty"`
	Miner   scoring.MinerOutcome `json:"miner"`
	Rewards rewardsPath          `json:"rewards"`
	// DeadLetters, Missing and Malformed are what the fleet could not get.
	DeadLetters []job.DeadLetter `json:"dead_letters,omitempty"`
	Missing     []job.Missing    `json:"missing,omitempty"`
	Malformed   []job.Malformed  `json:"malformed,omitempty"`
}

// pullAnswer is one pull request: scored, or dropped.
type pullAnswer struct {
	heading

	PullRequest *scoring.PullRequestOutcome `json:"pull_request,omitempty"`
	Dropped     *scoring.Dropped            `json:"dropped,omitempty"`
	// Gate is the repository's, which decides whether a merge earns.
	Gate *scoring.Gate `json:"pull_gate,omitempty"`
	// NoFiles says why there are no figures of files; "" when there are.
	NoFiles string `json:"no_files,omitempty"`
}

// lookUp reads what is asked for.
func lookUp(ctx context.Context, bus *jobstream.Bus, q question) (answer, error) {
	result, err := readRound(ctx, bus, q.round, q.revision)
	if err != nil {
		return answer{}, err
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
			return answer{}, err
		}
		q.uid = &uid
	}
	at := slices.IndexFunc(result.Outcome.Miners, func(m scoring.MinerOutcome) bool { return m.UID == *q.uid })
	if at < 0 {
		return answer{}, command.Usage("uid %d is not in round %s; its uids are %s", *q.uid, result.Round, uidsOf(result))
	}
	miner := &result.Outcome.Miners[at]
	if q.pull == nil {
		a := newMinerAnswer(result, miner)
		a.Trace, err = traceOf(ctx, bus, result.Round, miner.UID)
		return answer{miner: a}, err
	}
	pull, err := newPullAnswer(ctx, bus, result, miner, *q.pull)
	return answer{pull: pull}, err
}

// auditedRound is a round's outcome with its audit.
func auditedRound(ctx context.Context, bus *jobstream.Bus, result round.Result) (answer, error) {
	held, err := bus.Held(ctx, result.Round)
	if err != nil {
		return answer{}, err
	}
	return answer{round: &roundAnswer{result, held.Outcomes, round.AuditOf(held)}}, nil
}

// readRound reads a revision of a round's outcome, 0 being the last one.
func readRound(ctx context.Context, bus *jobstream.Bus, name string, revision int) (round.Result, error) {
	rounds, err := bus.Rounds(ctx)
	if err != nil {
		return round.Result{}, fmt.Errorf("listing the rounds: %w", err)
	}
	candidates := []string{name}
	if name == latest {
		candidates = slices.Clone(rounds)
		slices.Reverse(candidates)
	} else if !slices.Contains(rounds, name) {
		return round.Result{}, command.Usage("there is no round %q; %s", name, listed(rounds))
	}
	for _, candidate := range candidates {
		revisions, err := bus.Outcomes(ctx, candidate)
		if err != nil {
			return round.Result{}, fmt.Errorf("listing the outcomes of round %s: %w", candidate, err)
		}
		if len(revisions) == 0 {
			continue
		}
		wanted := cmp.Or(revision, revisions[len(revisions)-1])
		if !slices.Contains(revisions, wanted) {
			return round.Result{}, command.Usage("round %s has no revision %d; its revisions are %v", candidate, wanted, revisions)
		}
		data, err := bus.Outcome(ctx, candidate, wanted)
		if err != nil {
			return round.Result{}, fmt.Errorf("reading the outcome of round %s: %w", candidate, err)
		}
		return round.Decode(data)
	}
	if name == latest {
		return round.Result{}, command.Usage("no round is concluded yet; %s", listed(rounds))
	}
	return round.Result{}, notConcluded(ctx, bus, name)
}

// notConcluded says how far a round is that has no outcome.
func notConcluded(ctx context.Context, bus *jobstream.Bus, name string) error {
	held, err := bus.Held(ctx, name)
	if err != nil {
		return err
	}
	return command.Usage("round %s is not concluded yet (%s): producer run --resume %s goes on with it", name, round.AuditOf(held), name)
}

// mostListed bounds what an error lists; the last ones are the likely ones.
const mostListed = 20

func listed(rounds []string) string {
	if len(rounds) == 0 {
		return "there is none yet"
	}
	more := max(0, len(rounds)-mostListed)
	text := "there are " + strings.Join(rounds[more:], ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d earlier ones", more)
	}
	return text
}

func uidsOf(r round.Result) string {
	uids := make([]string, len(r.Outcome.Miners))
	for i := range r.Outcome.Miners {
		uids[i] = strconv.Itoa(r.Outcome.Miners[i].UID)
	}
	return strings.Join(uids, ", ")
}

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

func newHeading(r round.Result, uid int) heading {
	return heading{Round: r.Round, Revision: r.Revision, AsOf: r.AsOf.UTC().Format(instantLayout), UID: uid}
}

func newMinerAnswer(r round.Result, m *scoring.MinerOutcome) *minerAnswer {
	a := &minerAnswer{heading: newHeading(r, m.UID), Miner: *m, Rewards: pathOf(&r.Outcome, m.UID)}
	for _, letter := range r.DeadLetters {
		if letter.UID == m.UID {
			a.DeadLetters = append(a.DeadLetters, letter)
		}
	}
	for _, d := range r.Degraded {
		if d.UID == m.UID {
			a.Missing = append(a.Missing, d.Missing...)
		}
	}
	for _, d := range r.Malformed {
		if d.UID == m.UID {
			a.Malformed = append(a.Malformed, d.Items...)
		}
	}
	return a
}

// traceOf is the trace of a miner's last job; its record knows. A miner without
// a job has none.
func traceOf(ctx context.Context, bus *jobstream.Bus, name string, uid int) (string, error) {
	record, _, err := bus.Record(ctx, name, uid)
	if err != nil && !errors.Is(err, jobstream.ErrNotFound) {
		return "", fmt.Errorf("reading the record of miner %d: %w", uid, err)
	}
	return record.Trace, nil
}

// newPullAnswer finds one pull request of a miner, with its files.
func newPullAnswer(
	ctx context.Context, bus *jobstream.Bus, r round.Result, m *scoring.MinerOutcome, name pullName,
) (*pullAnswer, error) {
	a := &pullAnswer{heading: newHeading(r, m.UID)}
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
