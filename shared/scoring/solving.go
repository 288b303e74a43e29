package scoring

import (
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// pullKey names a pull request, by the lower-cased name of its repository.
type pullKey struct {
	repository string
	number     int
}

// SolvingPulls lists the solving pull requests that a worker must score for a miner's
// issues: those of solved issues, each once, in the order received. It leaves out the
// ones in the miner's own merged list. Another miner's list may have one too, which a
// worker cannot know; Conclude then takes the score of that list.
func SolvingPulls(issues []Issue, reg input.Registry, merged []ScoredPullRequest) []SolvingPull {
	seen := map[pullKey]bool{}
	for i := range merged {
		seen[pullKey{merged[i].Repository, merged[i].Number}] = true
	}
	var pulls []SolvingPull
	for i := range issues {
		issue := &issues[i]
		if keepIssue(issue, reg) != nil {
			continue
		}
		repo, _ := reg.Repository(issue.Repository)
		class, _ := classify(issue, repo)
		if class != IssueSolved {
			continue
		}
		solver := issue.Solving
		key := pullKey{repo.Name, solver.Number}
		// A negative number cannot be asked for. The score stays unavailable.
		if seen[key] || solver.Number < 0 {
			continue
		}
		seen[key] = true
		pulls = append(pulls, SolvingPull{
			Repository:   repo.Name,
			Number:       solver.Number,
			MergedAt:     solver.MergedAt,
			HeadSHA:      solver.HeadSHA,
			BaseSHA:      solver.BaseSHA,
			MergeBaseSHA: solver.MergeBaseSHA,
		})
	}
	return pulls
}

// ScoreSolving scores a solving pull request: docs/rules/scoring.md#solving-score.
// figures is nil when its files could not be fetched, or when the mirror stores none.
// An empty list of files has figures of zero: unlike a miner's own pull request, a
// solving one is then available and scores 0.
func ScoreSolving(pull SolvingPull, repo *input.Repository, figures *tokens.Figures) SolvingScore {
	score := SolvingScore{Repository: pull.Repository, Number: pull.Number, Unavailable: figures == nil}
	if figures == nil {
		return score
	}
	score.BaseScore, score.TokenScore = tokens.BaseScore(figures, repo.Scoring.SrcTokSaturationScale), figures.TokenScore
	if repo.FixedBaseScore != nil {
		score.BaseScore = *repo.FixedBaseScore
	}
	kept := *figures
	kept.Files = nil
	score.Tokens = &kept
	return score
}

// solvingScores are the scores of all solving pull requests of the round. The first
// score counts. Merged lists come before the workers' scores, even where they say 0
// because nothing was stored; miners come by uid, so two of them never race.
func solvingScores(miners []*miner) map[pullKey]SolvingScore {
	scores := map[pullKey]SolvingScore{}
	for _, m := range miners {
		for i := range m.merged {
			pull := &m.merged[i]
			note(scores, SolvingScore{
				Repository: pull.Repository,
				Number:     pull.Number,
				BaseScore:  pull.BaseScore,
				TokenScore: pull.TokenScore,
			})
		}
	}
	for _, m := range miners {
		if m.evaluation == nil || m.evaluation.Issues == nil {
			continue
		}
		for _, score := range m.evaluation.Issues.Solving {
			if !score.Unavailable {
				note(scores, score)
			}
		}
	}
	return scores
}

// note adds a score unless its pull request has one already.
func note(scores map[pullKey]SolvingScore, score SolvingScore) {
	key := pullKey{score.Repository, score.Number}
	if _, there := scores[key]; !there {
		scores[key] = score
	}
}
