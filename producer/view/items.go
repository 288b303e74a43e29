package view

import "mirrorfleet/shared/scoring"

// Item is one pull request or one issue of a miner, with what it gives. An issue that is not
// judged by the outcome's lists, or does not score, has no Scored.
type Item struct {
	Repository string
	Number     int
	Pull       *scoring.PullRequestOutcome // nil for an issue
	Issue      *scoring.IssueOutcome       // nil for a pull request, and for an issue from a stored evaluation
	Scored     *scoring.ScoredIssue        // nil for a pull request
	// Score is what it adds to the repository's score; below 0 for what an open pull request
	// holds back.
	Score float64
	// Reward is what Score comes to, at the rate at which the repository pays scores in this
	// round; nil where nobody is paid for such scores. Where the collateral takes more than
	// all, the sum is below 0, and the repository pays 0.
	Reward *float64
}

// ItemsOf lists a miner's pull requests and issues, in the order of the outcome.
func ItemsOf(a *Miner) []Item {
	m := &a.Outcome
	var list []Item
	for i := range m.PullRequests {
		pull := &m.PullRequests[i]
		score := pull.EarnedScore
		if pull.State == scoring.Open {
			score = -pull.CollateralScore
		}
		list = append(list, Item{
			Repository: pull.Repository,
			Number:     pull.Number,
			Pull:       pull,
			Score:      score,
			Reward:     paid(score, rateOf(a.Rewards.in(pull.Repository))),
		})
	}
	scored := map[PullName]*scoring.ScoredIssue{}
	for i := range m.ScoredIssues {
		s := &m.ScoredIssues[i]
		scored[PullName{s.Repository, s.Number}] = s
	}
	for i := range m.Issues {
		issue := &m.Issues[i]
		name := PullName{issue.Repository, issue.Number}
		list = append(list, a.issueItem(name, issue, scored[name]))
		delete(scored, name) // a list may have the same issue twice, and it earns once
	}
	for i := range m.ScoredIssues {
		s := &m.ScoredIssues[i]
		if name := (PullName{s.Repository, s.Number}); scored[name] == s {
			list = append(list, a.issueItem(name, nil, s))
		}
	}
	return list
}

func (a *Miner) issueItem(name PullName, issue *scoring.IssueOutcome, scored *scoring.ScoredIssue) Item {
	item := Item{
		Repository: name.Repository,
		Number:     name.Number,
		Issue:      issue,
		Scored:     scored,
	}
	if path := a.Rewards.in(name.Repository); scored != nil && path != nil {
		item.Reward = paid(scored.EarnedScore, path.Issues.rate())
	}
	if scored != nil {
		item.Score = scored.EarnedScore
	}
	return item
}

// paid is what a score comes to at a rate; nil without one.
func paid(score float64, rate *float64) *float64 {
	if rate == nil {
		return nil
	}
	reward := score * *rate
	return &reward
}

// Paid is what the steps of the waterfall come to together; nil where nobody is paid for such
// scores.
func (d Derivation) Paid() *float64 {
	sum := 0.0
	for _, step := range d.Waterfall {
		if step.Reward == nil {
			return nil
		}
		sum += *step.Reward
	}
	if len(d.Waterfall) == 0 {
		return nil
	}
	return &sum
}
