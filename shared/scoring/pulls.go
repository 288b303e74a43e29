package scoring

import (
	"cmp"
	"slices"

	"mirrorfleet/shared/scoring/input"
)

func compare(a, b string) int { return cmp.Compare(a, b) }

// scorePulls applies docs/rules/scoring.md#evaluation: first the collateral of each
// open pull request, then each repository by itself, then the totals. Repositories go
// by name: the totals are added in that order.
func (m *miner) scorePulls(reg input.Registry) {
	for i := range m.open {
		pull := &m.open[i]
		// A stored pull request may be of a repository that has left the registry.
		// The validator then takes the defaults.
		rates := input.DefaultRepository("").Scoring
		if repo, found := reg.Repository(pull.Repository); found {
			rates = repo.Scoring
		}
		score, reason := collateral(&pull.ScoredPullRequest, &rates)
		pull.CollateralScore, pull.Collateral = score, &reason
	}
	for _, name := range pullRepositories(m.merged, m.open, m.closed) {
		if repo, found := reg.Repository(name); found {
			m.scoreRepository(repo)
		}
	}
	m.pullTotals()
	m.out.UniqueRepositories = uniqueRepositories(m.merged)
}

// pullRepositories lists the repositories of pull requests, sorted by name.
func pullRepositories(lists ...[]PullRequestOutcome) []string {
	var names []string
	for _, list := range lists {
		for i := range list {
			names = append(names, list[i].Repository)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// uniqueRepositories counts the repositories of scored merged pull requests: the
// last sentence of docs/rules/scoring.md#base-score.
func uniqueRepositories(merged []PullRequestOutcome) int {
	scored := slices.DeleteFunc(slices.Clone(merged), func(p PullRequestOutcome) bool { return !p.Scored })
	return len(pullRepositories(scored))
}

// of picks a repository's pull requests. They are pointers: what is set
// through them stays.
func of(pulls []PullRequestOutcome, repository string) []*PullRequestOutcome {
	var picked []*PullRequestOutcome
	for i := range pulls {
		if pulls[i].Repository == repository {
			picked = append(picked, &pulls[i])
		}
	}
	return picked
}

func (m *miner) scoreRepository(repo *input.Repository) {
	merged := of(m.merged, repo.Name)
	open := of(m.open, repo.Name)
	closed := of(m.closed, repo.Name)
	out := m.repository(repo.Name)
	*out = RepositoryOutcome{Repository: repo.Name, PullFigures: figuresOf(merged, open, closed)}
	out.baseWhole = !slices.ContainsFunc(merged, func(p *PullRequestOutcome) bool { return !p.BaseWhole })
	gate := pullGate(&out.PullFigures, &repo.Eligibility)
	out.PullGate = &gate
	out.Eligible = gate.Code == GateOpen
	if out.Eligible {
		for _, pull := range merged {
			out.TotalScore += pull.earn(gate.SpamMultiplier)
		}
	}
	out.TotalScore = max(0, out.TotalScore-out.TotalCollateralScore)
}

// figuresOf adds up a repository's pull requests, each list in the order received.
// Credibility is 0 without a merged or closed one.
func figuresOf(merged, open, closed []*PullRequestOutcome) PullFigures {
	type pull = *PullRequestOutcome
	f := PullFigures{
		TotalMergedPRs:       len(merged),
		TotalOpenPRs:         len(open),
		TotalClosedPRs:       len(closed),
		BaseTotalScore:       sumOf(merged, func(p *pull) float64 { return (*p).BaseScore }),
		TotalTokenScore:      sumOf(merged, func(p *pull) float64 { return (*p).TokenScore }),
		TotalStructuralCount: countOf(merged, func(p *pull) int { return (*p).StructuralCount }),
		TotalStructuralScore: sumOf(merged, func(p *pull) float64 { return (*p).StructuralScore }),
		TotalLeafCount:       countOf(merged, func(p *pull) int { return (*p).LeafCount }),
		TotalLeafScore:       sumOf(merged, func(p *pull) float64 { return (*p).LeafScore }),
		TotalNodesScored:     countOf(merged, func(p *pull) int { return (*p).TotalNodesScored }),
		TotalCollateralScore: sumOf(open, func(p *pull) float64 { return (*p).CollateralScore }),
	}
	if attempts := len(merged) + len(closed); attempts > 0 {
		f.Credibility = float64(len(merged)) / float64(attempts)
	}
	return f
}

// pullGate judges a miner in a repository. The spam threshold is set only when the
// miner is eligible.
func pullGate(f *PullFigures, e *input.Eligibility) Gate {
	gate := Gate{
		Code:           GateOpen,
		Count:          f.TotalMergedPRs,
		Minimum:        e.MinValidMergedPRs,
		Credibility:    f.Credibility,
		MinCredibility: e.MinCredibility,
		Open:           f.TotalOpenPRs,
		TokenScore:     f.TotalTokenScore,
	}
	if gate.judge(); gate.Code == GateOpen {
		gate.spam(e.ExcessivePRPenaltyBaseThreshold, e.OpenPRThresholdTokenScore, e.MaxOpenPRThreshold)
	}
	return gate
}

// judge sets the first rule that the miner breaks. The code stays GateOpen when it
// breaks none.
func (g *Gate) judge() {
	switch {
	case g.Count < g.Minimum:
		g.Code = GateTooFew
	case g.Credibility < g.MinCredibility:
		g.Code = GateCredibility
	}
}

// spam sets the threshold of open items and the multiplier that follows from it.
func (g *Gate) spam(base int, perSlot float64, maximum int) {
	limit := threshold(base, g.TokenScore, perSlot, maximum)
	g.OpenBase = base
	g.OpenPerSlot = perSlot
	g.MaxOpen = maximum
	g.OpenThreshold, g.SpamMultiplier = &limit, spamMultiplier(g.Open, limit)
}

// earn sets the score of a merged pull request of an eligible miner. It is not
// rounded. The multipliers are multiplied first, in the validator's order.
func (p *PullRequestOutcome) earn(spam float64) float64 {
	p.OpenPRSpamMultiplier = spam
	p.EarnedScore = p.BaseScore * (p.IssueMultiplier * p.LabelMultiplier * spam * p.TimeDecayMultiplier * p.ReviewQualityMultiplier)
	return p.EarnedScore
}

// pullTotals adds up a miner's repositories. The three counts are of the lists: they
// include pull requests of repositories that have left the registry.
func (m *miner) pullTotals() {
	type repo = RepositoryOutcome
	list := m.repositories
	m.out.PullFigures = PullFigures{
		Eligible:             slices.ContainsFunc(list, func(r repo) bool { return r.Eligible }),
		BaseTotalScore:       baseTotal(list),
		TotalScore:           sumOf(list, func(r *repo) float64 { return r.TotalScore }),
		TotalCollateralScore: sumOf(list, func(r *repo) float64 { return r.TotalCollateralScore }),
		TotalNodesScored:     countOf(list, func(r *repo) int { return r.TotalNodesScored }),
		TotalTokenScore:      sumOf(list, func(r *repo) float64 { return r.TotalTokenScore }),
		TotalStructuralCount: countOf(list, func(r *repo) int { return r.TotalStructuralCount }),
		TotalStructuralScore: sumOf(list, func(r *repo) float64 { return r.TotalStructuralScore }),
		TotalLeafCount:       countOf(list, func(r *repo) int { return r.TotalLeafCount }),
		TotalLeafScore:       sumOf(list, func(r *repo) float64 { return r.TotalLeafScore }),
		TotalMergedPRs:       len(m.merged),
		TotalOpenPRs:         len(m.open),
		TotalClosedPRs:       len(m.closed),
	}
	for i := range list {
		m.out.Credibility = max(m.out.Credibility, list[i].Credibility)
	}
}

// baseTotal adds up the base scores of repositories. A total that came from fixed
// base scores written as integers is an int in the validator, and added as one. So is
// the total of no pull request, which is why it does not begin the sum of floats.
func baseTotal(list []RepositoryOutcome) float64 {
	var t total
	for i := range list {
		if list[i].baseWhole {
			t.addWhole(list[i].BaseTotalScore)
		} else {
			t.add(list[i].BaseTotalScore)
		}
	}
	return t.value()
}
