package scoring

import (
	"slices"

	"mirrorfleet/shared/scoring/input"
)

// miner is one miner while a round is concluded.
type miner struct {
	input.Miner

	evaluation *Evaluation // nil when there is none
	out        MinerOutcome
	// Merged, open and closed are the round's final lists.
	merged, open, closed []PullRequestOutcome
	// repositories in the order in which they came up.
	repositories []RepositoryOutcome
}

// Conclude makes a round's outcome: docs/rules/scoring.md from #evaluation on.
func Conclude(in RoundInput) Outcome {
	stored := newStore(in.Stored, in.AsOf)
	miners := takePart(&in, stored)
	out := Outcome{AsOf: in.AsOf, FromStored: []int{}, SharedAccount: []int{}, Miners: []MinerOutcome{}}
	out.SharedAccount = append(out.SharedAccount, failShared(miners, stored)...)
	for _, m := range miners {
		if m.out.FromStored { // who shares an account goes on with nothing
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

// takePart lists the miners by uid, each with the pull requests that the round
// goes on with: its own, or the stored ones.
func takePart(in *RoundInput, stored *store) []*miner {
	list := slices.Clone(in.Miners)
	slices.SortStableFunc(list, func(a, b input.Miner) int { return a.UID - b.UID })
	list = slices.CompactFunc(list, func(a, b input.Miner) bool { return a.UID == b.UID })
	miners := make([]*miner, len(list))
	for i, entry := range list {
		m := &miner{Miner: entry}
		miners[i] = m
		m.out = MinerOutcome{UID: m.UID, Hotkey: m.Hotkey, GitHubID: m.GitHubID, Failed: input.FailureOf(entry)}
		if m.out.Failed != input.NoFailure {
			m.out.GitHubID = input.NoGitHubID // it was never looked up
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
		m.merged, m.open, m.closed = outcomes(e.Merged), outcomes(e.Open), outcomes(e.Closed)
		m.out.Dropped = e.Dropped
		return
	}
	m.out.FetchFailed = true
	last := stored.get(&m.Miner)
	// A stored evaluation without pull requests is no better than none.
	if last == nil || last.pulls() == 0 {
		return
	}
	m.out.FromStored, m.out.StoredAsOf = true, last.AsOf
	m.merged, m.open, m.closed = outcomes(last.Merged), outcomes(last.Open), outcomes(last.Closed)
	m.takeIssues(last)
}

func outcomes(pulls []ScoredPullRequest) []PullRequestOutcome {
	list := make([]PullRequestOutcome, len(pulls))
	for i, pull := range withoutFiles(pulls) {
		list[i] = PullRequestOutcome{ScoredPullRequest: pull, OpenPRSpamMultiplier: 1}
	}
	return list
}

// takeIssues takes a stored evaluation's issue figures over.
func (m *miner) takeIssues(last *StoredEvaluation) {
	m.out.IssueFigures = last.Issues
	m.out.ScoredIssues = slices.Clone(last.ScoredIssues)
	for _, r := range last.Repositories {
		m.repository(r.Repository).IssueFigures = r.IssueFigures
	}
}

// repository is the outcome of one repository, made when it is not there yet.
// The pointer holds until the next one is made.
func (m *miner) repository(name string) *RepositoryOutcome {
	at := slices.IndexFunc(m.repositories, func(r RepositoryOutcome) bool { return r.Repository == name })
	if at < 0 {
		at = len(m.repositories)
		m.repositories = append(m.repositories, RepositoryOutcome{Repository: name})
	}
	return &m.repositories[at]
}

// failShared fails miners that share a GitHub account, and leaves nothing of
// theirs: docs/rules/scoring.md#fallback-and-shared-accounts. It returns their
// uids in order.
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
			UID: m.UID, Hotkey: m.Hotkey, GitHubID: m.GitHubID, Failed: input.SharedAccount, SharedWith: others,
		}}
		stored.drop(m.UID)
		shared = append(shared, m.UID)
	}
	return shared
}

// outcome is the miner's part of the outcome, with no list absent.
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
