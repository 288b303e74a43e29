package whatif

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mirrorfleet/shared/scoring"
)

// association is that of an account that sets a label: the rules count labels of maintainers
// (docs/rules/scoring.md#multipliers).
const association = "MEMBER"

// change makes one change wherever the mirror says it.
func (w *world) change(c Change) error {
	if _, registered := w.in.Registry.Repository(c.Item.Repository); !registered {
		return impossible("repository %s is not in the round's registry", c.Item.Repository)
	}
	pulls, solvers := w.pulls(c.Item), w.solvers(c.Item)
	// A repository numbers pull requests and issues together, so a number is never both.
	isPull := len(pulls) > 0 || len(solvers) > 0
	if !isPull && (c.Kind == Close || c.Kind == Date) {
		if issues := w.issues(c.Item); len(issues) > 0 {
			return w.changeIssue(c, issues)
		}
	}
	if !isPull {
		return w.unknown(c.Item)
	}
	switch c.Kind {
	case Merge:
		return w.merge(c, pulls, solvers)
	case Close:
		return w.close(c, pulls)
	case Approve:
		return approve(pulls)
	case Label, Unlabel:
		return label(c, pulls, solvers)
	case Link:
		return w.link(c, pulls)
	case Unlink:
		return unlink(c, pulls)
	case Date:
		return w.date(c, pulls, solvers)
	}
	return impossible("a %q is no change", c.Kind)
}

// unknown says why a pull request or an issue is not in any answer of the round: the evaluation
// is too old to have the answers, a stored one stands in, or no miner has it.
func (w *world) unknown(item Item) error {
	for uid, e := range w.in.Evaluations {
		for _, list := range [][]scoring.ScoredPullRequest{e.Merged, e.Open, e.Closed} {
			if slices.ContainsFunc(list, func(p scoring.ScoredPullRequest) bool { return named(p.Repository, p.Number, item) }) {
				return &NotKeptError{What: []string{"what the mirror said of " + item.String() + ": the evaluation of miner " +
					fmt.Sprint(uid) + " is of a version that did not keep it"}}
			}
		}
	}
	for uid, stored := range w.in.Stored {
		if e, there := w.in.Evaluations[uid]; there && !e.FetchFailed {
			continue
		}
		for _, list := range [][]scoring.ScoredPullRequest{stored.Merged, stored.Open, stored.Closed} {
			if slices.ContainsFunc(list, func(p scoring.ScoredPullRequest) bool { return named(p.Repository, p.Number, item) }) {
				return impossible("%s is from the stored evaluation of miner %d, which stands in as it is: a change would not be seen", item, uid)
			}
		}
	}
	return impossible("no miner of the round has a pull request or an issue %s", item)
}

// when is the instant of a change, checked against what was before it and the round's window:
// the mirror lists nothing from before.
func (w *world) when(c Change, created time.Time) (time.Time, error) {
	at := c.At
	if at.IsZero() {
		at = w.in.AsOf
	}
	since := w.windows[c.Item.Repository]
	switch {
	case at.Before(created):
		return at, impossible("%s is before its creation at %s", text(at), text(created))
	case at.After(w.in.AsOf):
		return at, impossible("%s is after the round's instant, %s", text(at), text(w.in.AsOf))
	case at.Before(since):
		return at, impossible("%s is before the window of the round, which begins at %s", text(at), text(since))
	}
	return at, nil
}

func text(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// merge merges a pull request by somebody who is not its author, and closes the open issues
// that it says it closes, as GitHub does. Without a login the merge gate takes the merge for
// another account's (docs/rules/scoring.md#merge-gate). The answers of issues about their
// solver have no date of creation, so none is compared there.
func (w *world) merge(c Change, pulls []*scoring.PullRequest, solvers []*scoring.SolvingPullRequest) error {
	for _, pr := range pulls {
		if pr.State == scoring.Merged {
			return impossible("it is merged already")
		}
		at, err := w.when(c, pr.CreatedAt)
		if err != nil {
			return err
		}
		pr.State, pr.MergedByLogin = scoring.Merged, ""
		pr.MergedAt, pr.ClosedAt = at, at
		for i := range pr.LinkedIssues {
			if issue := pr.LinkedIssues[i]; issue.State == scoring.Open {
				w.solved(pr, &issue)
				closedBy(&pr.LinkedIssues[i], pr.Number, at)
			}
		}
	}
	for _, solver := range solvers {
		if solver.State == scoring.Merged && len(pulls) == 0 {
			return impossible("it is merged already")
		}
		at, err := w.when(c, time.Time{})
		if err != nil {
			return err
		}
		solver.State, solver.MergedAt = scoring.Merged, at
	}
	return nil
}

// solved closes an issue by a merge wherever the mirror lists it, except in the pull
// request itself.
func (w *world) solved(pr *scoring.PullRequest, issue *scoring.LinkedIssue) {
	if issue.Number == 0 {
		return // a new one: nobody else has it
	}
	item := Item{pr.Repository, issue.Number}
	for _, link := range w.links(item) {
		closedBy(link, pr.Number, pr.MergedAt)
	}
	found := w.issues(item)
	for _, l := range found {
		number := pr.Number
		l.issue.State, l.issue.StateReason = scoring.Closed, scoring.Completed
		l.issue.ClosedAt = pr.MergedAt
		l.issue.SolvedByPR, l.issue.Solving = &number, solverOf(pr)
		w.unopened(l.uid, pr.Repository)
	}
	if len(found) > 0 || issue.AuthorID == nil {
		return
	}
	// It was filed before the window: its author's list does not have it while it is open. Once
	// closed, it would be listed by the date of its closing, with fields that nobody asked for.
	for _, m := range w.in.Miners {
		if e, there := w.in.Evaluations[m.UID]; there && e.Issues != nil && m.GitHubID == *issue.AuthorID {
			w.lacksf("issue %s of miner %d, which was filed before the round's window", item, m.UID)
		}
	}
}

// solverOf is a pull request as an issue that it solved has it: the same facts, in the form of
// the mirror's other answer.
func solverOf(pr *scoring.PullRequest) *scoring.SolvingPullRequest {
	solver := &scoring.SolvingPullRequest{
		Number:                          pr.Number,
		AuthorID:                        pr.AuthorID,
		State:                           pr.State,
		MergedAt:                        pr.MergedAt,
		EditedAfterMerge:                pr.EditedAfterMerge,
		HeadRef:                         pr.HeadRef,
		HeadRepository:                  pr.HeadRepository,
		DefaultBranch:                   pr.DefaultBranch,
		HeadSHA:                         pr.HeadSHA,
		BaseSHA:                         pr.BaseSHA,
		MergeBaseSHA:                    pr.MergeBaseSHA,
		MaintainerChangesRequestedCount: pr.MaintainerChangesRequestedCount,
		Labels:                          slices.Clone(pr.Labels),
	}
	if pr.BaseRef != "" {
		base := pr.BaseRef
		solver.BaseRef = &base
	}
	return solver
}

// close closes a pull request without a merge. It must be in a miner's own list: issues name
// only the pull requests that solved them.
func (w *world) close(c Change, pulls []*scoring.PullRequest) error {
	if len(pulls) == 0 {
		return impossible("no miner of the round has it in its list")
	}
	for _, pr := range pulls {
		if pr.State != scoring.Open {
			return impossible("it is %s already", strings.ToLower(string(pr.State)))
		}
		at, err := w.when(c, pr.CreatedAt)
		if err != nil {
			return err
		}
		pr.State, pr.ClosedAt = scoring.Closed, at
	}
	return nil
}

// approve adds an approval. Only the merge gate looks at them.
func approve(pulls []*scoring.PullRequest) error {
	if len(pulls) == 0 {
		return impossible("no miner of the round has it in its list")
	}
	for _, pr := range pulls {
		pr.ApprovedCount++
	}
	return nil
}
