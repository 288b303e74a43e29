package shadow_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/shadow"
	"mirrorfleet/shared/scoring/tokens"
)

var asOf = time.Date(2026, 6, 18, 18, 54, 0, 0, time.UTC)

const entry = `{"emission_share": 0.2, "issue_discovery_share": 0.3, "maintainer_cut": 0.1, "label_multipliers": {"bug*": 1.5, "docs": 0.5},
	"eligibility": {"min_valid_merged_prs": 2, "min_credibility": 0.5, "min_valid_solved_issues": 1, "min_issue_credibility": 0.1}}`

const (
	registry  = `{"acme/r0": ` + entry + `, "acme/r1": ` + entry + `}`
	languages = `{"go": 1.5}`
	weights   = `{"structural_bonus": {"if": 1}, "leaf_tokens": {"identifier": 0.1}}`
)

// world is a round of some side: what it was given. A side scores it at its own instants.
type world struct {
	registry string
	in       scoring.RoundInput
	// at is when a pull request of a miner is scored, and issuesAt when an issue is.
	at       func(number int) time.Time
	issuesAt time.Time
	figures  func(pr *scoring.PullRequest) *tokens.Figures
	// lacks is the solver of an issue whose files it could not fetch; 0 for none.
	lacks int
}

// fleet has miners 1 to 6 in two repositories, with pull requests of every state and issues
// that their neighbour has solved. Miner 6 has no stored token.
func fleet(t *testing.T) *world {
	t.Helper()
	w := &world{
		registry: registry,
		in: scoring.RoundInput{
			AsOf:        asOf,
			Evaluations: map[int]scoring.Evaluation{},
			Stored:      map[int]scoring.StoredEvaluation{},
			Maintainers: map[string][]scoring.Maintainer{"acme/r0": {{GitHubID: "1003", Association: "OWNER"}}},
		},
		at:       func(int) time.Time { return asOf },
		issuesAt: asOf,
		figures:  figuresOf,
	}
	for uid := range 7 {
		m := input.Miner{UID: uid, Hotkey: fmt.Sprint("hk", uid), GitHubID: fmt.Sprint(1000 + uid)}
		if uid == 6 {
			m.Token = input.TokenNone
		}
		w.in.Miners = append(w.in.Miners, m)
		if input.FailureOf(m) == input.NoFailure {
			e := scoring.Evaluation{UID: uid, Hotkey: m.Hotkey, GitHubID: m.GitHubID, Received: pullsOf(&m)}
			e.Issues = &scoring.IssueAnswers{Listed: issuesOf(&m), Open: map[string]int{repository(uid): 1}}
			w.in.Evaluations[uid] = e
		}
	}
	return w
}

func repository(uid int) string { return fmt.Sprintf("acme/r%d", uid%2) }

// pullsOf has eight merged pull requests, the last one merged by its author, two open ones and
// a closed one.
func pullsOf(m *input.Miner) []scoring.PullRequest {
	var pulls []scoring.PullRequest
	for n := 1; n <= 11; n++ {
		pr := scoring.PullRequest{
			Repository:        repository(m.UID),
			Number:            m.UID*100 + n,
			State:             scoring.Merged,
			AuthorID:          m.GitHubID,
			AuthorLogin:       m.Hotkey,
			CreatedAt:         asOf.Add(-time.Duration(100+n*30) * time.Hour),
			MergedAt:          asOf.Add(-time.Duration(8+n*29) * time.Hour),
			MergedByLogin:     "somebody",
			BaseRef:           "main",
			HeadSHA:           fmt.Sprintf("%040d", n),
			ScoringDataStored: true,
			Labels:            []scoring.Label{{Name: "docs", ActorAssociation: "OWNER"}},
		}
		switch {
		case n == 8:
			pr.MergedByLogin = pr.AuthorLogin
		case n == 11:
			pr.State, pr.MergedAt = scoring.Closed, time.Time{}
		case n > 8:
			pr.State, pr.MergedAt = scoring.Open, time.Time{}
			nobody := "7"
			pr.LinkedIssues = []scoring.LinkedIssue{{Number: n, State: scoring.Open, AuthorID: &nobody, CreatedAt: pr.CreatedAt}}
		}
		pulls = append(pulls, pr)
	}
	return pulls
}

// issuesOf has an issue that the miner two uids on has solved, one that a stranger has, and an
// open one.
func issuesOf(m *input.Miner) []scoring.Issue {
	solved := func(number, pull int, author string) scoring.Issue {
		merged := asOf.Add(-time.Duration(40+number%50) * time.Hour)
		return scoring.Issue{
			Repository: repository(m.UID), Number: number, State: scoring.Closed, StateReason: scoring.Completed, AuthorID: m.GitHubID,
			CreatedAt: asOf.Add(-400 * time.Hour), ClosedAt: merged, SolvedByPR: &pull,
			Solving: &scoring.SolvingPullRequest{Number: pull, AuthorID: author, State: scoring.Merged, MergedAt: merged},
		}
	}
	next := m.UID%4 + 2 // of the same repository, or nobody
	return []scoring.Issue{
		solved(5000+m.UID, next*100+1, fmt.Sprint(1000+next)),
		solved(6000+m.UID, 9000+m.UID, "77"),
		{Repository: repository(m.UID), Number: 7000 + m.UID, State: scoring.Open, AuthorID: m.GitHubID, CreatedAt: asOf.Add(-9 * time.Hour)},
	}
}

func figuresOf(pr *scoring.PullRequest) *tokens.Figures {
	figures := tokens.Totals([]tokens.FileFigures{{
		Filename:  "a.go",
		Method:    tokens.MethodTreeDiff,
		Category:  tokens.CategorySource,
		Score:     float64(pr.Number%90) + 7,
		Nodes:     pr.Number,
		Breakdown: &tokens.Breakdown{StructuralAddedCount: 4, StructuralAddedScore: float64(pr.Number%90) + 7},
	}})
	return &figures
}

// conclude scores the world as its side does.
func (w *world) conclude(t *testing.T) (scoring.RoundInput, scoring.Outcome) {
	t.Helper()
	in := w.in
	in.Registry = must.Get(input.ParseRegistry([]byte(w.registry)))(t)
	in.Evaluations = map[int]scoring.Evaluation{}
	in.AsOf = w.issuesAt
	for uid, e := range w.in.Evaluations {
		loaded := scoring.Load(e.Received, in.Registry)
		score := func(list []scoring.PullRequest) (scored []scoring.ScoredPullRequest) {
			for i := range list {
				repo, _ := in.Registry.Repository(list[i].Repository)
				scored = append(scored, scoring.Score(list[i], repo, w.figures(&list[i]), w.at(list[i].Number)))
			}
			return scored
		}
		e.Merged = score(loaded.Merged)
		e.Open = score(loaded.Open)
		e.Closed = score(loaded.Closed)
		if e.Issues != nil {
			answers := *e.Issues
			answers.Open = map[string]int{}
			for name, count := range e.Issues.Open {
				if _, known := in.Registry.Repository(name); known {
					answers.Open[name] = count
				}
			}
			for _, pull := range scoring.SolvingPulls(answers.Listed, in.Registry, e.Merged) {
				if pull.Number == w.lacks {
					continue
				}
				repo, _ := in.Registry.Repository(pull.Repository)
				answers.Solving = append(answers.Solving, scoring.ScoreSolving(pull, repo, figuresOf(&scoring.PullRequest{Number: pull.Number})))
			}
			e.Issues = &answers
		}
		in.Evaluations[uid] = e
	}
	return in, scoring.Conclude(in)
}

// recorded is the world as a validator's record has it, which scored it with our rules.
func (w *world) recorded(t *testing.T, span time.Duration) shadow.Record {
	t.Helper()
	in, out := w.conclude(t)
	r := shadow.Record{
		Format: shadow.Format, Version: shadow.Version, Registry: json.RawMessage(w.registry),
		Languages: json.RawMessage(languages), Tokens: json.RawMessage(weights), Maintainers: out.Maintainers, Rewards: map[int]float64{},
		Pulls:  shadow.Span{Began: w.issuesAt.Add(-span), Ended: w.issuesAt},
		Issues: shadow.Span{Began: w.issuesAt, Ended: w.issuesAt},
	}
	days := map[string]float64{}
	for i := range in.Registry.Repositories {
		repo := &in.Registry.Repositories[i]
		days[repo.Name] = float64(repo.Scoring.PRLookbackDays) + 0.001 // the way of an answer
	}
	r.Windows = map[string]map[string]float64{"pull requests": days, "issues": maps.Clone(days)}
	for i := range out.Miners {
		m := &out.Miners[i]
		miner := shadow.Miner{
			UID: m.UID, Hotkey: m.Hotkey, GitHubID: m.GitHubID, Failed: m.Failed, PullFigures: m.PullFigures, IssueFigures: m.IssueFigures,
			FetchFailed: m.FetchFailed && !m.FromStored, FromStored: m.FromStored,
			Repositories: m.Repositories, ScoredIssues: m.ScoredIssues,
		}
		for _, p := range m.PullRequests {
			pull := shadow.Pull{PullRequestOutcome: p}
			if p.Scored {
				pull.Files = new(1)
			}
			miner.PullRequests = append(miner.PullRequests, pull)
		}
		if e, there := in.Evaluations[m.UID]; there {
			if !e.FetchFailed {
				miner.Received = append([]scoring.PullRequest{}, e.Received...)
			}
			if e.Issues != nil {
				miner.Listed, miner.Open = append([]scoring.Issue{}, e.Issues.Listed...), e.Issues.Open
			}
		}
		r.Miners = append(r.Miners, miner)
	}
	for _, reward := range out.Rewards {
		r.Rewards[reward.UID] = reward.Reward
	}
	return r
}

// read is the record as its reader has it.
func read(t *testing.T, r shadow.Record) *shadow.Record {
	t.Helper()
	again := must.Get(shadow.Decode(t.Context(), must.Get(json.Marshal(r))(t)))(t)
	return &again
}

// compare compares our world with a validator's record.
func compare(t *testing.T, ours *world, r shadow.Record) shadow.Report {
	t.Helper()
	in, out := ours.conclude(t)
	return must.Get(shadow.Compare(t.Context(), shadow.Ours{
		In:        in,
		Out:       out,
		Registry:  json.RawMessage(ours.registry),
		Languages: json.RawMessage(languages),
		Tokens:    json.RawMessage(weights),
	}, read(t, r)))(t)
}

// verdicts are those of all miners.
func verdicts(r *shadow.Report) map[int]shadow.Verdict {
	found := map[int]shadow.Verdict{}
	for _, m := range r.Miners {
		found[m.UID] = m.Verdict
	}
	return found
}
