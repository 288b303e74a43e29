package evaluate

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scoring"
)

// miner is one evaluation under way.
type miner struct {
	evaluator *Evaluator
	job       job.Job
	rules     *rules
	loaded    scoring.Loaded
	// pulls has one entry per loaded pull request: merged, then open, then
	// closed. Each is filled by one goroutine.
	pulls []pull
}

// pull is one pull request with what came of its files.
type pull struct {
	scored    scoring.ScoredPullRequest
	missing   error
	malformed []job.Malformed
}

func (m *miner) all() []scoring.PullRequest {
	all := make([]scoring.PullRequest, 0, len(m.loaded.Merged)+len(m.loaded.Open)+len(m.loaded.Closed))
	all = append(all, m.loaded.Merged...)
	all = append(all, m.loaded.Open...)
	return append(all, m.loaded.Closed...)
}

func (m *miner) fetches() int {
	n := 0
	for _, pr := range m.all() {
		if scoring.NeedsFiles(pr) {
			n++
		}
	}
	return n
}

// score fetches and scores every pull request. It fails only for what is not
// the pull request's own fault: a cancelled context, no child process.
func (m *miner) score(ctx context.Context) error {
	all := m.all()
	m.pulls = make([]pull, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(m.evaluator.cfg.Files)
	for i, pr := range all {
		group.Go(func() error { return m.scoreOne(ctx, pr, &m.pulls[i]) })
	}
	return group.Wait()
}

func (m *miner) scoreOne(ctx context.Context, pr scoring.PullRequest, into *pull) error {
	repository, known := m.rules.registry.Repository(pr.Repository)
	if !known {
		return fmt.Errorf("pull request %s#%d was loaded, but its repository is not in the registry", pr.Repository, pr.Number)
	}
	var figures *scoring.TokenFigures
	if scoring.NeedsFiles(pr) {
		var err error
		if figures, err = m.tokens(ctx, pr, into); err != nil {
			return err
		}
	}
	into.scored = scoring.Score(pr, repository, figures, m.job.AsOf)
	return nil
}

// tokens fetches one pull request's files and scores them; nil figures mean
// that there are none, and into says why.
func (m *miner) tokens(ctx context.Context, pr scoring.PullRequest, into *pull) (*scoring.TokenFigures, error) {
	e := m.evaluator
	if err := e.held.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("waiting to hold files: %w", err)
	}
	defer e.held.Release(1)
	answer, err := e.cfg.Mirror.Files(ctx, pr.Repository, pr.Number)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("fetching the files of %s#%d: %w", pr.Repository, pr.Number, err)
		}
		into.missing = err
		return nil, nil //nolint:nilnil // no figures and no failure of the attempt: the caller reads into.missing
	}
	into.malformed = answer.Malformed
	if len(answer.Files) == 0 {
		return nil, nil //nolint:nilnil // an empty file list leaves the pull request unscored
	}
	figures, err := e.cfg.Scorer.Score(ctx, m.rules.weights, answer.Files)
	if err != nil {
		return nil, fmt.Errorf("scoring the files of %s#%d: %w", pr.Repository, pr.Number, err)
	}
	return &figures, nil
}

// retryable lists what another attempt may still get.
func (m *miner) retryable() []job.Missing {
	var missing []job.Missing
	for i := range m.pulls {
		if p := &m.pulls[i]; p.missing != nil && !errors.Is(p.missing, mirror.ErrFinal) {
			missing = append(missing, m.pulls[i].missed())
		}
	}
	return missing
}

func (p *pull) missed() job.Missing {
	return job.Missing{
		What:  fmt.Sprintf("files %s#%d", p.scored.Repository, p.scored.Number),
		Error: p.missing.Error(),
	}
}

func (m *miner) malformed() []job.Malformed {
	var malformed []job.Malformed
	for _, p := range m.pulls {
		malformed = append(malformed, p.malformed...)
	}
	return malformed
}

func (m *miner) evaluation() job.Evaluation {
	merged, open := len(m.loaded.Merged), len(m.loaded.Open)
	evaluation := job.Evaluation{
		Version: job.Version, Round: m.job.Round, UID: m.job.UID,
		Evaluation: scoring.Evaluation{
			UID: m.job.UID, Hotkey: m.job.Hotkey, GitHubID: m.job.GitHubID,
			Merged:  scoredOf(m.pulls[:merged]),
			Open:    scoredOf(m.pulls[merged : merged+open]),
			Closed:  scoredOf(m.pulls[merged+open:]),
			Dropped: m.loaded.Dropped,
		},
	}
	for i := range m.pulls {
		if m.pulls[i].missing != nil {
			evaluation.Missing = append(evaluation.Missing, m.pulls[i].missed())
		}
	}
	return evaluation
}

func scoredOf(pulls []pull) []scoring.ScoredPullRequest {
	scored := make([]scoring.ScoredPullRequest, len(pulls))
	for i, p := range pulls {
		scored[i] = p.scored
	}
	return scored
}
