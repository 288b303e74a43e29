package scoring

import (
	"cmp"
	"slices"
	"time"

	"mirrorfleet/shared/scoring/input"
)

// keepIssue returns the reason why an issue does not take part in discovery, or
// nil: the third step of docs/rules/scoring.md#issue-discovery.
func keepIssue(issue *Issue, reg input.Registry) *Reason {
	if _, found := reg.Repository(issue.Repository); !found {
		return reject(IssueUnknownRepository)
	}
	if IsMaintainer(issue.AuthorAssociation) {
		return reject(IssueOfMaintainer, "author_association", issue.AuthorAssociation)
	}
	return nil
}

// classify applies the first rule of docs/rules/scoring.md#classification that
// fits. A solved issue always has a solving pull request, so its callers need no
// check. The reason of a solved one is empty: judge sets it.
func classify(issue *Issue, repo *input.Repository) (Classification, Reason) {
	solver := issue.Solving
	switch {
	case issue.Transferred:
		return IssueIgnored, because(IssueTransferred)
	case issue.State != Closed:
		return IssueIgnored, because(IssueNotClosed, "state", string(issue.State))
	case issue.StateReason != Completed:
		return IssueClosed, because(IssueNotCompleted, "state_reason", issue.StateReason)
	case issue.SolvedByPR == nil || *issue.SolvedByPR == 0 || solver == nil:
		return IssueClosed, because(IssueNoSolver)
	case solver.State != Merged:
		return IssueClosed, because(IssueSolverNotMerged, "state", string(solver.State))
	}
	// Older answers do not name the branches. Without a base the rule is skipped.
	if solver.BaseRef != nil {
		reason := branchRule(branches{
			repository:     issue.Repository,
			base:           *solver.BaseRef,
			head:           solver.HeadRef,
			headRepository: solver.HeadRepository,
			defaultBranch:  solver.DefaultBranch,
		}, repo)
		if reason != nil {
			reason.Values["rule"] = string(reason.Code)
			reason.Code = IssueSolverBranch
			return IssueClosed, *reason
		}
	}
	switch {
	case solver.EditedAfterMerge:
		return IssueClosed, because(IssueSolverEdited)
	case !issue.LastEditedAt.IsZero() && !solver.MergedAt.IsZero() && after(issue.LastEditedAt, solver.MergedAt):
		return IssueClosed, because(IssueEditedAfter,
			"last_edited_at", instant(issue.LastEditedAt), "merged_at", instant(solver.MergedAt))
	case issue.AuthorID == "":
		return IssueIgnored, because(IssueNoAuthor)
	}
	return IssueSolved, Reason{}
}

// createdOrFarFuture is the instant of creation. An unknown one is Python's
// datetime.max, which orders the issue after all others.
func (i *Issue) createdOrFarFuture() time.Time {
	if i.CreatedAt.IsZero() {
		return time.Date(9999, time.December, 31, 23, 59, 59, 999999000, time.UTC)
	}
	return i.CreatedAt
}

// inOrder sorts issues in the order of docs/rules/scoring.md#counts. Equal ones keep
// the order received. The order matters: it is the order in which scores are added.
func inOrder(issues []*Issue) {
	solver := func(i *Issue) int {
		if i.SolvedByPR == nil {
			return 0
		}
		return *i.SolvedByPR
	}
	slices.SortStableFunc(issues, func(a, b *Issue) int {
		return cmp.Or(
			cmp.Compare(a.Repository, b.Repository),
			cmp.Compare(solver(a), solver(b)),
			cmp.Compare(micros(a.createdOrFarFuture()), micros(b.createdOrFarFuture())),
		)
	})
}

// CountOpen counts the open issues of each repository of the registry, by
// lower-cased name. Issues whose author is a maintainer count too.
func CountOpen(issues []Issue, reg input.Registry) map[string]int {
	counts := map[string]int{}
	for i := range issues {
		if repo, found := reg.Repository(issues[i].Repository); found && issues[i].State == Open {
			counts[repo.Name]++
		}
	}
	return counts
}

// IssueRow is what the mirror's one answer on all issues says of an issue. An
// author without an id is "", an instant that is not known is zero.
type IssueRow struct {
	AuthorID, Repository string
	State                State
	CreatedAt, ClosedAt  time.Time
}

// Inside says whether the mirror lists the issue in a request for its author's
// issues within the windows (Registry.Windows): an open one that was created, and a
// closed one that was closed, not before its repository's. The mirror takes windows
// and rows to the millisecond, the rest cut off.
func (row *IssueRow) Inside(reg input.Registry, windows map[string]time.Time) bool {
	repo, found := reg.Repository(row.Repository)
	if !found {
		return false
	}
	at := row.CreatedAt
	if row.State == Closed {
		at = row.ClosedAt
	}
	since, asked := windows[repo.Name]
	return asked && !at.IsZero() && !at.Before(since.Truncate(time.Millisecond))
}
