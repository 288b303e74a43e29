package main

import (
	"mirrorfleet/producer/answer"
	"mirrorfleet/shared/scoring"
)

func renderRewards(p *page, r answer.Path) {
	p.blank()
	p.linef("Reward %s", brief(r.Reward))
	for i := range r.Repositories {
		renderRepository(p, &r.Repositories[i], r.Pool)
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

func renderRepository(p *page, r *answer.RepositoryPath, pool scoring.Pool) {
	p.textf(2, "%s: slice %s = 0.9 x emission share %s", r.Repository, brief(r.RepoSlice), brief(r.EmissionShare))
	if r.Maintainers > 0 {
		p.textf(4, "maintainers: cut %s, %s among %s; to this miner %s",
			brief(r.MaintainerCut), brief(r.MaintainerCarveOut), howMany(r.Maintainers, "miner"), brief(r.MaintainerReward))
	}
	if !r.Active {
		p.textf(4, "nobody scores here: nothing is paid, %s is recycled", brief(r.RecycledAmount))
		return
	}
	p.textf(4, "for scores: 0.9 x %s x pool multiplier %s = %s", brief(r.ScoringShare), brief(pool.Multiplier),
		brief(r.Pulls.Slice+r.Issues.Slice))
	renderSide(p, r.Pulls, "pull requests")
	renderSide(p, r.Issues, "issue discovery")
}

func renderSide(p *page, s answer.Side, name string) {
	if s.Slice == 0 {
		p.textf(4, "%s: no slice", name)
		return
	}
	p.textf(4, "%s: slice %s x score %s / %s of %s = %s",
		name, brief(s.Slice), brief(s.Score), brief(s.All), howMany(s.Miners, "miner"), brief(s.Reward))
}
