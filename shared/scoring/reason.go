package scoring

import (
	"strconv"
	"time"
)

// Code names the rule that decided something.
type Code string

// Reason is why something was decided: the rule, with the values that it
// looked at. It is made where the rule is decided and never derived again.
type Reason struct {
	Code   Code              `json:"code"`
	Values map[string]string `json:"values,omitempty"`
}

// because makes a reason; values come as name, value, name, value.
func because(code Code, values ...string) Reason {
	r := Reason{Code: code}
	for i := 0; i+1 < len(values); i += 2 {
		if r.Values == nil {
			r.Values = make(map[string]string, len(values)/2)
		}
		r.Values[values[i]] = values[i+1]
	}
	return r
}

// Why a pull request was not loaded.
const (
	DropUnknownRepository Code = "repository-not-registered"
	DropMaintainer        Code = "author-is-maintainer"
	DropUnknownState      Code = "unknown-state"
	DropNoMergedAt        Code = "no-merged-at"
	DropSelfMerged        Code = "self-merged-without-approval"
	DropBaseBranch        Code = "base-branch-not-acceptable"
	DropHeadBranch        Code = "head-branch-is-acceptable" // a merge between acceptable branches
)

// How a pull request came by its base score.
const (
	BaseFromTokens   Code = "tokens"
	BaseFixed        Code = "fixed"
	BaseNoStoredData Code = "no-scoring-data-stored"
	BaseNoFiles      Code = "no-files" // a failed fetch, or an empty list
)

// What became of a label.
const (
	LabelChosen    Code = "chosen"
	LabelLower     Code = "another-is-higher"
	LabelNoPattern Code = "no-pattern-matches"
	LabelUntrusted Code = "actor-is-no-maintainer"
	LabelUnnamed   Code = "no-name"
)

// What a linked issue was judged by.
const (
	LinkedValid           Code = "valid"
	LinkedTransferred     Code = "transferred"
	LinkedNoAuthor        Code = "no-author"
	LinkedOwnIssue        Code = "same-author"
	LinkedCreatedAfter    Code = "created-after-pull-request"
	LinkedNotCompleted    Code = "not-completed"
	LinkedOtherSolver     Code = "other-solver"
	LinkedEditedAfter     Code = "pull-request-edited-after-merge"
	LinkedNotClosed       Code = "not-closed"
	LinkedClosedBefore    Code = "closed-before-merge"
	LinkedClosedLongAfter Code = "closed-long-after-merge"
)

// Why a repository does or does not pay a miner.
const (
	GateOpen        Code = "eligible"
	GateTooFew      Code = "too-few"
	GateCredibility Code = "credibility-too-low"
)

// What became of an issue of a miner's.
const (
	IssueUnknownRepository Code = "repository-not-registered"
	IssueOfMaintainer      Code = "author-is-maintainer"
	IssueTransferred       Code = "transferred"
	IssueNotClosed         Code = "not-closed"
	IssueNotCompleted      Code = "not-completed"
	IssueNoSolver          Code = "no-solving-pull-request"
	IssueSolverNotMerged   Code = "solving-pull-request-not-merged"
	IssueSolverBranch      Code = "solving-pull-request-branch"
	IssueSolverEdited      Code = "solving-pull-request-edited-after-merge"
	IssueEditedAfter       Code = "edited-after-merge"
	IssueNoAuthor          Code = "no-author"
	IssueUnavailable       Code = "solving-score-unavailable"
	IssueOwnSolver         Code = "author-is-solver"
	IssueNotCanonical      Code = "another-issue-owns-the-pull-request"
	IssueBelowThreshold    Code = "token-score-too-low"
	IssueNoMergedAt        Code = "no-merged-at"
	IssueScores            Code = "scores"
	IssueNotEligible       Code = "repository-not-eligible"
)

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
func count(n int) string      { return strconv.Itoa(n) }
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
