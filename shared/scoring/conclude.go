package scoring

import (
	"slices"

	"mirrorfleet/shared/scoring/input"
)

// miner is one miner while a round is concluded.
type miner struct {
	input.Miner

	evaluation *Evaluation // nil for a failed miner and for a dead letter
	out        MinerOutcome
	// merged, open and closed are the round's final lists: the evaluation's, or
	// the stored ones of the fallback.
	merged, open, closed []PullRequestOutcome
	// repositories are in the order of their first use. The miner's totals add
	// them in this order.
	repositories []RepositoryOutcome
}

// Conclude computes a round's outcome: docs/rules/scoring.md from #evaluation on.
//
// The order of the steps is part of the rules. Accounts that are shared fail before
// anything is scored. Discovery needs every miner's merged list, because a solving
// pull request takes the score that the list has. Rewards need the totals of both.
func Conclude(in RoundInput) Outcome {
	stored := newStore(in.Stored, in.AsOf)
	miners := takePart(&in, stored)
	out := Outcome{
		AsOf:          in.AsOf,
		FromStored:    []int{},
		SharedAccount: []int{},
		Miners:        []MinerOutcome{},
	}
	out.SharedAccount = append(out.SharedAccount, failShared(miners, stored)...)
	for _, m := range miners {
		if m.out.FromStored { // failShared has reset the miners of a shared account
			out.FromStored = append(out.FromStored, m.UID)
		}
		m.scorePulls(in.Registry)
	}
	discover(&in, miners, stored)
	out.Maintainers = maintainers(&in, miners)
	reward(&in, miners, &out)
	for _, m := range miners {
		out.Miners = append(out.Miners, m.outcome())
	}
	out.Stored = stored.changes()
	return out
}

// takePart lists the miners by uid, each with the pull requests that count: its
// own, or the stored ones. A uid that is repeated counts once, with its first
// entry. Failed miners are listed too, with empty lists: the reward vector names
// every uid.
func takePart(in *RoundInput, stored *store) []*miner {
	list := slices.Clone(in.Miners)
	slices.SortStableFunc(list, func(a, b input.Miner) int { return a.UID - b.UID })
	list = slices.CompactFunc(list, func(a, b input.Miner) bool { return a.UID == b.UID })
	miners := make([]*miner, len(list))
	for i, entry := range list {
		m := &miner{Miner: entry}
		miners[i] = m
		m.out = MinerOutcome{
			UID:      m.UID,
			Hotkey:   m.Hotkey,
			GitHubID: m.GitHubID,
			Failed:   input.FailureOf(entry),
		}
		if m.out.Failed != input.NoFailure {
			m.out.GitHubID = input.NoGitHubID // the rule comes before the look-up of the id
			continue
		}
		if evaluation, found := in.Evaluations[m.UID]; found {
			m.evaluation = &evaluation
		}
		m.choosePulls(stored)
	}
	return miners
}

// choosePulls applies the fallback of
// docs/rules/scoring.md#fallback-and-shared-accounts.
func (m *miner) choosePulls(stored *store) {
	if e := m.evaluation; e != nil && !e.FetchFailed && !m.IdentityUnreachable {
		stored.replacePulls(&m.Miner, e)
		m.merged = outcomes(e.Merged)
		m.open = outcomes(e.Open)
		m.closed = outcomes(e.Closed)
		m.out.Dropped = e.Dropped
		return
	}
	m.out.FetchFailed = true
	last := stored.get(&m.Miner)
	// A stored evaluation without pull requests is not restored, and neither are
	// its issue figures.
	if last == nil || last.pulls() == 0 {
		return
	}
	m.out.FromStored, m.out.StoredAsOf = true, last.AsOf
	m.merged = outcomes(last.Merged)
	m.open = outcomes(last.Open)
	m.closed = outcomes(last.Closed)
	m.takeIssues(last)
}

// outcomes copies scored pull requests into the outcome. The spam multiplier stays 1
// for open and closed ones, and for merged ones of a miner that is not eligible.
func outcomes(pulls []ScoredPullRequest) []PullRequestOutcome {
	list := make([]PullRequestOutcome, len(pulls))
	for i, pull := range withoutFiles(pulls) {
		list[i] = PullRequestOutcome{ScoredPullRequest: pull, OpenPRSpamMultiplier: 1}
	}
	return list
}

// takeIssues copies the issue figures of a stored evaluation, totals and
// repositories. Nothing is added up anew.
func (m *miner) takeIssues(last *StoredEvaluation) {
	m.out.IssueFigures = last.Issues
	m.out.ScoredIssues = slices.Clone(last.ScoredIssues)
	for _, r := range last.Repositories {
		m.repository(r.Repository).IssueFigures = r.IssueFigures
	}
}

// repository is the outcome of one repository, added on first use. The pointer is
// valid until the next repository is added: that may move the slice.
func (m *miner) repository(name string) *RepositoryOutcome {
	at := slices.IndexFunc(m.repositories, func(r RepositoryOutcome) bool { return r.Repository == name })
	if at < 0 {
		at = len(m.repositories)
		m.repositories = append(m.repositories, RepositoryOutcome{Repository: name})
	}
	return &m.repositories[at]
}

// failShared fails the miners that share a GitHub account and empties all that they
// have: docs/rules/scoring.md#fallback-and-shared-accounts. Their stored
// evaluations are dropped, so that none of them comes back by the fallback of a
// later round. It returns their uids in order.
func failShared(miners []*miner, stored *store) []int {
	uids := map[string][]int{}
	for _, m := range miners {
		if m.out.Failed == input.NoFailure && m.GitHubID != input.NoGitHubID {
			uids[m.GitHubID] = append(uids[m.GitHubID], m.UID)
		}
	}
	var shared []int
	for _, m := range miners {
		sharing := uids[m.GitHubID]
		if m.out.Failed != input.NoFailure || len(sharing) < 2 {
			continue
		}
		others := slices.DeleteFunc(slices.Clone(sharing), func(uid int) bool { return uid == m.UID })
		*m = miner{Miner: m.Miner, out: MinerOutcome{
			UID:        m.UID,
			Hotkey:     m.Hotkey,
			GitHubID:   m.GitHubID,
			Failed:     input.SharedAccount,
			SharedWith: others,
		}}
		stored.drop(m.UID)
		shared = append(shared, m.UID)
	}
	return shared
}

// outcome is the miner's part of the outcome. Its lists are never nil: they are
// [] in JSON and not null.
func (m *miner) outcome() MinerOutcome {
	out := m.out
	out.Repositories = slices.Clone(m.repositories)
	if out.Repositories == nil {
		out.Repositories = []RepositoryOutcome{}
	}
	slices.SortFunc(out.Repositories, func(a, b RepositoryOutcome) int { return compare(a.Repository, b.Repository) })
	out.PullRequests = slices.Concat([]PullRequestOutcome{}, m.merged, m.open, m.closed)
	if out.PullRequests == nil {
		out.PullRequests = []PullRequestOutcome{}
	}
	if out.ScoredIssues == nil {
		out.ScoredIssues = []ScoredIssue{}
	}
	return out
}
