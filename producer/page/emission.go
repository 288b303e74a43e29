package page

import (
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
)

// renderRewards prints how a miner's reward comes about, repository by repository, in the
// steps of docs/rules/scoring.md#rewards.
func renderRewards(p *page, r view.Path) {
	p.blank()
	p.linef("Reward %s", brief(r.Reward))
	for i := range r.Repositories {
		renderRepository(p, &r.Repositories[i])
	}
	if r.Recycled > 0 {
		p.textf(2, "as the recycle uid it gets all that is recycled: %s", brief(r.Recycled))
	}
	if r.Treasury > 0 {
		p.textf(2, "as the issue treasury it gets %s", brief(r.Treasury))
	}
	if r.Reward == 0 && len(r.Repositories) == 0 {
		p.textf(2, "none of its work is in a repository with an emission share")
	}
}

// renderRepository prints one repository's slice, and what the miner gets of it. 0.9 is
// what the issue treasury's tenth leaves of the emission (docs/rules/scoring.md#rewards).
func renderRepository(p *page, r *view.RepositoryPath) {
	p.textf(2, "%s: slice %s = 0.9 x emission share %s", r.Repository, brief(r.RepoSlice), brief(r.EmissionShare))
	if r.Maintainers > 0 {
		mine := "this miner is not among them"
		if r.MaintainerReward > 0 {
			mine = "this miner gets " + brief(r.MaintainerReward)
		}
		p.textf(4, "maintainers: cut %s, %s among %s; %s",
			brief(r.MaintainerCut), brief(r.MaintainerCarveOut), plural.Of(r.Maintainers, "miner"), mine)
	}
	if !r.Active { // the maintainers' cut is paid all the same
		p.textf(4, "nobody scores here: nothing is paid, %s is recycled", brief(r.RecycledAmount))
		return
	}
	printFormulas(p, 4, r.Formulas)
	for _, side := range []struct {
		name  string
		slice float64
	}{{"pull requests", r.Pulls.Slice}, {"issue discovery", r.Issues.Slice}} {
		if side.slice == 0 {
			p.textf(4, "%s: no slice", side.name)
		}
	}
}
