package whatif_test

import (
	"fmt"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

var asOf = time.Date(2026, 6, 18, 18, 54, 0, 0, time.UTC)

const rules = `{"emission_share": 0.09, "issue_discovery_share": 0.3, "label_multipliers": {"bug*": 1.5, "docs": 0.5},
	"eligibility": {"min_valid_merged_prs": 2, "min_credibility": 0.5, "min_valid_solved_issues": 1}}`

// fleet is a round of miners, each with pull requests of every kind and issues.
func fleet(tb testing.TB, miners int) scoring.RoundInput {
	tb.Helper()
	registry := "{"
	for n := range 10 {
		registry += fmt.Sprintf(`"acme/r%d": %s,`, n, rules)
	}
	in := scoring.RoundInput{
		AsOf:        asOf,
		Registry:    must.Get(input.ParseRegistry([]byte(registry[:len(registry)-1] + "}")))(tb),
		Evaluations: map[int]scoring.Evaluation{},
	}
	for uid := 1; uid <= miners; uid++ {
		m := input.Miner{UID: uid, Hotkey: fmt.Sprint("hk", uid), GitHubID: fmt.Sprint(1000 + uid)}
		in.Miners = append(in.Miners, m)
		in.Evaluations[uid] = evaluate(&m, pullsOf(&m), in.Registry)
	}
	return in
}

// pullsOf has 20 merged pull requests, of which the last is one that its author merged; three
// open and two closed ones.
func pullsOf(m *input.Miner) []scoring.PullRequest {
	var pulls []scoring.PullRequest
	for n := 1; n <= 25; n++ {
		pr := scoring.PullRequest{
			Repository:        fmt.Sprintf("acme/r%d", m.UID%10),
			Number:            m.UID*100 + n,
			State:             scoring.Merged,
			AuthorID:          m.GitHubID,
			AuthorLogin:       m.Hotkey,
			CreatedAt:         asOf.Add(-time.Duration(100+n) * time.Hour),
			MergedAt:          asOf.Add(-time.Duration(2*n) * time.Hour),
			MergedByLogin:     "somebody",
			BaseRef:           "main",
			ScoringDataStored: true,
			Labels:            []scoring.Label{{Name: "docs", ActorAssociation: "OWNER"}},
		}
		switch {
		case n == 20:
			pr.MergedByLogin = pr.AuthorLogin
		case n > 23:
			pr.State, pr.MergedAt = scoring.Closed, time.Time{}
		case n > 20:
			pr.State, pr.MergedAt = scoring.Open, time.Time{}
			nobody := "7"
			pr.LinkedIssues = []scoring.LinkedIssue{{Number: n, State: scoring.Open, AuthorID: &nobody, CreatedAt: pr.CreatedAt}}
		}
		pulls = append(pulls, pr)
	}
	return pulls
}

// evaluate is what a worker makes of it.
func evaluate(m *input.Miner, pulls []scoring.PullRequest, reg input.Registry) scoring.Evaluation {
	loaded := scoring.Load(pulls, reg)
	e := scoring.Evaluation{UID: m.UID, Hotkey: m.Hotkey, GitHubID: m.GitHubID, Received: scoring.Facts(pulls), Dropped: loaded.Dropped}
	score := func(list []scoring.PullRequest) (scored []scoring.ScoredPullRequest) {
		for _, pr := range list {
			repo, _ := reg.Repository(pr.Repository)
			figures := tokens.Totals([]tokens.FileFigures{{
				Filename:  "a.go",
				Method:    tokens.MethodTreeDiff,
				Category:  tokens.CategorySource,
				Score:     float64(pr.Number % 90),
				Breakdown: &tokens.Breakdown{StructuralAddedCount: 4, StructuralAddedScore: float64(pr.Number % 90)},
			}})
			scored = append(scored, scoring.Score(pr, repo, &figures, asOf))
		}
		return scored
	}
	e.Merged = score(loaded.Merged)
	e.Open = score(loaded.Open)
	e.Closed = score(loaded.Closed)
	e.Issues = &scoring.IssueAnswers{Open: map[string]int{pulls[0].Repository: 1}, Listed: []scoring.Issue{
		{Repository: pulls[0].Repository, Number: 90_000 + m.UID, State: scoring.Open, AuthorID: m.GitHubID, CreatedAt: asOf.Add(-9 * time.Hour)},
	}}
	return e
}
