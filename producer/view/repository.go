package view

import (
	"fmt"

	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
)

// RepositoryDerivation is how a miner's scores in a repository come about. What it is paid
// for them is in its path.
type RepositoryDerivation struct {
	Repository string     `json:"repository_full_name"`
	Pulls      Derivation `json:"pull_requests"`
	Issues     Derivation `json:"issue_discovery"`
}

// deriveRepositories derives what a miner has in each of its repositories.
func deriveRepositories(m *scoring.MinerOutcome, path Path) []RepositoryDerivation {
	list := make([]RepositoryDerivation, len(m.Repositories))
	for i := range m.Repositories {
		r := &m.Repositories[i]
		pays := path.in(r.Repository)
		list[i] = RepositoryDerivation{
			Repository: r.Repository,
			Pulls: Derivation{
				Formulas:  pullFormulas(m, r),
				Gates:     pullGates(r.PullGate),
				Zero:      ZeroPulls(r),
				Waterfall: repositoryWaterfall(m, r, rateOf(pays)),
			},
			Issues: Derivation{
				Formulas:  issueFormulas(m, r),
				Gates:     issueGates(r.IssueGate),
				Zero:      ZeroIssues(r),
				Waterfall: issueWaterfall(m, r, pays),
			},
		}
	}
	return list
}

// in is the path in a repository; nil where the miner has nothing to gain.
func (p Path) in(repository string) *RepositoryPath {
	for i := range p.Repositories {
		if p.Repositories[i].Repository == repository {
			return &p.Repositories[i]
		}
	}
	return nil
}

// pullFormulas derive a repository's score of pull requests: docs/rules/scoring.md#evaluation.
func pullFormulas(m *scoring.MinerOutcome, r *scoring.RepositoryOutcome) []Formula {
	if r.PullGate == nil {
		return []Formula{}
	}
	var earned []float64
	for i := range m.PullRequests {
		if pull := &m.PullRequests[i]; pull.Repository == r.Repository && pull.State == scoring.Merged {
			earned = append(earned, pull.EarnedScore)
		}
	}
	list := gateFormulas(r.PullGate, share(whole("merged", r.TotalMergedPRs), whole("closed", r.TotalClosedPRs)), "open pull requests")
	return append(list, formulaOf("score", r.TotalScore, scoreDigits,
		call("max", num(0), call("-", sumOf("earned", earned), called("collateral", r.TotalCollateralScore)))))
}

// maxSummed is how many numbers a sum lists. The table of pull requests has all.
const maxSummed = 6

// sumOf is a sum of several numbers, or of many its result.
func sumOf(name string, list []float64) term {
	sum, parts := 0.0, make([]term, len(list))
	for i, x := range list {
		sum += x
		parts[i] = called(name, x)
	}
	if len(list) < 2 || len(list) > maxSummed {
		return called(name, sum)
	}
	return call("+", parts...)
}

// issueFormulas derive a repository's discovery score: docs/rules/scoring.md#earnings.
func issueFormulas(m *scoring.MinerOutcome, r *scoring.RepositoryOutcome) []Formula {
	if r.IssueGate == nil {
		return []Formula{}
	}
	list := gateFormulas(r.IssueGate, share(whole("solved", r.TotalSolvedIssues), whole("closed", r.TotalClosedIssues)), "open issues")
	var earned []float64
	for i := range m.ScoredIssues {
		if s := &m.ScoredIssues[i]; s.Repository == r.Repository {
			list = append(list, scoredIssueFormulas(m, s)...)
			earned = append(earned, s.EarnedScore)
		}
	}
	return append(list, formulaOf("discovery score", r.IssueDiscoveryScore, roundedDigits, call("round2", sumOf("", earned))))
}

// scoredIssueFormulas derive what an issue earns. One from a stored evaluation has no reasons.
func scoredIssueFormulas(m *scoring.MinerOutcome, s *scoring.ScoredIssue) []Formula {
	var list []Formula
	name := fmt.Sprintf("issue #%d", s.Number)
	for i := range m.Issues {
		if issue := &m.Issues[i]; issue.Repository == s.Repository && issue.Number == s.Number && issue.TimeDecay != nil && issue.Review != nil {
			list = append(list,
				decayFormula(name+" time decay", s.TimeDecayMultiplier, issue.TimeDecay),
				reviewFormula(name+" review quality", s.ReviewQualityMultiplier, issue.Review))
			break // a list may have the same issue twice
		}
	}
	return append(list, formulaOf(name+" earned", s.EarnedScore, roundedDigits, call("round2", call("x", called("base", s.BaseScore),
		called("label", s.LabelMultiplier), called("decay", s.TimeDecayMultiplier), called("review", s.ReviewQualityMultiplier),
		called("credibility", s.CredibilityMultiplier), called("open issues", s.OpenSpamMultiplier)))))
}

// rewardFormulas derive what a repository pays a miner: docs/rules/scoring.md#rewards.
func rewardFormulas(r *RepositoryPath, pool scoring.Pool, m *scoring.MinerOutcome) []Formula {
	list := []Formula{}
	if r.MaintainerReward > 0 {
		list = append(list, formulaOf("as a maintainer", r.MaintainerReward, rewardDigits, call("/", call("x", called("cut", r.MaintainerCut),
			called("emission share", r.EmissionShare), num(scoring.ScoringPart)), whole("maintainers", r.Maintainers))))
	}
	if !r.Active {
		return list
	}
	slice := r.Pulls.Slice + r.Issues.Slice
	list = append(list, formulaOf("slice for scores", slice, rewardDigits,
		call("x", num(scoring.ScoringPart), called("scoring share", r.ScoringShare), called("pool multiplier", pool.Multiplier))))
	both := r.Pulls.Slice > 0 && r.Issues.Slice > 0
	for _, side := range []struct {
		Side

		name  string
		share term
		zero  func(*scoring.RepositoryOutcome) string
	}{
		{r.Pulls, "pull requests", call("-", num(1), called("issue discovery share", r.IssueDiscoveryShare)), ZeroPulls},
		{r.Issues, "issue discovery", called("issue discovery share", r.IssueDiscoveryShare), ZeroIssues},
	} {
		if side.Slice == 0 {
			continue
		}
		if both {
			list = append(list, formulaOf("slice of "+side.name, side.Slice, rewardDigits, call("x", num(slice), side.share)))
		}
		note := "scores of " + plural.Of(side.Miners, "miner")
		if side.Reward == 0 {
			note += "; " + ZeroSide(m, r.Repository, side.zero)
		}
		list = append(list, formulaOf("reward of "+side.name, side.Reward, rewardDigits, call("x", called("slice", side.Slice),
			call("/", called("score", side.Score), called("all scores", side.All)))).noted(note))
	}
	return list
}
