package scoring

import (
	"time"

	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/python"
)

// LinkedReason is one linked issue of a pull request and how it was judged.
type LinkedReason struct {
	Number     int    `json:"number"`
	Maintainer bool   `json:"maintainer,omitempty"` // whether a maintainer wrote it
	Reason     Reason `json:"reason"`
}

// IssueReason is what an issue multiplier was chosen from.
type IssueReason struct {
	Valid        int     `json:"valid"` // of the linked issues
	ByMaintainer bool    `json:"by_maintainer,omitempty"`
	Standard     float64 `json:"standard_issue_multiplier"`
	Maintainer   float64 `json:"maintainer_issue_multiplier"`
}

// CloseWindow is how long after a merge an issue may be closed and still count as
// closed by it: docs/rules/scoring.md#linked-issue.
const CloseWindow = 24 * time.Hour

// issueMultiplier applies docs/rules/scoring.md#linked-issue. The order of the
// linked issues does not matter: one valid issue by a maintainer decides.
func issueMultiplier(pr *PullRequest, rates *input.Scoring) (multiplier float64, reason IssueReason, reasons []LinkedReason) {
	multiplier = 1
	reason = IssueReason{Standard: rates.StandardIssueMultiplier, Maintainer: rates.MaintainerIssueMultiplier}
	for i := range pr.LinkedIssues {
		issue := &pr.LinkedIssues[i]
		judged := LinkedReason{issue.Number, IsMaintainer(issue.AuthorAssociation), judgeLinked(issue, pr)}
		reasons = append(reasons, judged)
		if judged.Reason.Code == LinkedValid {
			reason.Valid++
			reason.ByMaintainer = reason.ByMaintainer || judged.Maintainer
		}
	}
	switch {
	case reason.ByMaintainer:
		multiplier = rates.MaintainerIssueMultiplier
	case reason.Valid > 0:
		multiplier = rates.StandardIssueMultiplier
	}
	return python.Round2(multiplier), reason, reasons
}

// judgeLinked says whether a linked issue is valid, or names the first rule that it
// breaks. A merged pull request without merged_at never gets here: the merge gate
// drops it.
func judgeLinked(issue *LinkedIssue, pr *PullRequest) Reason {
	switch {
	case issue.Transferred:
		return because(LinkedTransferred)
	case issue.AuthorID == nil:
		return because(LinkedNoAuthor)
	case *issue.AuthorID == pr.AuthorID:
		return because(LinkedOwnIssue, "author_id", pr.AuthorID)
	case !issue.CreatedAt.IsZero() && after(issue.CreatedAt, pr.CreatedAt):
		return because(LinkedCreatedAfter, "issue_created_at", instant(issue.CreatedAt), "created_at", instant(pr.CreatedAt))
	case issue.State == Closed && issue.StateReason != Completed:
		return because(LinkedNotCompleted, "state_reason", issue.StateReason)
	case issue.SolvedByPR != nil && *issue.SolvedByPR != pr.Number:
		return because(LinkedOtherSolver, "solved_by_pr", count(*issue.SolvedByPR))
	case pr.State == Merged && !pr.MergedAt.IsZero():
		return judgeLinkedMerged(issue, pr)
	}
	return because(LinkedValid)
}

// judgeLinkedMerged applies the rules that hold for merged pull requests alone. An
// issue without a closing time passes the last one.
func judgeLinkedMerged(issue *LinkedIssue, pr *PullRequest) Reason {
	switch {
	case pr.EditedAfterMerge:
		return because(LinkedEditedAfter)
	case issue.State != Closed:
		return because(LinkedNotClosed, "state", string(issue.State))
	case issue.ClosedAt.IsZero():
		return because(LinkedValid)
	}
	late := micros(issue.ClosedAt) - micros(pr.MergedAt)
	switch {
	case late < 0:
		return because(LinkedClosedBefore, "closed_at", instant(issue.ClosedAt), "merged_at", instant(pr.MergedAt))
	case late > CloseWindow.Microseconds():
		return because(LinkedClosedLongAfter, "closed_at", instant(issue.ClosedAt), "merged_at", instant(pr.MergedAt))
	}
	return because(LinkedValid)
}
