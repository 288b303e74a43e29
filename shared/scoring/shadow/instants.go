package shadow

import (
	"slices"
	"time"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// item names a pull request or an issue, by the lower-cased name of its repository.
type item = scoring.IssueName

// atValue finds an instant of a span at which a decay has a value. Decay falls with time, so
// atValue bisects, to a microsecond, which is the resolution of the validator's clock. If there
// is no such instant, it returns the end of the span.
func (s Span) atValue(value float64, decay func(time.Time) float64) time.Time {
	low, high := s.Began, s.Ended
	if decay(high) == value {
		return high
	}
	for high.Sub(low) > time.Microsecond {
		middle := low.Add(high.Sub(low) / 2).Truncate(time.Microsecond)
		if !middle.After(low) {
			break
		}
		switch got := decay(middle); {
		case got == value:
			return middle
		case got > value:
			low = middle
		default:
			high = middle
		}
	}
	if decay(low) == value {
		return low
	}
	return s.Ended
}

// pullInstant is when the validator has scored a pull request of a miner.
func (c *comparison) pullInstant(uid int, pr *scoring.PullRequest) time.Time {
	theirs := c.scored[uid][item{Repository: pr.Repository, Number: pr.Number}]
	repo, known := c.registry.Repository(pr.Repository)
	if theirs == nil || !known || pr.State != scoring.Merged {
		return c.record.Pulls.Ended
	}
	return c.record.Pulls.atValue(theirs.TimeDecayMultiplier, func(at time.Time) float64 {
		return scoring.Decay(pr.MergedAt, at, &repo.Scoring.TimeDecay)
	})
}

// issueInstants is when the validator has scored each issue that scores.
func (c *comparison) issueInstants(evaluations map[int]scoring.Evaluation) map[item]time.Time {
	found := map[item]time.Time{}
	for uid, e := range evaluations {
		theirs := c.record.byUID[uid]
		if e.Issues == nil || theirs == nil {
			continue
		}
		merged := map[item]time.Time{}
		for i := range e.Issues.Listed {
			if issue := &e.Issues.Listed[i]; issue.Solving != nil {
				merged[item{Repository: issue.Repository, Number: issue.Number}] = issue.Solving.MergedAt
			}
		}
		for i := range theirs.ScoredIssues {
			scored := &theirs.ScoredIssues[i]
			name := item{Repository: scored.Repository, Number: scored.Number}
			repo, known := c.registry.Repository(scored.Repository)
			if mergedAt, listed := merged[name]; listed && known {
				found[name] = c.record.Issues.atValue(scored.TimeDecayMultiplier, func(at time.Time) float64 {
					return scoring.Decay(mergedAt, at, &repo.Scoring.TimeDecay)
				})
			}
		}
	}
	return found
}

// timed is what our round would have kept at the validator's instants: our own inputs, without
// those that had left the windows by then.
func (c *comparison) timed() scoring.RoundInput {
	in := c.in
	c.registry = in.Registry
	in.AsOf = c.record.Issues.Ended
	in.Evaluations = map[int]scoring.Evaluation{}
	pullsSince, issuesSince := in.Registry.Windows(c.record.Pulls.Ended), in.Registry.Windows(c.record.Issues.Began)
	for uid, e := range c.in.Evaluations {
		theirs := c.record.byUID[uid]
		if theirs == nil {
			theirs = &Miner{}
		}
		if e.Received != nil && !e.FetchFailed {
			listed := named(theirs.Received, func(pr *scoring.PullRequest) item { return item{Repository: pr.Repository, Number: pr.Number} })
			left := func(pr scoring.PullRequest) bool {
				return theirs.Received != nil && dated(&pr).Before(pullsSince[pr.Repository]) &&
					!listed[item{Repository: pr.Repository, Number: pr.Number}]
			}
			e = c.scoredAnew(e, slices.DeleteFunc(slices.Clone(e.Received), left), c.byOurs)
		}
		if e.Issues != nil {
			listed := named(theirs.Listed, func(i *scoring.Issue) item { return item{Repository: i.Repository, Number: i.Number} })
			left := func(issue scoring.Issue) bool {
				return theirs.Listed != nil && issueDated(&issue).Before(issuesSince[issue.Repository]) &&
					!listed[item{Repository: issue.Repository, Number: issue.Number}]
			}
			answers := *e.Issues
			answers.Listed = slices.DeleteFunc(slices.Clone(e.Issues.Listed), left)
			e.Issues = &answers
		}
		in.Evaluations[uid] = e
	}
	in.IssuesAsOf = c.issueInstants(in.Evaluations)
	return in
}

// scorer scores a pull request as of an instant.
type scorer func(pr *scoring.PullRequest, repo *input.Repository, at time.Time) scoring.ScoredPullRequest

// scoredAnew returns an evaluation whose pull requests are scored as a worker would score them,
// at the validator's instants.
func (c *comparison) scoredAnew(e scoring.Evaluation, received []scoring.PullRequest, score scorer) scoring.Evaluation {
	loaded := scoring.Load(received, c.registry)
	all := func(pulls []scoring.PullRequest) []scoring.ScoredPullRequest {
		scored := make([]scoring.ScoredPullRequest, len(pulls))
		for i := range pulls {
			repo, _ := c.registry.Repository(pulls[i].Repository)
			scored[i] = score(&pulls[i], repo, c.pullInstant(e.UID, &pulls[i]))
		}
		return scored
	}
	e.Merged = all(loaded.Merged)
	e.Open = all(loaded.Open)
	e.Closed = all(loaded.Closed)
	e.Dropped = loaded.Dropped
	return e
}

// byOurs scores a pull request with the figures that our workers have of its files.
func (c *comparison) byOurs(pr *scoring.PullRequest, repo *input.Repository, at time.Time) scoring.ScoredPullRequest {
	return scoring.Score(*pr, repo, c.figures[item{Repository: pr.Repository, Number: pr.Number}], at)
}

// dated is the instant by which the mirror lists a pull request.
func dated(pr *scoring.PullRequest) time.Time {
	if pr.State == scoring.Merged && !pr.MergedAt.IsZero() {
		return pr.MergedAt
	}
	return pr.CreatedAt
}

// issueDated is the instant by which the mirror lists an issue: docs/rules/mirror.md.
func issueDated(issue *scoring.Issue) time.Time {
	if issue.State == scoring.Closed {
		return issue.ClosedAt
	}
	return issue.CreatedAt
}

// named are the names of all in a list.
func named[T any](list []T, name func(*T) item) map[item]bool {
	names := make(map[item]bool, len(list))
	for i := range list {
		names[name(&list[i])] = true
	}
	return names
}
