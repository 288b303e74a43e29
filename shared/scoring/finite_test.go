package scoring_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/tokens"
)

// TestOutcomesAreFinite concludes rounds by registries whose numbers are as far
// out as ParseRegistry lets them be. JSON has no NaN and no infinity, so an
// outcome that holds one cannot be encoded. Before factors had a bound, 1e308
// ended in infinite rewards.
func TestOutcomesAreFinite(t *testing.T) {
	t.Parallel()
	for _, fixed := range []string{"1e100", "-1e100", "1e-320", "0"} {
		for _, label := range []string{"1e100", "-1e100", "1e-320"} {
			for _, share := range []string{"1e-100", "0.4"} {
				reg := fmt.Sprintf(`{"a/idle": {"emission_share": 0.6}, "a/b": {"emission_share": %s, "issue_discovery_share": 1e-320,
					"maintainer_cut": 1e-320, "fixed_base_score": %s, "default_label_multiplier": %s, "label_multipliers": {"*": %s},
					"eligibility": {"min_valid_merged_prs": 0, "min_credibility": 0, "open_pr_threshold_token_score": 1e-320,
						"min_valid_solved_issues": 0, "min_issue_credibility": 0, "open_issue_spam_token_score_per_slot": 1e-320,
						"max_open_pr_threshold": 1e300, "max_open_issue_threshold": 1e300},
					"scoring": {"open_pr_collateral_percent": 1, "maintainer_issue_multiplier": 5, "standard_issue_multiplier": 5}}}`,
					share, fixed, label, label)
				data, err := json.Marshal(scoring.Conclude(roundOf(t, reg, farOut(t, reg, 5), farOut(t, reg, 6))))
				if err != nil {
					t.Errorf("fixed %s, label %s, share %s: got %v, want every figure finite", fixed, label, share, err)
				}
				if len(data) == 0 {
					t.Errorf("fixed %s, label %s, share %s: got no outcome", fixed, label, share)
				}
			}
		}
	}
}

// farOut is a miner whose pull requests score by the registry alone.
func farOut(tb testing.TB, reg string, uid int) scoring.Evaluation {
	tb.Helper()
	repo, _ := registry(tb, reg).Repository("a/b")
	evaluation := scoring.Evaluation{UID: uid}
	for i := range 50 {
		pr := scoring.PullRequest{
			Repository: "a/b", Number: 100*uid + i, State: scoring.Merged, MergedAt: asOf, ScoringDataStored: true,
			Labels: []scoring.Label{{Name: "bug", ActorAssociation: "OWNER"}},
		}
		evaluation.Merged = append(evaluation.Merged, scoring.Score(pr, repo, &tokens.Figures{TokenScore: 1e15}, asOf))
		pr.State, pr.Number = scoring.Open, pr.Number+50
		evaluation.Open = append(evaluation.Open, scoring.Score(pr, repo, &tokens.Figures{TokenScore: 1e15}, asOf))
	}
	return evaluation
}
