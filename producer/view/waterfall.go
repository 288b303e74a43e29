package view

import "mirrorfleet/shared/scoring"

// Step is one step on the way from the base score to the score.
type Step struct {
	Name string `json:"name"`
	// Factor is what the score before is multiplied by; nil for a step that adds or takes away.
	Factor *float64 `json:"factor,omitempty"`
	Gave   float64  `json:"gave"`  // score; below 0 for what the step cost
	Score  float64  `json:"score"` // after the step
	// Reward is what Gave comes to in the miner's reward, at the rate at which the repository
	// pays scores in this round; nil where nobody is paid for such scores. The steps' rewards
	// add up to the reward.
	Reward *float64 `json:"reward,omitempty"`
}

// fall collects the steps of a waterfall.
type fall struct {
	steps []Step
	score float64
	rate  *float64 // reward for a point of score; nil for none
}

func (f *fall) to(name string, score float64) {
	step := Step{Name: name, Gave: score - f.score, Score: score}
	if f.rate != nil {
		reward := step.Gave * *f.rate
		step.Reward = &reward
	}
	f.score = score
	f.steps = append(f.steps, step)
}

func (f *fall) times(name string, factor float64) {
	f.to(name, f.score*factor)
	f.steps[len(f.steps)-1].Factor = &factor
}

// rateOf is what a repository pays for a point of a pull request's score.
func rateOf(path *RepositoryPath) *float64 {
	if path == nil {
		return nil
	}
	return path.Pulls.rate()
}

func (s Side) rate() *float64 {
	if s.All <= 0 {
		return nil
	}
	rate := s.Slice / s.All
	return &rate
}

// pullWaterfall leads from a pull request's base score to what it earns, or takes away as
// collateral. The factors are in the order of docs/rules/scoring.md#evaluation.
func pullWaterfall(pull *scoring.PullRequestOutcome, gate *scoring.Gate, rate *float64) []Step {
	f := fall{rate: rate}
	switch {
	case pull.State == scoring.Merged:
		f.to("base score", pull.BaseScore)
		f.factors(pull)
		if rule := unpaid(gate); rule != "" {
			f.to(rule, 0)
		}
	case pull.State == scoring.Open && pull.Collateral != nil:
		f.to("base score", -pull.BaseScore)
		f.times("issue", pull.IssueMultiplier)
		f.times("label", pull.LabelMultiplier)
		f.times("requested changes", pull.Collateral.ReviewMultiplier)
		f.times("percent held back", pull.Collateral.Percent)
	default:
		return []Step{}
	}
	return f.steps
}

func (f *fall) factors(pull *scoring.PullRequestOutcome) {
	f.times("issue", pull.IssueMultiplier)
	f.times("label", pull.LabelMultiplier)
	f.times("open pull requests", pull.OpenPRSpamMultiplier)
	f.times("time decay", pull.TimeDecayMultiplier)
	f.times("review quality", pull.ReviewQualityMultiplier)
}

// unpaid names the gate that keeps merged pull requests from earning anything; "" for none.
// The factor of open pull requests is a step of its own.
func unpaid(g *scoring.Gate) string {
	switch {
	case g == nil:
		return "gate: not registered"
	case g.Code == scoring.GateOpen:
		return ""
	}
	return "gate: " + closedBy(g, "merged")
}

// repositoryWaterfall leads from the base scores of a miner's merged pull requests in a
// repository to its score there.
func repositoryWaterfall(m *scoring.MinerOutcome, r *scoring.RepositoryOutcome, rate *float64) []Step {
	sums := fall{rate: rate}
	var after []float64 // of each step, over all pull requests
	var names []string
	for i := range m.PullRequests {
		pull := &m.PullRequests[i]
		if pull.Repository != r.Repository || pull.State != scoring.Merged {
			continue
		}
		for at, step := range pullWaterfall(pull, r.PullGate, nil) {
			if at == len(after) {
				after, names = append(after, 0), append(names, step.Name)
			}
			after[at] += step.Score
		}
	}
	for at, name := range names {
		sums.to(name, after[at])
	}
	if r.TotalCollateralScore > 0 {
		sums.to("collateral of open ones", sums.score-r.TotalCollateralScore)
	}
	if sums.score < 0 {
		sums.to("no score is below 0", 0)
	}
	if sums.steps == nil {
		return []Step{}
	}
	return sums.steps
}

// issueWaterfall leads from the base scores of a miner's scoring issues in a repository to
// what they earn.
func issueWaterfall(m *scoring.MinerOutcome, r *scoring.RepositoryOutcome, path *RepositoryPath) []Step {
	steps := []string{"base score", "label", "time decay", "review quality", "credibility", "open issues", "rounding"}
	sums, found := make([]float64, len(steps)), false
	for i := range m.ScoredIssues {
		s := &m.ScoredIssues[i]
		if s.Repository != r.Repository {
			continue
		}
		found = true
		score := s.BaseScore
		for at, factor := range []float64{1, s.LabelMultiplier, s.TimeDecayMultiplier, s.ReviewQualityMultiplier,
			s.CredibilityMultiplier, s.OpenSpamMultiplier} {
			score *= factor
			sums[at] += score
		}
		sums[len(sums)-1] += s.EarnedScore
	}
	if !found {
		return []Step{}
	}
	f := fall{}
	if path != nil {
		f.rate = path.Issues.rate()
	}
	for at, name := range steps {
		f.to(name, sums[at])
	}
	return f.steps
}
