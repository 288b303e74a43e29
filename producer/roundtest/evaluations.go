package roundtest

import (
	"fmt"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// Evaluated returns an evaluation with one merged pull request. Each text from outside contains
// text.
func Evaluated(j job.Job, text string) job.Evaluation {
	merged := AsOf.Add(-24 * time.Hour)
	return job.Evaluation{
		Version: job.Version,
		Round:   j.Round,
		UID:     j.UID,
		Evaluation: scoring.Evaluation{
			UID:      j.UID,
			Hotkey:   j.Hotkey,
			GitHubID: j.GitHubID,
			Merged: []scoring.ScoredPullRequest{{
				Repository:                      "a/b",
				Number:                          j.UID,
				Title:                           text + "Title",
				State:                           scoring.Merged,
				Scored:                          true,
				BaseScore:                       float64(10 * j.UID),
				IssueMultiplier:                 1,
				TimeDecayMultiplier:             1,
				ReviewQualityMultiplier:         1,
				LabelMultiplier:                 1,
				CreatedAt:                       AsOf.Add(-46*time.Hour - 57*time.Minute - 56*time.Second - 876544*time.Microsecond),
				MergedAt:                        merged,
				MaintainerChangesRequestedCount: 1,
				Listed: &scoring.Listed{
					AuthorLogin:   fmt.Sprintf("login%d", j.UID),
					MergedByLogin: text + "merger",
					Body:          new(text + "Closes #7"),
					HeadSHA:       "head",
					BaseSHA:       "base",
					Additions:     5,
					Deletions:     2,
					Commits:       3,
					Issues: []scoring.ListedIssue{{
						Number:            7,
						Title:             text + "It leaks",
						State:             scoring.Closed,
						StateReason:       scoring.Completed,
						AuthorID:          new("9"),
						AuthorAssociation: "NONE",
						ClosedAt:          merged,
						UpdatedAt:         merged,
					}},
				},
				Tokens: &tokens.Figures{Files: []tokens.FileFigures{{
					Filename: text + "new.go",
					Method:   tokens.MethodTreeDiff,
					Category: tokens.CategorySource,
					Change: tokens.Change{
						Status:           "renamed",
						PreviousFilename: "old.go",
						Additions:        5,
						Deletions:        2,
						Changes:          7,
					},
				}}},
			}},
		},
	}
}

// ByTheRules is an evaluation by the rules: merged pull requests, an open one, a closed one, one
// that is dropped, and issues.
func ByTheRules(j job.Job, registry input.Registry, text string) job.Evaluation {
	pulls := pullsOf(j, text)
	figures := figuresOf(j, text)
	repo, _ := registry.Repository("a/b")
	loaded := scoring.Load(pulls, registry)
	scored := func(list []scoring.PullRequest) (all []scoring.ScoredPullRequest) {
		for i := range list {
			one := scoring.Score(list[i], repo, &figures, AsOf)
			one.Tokens = &figures
			all = append(all, one)
		}
		return all
	}
	return job.Evaluation{
		Version: job.Version,
		Round:   j.Round,
		UID:     j.UID,
		Evaluation: scoring.Evaluation{
			UID:      j.UID,
			Hotkey:   j.Hotkey,
			GitHubID: j.GitHubID,
			Merged:   scored(loaded.Merged),
			Open:     scored(loaded.Open),
			Closed:   scored(loaded.Closed),
			Dropped:  loaded.Dropped,
			Received: scoring.Facts(pulls),
			Issues: &scoring.IssueAnswers{Open: map[string]int{"a/b": 1}, Listed: []scoring.Issue{{
				Repository:  "a/b",
				Number:      100*j.UID + 50,
				Title:       text + "It leaks",
				State:       scoring.Closed,
				StateReason: "NOT_PLANNED",
				AuthorID:    j.GitHubID,
				CreatedAt:   AsOf.Add(-100 * time.Hour),
				ClosedAt:    AsOf.Add(-90 * time.Hour),
			},
			}},
		},
	}
}

// pullsOf returns a miner's pull requests.
func pullsOf(j job.Job, text string) []scoring.PullRequest {
	pull := func(number int, state scoring.State, hours int) scoring.PullRequest {
		p := scoring.PullRequest{
			Repository:        "a/b",
			Number:            100*j.UID + number,
			Title:             text + "Title",
			State:             state,
			AuthorID:          j.GitHubID,
			AuthorLogin:       fmt.Sprintf("login%d%s", j.UID, text),
			AuthorAssociation: "CONTRIBUTOR",
			CreatedAt:         AsOf.Add(-200 * time.Hour),
			BaseRef:           "main",
			DefaultBranch:     "main",
			HeadSHA:           "head",
			ScoringDataStored: true,
			Labels:            []scoring.Label{{Name: text + "bug", ActorAssociation: "MEMBER"}},
		}
		if state == scoring.Merged {
			p.MergedAt, p.MergedByLogin = AsOf.Add(-time.Duration(hours)*time.Hour), "merger"
		}
		return p
	}
	dropped := pull(5, scoring.Merged, 3)
	dropped.BaseRef = text + "elsewhere"
	return []scoring.PullRequest{pull(1, scoring.Merged, 1), pull(2, scoring.Merged, 150), pull(3, scoring.Open, 0),
		pull(4, scoring.Closed, 0), dropped, pull(6, scoring.Merged, 20), pull(7, scoring.Merged, 190)}
}

// figuresOf returns the token figures of each of them.
func figuresOf(j job.Job, text string) tokens.Figures {
	return tokens.Totals([]tokens.FileFigures{{
		Filename:  text + "new.go",
		Method:    tokens.MethodTreeDiff,
		Category:  tokens.CategorySource,
		Score:     float64(30 * j.UID),
		Nodes:     4,
		Lines:     7,
		Breakdown: &tokens.Breakdown{StructuralAddedCount: 4, StructuralAddedScore: float64(30 * j.UID)},
		Largest:   []tokens.Contribution{{Type: text + "node", Added: 4, Score: float64(30 * j.UID)}},
	}, {
		Filename: "README.md",
		Method:   tokens.MethodLineCount,
		Category: tokens.CategoryNonCode,
		Score:    1.2,
		Nodes:    10,
		Lines:    10,
	}})
}
