package evaluate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scorecache"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/worker/tokenscore"
)

// miner is one evaluation under way. Its lists are filled in the order of the
// answers, whatever the order in which they arrive.
type miner struct {
	evaluator *Evaluator
	mirror    *mirror.Client // the evaluator's, or its view for the background
	job       job.Job
	rules     *rules
	// expected is the number of requests that Attempt.Expect is told; left counts those that
	// are still to come.
	expected int
	tell     func(ctx context.Context, requests int)
	left     *atomic.Int64
	// budget is what scoring all of the miner's files may take.
	budget *tokenscore.Budget

	// cached and fetched count the pull requests whose files were needed.
	cached, fetched int

	found     *scoring.IssueAnswers
	missing   []missing
	malformed []job.Malformed
	unsettled []string
}

// missing is an answer that could not be had, or cannot be scored.
type missing struct {
	job.Missing

	err error
}

func newMissing(what string, cause job.Cause, err error) missing {
	return missing{job.Missing{What: what, Cause: cause, Error: err.Error()}, err}
}

// expect adds to the requests that this attempt makes in all, and tells it.
func (m *miner) expect(ctx context.Context, requests int) {
	if requests == 0 {
		return
	}
	m.expected += requests
	m.left.Store(max(m.left.Load(), 0) + int64(requests))
	if m.tell != nil {
		m.tell(ctx, m.expected)
	}
}

// answered takes one off the requests that are still to come.
func (m *miner) answered() { m.left.Add(-1) }

// pulls scores the loaded pull requests: merged, then open, then closed, each
// in the order received. It fails only for what is not the mirror's fault: a
// cancelled context, no child process.
func (m *miner) pulls(ctx context.Context, loaded scoring.Loaded, into *scoring.Evaluation) error {
	all := slices.Concat(loaded.Merged, loaded.Open, loaded.Closed)
	wanted := make([]want, len(all))
	for i, pr := range all {
		if scoring.NeedsFiles(pr) {
			wanted[i] = m.want(m.job.GitHubID, pr.Repository, pr.Number, pr.HeadSHA, scorecache.Base(pr.MergeBaseSHA, pr.BaseSHA),
				counted{
					Known:     true,
					Head:      pr.HeadSHA,
					Additions: pr.Additions,
					Deletions: pr.Deletions,
					MergedAt:  pr.MergedAt,
				})
		}
	}
	files, err := m.look(ctx, wanted)
	if err != nil {
		return err
	}
	m.expect(ctx, m.issueLookUps()+files)
	scored, got := make([]scoring.ScoredPullRequest, len(all)), make([]fetched, len(all))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(m.evaluator.cfg.Files)
	for i, pr := range all {
		group.Go(func() (err error) {
			scored[i], got[i], err = m.pull(groupCtx, pr, wanted[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, f := range got {
		m.note(ctx, wanted[i], f)
	}
	open, closed := len(loaded.Merged), len(loaded.Merged)+len(loaded.Open)
	into.Merged = scored[:open:open]
	into.Open = scored[open:closed:closed]
	into.Closed = scored[closed:]
	return nil
}

func (m *miner) pull(ctx context.Context, pr scoring.PullRequest, w want) (scored scoring.ScoredPullRequest, f fetched, err error) {
	repository, known := m.rules.registry.Repository(pr.Repository)
	if !known {
		return scored, f, fmt.Errorf("pull request %s#%d was loaded, but its repository is not in the registry", pr.Repository, pr.Number)
	}
	if f, err = m.files(ctx, w); err != nil {
		return scored, f, err
	}
	return scoring.Score(pr, repository, f.figures, m.job.AsOf), f, nil
}

// retry is the error of an attempt that another one may better, nil when there
// is nothing to better.
func (m *miner) retry() error {
	var first *missing
	n := 0
	for i := range m.missing {
		if errors.Is(m.missing[i].err, mirror.ErrFinal) || m.missing[i].Cause == job.OutOfBudget {
			continue // the same again would be answered the same, or end the same
		}
		if n++; first == nil {
			first = &m.missing[i]
		}
	}
	if first == nil {
		return nil
	}
	return fmt.Errorf("%d of the miner's answers are missing, the first %s: %w", n, first.What, first.err)
}
