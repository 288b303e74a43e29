package main

import (
	"maps"
	"slices"

	"mirrorfleet/shared/scoring"
)

// rewardsPath leads from the repositories' slices to one miner's reward.
type rewardsPath struct {
	Reward       float64          `json:"reward"`
	Repositories []repositoryPath `json:"repositories"` // those in which the miner has something to gain
	Pool         scoring.Pool     `json:"pool"`
	// Recycled and Treasury are what the two special uids get on top.
	Recycled float64 `json:"recycled,omitempty"`
	Treasury float64 `json:"treasury,omitempty"`
}

// repositoryPath is the part of it in one repository.
type repositoryPath struct {
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
	Pulls               side    `json:"pull_requests"`
	Issues              side    `json:"issue_discovery"`
	RecycledAmount      float64 `json:"recycled_amount"`
}

// side is one side's slice and what the miner gets of it: the slice in
// proportion of its score to all scores.
type side struct {
	Slice  float64 `json:"slice"`
	Score  float64 `json:"score"`
	All    float64 `json:"all_scores"`
	Miners int     `json:"miners"`
	Reward float64 `json:"reward"`
}

func pathOf(o *scoring.Outcome, uid int) rewardsPath {
	path := rewardsPath{Repositories: []repositoryPath{}, Pool: o.Pool}
	for _, reward := range o.Rewards {
		if reward.UID == uid {
			path.Reward = reward.Reward
		}
	}
	switch uid {
	case scoring.RecycleUID:
		path.Recycled = o.Pool.Recycled
	case scoring.TreasuryUID:
		path.Treasury = o.Pool.Treasury
	}
	works := map[string]bool{}
	for i := range o.Miners {
		if o.Miners[i].UID != uid {
			continue
		}
		for j := range o.Miners[i].Repositories {
			works[o.Miners[i].Repositories[j].Repository] = true
		}
	}
	for i := range o.Emission {
		e := &o.Emission[i]
		if _, maintains := e.MaintainerRewards[uid]; maintains || works[e.Repository] {
			path.Repositories = append(path.Repositories, pathIn(e, uid))
		}
	}
	return path
}

func pathIn(e *scoring.RepositoryEmission, uid int) repositoryPath {
	return repositoryPath{
		Repository: e.Repository, EmissionShare: e.EmissionShare, RepoSlice: e.RepoSlice,
		MaintainerCut: e.MaintainerCut, MaintainerCarveOut: e.MaintainerCarveOut,
		Maintainers: len(e.MaintainerRewards), MaintainerReward: e.MaintainerRewards[uid],
		ScoringShare: e.ScoringShare, Active: e.Active, IssueDiscoveryShare: e.IssueDiscoveryShare,
		Pulls:          sideOf(e.PRSlice, e.PRScores, e.PRRewards, uid),
		Issues:         sideOf(e.IssueDiscoverySlice, e.IssueDiscoveryScores, e.IssueDiscoveryRewards, uid),
		RecycledAmount: e.RecycledAmount,
	}
}

func sideOf(slice float64, scores, rewards scoring.ByUID, uid int) side {
	s := side{Slice: slice, Score: scores[uid], Miners: len(scores), Reward: rewards[uid]}
	for _, other := range slices.Sorted(maps.Keys(scores)) {
		s.All += scores[other]
	}
	return s
}

func (r rewardsPath) render(p *page) {
	p.blank()
	p.linef("Reward %s", brief(r.Reward))
	for i := range r.Repositories {
		r.Repositories[i].render(p, r.Pool)
	}
	if r.Recycled > 0 {
		p.textf(2, "as the recycle uid it gets all that is recycled: %s", brief(r.Recycled))
	}
	if r.Treasury > 0 {
		p.textf(2, "as the issue treasury it gets %s", brief(r.Treasury))
	}
	if r.Reward == 0 && len(r.Repositories) == 0 {
		p.textf(2, "nothing of it is in a repository with an emission share")
	}
}

func (r *repositoryPath) render(p *page, pool scoring.Pool) {
	p.textf(2, "%s: slice %s = 0.9 x emission share %s", r.Repository, brief(r.RepoSlice), brief(r.EmissionShare))
	if r.Maintainers > 0 {
		p.textf(4, "maintainers: cut %s, %s among %d of them; to this miner %s",
			brief(r.MaintainerCut), brief(r.MaintainerCarveOut), r.Maintainers, brief(r.MaintainerReward))
	}
	if !r.Active {
		p.textf(4, "nobody scores here: nothing is paid, %s is recycled", brief(r.RecycledAmount))
		return
	}
	p.textf(4, "for scores: 0.9 x %s x pool multiplier %s = %s", brief(r.ScoringShare), brief(pool.Multiplier),
		brief(r.Pulls.Slice+r.Issues.Slice))
	r.Pulls.render(p, "pull requests")
	r.Issues.render(p, "issue discovery")
}

func (s side) render(p *page, name string) {
	if s.Slice == 0 {
		p.textf(4, "%s: no slice", name)
		return
	}
	p.textf(4, "%s: slice %s x score %s / %s of %d miners = %s", name, brief(s.Slice), brief(s.Score), brief(s.All), s.Miners, brief(s.Reward))
}
