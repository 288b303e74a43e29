package scoring

import (
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// pullKey names a pull request.
type pullKey struct {
	repository string
	number     int
}

// SolvingPulls lists the solving pull requests that a worker must score for a
// miner's issues: those of solved issues, each once, in the order received,
// without those that the miner's own merged list holds. Another miner's list
// may hold one too, which a worker cannot know: Conclude prefers what the lists
// say.
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
		// There is none with a negative number to ask for: not available.
		if seen[key] || solver.Number < 0 {
			continue
		}
		seen[key] = true
		pulls = append(pulls, SolvingPull{
			Repository: repo.Name, Number: solver.Number, MergedAt: solver.MergedAt,
			HeadSHA: solver.HeadSHA, BaseSHA: solver.BaseSHA, MergeBaseSHA: solver.MergeBaseSHA,
		})
	}
	return pulls
}

// ScoreSolving is what a solving pull request scores. Figures are nil when its
// files could not be had or the mirror says that it stores none; an empty list
// of files is figures of zero.
func ScoreSolving(pull SolvingPull, repo *input.Repository, figures *tokens.Figures) SolvingScore {
	score := SolvingScore{Repository: pull.Repository, Number: pull.Number, Unavailable: figures == nil}
	if figures == nil {
		return score
	}
	score.BaseScore, score.TokenScore = tokens.BaseScore(figures, repo.Scoring.SrcTokSaturationScale), figures.TokenScore
	if repo.FixedBaseScore != nil {
		score.BaseScore = *repo.FixedBaseScore
	}
	return score
}

// solvingScores is what each solving pull request scores, over all miners. The
// merged lists go first, even where nothing was stored and they say 0; of two
// lists, or two workers, the one of the lower uid.
func solvingScores(miners []*miner) map[pullKey]SolvingScore {
	scores := map[pullKey]SolvingScore{}
	for _, m := range miners {
		for i := range m.merged {
			pull := &m.merged[i]
			note(scores, SolvingScore{
				Repository: pull.Repository, Number: pull.Number, BaseScore: pull.BaseScore, TokenScore: pull.TokenScore,
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

func note(scores map[pullKey]SolvingScore, score SolvingScore) {
	key := pullKey{score.Repository, score.Number}
	if _, there := scores[key]; !there {
		scores[key] = score
	}
}
