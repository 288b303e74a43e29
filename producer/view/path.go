package view

import (
	"maps"
	"slices"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// Path shows how one miner's reward comes about from the repositories' slices, by the steps
// of docs/rules/scoring.md#rewards.
type Path struct {
	Reward       float64          `json:"reward"`
	Repositories []RepositoryPath `json:"repositories"` // those in which the miner has something to gain
	Pool         scoring.Pool     `json:"pool"`
	// Recycled and Treasury are what the two special uids get on top.
	Recycled float64 `json:"recycled,omitempty"`
	Treasury float64 `json:"treasury,omitempty"`
}

// RepositoryPath is the part of it in one repository.
type RepositoryPath struct {
	Repository          string  `json:"repository_full_name"`
	EmissionShare       float64 `json:"emission_share"`
	RepoSlice           float64 `json:"repo_slice"`
	MaintainerCut       float64 `json:"maintainer_cut"`
	MaintainerCarveOut  float64 `json:"maintainer_carve_out"`
	Maintainers         int     `json:"maintainers"` // that share the carve-out
	MaintainerReward    float64 `json:"maintainer_reward"`
	ScoringShare        float64 `json:"scoring_share"`
	Active              bool    `json:"active"`
	IssueDiscoveryShare float64 `json:"issue_discovery_share"`
	Pulls               Side    `json:"pull_requests"`
	Issues              Side    `json:"issue_discovery"`
	RecycledAmount      float64 `json:"recycled_amount"`
	// Formulas lead from the repository's share to what it pays the miner.
	Formulas []Formula `json:"formulas"`
}

// Reward is all that the repository pays the miner, added up in the order of the rules.
func (r RepositoryPath) Reward() float64 {
	return r.MaintainerReward + r.Pulls.Reward + r.Issues.Reward
}

// Side is one side's slice and what the miner gets of it: the slice in
// proportion of its score to all scores.
type Side struct {
	Slice  float64 `json:"slice"`
	Score  float64 `json:"score"`
	All    float64 `json:"all_scores"`
	Miners int     `json:"miners"`
	Reward float64 `json:"reward"`
}

// RewardsPath is how one miner's reward comes about in an outcome.
func RewardsPath(r *outcome.Result, uid int) Path { return pathOf(&r.Outcome, uid) }

// pathOf follows the emission to one miner.
func pathOf(o *scoring.Outcome, uid int) Path {
	path := Path{Repositories: []RepositoryPath{}, Pool: o.Pool}
	for _, reward := range o.Rewards {
		if reward.UID == uid {
			path.Reward = reward.Reward
		}
	}
	switch uid {
	case input.RecycleUID:
		path.Recycled = o.Pool.Recycled
	case input.TreasuryUID:
		path.Treasury = o.Pool.Treasury
	}
	m := &scoring.MinerOutcome{}
	if at := slices.IndexFunc(o.Miners, func(m scoring.MinerOutcome) bool { return m.UID == uid }); at >= 0 {
		m = &o.Miners[at]
	}
	works := map[string]bool{}
	for i := range m.Repositories {
		works[m.Repositories[i].Repository] = true
	}
	for i := range o.Emission {
		e := &o.Emission[i]
		if _, maintains := e.MaintainerRewards[uid]; maintains || works[e.Repository] {
			in := pathIn(e, uid)
			in.Formulas = rewardFormulas(&in, o.Pool, m)
			path.Repositories = append(path.Repositories, in)
		}
	}
	return path
}

func pathIn(e *scoring.RepositoryEmission, uid int) RepositoryPath {
	return RepositoryPath{
		Repository:          e.Repository,
		EmissionShare:       e.EmissionShare,
		RepoSlice:           e.RepoSlice,
		MaintainerCut:       e.MaintainerCut,
		MaintainerCarveOut:  e.MaintainerCarveOut,
		Maintainers:         len(e.MaintainerRewards),
		MaintainerReward:    e.MaintainerRewards[uid],
		ScoringShare:        e.ScoringShare,
		Active:              e.Active,
		IssueDiscoveryShare: e.IssueDiscoveryShare,
		Pulls:               sideOf(e.PRSlice, e.PRScores, e.PRRewards, uid),
		Issues:              sideOf(e.IssueDiscoverySlice, e.IssueDiscoveryScores, e.IssueDiscoveryRewards, uid),
		RecycledAmount:      e.RecycledAmount,
	}
}

// sideOf sums the scores in the order of uids, as the rules do: the order of floating-point
// sums decides their last digits.
func sideOf(slice float64, scores, rewards scoring.ByUID, uid int) Side {
	s := Side{
		Slice:  slice,
		Score:  scores[uid],
		Miners: len(scores),
		Reward: rewards[uid],
	}
	for _, other := range slices.Sorted(maps.Keys(scores)) {
		s.All += scores[other]
	}
	return s
}
