package view

import (
	"testing"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/tokens"
)

// What a job took is told apart into look-ups, pull requests that are kept and
// those that are not.
func TestSizeOf(t *testing.T) {
	t.Parallel()
	some := &tokens.Figures{Files: []tokens.FileFigures{{Method: tokens.MethodTreeDiff}}}
	pull := func(n int, code scoring.Code, tokens *tokens.Figures) scoring.ScoredPullRequest {
		return scoring.ScoredPullRequest{Repository: "a/b", Number: n, Reasons: scoring.PullReasons{Base: scoring.Reason{Code: code}}, Tokens: tokens}
	}
	evaluation := func() *job.Evaluation {
		return &job.Evaluation{Version: 1, Cached: 2, Missing: []job.Missing{{What: "files a/b#4"}, {What: "files a/b#5"}}, Evaluation: scoring.Evaluation{
			Merged: []scoring.ScoredPullRequest{pull(1, scoring.BaseFromTokens, some), pull(2, scoring.BaseNoFiles, nil), pull(3, scoring.BaseNoStoredData, nil)},
			Open:   []scoring.ScoredPullRequest{pull(4, scoring.BaseNoFiles, nil), pull(5, scoring.BaseFromTokens, some)},
			Closed: []scoring.ScoredPullRequest{pull(6, scoring.BaseFixed, nil), pull(7, scoring.BaseFixed, nil)},
			Issues: &scoring.IssueAnswers{Solving: []scoring.SolvingScore{{Repository: "c/d", Number: 8}, {Repository: "c/d", Number: 9, Unavailable: true}}},
		}}
	}
	for name, c := range map[string]struct {
		requests, deliveries int
		lookUps, pulls       int
	}{
		"as many as are certain":  {3 + 6 - 2, 1, 3, 3}, // 1, 2, 8 kept; 4, 5, 9 not
		"one that is not certain": {3 + 7 - 2, 1, 3, 4}, // 6 or 7
		"two more pages":          {5 + 8 - 2, 1, 5, 5},
		"tried twice":             {40, 2, 3, 3},
	} {
		got := sizeOf(job.Record{Requests: c.requests, Deliveries: c.deliveries}, evaluation(), 0)
		if got.LookUps != c.lookUps || len(got.Pulls) != c.pulls || got.Unkept != 3 {
			t.Errorf("%s: %+v, want %d look-ups, %d pull requests, 3 that are not kept", name, got, c.lookUps, c.pulls)
		}
	}
}
