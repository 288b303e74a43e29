package scoring

import (
	"strconv"
	"time"
)

// Code names the rule that made a decision. Codes are published: they are in stored
// outcomes and in the API, so they are never renamed.
type Code string

// Reason explains a decision: the rule, with the values that it compared. It is made
// where the rule is applied and never derived later, so it cannot contradict the score.
type Reason struct {
	Code   Code              `json:"code"`
	Values map[string]string `json:"values,omitempty"`
}

// because makes a reason. The values alternate: name, value, name, value.
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

// Where a pull request's base score comes from.
const (
	BaseFromTokens   Code = "tokens"
	BaseFixed        Code = "fixed"
	BaseNoStoredData Code = "no-scoring-data-stored"
	BaseNoFiles      Code = "no-files" // a failed fetch, or an empty list
)

// How a label was judged.
const (
	LabelChosen    Code = "chosen"
	LabelLower     Code = "another-is-higher"
	LabelNoPattern Code = "no-pattern-matches"
	LabelUntrusted Code = "actor-is-no-maintainer"
	LabelUnnamed   Code = "no-name"
)

// How a linked issue was judged.
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

// How an issue of a miner was judged.
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

// number is the shortest text that is read back as the same float64.
func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
func count(n int) string      { return strconv.Itoa(n) }
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
