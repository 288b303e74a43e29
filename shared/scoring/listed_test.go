package scoring_test

import (
	"strings"
	"testing"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// A body is kept with the evaluation, up to a bound, and with nothing that holds
// all miners: an author must not make a round too large to be stored.
func TestABodyIsBounded(t *testing.T) {
	t.Parallel()
	reg := registry(t, `{"a/b": {"emission_share": 0.5, "fixed_base_score": 1}}`)
	repo, _ := reg.Repository("a/b")
	long := strings.Repeat("x", 8<<10-1) + strings.Repeat("é", 10)
	score := func(body *string) scoring.ScoredPullRequest {
		return scoring.Score(scoring.PullRequest{Repository: "a/b", Number: 1, State: scoring.Open, Body: body, Commits: 3}, repo, nil, asOf)
	}
	for name, c := range map[string]struct{ body, want *string }{
		"none": {}, "short": {new("é"), new("é")}, "long": {&long, new(long[:8<<10-1])},
	} {
		got := score(c.body).Listed.Body
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: got %d bytes, want %d", name, lengthOf(got), lengthOf(c.want))
		}
	}
	out := scoring.Conclude(scoring.RoundInput{
		AsOf: asOf, Registry: reg, Miners: []input.Miner{{UID: 1, Hotkey: "h", GitHubID: "1"}},
		Evaluations: map[int]scoring.Evaluation{1: {UID: 1, Open: []scoring.ScoredPullRequest{score(&long)}}},
	})
	for name, listed := range map[string]*scoring.Listed{
		"outcome": out.Miners[0].PullRequests[0].Listed, "stored": out.Stored[0].Evaluation.Open[0].Listed,
	} {
		if listed == nil || listed.Body != nil || listed.Commits != 3 {
			t.Errorf("%s: %+v, want all but the body", name, listed)
		}
	}
}

func lengthOf(s *string) int {
	if s == nil {
		return -1
	}
	return len(*s)
}

// What nobody takes for want of the recycle uid and the treasury is told, and
// with the rewards it is everything.
func TestWhatNobodyTakes(t *testing.T) {
	t.Parallel()
	reg := registry(t, `{"a/b": {"emission_share": 0.5}}`)
	for _, c := range []struct {
		uids []int
		want float64
	}{{[]int{0, 1, 111}, 0}, {[]int{0, 1}, 0.1}, {[]int{1, 111}, 0.9}, {[]int{1}, 1}} {
		in := scoring.RoundInput{AsOf: asOf, Registry: reg}
		for _, uid := range c.uids {
			in.Miners = append(in.Miners, input.Miner{UID: uid, Hotkey: "h", GitHubID: "0", Token: input.TokenNone})
		}
		out := scoring.Conclude(in)
		if out.Untaken != c.want || out.Sum+out.Untaken < 1-1e-12 || out.Sum+out.Untaken > 1+1e-12 {
			t.Errorf("uids %v: %v untaken and a sum of %v, want %v and the rest", c.uids, out.Untaken, out.Sum, c.want)
		}
	}
}
