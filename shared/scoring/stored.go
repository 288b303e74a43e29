package scoring

import (
	"maps"
	"slices"
	"time"

	"mirrorfleet/shared/scoring/input"
)

// StoredEvaluation is the state of a miner between rounds: the pull requests of its
// last successful fetch, and its last complete issue figures. The two may be of
// different rounds.
type StoredEvaluation struct {
	UID      int    `json:"uid"`
	Hotkey   string `json:"hotkey"`
	GitHubID string `json:"github_id"`
	// AsOf is the instant of the round that loaded the pull requests.
	AsOf   time.Time           `json:"as_of,omitzero"`
	Merged []ScoredPullRequest `json:"merged"`
	Open   []ScoredPullRequest `json:"open"`
	Closed []ScoredPullRequest `json:"closed"`
	// Issues are the totals, Repositories the parts. Repositories may include some
	// that the totals no longer count, such as one without issues since.
	Issues       IssueFigures       `json:"issues"`
	Repositories []StoredRepository `json:"repositories"`
	ScoredIssues []ScoredIssue      `json:"scored_issues"`
}

// StoredRepository is one repository's issue figures.
type StoredRepository struct {
	IssueFigures

	Repository string `json:"repository_full_name"`
}

// StoredChange is a round's change of one stored evaluation.
type StoredChange struct {
	UID int
	// Evaluation replaces the stored one; nil drops it.
	Evaluation *StoredEvaluation
}

func (s *StoredEvaluation) pulls() int { return len(s.Merged) + len(s.Open) + len(s.Closed) }

// store has the stored evaluations while a round is concluded. An entry is replaced,
// never changed in place: RoundInput and the outcome share its slices.
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

// get returns a miner's stored evaluation, or nil. One with another hotkey or GitHub
// id belongs to a former miner of the uid and is dropped.
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

// replacePulls stores the pull requests of a successful fetch, even of none. The
// former issue figures stay, if they are the same miner's, until issue discovery
// renews them.
func (s *store) replacePulls(m *input.Miner, e *Evaluation) {
	if m.GitHubID == input.NoGitHubID {
		return // nothing could tell later whether it is the same miner
	}
	entry := &StoredEvaluation{
		UID:          m.UID,
		Hotkey:       m.Hotkey,
		GitHubID:     m.GitHubID,
		AsOf:         s.asOf,
		Merged:       withoutFiles(e.Merged),
		Open:         withoutFiles(e.Open),
		Closed:       withoutFiles(e.Closed),
		Repositories: []StoredRepository{},
		ScoredIssues: []ScoredIssue{},
	}
	if former := s.get(m); former != nil {
		entry.Issues = former.Issues
		entry.Repositories = former.Repositories
		entry.ScoredIssues = former.ScoredIssues
	}
	s.entries[m.UID], s.changed[m.UID] = entry, true
}

// renewIssues stores a miner's issue figures. A miner without a stored evaluation
// gets none: one without pull requests would be taken for a whole one. Repositories
// without issues in this round keep their former parts.
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

// changes lists the changes of the round, ordered by uid.
func (s *store) changes() []StoredChange {
	changes := make([]StoredChange, 0, len(s.changed))
	for _, uid := range slices.Sorted(maps.Keys(s.changed)) {
		changes = append(changes, StoredChange{uid, s.entries[uid]})
	}
	return changes
}

// withoutFiles copies pull requests for outcomes and stored evaluations. The figures
// of single files and the body stay in the worker's evaluation: they are most of the
// size.
func withoutFiles(pulls []ScoredPullRequest) []ScoredPullRequest {
	kept := make([]ScoredPullRequest, len(pulls))
	for i := range pulls {
		kept[i] = pulls[i]
		kept[i].Tokens, kept[i].Listed = nil, pulls[i].Listed.withoutBody()
	}
	return kept
}
