package whatif

import (
	"fmt"
	"slices"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// take replaces the round's registry. The answers that the round got by its own registry
// stay as they are; answers that only the other registry needs were not kept.
func (w *world) take(registry input.Registry) {
	for i := range registry.Repositories {
		repo := &registry.Repositories[i]
		former, known := w.before.Repository(repo.Name)
		switch {
		case !known:
			w.lacksf("the pull requests and issues of %s, which was not in the registry", repo.Name)
		case repo.Scoring.PRLookbackDays != former.Scoring.PRLookbackDays:
			w.lacksf("the pull requests and issues of %s in %d days (the round asked for those in %d)",
				repo.Name, repo.Scoring.PRLookbackDays, former.Scoring.PRLookbackDays)
		case repo.MaintainerCut > 0 && former.MaintainerCut == 0:
			w.lacksf("the maintainers of %s, which had no cut", repo.Name)
		}
	}
	w.in.Registry = registry
	// The mirror is asked for the registry's repositories alone.
	gone := func(name string) bool {
		_, known := w.before.Repository(name)
		_, stays := registry.Repository(name)
		return known && !stays
	}
	for uid := range w.in.Evaluations {
		e := w.copyOf(uid)
		if e.Received == nil && len(e.Merged)+len(e.Open)+len(e.Closed)+len(e.Dropped) > 0 {
			w.lacksf("what the mirror said of the pull requests of miner %d (its evaluation is of a version that did not keep it)", uid)
		}
		w.facts[uid] = true
		e.Received = slices.DeleteFunc(e.Received, func(p scoring.PullRequest) bool { return gone(p.Repository) })
		if e.Issues != nil {
			e.Issues.Listed = slices.DeleteFunc(e.Issues.Listed, func(i scoring.Issue) bool { return gone(i.Repository) })
			for name := range e.Issues.Open {
				if gone(name) {
					delete(e.Issues.Open, name)
				}
			}
		}
		w.in.Evaluations[uid] = e
	}
}

// score scores a miner's pull requests anew, if anything of them has changed, as its worker
// did: docs/rules/scoring.md#loading and docs/rules/scoring.md#base-score.
func (w *world) score(uid int) {
	e := w.in.Evaluations[uid]
	if !w.facts[uid] || e.FetchFailed || e.Received == nil {
		return
	}
	loaded := scoring.Load(e.Received, w.in.Registry)
	asked := figuresIn(&e)
	score := func(pulls []scoring.PullRequest) []scoring.ScoredPullRequest {
		scored := make([]scoring.ScoredPullRequest, len(pulls))
		for i := range pulls {
			pr := &pulls[i]
			item := Item{pr.Repository, pr.Number}
			figures, was := asked[item]
			if !was && scoring.NeedsFiles(*pr) {
				if figures = w.figures(item); figures == nil {
					w.lacksf("files of %s", item)
				}
			}
			repo, _ := w.in.Registry.Repository(pr.Repository)
			scored[i] = scoring.Score(*pr, repo, figures, w.in.AsOf)
		}
		return scored
	}
	e.Merged = score(loaded.Merged)
	e.Open = score(loaded.Open)
	e.Closed = score(loaded.Closed)
	e.Dropped = loaded.Dropped
	w.in.Evaluations[uid] = e
}

// figuresIn are the token figures of a miner's loaded pull requests, nil for those whose files
// gave none. A dropped one is absent: nobody asked for its files.
func figuresIn(e *scoring.Evaluation) map[Item]*tokens.Figures {
	found := map[Item]*tokens.Figures{}
	for _, list := range [][]scoring.ScoredPullRequest{e.Merged, e.Open, e.Closed} {
		for i := range list {
			found[Item{list[i].Repository, list[i].Number}] = list[i].Tokens
		}
	}
	return found
}

// figures are the token figures of a pull request, whoever of the round's workers had its
// files scored; nil for none.
func (w *world) figures(item Item) *tokens.Figures {
	if w.tokens != nil {
		return w.tokens[item]
	}
	w.tokens = map[Item]*tokens.Figures{}
	for _, e := range w.kept {
		for of, figures := range figuresIn(&e) {
			if figures != nil && !spent(figures) {
				w.tokens[of] = figures
			}
		}
		if e.Issues == nil {
			continue
		}
		for i := range e.Issues.Solving {
			s := &e.Issues.Solving[i]
			of := Item{s.Repository, s.Number}
			// Figures of nothing may be of an empty list, which leaves a pull request of one's
			// own unscored. Nothing tells it from files that score nothing.
			if s.Tokens != nil && s.Tokens.TotalScore > 0 && w.tokens[of] == nil {
				w.tokens[of] = s.Tokens
			}
		}
	}
	return w.tokens[item]
}

// spent says whether scoring the files has run out of its budget. That costs their author the
// score; the author of an issue that the pull request solves gets another answer.
func spent(figures *tokens.Figures) bool {
	return slices.ContainsFunc(figures.Files, func(f tokens.FileFigures) bool { return f.Method == tokens.MethodSkippedTimeout })
}

// solve scores the solving pull requests of what are solved issues now, and all of them anew
// by another registry: docs/rules/scoring.md#solving-score.
func (w *world) solve() {
	merged, scored := w.merged(), map[Item]bool{}
	w.each(func(uid int, e *scoring.Evaluation) {
		if e.Issues == nil {
			return
		}
		for i := range e.Issues.Solving {
			s := &e.Issues.Solving[i]
			scored[Item{s.Repository, s.Number}] = true
			w.rescore(uid, i)
		}
	})
	w.each(func(uid int, e *scoring.Evaluation) {
		if e.Issues == nil {
			return
		}
		for _, pull := range scoring.SolvingPulls(e.Issues.Listed, w.in.Registry, e.Merged) {
			item := Item{pull.Repository, pull.Number}
			if merged[item] || scored[item] {
				continue
			}
			figures := w.figures(item)
			if figures == nil {
				w.lacksf("files of %s, which solves an issue of miner %d", item, uid)
				continue
			}
			repo, _ := w.in.Registry.Repository(pull.Repository)
			own := w.copyOf(uid)
			own.Issues.Solving = append(own.Issues.Solving, scoring.ScoreSolving(pull, repo, figures))
		}
	})
}

// rescore scores a solving pull request by the registry, where that has changed what its score
// depends on.
func (w *world) rescore(uid, at int) {
	s := w.in.Evaluations[uid].Issues.Solving[at]
	repo, known := w.in.Registry.Repository(s.Repository)
	former, was := w.before.Repository(s.Repository)
	if !known || !was || s.Unavailable || scoresAlike(repo, former) {
		return
	}
	if s.Tokens == nil {
		w.lacksf("files of %s#%d, which solves an issue of miner %d", s.Repository, s.Number, uid)
		return
	}
	w.copyOf(uid).Issues.Solving[at] = scoring.ScoreSolving(scoring.SolvingPull{Repository: s.Repository, Number: s.Number}, repo, s.Tokens)
}

// scoresAlike says whether two registries give a pull request the same base score.
func scoresAlike(a, b *input.Repository) bool {
	fixed := func(r *input.Repository) string {
		if r.FixedBaseScore == nil {
			return ""
		}
		return fmt.Sprint(*r.FixedBaseScore)
	}
	return a.Scoring.SrcTokSaturationScale == b.Scoring.SrcTokSaturationScale && fixed(a) == fixed(b)
}

// merged are the pull requests in the merged lists that count: those of miners that take part
// and share no account, or the stored ones that stand in.
func (w *world) merged() map[Item]bool {
	found, sharing := map[Item]bool{}, map[string]int{}
	for _, m := range w.in.Miners {
		if input.FailureOf(m) == input.NoFailure && m.GitHubID != input.NoGitHubID {
			sharing[m.GitHubID]++
		}
	}
	for _, m := range w.in.Miners {
		if input.FailureOf(m) != input.NoFailure || sharing[m.GitHubID] > 1 {
			continue
		}
		list := w.in.Stored[m.UID].Merged
		if e, there := w.in.Evaluations[m.UID]; there && !e.FetchFailed && !m.IdentityUnreachable {
			list = e.Merged
		}
		for i := range list {
			found[Item{list[i].Repository, list[i].Number}] = true
		}
	}
	return found
}
