package evaluate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/telemetry"
)

// miner is one evaluation under way. Its lists are filled in the order of the
// answers, whatever the order in which they arrive.
type miner struct {
	evaluator *Evaluator
	job       job.Job
	rules     *rules
	// expected is what Attempt.Expect was told so far.
	expected int
	tell     func(ctx context.Context, requests int)

	found     *scoring.IssueAnswers
	missing   []missing
	malformed []job.Malformed
}

// missing is an answer that could not be had.
type missing struct {
	job.Missing

	err error
}

// expect adds to the requests that this attempt will make in all.
func (m *miner) expect(ctx context.Context, requests int) {
	m.expected += requests
	if m.tell != nil {
		m.tell(ctx, m.expected)
	}
}

// pulls scores the loaded pull requests: merged, then open, then closed, each
// in the order received. It fails only for what is not the mirror's fault: a
// cancelled context, no child process.
func (m *miner) pulls(ctx context.Context, loaded scoring.Loaded, into *scoring.Evaluation) error {
	all := slices.Concat(loaded.Merged, loaded.Open, loaded.Closed)
	needed := 0
	for _, pr := range all {
		if scoring.NeedsFiles(pr) {
			needed++
		}
	}
	m.expect(ctx, needed)
	scored, got := make([]scoring.ScoredPullRequest, len(all)), make([]fetched, len(all))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(m.evaluator.cfg.Files)
	for i, pr := range all {
		group.Go(func() (err error) {
			scored[i], got[i], err = m.pull(groupCtx, pr)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, f := range got {
		m.note(fmt.Sprintf("files %s#%d", all[i].Repository, all[i].Number), f)
	}
	open, closed := len(loaded.Merged), len(loaded.Merged)+len(loaded.Open)
	into.Merged, into.Open, into.Closed = scored[:open:open], scored[open:closed:closed], scored[closed:]
	return nil
}

func (m *miner) pull(ctx context.Context, pr scoring.PullRequest) (scored scoring.ScoredPullRequest, f fetched, err error) {
	repository, known := m.rules.registry.Repository(pr.Repository)
	if !known {
		return scored, f, fmt.Errorf("pull request %s#%d was loaded, but its repository is not in the registry", pr.Repository, pr.Number)
	}
	if scoring.NeedsFiles(pr) {
		if f, err = m.fetch(ctx, pr.Repository, pr.Number); err != nil {
			return scored, f, err
		}
	}
	return scoring.Score(pr, repository, f.figures, m.job.AsOf), f, nil
}

// fetched is what came of one pull request's files.
type fetched struct {
	// figures are nil when there are no files, or none could be had.
	figures *scoring.TokenFigures
	stored  bool // the mirror says that what it sent is all
	err     error
	skipped []job.Malformed
}

// fetch fetches one pull request's files and scores them. What the mirror does
// not give is in the answer; an error is not its fault.
func (m *miner) fetch(ctx context.Context, repository string, number int) (fetched, error) {
	e := m.evaluator
	ctx = telemetry.With(ctx, telemetry.Repository.String(repository), telemetry.PullRequest.Int(number))
	if err := e.held.Acquire(ctx, 1); err != nil {
		return fetched{}, fmt.Errorf("waiting to hold files: %w", err)
	}
	defer e.held.Release(1)
	answer, err := e.cfg.Mirror.Files(ctx, repository, number)
	if err != nil {
		if ctx.Err() != nil {
			return fetched{}, fmt.Errorf("fetching the files of %s#%d: %w", repository, number, err)
		}
		return fetched{err: err}, nil
	}
	f := fetched{stored: answer.Stored, skipped: answer.Malformed}
	if len(answer.Files) == 0 {
		return f, nil
	}
	figures, err := e.cfg.Scorer.Score(ctx, m.rules.weights, answer.Files)
	if err != nil {
		return fetched{}, fmt.Errorf("scoring the files of %s#%d: %w", repository, number, err)
	}
	f.figures = &figures
	return f, nil
}

// note keeps what one answer lacked.
func (m *miner) note(what string, f fetched) {
	if f.err != nil {
		m.missing = append(m.missing, missing{job.Missing{What: what, Error: f.err.Error()}, f.err})
	}
	m.malformed = append(m.malformed, f.skipped...)
}

// retry is the error of an attempt that another one may better, nil when there
// is nothing to better.
func (m *miner) retry() error {
	var first *missing
	n := 0
	for i := range m.missing {
		if errors.Is(m.missing[i].err, mirror.ErrFinal) {
			continue // the same again would be answered the same
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
