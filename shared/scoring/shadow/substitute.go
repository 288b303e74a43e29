package shadow

import (
	"fmt"
	"maps"
	"reflect"
	"time"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// given is what our rules are given in place of the validator: its inputs, at its instants.
func (c *comparison) given() scoring.RoundInput {
	c.registry = c.record.registry
	in := scoring.RoundInput{
		AsOf:        c.record.Issues.Ended,
		Registry:    c.registry,
		Evaluations: map[int]scoring.Evaluation{},
		Stored:      maps.Clone(c.in.Stored),
		Maintainers: c.maintainers(),
	}
	if in.Stored == nil {
		in.Stored = map[int]scoring.StoredEvaluation{}
	}
	for i := range c.record.Miners {
		theirs := &c.record.Miners[i]
		entry := entryOf(theirs)
		in.Miners = append(in.Miners, entry)
		if input.FailureOf(entry) != input.NoFailure {
			continue
		}
		c.standIn(in.Stored, theirs)
		in.Evaluations[theirs.UID] = c.evaluationOf(theirs)
	}
	in.IssuesAsOf = c.issueInstants(in.Evaluations)
	return in
}

// entryOf returns a miner as a round would be planned with it, so that it fails as it did for
// the validator.
func entryOf(theirs *Miner) input.Miner {
	entry := input.Miner{UID: theirs.UID, Hotkey: theirs.Hotkey, GitHubID: theirs.GitHubID}
	switch theirs.Failed {
	case input.NoHotkey:
		entry.Hotkey = ""
	case input.HotkeyChanged:
		entry.Token = input.TokenStale
	case input.NoStoredToken:
		entry.Token = input.TokenNone
	case input.TokenNotAccepted:
		entry.Token = input.TokenRefused
	case input.NoFailure, input.SharedAccount, input.RecycleMiner, input.IdentityUnreachable:
	}
	return entry
}

// standIn sets what the validator has stored of a miner, where it fell back on that: nothing
// else of its earlier rounds is recorded, and nothing else decides.
func (c *comparison) standIn(stored map[int]scoring.StoredEvaluation, theirs *Miner) {
	lacked := theirs.FetchFailed || theirs.FromStored
	if !lacked && theirs.Listed != nil {
		return
	}
	delete(stored, theirs.UID)
	if lacked && !theirs.FromStored {
		return
	}
	entry := scoring.StoredEvaluation{
		UID:          theirs.UID,
		Hotkey:       theirs.Hotkey,
		GitHubID:     theirs.GitHubID,
		Issues:       theirs.IssueFigures,
		ScoredIssues: theirs.ScoredIssues,
	}
	for i := range theirs.Repositories {
		r := &theirs.Repositories[i]
		entry.Repositories = append(entry.Repositories, scoring.StoredRepository{IssueFigures: r.IssueFigures, Repository: r.Repository})
	}
	for i := range theirs.PullRequests {
		p := theirs.PullRequests[i].ScoredPullRequest
		switch p.State {
		case scoring.Merged:
			entry.Merged = append(entry.Merged, p)
		case scoring.Open:
			entry.Open = append(entry.Open, p)
		case scoring.Closed:
			entry.Closed = append(entry.Closed, p)
		}
	}
	stored[theirs.UID] = entry
}

// evaluationOf is what a worker would have made of the answers that the validator got.
func (c *comparison) evaluationOf(theirs *Miner) scoring.Evaluation {
	e := scoring.Evaluation{
		UID:         theirs.UID,
		Hotkey:      theirs.Hotkey,
		GitHubID:    theirs.GitHubID,
		FetchFailed: theirs.FetchFailed || theirs.FromStored,
	}
	if !e.FetchFailed {
		e = c.scoredAnew(e, theirs.Received, c.byTheirs(theirs.UID))
	}
	if theirs.Listed == nil {
		return e
	}
	e.Issues = &scoring.IssueAnswers{Listed: theirs.Listed, Open: c.openOf(theirs)}
	for _, pull := range scoring.SolvingPulls(theirs.Listed, c.registry, e.Merged) {
		name := item{Repository: pull.Repository, Number: pull.Number}
		what := fmt.Sprintf("%s#%d", pull.Repository, pull.Number)
		if c.record.lacking[what] {
			c.unkept(theirs.UID, Cause{KindFiles, what + ": files", "", "none"})
			continue
		}
		score, known := c.solving[name]
		figures := score.Tokens
		if figures == nil {
			figures = c.figures[name]
		}
		repo, _ := c.registry.Repository(pull.Repository)
		switch {
		case figures != nil:
			e.Issues.Solving = append(e.Issues.Solving, scoring.ScoreSolving(pull, repo, figures))
		case known:
			e.Issues.Solving = append(e.Issues.Solving, score)
		case !c.merged[name]:
			c.unkept(theirs.UID, Cause{Kind: KindNotKept, What: "files of " + what + ", which solves an issue of this miner"})
		}
	}
	return e
}

// byTheirs scores a pull request with the token figures that the validator has of it: ours,
// unless they differ. A record has no figures from which the base score could be computed, so
// that score is then the validator's.
func (c *comparison) byTheirs(uid int) scorer {
	return func(pr *scoring.PullRequest, repo *input.Repository, at time.Time) scoring.ScoredPullRequest {
		name := item{Repository: pr.Repository, Number: pr.Number}
		theirs, figures := c.scored[uid][name], c.figures[name]
		switch {
		case theirs == nil:
			return c.byOurs(pr, repo, at)
		case !theirs.hasFiles():
			return scoring.Score(*pr, repo, nil, at)
		case figures != nil && sameTokens(figures, theirs):
			return scoring.Score(*pr, repo, figures, at)
		}
		s := scoring.Score(*pr, repo, &tokens.Figures{
			TokenScore:       theirs.TokenScore,
			StructuralCount:  theirs.StructuralCount,
			StructuralScore:  theirs.StructuralScore,
			LeafCount:        theirs.LeafCount,
			LeafScore:        theirs.LeafScore,
			TotalNodesScored: theirs.TotalNodesScored,
		}, at)
		if repo.FixedBaseScore == nil {
			s.BaseScore = theirs.BaseScore
		}
		return s
	}
}

// maintainers are ours, unless the validator had others.
func (c *comparison) maintainers() map[string][]scoring.Maintainer {
	if reflect.DeepEqual(withoutEmpty(c.out.Maintainers), withoutEmpty(c.record.Maintainers)) {
		return c.in.Maintainers
	}
	found := map[string][]scoring.Maintainer{}
	for repository, uids := range c.record.Maintainers {
		for _, uid := range uids {
			if m := c.record.byUID[uid]; m != nil {
				found[repository] = append(found[repository], scoring.Maintainer{GitHubID: m.GitHubID, Association: "OWNER"})
			}
		}
	}
	return found
}

func withoutEmpty(lists map[string][]int) map[string][]int {
	kept := map[string][]int{}
	for name, list := range lists {
		if len(list) > 0 {
			kept[name] = list
		}
	}
	return kept
}
