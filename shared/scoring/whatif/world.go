package whatif

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// world is what the mirror says of a round, while it is changed. The evaluations are copied
// before they are touched.
type world struct {
	in      scoring.RoundInput
	before  input.Registry
	own     map[int]bool // the evaluations that are copies
	facts   map[int]bool // those whose pull requests have to be scored anew
	windows map[string]time.Time
	missing []string
	kept    map[int]scoring.Evaluation // as they were
	tokens  map[Item]*tokens.Figures   // of the kept ones; nil until somebody asks
}

// Apply is what the round would have kept with the changes, and with another registry unless
// registry is nil.
func Apply(in scoring.RoundInput, changes []Change, registry *input.Registry) (scoring.RoundInput, error) {
	w := &world{
		in:      in,
		before:  in.Registry,
		own:     map[int]bool{},
		facts:   map[int]bool{},
		windows: in.Registry.Windows(in.AsOf),
		kept:    in.Evaluations,
	}
	w.in.Evaluations = maps.Clone(in.Evaluations)
	if registry != nil {
		w.take(*registry)
	}
	// By kind, whatever the order in which they were asked for: each sees those before it.
	for _, kind := range Kinds() {
		for _, c := range changes {
			if c.Kind != kind {
				continue
			}
			if err := w.change(c); err != nil {
				return in, fmt.Errorf("%s: %w", c, err)
			}
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(w.in.Evaluations)) {
		w.score(uid)
	}
	w.solve() // last: a solving pull request in a merged list has its score from there
	if len(w.missing) > 0 {
		// All of them at once, each once: several figures may need the same answer.
		return in, &NotKeptError{What: slices.Compact(slices.Sorted(slices.Values(w.missing)))}
	}
	return w.in, nil
}

// Conclude is the outcome of the round with the changes.
func Conclude(in scoring.RoundInput, changes []Change, registry *input.Registry) (scoring.Outcome, error) {
	changed, err := Apply(in, changes, registry)
	if err != nil {
		return scoring.Outcome{}, err
	}
	return scoring.Conclude(changed), nil
}

func (w *world) lacksf(format string, args ...any) {
	w.missing = append(w.missing, fmt.Sprintf(format, args...))
}

// copyOf is a miner's evaluation, to change. Everything that a change writes to is copied, at
// the first change; all else is shared with the round, which stays as it was.
func (w *world) copyOf(uid int) scoring.Evaluation {
	e := w.in.Evaluations[uid]
	if w.own[uid] {
		return e
	}
	w.own[uid] = true
	e.Received = slices.Clone(e.Received)
	for i := range e.Received {
		e.Received[i].Labels = slices.Clone(e.Received[i].Labels)
		e.Received[i].LinkedIssues = slices.Clone(e.Received[i].LinkedIssues)
	}
	if e.Issues != nil {
		answers := *e.Issues
		answers.Open = maps.Clone(answers.Open)
		answers.Solving = slices.Clone(answers.Solving)
		answers.Listed = slices.Clone(answers.Listed)
		for i := range answers.Listed {
			if solver := answers.Listed[i].Solving; solver != nil {
				kept := *solver
				kept.Labels = slices.Clone(kept.Labels)
				answers.Listed[i].Solving = &kept
			}
		}
		e.Issues = &answers
	}
	w.in.Evaluations[uid] = e
	return e
}

// pulls finds a pull request in the miners' lists.
func (w *world) pulls(item Item) []*scoring.PullRequest {
	var found []*scoring.PullRequest
	w.each(func(uid int, e *scoring.Evaluation) {
		for i := range e.Received {
			if named(e.Received[i].Repository, e.Received[i].Number, item) {
				w.facts[uid] = true
				found = append(found, &w.copyOf(uid).Received[i])
			}
		}
	})
	return found
}

// solvers finds a pull request where issues name it as their solver.
func (w *world) solvers(item Item) []*scoring.SolvingPullRequest {
	var found []*scoring.SolvingPullRequest
	w.each(func(uid int, e *scoring.Evaluation) {
		if e.Issues == nil {
			return
		}
		for i := range e.Issues.Listed {
			if issue := &e.Issues.Listed[i]; issue.Solving != nil && named(issue.Repository, issue.Solving.Number, item) {
				found = append(found, w.copyOf(uid).Issues.Listed[i].Solving)
			}
		}
	})
	return found
}

// links finds an issue where pull requests say that they close it.
func (w *world) links(item Item) []*scoring.LinkedIssue {
	var found []*scoring.LinkedIssue
	w.each(func(uid int, e *scoring.Evaluation) {
		for i := range e.Received {
			for j := range e.Received[i].LinkedIssues {
				if named(e.Received[i].Repository, e.Received[i].LinkedIssues[j].Number, item) {
					w.facts[uid] = true
					found = append(found, &w.copyOf(uid).Received[i].LinkedIssues[j])
				}
			}
		}
	})
	return found
}

// listed is an issue in its author's list.
type listed struct {
	uid   int
	issue *scoring.Issue
}

// issues finds an issue in its authors' lists.
func (w *world) issues(item Item) []listed {
	var found []listed
	w.each(func(uid int, e *scoring.Evaluation) {
		if e.Issues == nil {
			return
		}
		for i := range e.Issues.Listed {
			if named(e.Issues.Listed[i].Repository, e.Issues.Listed[i].Number, item) {
				found = append(found, listed{uid, &w.copyOf(uid).Issues.Listed[i]})
			}
		}
	})
	return found
}

// each visits the evaluations by uid, so that one question always has one answer.
func (w *world) each(visit func(uid int, e *scoring.Evaluation)) {
	for _, uid := range slices.Sorted(maps.Keys(w.in.Evaluations)) {
		e := w.in.Evaluations[uid]
		visit(uid, &e)
	}
}

// named compares as the rules do: names of repositories without case.
func named(repository string, number int, item Item) bool {
	return number == item.Number && strings.EqualFold(repository, item.Repository)
}

// unopened counts one open issue less in its author's answers.
func (w *world) unopened(uid int, repository string) {
	e := w.copyOf(uid)
	repo, registered := w.in.Registry.Repository(repository)
	if !registered || e.Issues.OpenFailed || e.Issues.Open[repo.Name] == 0 {
		return
	}
	if e.Issues.Open[repo.Name]--; e.Issues.Open[repo.Name] == 0 {
		delete(e.Issues.Open, repo.Name) // a count of none is absent (scoring.CountOpen)
	}
}
