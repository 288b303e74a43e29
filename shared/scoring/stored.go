package scoring

import (
	"maps"
	"slices"
	"time"

	"mirrorfleet/shared/scoring/input"
)

// StoredEvaluation is what is kept of a miner from round to round: the pull
// requests of its last successful fetch, and the last complete issue figures.
type StoredEvaluation struct {
	UID      int    `json:"uid"`
	Hotkey   string `json:"hotkey"`
	GitHubID string `json:"github_id"`
	// AsOf is the instant of the round that loaded the pull requests.
	AsOf   time.Time           `json:"as_of,omitzero"`
	Merged []ScoredPullRequest `json:"merged"`
	Open   []ScoredPullRequest `json:"open"`
	Closed []ScoredPullRequest `json:"closed"`
	// Issues are the totals; Repositories their parts, which may hold
	// repositories that the totals no longer count.
	Issues       IssueFigures       `json:"issues"`
	Repositories []StoredRepository `json:"repositories"`
	ScoredIssues []ScoredIssue      `json:"scored_issues"`
}

// StoredRepository is one repository's issue figures.
type StoredRepository struct {
	IssueFigures

	Repository string `json:"repository_full_name"`
}

// StoredChange is what a round does to one stored evaluation.
type StoredChange struct {
	UID int
	// Evaluation replaces the stored one; nil drops it.
	Evaluation *StoredEvaluation
}

func (s *StoredEvaluation) pulls() int { return len(s.Merged) + len(s.Open) + len(s.Closed) }

// store is the stored evaluations during a round. What it hands out is shared:
// it is replaced, never changed in place.
type store struct {
	asOf    time.Time // of the round
	entries map[int]*StoredEvaluation
	changed map[int]bool
}

func newStore(before map[int]StoredEvaluation, asOf time.Time) *store {
	s := &store{asOf: asOf, entries: make(map[int]*StoredEvaluation, len(before)), changed: map[int]bool{}}
	for uid, entry := range before {
		s.entries[uid] = &entry
	}
	return s
}

// get returns a miner's stored evaluation, or nil. One of another hotkey or
// GitHub id is another miner's, and is dropped.
func (s *store) get(m *input.Miner) *StoredEvaluation {
	entry := s.entries[m.UID]
	if entry == nil {
		return nil
	}
	if entry.Hotkey != m.Hotkey || entry.GitHubID != m.GitHubID {
		s.drop(m.UID)
		return nil
	}
	return entry
}

func (s *store) drop(uid int) {
	if _, there := s.entries[uid]; there {
		delete(s.entries, uid)
		s.changed[uid] = true
	}
}

// replacePulls keeps a successful fetch. The issue figures stay the former
// ones, if they are the same miner's, until issue discovery renews them.
func (s *store) replacePulls(m *input.Miner, e *Evaluation) {
	if m.GitHubID == input.NoGitHubID {
		return // no account to know the miner by
	}
	entry := &StoredEvaluation{
		UID: m.UID, Hotkey: m.Hotkey, GitHubID: m.GitHubID, AsOf: s.asOf,
		Merged: withoutFiles(e.Merged), Open: withoutFiles(e.Open), Closed: withoutFiles(e.Closed),
		Repositories: []StoredRepository{}, ScoredIssues: []ScoredIssue{},
	}
	if former := s.get(m); former != nil {
		entry.Issues, entry.Repositories, entry.ScoredIssues = former.Issues, former.Repositories, former.ScoredIssues
	}
	s.entries[m.UID], s.changed[m.UID] = entry, true
}

// renewIssues keeps a miner's issue figures. Who has no stored evaluation gets
// none: half of one would be restored as if it were whole.
func (s *store) renewIssues(m *miner) {
	former := s.get(&m.Miner)
	if former == nil {
		return
	}
	entry := *former
	entry.Issues = m.out.IssueFigures
	entry.ScoredIssues = slices.Clone(m.out.ScoredIssues)
	entry.Repositories = slices.Clone(former.Repositories)
	for i := range m.repositories {
		figures := StoredRepository{m.repositories[i].IssueFigures, m.repositories[i].Repository}
		at := slices.IndexFunc(entry.Repositories, func(r StoredRepository) bool { return r.Repository == figures.Repository })
		if at < 0 {
			entry.Repositories = append(entry.Repositories, figures)
		} else {
			entry.Repositories[at] = figures
		}
	}
	s.entries[m.UID], s.changed[m.UID] = &entry, true
}

// changes lists what the round did, ordered by uid.
func (s *store) changes() []StoredChange {
	changes := make([]StoredChange, 0, len(s.changed))
	for _, uid := range slices.Sorted(maps.Keys(s.changed)) {
		changes = append(changes, StoredChange{uid, s.entries[uid]})
	}
	return changes
}

// withoutFiles copies pull requests for keeping: how each file came by its
// score, and the body, stay with the evaluation.
func withoutFiles(pulls []ScoredPullRequest) []ScoredPullRequest {
	kept := make([]ScoredPullRequest, len(pulls))
	for i := range pulls {
		kept[i] = pulls[i]
		kept[i].Tokens, kept[i].Listed = nil, pulls[i].Listed.withoutBody()
	}
	return kept
}
