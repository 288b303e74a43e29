package scoring

import (
	"cmp"
	"maps"
	"slices"

	"mirrorfleet/shared/scoring/input"
)

// How the emission is divided: docs/rules/scoring.md#rewards. The two add up to 1.
const (
	ScoringPart  = 0.90 // for the repositories, by their emission shares
	treasuryPart = 0.10 // for the issue treasury
)

// maintainers finds, for each repository with a cut, the uids of the miners that
// maintain it. An id belongs to one miner at most: miners that share one have failed.
func maintainers(in *RoundInput, miners []*miner) map[string][]int {
	uidOf := map[string]int{}
	for _, m := range miners {
		if m.out.Failed == input.NoFailure && m.GitHubID != input.NoGitHubID {
			uidOf[m.GitHubID] = m.UID
		}
	}
	found := map[string][]int{}
	for i := range in.Registry.Repositories {
		repo := &in.Registry.Repositories[i]
		if repo.MaintainerCut <= 0 {
			continue
		}
		var uids []int
		for _, maintainer := range in.Maintainers[repo.Name] {
			if uid, takesPart := uidOf[maintainer.GitHubID]; takesPart {
				uids = append(uids, uid)
			}
		}
		slices.Sort(uids)
		if uids = slices.Compact(uids); len(uids) > 0 {
			found[repo.Name] = uids
		}
	}
	return found
}

// reward applies docs/rules/scoring.md#rewards. It takes two passes, because a
// repository's slice depends on which others are active. Sums follow the order of the
// registry; of a uid they follow repository, then maintainers, pull requests, issues.
func reward(in *RoundInput, miners []*miner, out *Outcome) {
	scores := scoresOf(miners)
	out.Emission = []RepositoryEmission{}
	for i := range in.Registry.Repositories {
		repo := &in.Registry.Repositories[i]
		if repo.EmissionShare <= 0 {
			continue
		}
		e := planEmission(repo, out.Maintainers[repo.Name], scores)
		out.Pool.ScoringShare += e.ScoringShare
		if e.Active {
			out.Pool.ActiveScoringShare += e.ScoringShare
		}
		out.Emission = append(out.Emission, e)
	}
	if out.Pool.ActiveScoringShare > 0 {
		out.Pool.Multiplier = out.Pool.ScoringShare / out.Pool.ActiveScoringShare
	}
	out.Pool.ConfiguredShare = sumOf(in.Registry.Repositories, func(r *input.Repository) float64 { return r.EmissionShare })
	out.Pool.Recycled = max(0, 1-out.Pool.ConfiguredShare) * ScoringPart
	rewards := ByUID{}
	for i := range out.Emission {
		e := &out.Emission[i]
		e.split(&out.Pool)
		out.Pool.Recycled += e.RecycledAmount
		for _, part := range []ByUID{e.MaintainerRewards, e.PRRewards, e.IssueDiscoveryRewards} {
			for uid, amount := range part {
				rewards[uid] += amount
			}
		}
	}
	out.vector(miners, rewards)
}

// vector pays the treasury and the recycle UID, if they are among the miners, and
// lists every miner's reward. The parts that nobody gets add up to Untaken.
func (o *Outcome) vector(miners []*miner, rewards ByUID) {
	o.Rewards = make([]Reward, 0, len(miners))
	recycled, treasury := o.Pool.Recycled, treasuryPart
	for _, m := range miners {
		switch m.UID {
		case input.TreasuryUID:
			rewards[m.UID] += treasuryPart
			o.Pool.Treasury, treasury = treasuryPart, 0
		case input.RecycleUID:
			rewards[m.UID] += o.Pool.Recycled
			recycled = 0
		}
		o.Rewards = append(o.Rewards, Reward{m.UID, rewards[m.UID]})
	}
	o.Sum = sumOf(o.Rewards, func(r *Reward) float64 { return r.Reward })
	o.Untaken = recycled + treasury
}

// scores are the scores above 0 of the miners that take part, by repository.
type scores struct{ pulls, issues map[string]ByUID }

// scoresOf collects the scores of all miners that have not failed. The issue score of
// a repository is the sum of its issues' earnings, not the discovery score, which is
// rounded.
func scoresOf(miners []*miner) scores {
	s := scores{map[string]ByUID{}, map[string]ByUID{}}
	for _, m := range miners {
		if m.out.Failed != input.NoFailure {
			continue
		}
		for i := range m.repositories {
			s.note(s.pulls, m.repositories[i].Repository, m.UID, m.repositories[i].TotalScore)
		}
		earned := map[string]*total{}
		for i := range m.out.ScoredIssues {
			issue := &m.out.ScoredIssues[i]
			if issue.EarnedScore <= 0 {
				continue
			}
			if earned[issue.Repository] == nil {
				earned[issue.Repository] = &total{}
			}
			earned[issue.Repository].add(issue.EarnedScore)
		}
		for repository, sum := range earned {
			s.note(s.issues, repository, m.UID, sum.value())
		}
	}
	return s
}

func (scores) note(side map[string]ByUID, repository string, uid int, score float64) {
	if score <= 0 {
		return
	}
	if side[repository] == nil {
		side[repository] = ByUID{}
	}
	side[repository][uid] = score
}

// planEmission is a repository's emission as far as it does not depend on the pool's
// multiplier: the maintainers' cut, the scores, and whether it is active. Without a
// maintainer among the miners there is no cut.
func planEmission(repo *input.Repository, maintainers []int, s scores) RepositoryEmission {
	e := RepositoryEmission{
		Repository:            repo.Name,
		EmissionShare:         repo.EmissionShare,
		IssueDiscoveryShare:   repo.IssueDiscoveryShare,
		RepoSlice:             repo.EmissionShare * ScoringPart,
		MaintainerCut:         repo.MaintainerCut,
		MaintainerRewards:     ByUID{},
		PRScores:              ByUID{},
		IssueDiscoveryScores:  ByUID{},
		PRRewards:             ByUID{},
		IssueDiscoveryRewards: ByUID{},
	}
	maps.Copy(e.PRScores, s.pulls[repo.Name])
	maps.Copy(e.IssueDiscoveryScores, s.issues[repo.Name])
	cut := 0.0
	if len(maintainers) > 0 {
		cut = repo.MaintainerCut
		e.MaintainerCarveOut = repo.MaintainerCut * repo.EmissionShare * ScoringPart
		for _, uid := range maintainers {
			e.MaintainerRewards[uid] = e.MaintainerCarveOut / float64(len(maintainers))
		}
	}
	e.ScoringShare = repo.EmissionShare * (1 - cut)
	e.Active = len(e.paidPulls()) > 0 || len(e.paidIssues()) > 0
	return e
}

// paidPulls and paidIssues are the scores of a side, nil when the side's share is 0:
// such a side pays nothing and does not make its repository active.
func (e *RepositoryEmission) paidPulls() ByUID {
	if e.IssueDiscoveryShare < 1 {
		return e.PRScores
	}
	return nil
}

func (e *RepositoryEmission) paidIssues() ByUID {
	if e.IssueDiscoveryShare > 0 {
		return e.IssueDiscoveryScores
	}
	return nil
}

// split divides the repository's slice between its two sides, and each side among its
// miners. When no repository is active, the slice is recycled.
func (e *RepositoryEmission) split(pool *Pool) {
	if !e.Active {
		if pool.ActiveScoringShare <= 0 {
			e.RecycledAmount += e.ScoringShare * ScoringPart
		}
		return
	}
	slice := e.ScoringShare * ScoringPart * pool.Multiplier
	pulls, issues := e.paidPulls(), e.paidIssues()
	switch {
	case pulls.sum() > 0 && issues.sum() > 0:
		e.PRSlice, e.IssueDiscoverySlice = slice*(1-e.IssueDiscoveryShare), slice*e.IssueDiscoveryShare
	case pulls.sum() > 0:
		e.PRSlice = slice
	default:
		e.IssueDiscoverySlice = slice
	}
	e.PRRewards = pulls.share(e.PRSlice)
	e.IssueDiscoveryRewards = issues.share(e.IssueDiscoverySlice)
}

// sum adds up by uid, so that it does not depend on the map's order.
func (b ByUID) sum() float64 {
	var t total
	for _, uid := range slices.SortedFunc(maps.Keys(b), cmp.Compare[int]) {
		t.add(b[uid])
	}
	return t.value()
}

// share divides a slice in proportion to the scores. The quotient comes first: it is
// the validator's order.
func (b ByUID) share(slice float64) ByUID {
	shares := ByUID{}
	if slice <= 0 {
		return shares
	}
	whole := b.sum()
	for uid, score := range b {
		shares[uid] = slice * (score / whole)
	}
	return shares
}
