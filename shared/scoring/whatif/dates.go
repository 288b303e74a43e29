package whatif

import (
	"strings"
	"time"

	"mirrorfleet/shared/scoring"
)

// date changes a date of a pull request. Whether it was edited after its merge stays as the
// mirror says.
func (w *world) date(c Change, pulls []*scoring.PullRequest, solvers []*scoring.SolvingPullRequest) error {
	if c.Field != MergedAt {
		return impossible("of a pull request only %s can be changed: the mirror's lists are in the order of their creation", MergedAt)
	}
	for _, pr := range pulls {
		if pr.State != scoring.Merged {
			return impossible("it is not merged, but %s", strings.ToLower(string(pr.State)))
		}
		at, err := w.when(c, pr.CreatedAt)
		if err != nil {
			return err
		}
		if at.Equal(pr.MergedAt) {
			return impossible("that is when it was merged")
		}
		pr.MergedAt = at
	}
	for _, solver := range solvers {
		if solver.State != scoring.Merged {
			return impossible("it is not merged, but %s", strings.ToLower(string(solver.State)))
		}
		at, err := w.when(c, time.Time{})
		if err != nil {
			return err
		}
		solver.MergedAt = at
	}
	return nil
}

// changeIssue closes an issue, or changes a date of it, in its author's list and in the pull
// requests that close it.
func (w *world) changeIssue(c Change, found []listed) error {
	for _, l := range found {
		err := w.dateIssue(c, l.issue)
		if c.Kind == Close {
			err = w.closeIssue(c, l)
		}
		if err != nil {
			return err
		}
	}
	issue := found[0].issue
	for _, link := range w.links(c.Item) {
		link.State, link.StateReason = issue.State, issue.StateReason
		link.CreatedAt, link.ClosedAt = issue.CreatedAt, issue.ClosedAt
	}
	return nil
}

// closeIssue closes an open issue as its author can: not planned, and solved by nobody.
func (w *world) closeIssue(c Change, l listed) error {
	if l.issue.State != scoring.Open {
		return impossible("it is %s already", strings.ToLower(string(l.issue.State)))
	}
	at, err := w.when(c, l.issue.CreatedAt)
	if err != nil {
		return err
	}
	l.issue.State, l.issue.StateReason = scoring.Closed, "NOT_PLANNED"
	l.issue.ClosedAt = at
	w.unopened(l.uid, l.issue.Repository)
	return nil
}

// dateIssue changes a date of an issue. The mirror lists a closed issue by its closing and an
// open one by its creation. Only that date must be within the round's window: with it before,
// the list would not have the issue. Dates must stay in order.
func (w *world) dateIssue(c Change, issue *scoring.Issue) error {
	if c.Kind != Date {
		return nil
	}
	at, err := w.when(c, time.Time{})
	closed := issue.State == scoring.Closed
	byWindow := c.Field == ClosedAt || c.Field == CreatedAt && !closed // the date by which the mirror lists it
	switch {
	case err != nil && (byWindow || at.After(w.in.AsOf)):
		return err
	case c.Field == CreatedAt && closed && !issue.ClosedAt.IsZero() && at.After(issue.ClosedAt):
		return impossible("%s is after its closing at %s", text(at), text(issue.ClosedAt))
	case c.Field == ClosedAt && !closed:
		return impossible("it is not closed")
	case c.Field != LastEditedAt && c.Field != CreatedAt && c.Field != ClosedAt:
		return impossible("an issue has %s, %s and %s, and no %s", CreatedAt, ClosedAt, LastEditedAt, c.Field)
	case c.Field != CreatedAt && at.Before(issue.CreatedAt):
		return impossible("%s is before its creation at %s", text(at), text(issue.CreatedAt))
	}
	date := map[Field]*time.Time{CreatedAt: &issue.CreatedAt, ClosedAt: &issue.ClosedAt, LastEditedAt: &issue.LastEditedAt}[c.Field]
	if at.Equal(*date) {
		return impossible("that is its %s", c.Field)
	}
	*date = at
	return nil
}
