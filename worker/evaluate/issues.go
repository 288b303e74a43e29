package evaluate

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scorecache"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/tokens"
)

// issues makes those look-ups of a miner's issues whose answers the round does not
// know, and scores the pull requests that solved them, as far as this miner's own
// merged ones do not say already. It fails only for what is not the mirror's fault.
func (m *miner) issues(ctx context.Context, merged []scoring.ScoredPullRequest) error {
	known, isKnown := m.rules.issues(m.job)
	var listed mirror.Answer[scoring.Issue]
	if !isKnown || known.Inside { // or else the answer is an empty list
		var err error
		asking, asked := doing.Begin(ctx, "the list of issues")
		listed, err = m.mirror.Issues(asking, m.job.GitHubID, m.rules.registry.Windows(m.job.AsOf))
		asked()
		if err != nil {
			return m.lacks(ctx, "issues", err)
		}
		m.answered()
		m.malformed = append(m.malformed, listed.Malformed...)
	}
	m.found = &scoring.IssueAnswers{Listed: listed.Items, Open: known.Open}
	if !isKnown {
		if err := m.open(ctx); err != nil {
			return err
		}
	}
	return m.solving(ctx, scoring.SolvingPulls(listed.Items, m.rules.registry, merged))
}

// open counts the miner's open issues.
func (m *miner) open(ctx context.Context) error {
	asking, asked := doing.Begin(ctx, "the list of open issues")
	open, err := m.mirror.OpenIssues(asking, m.job.GitHubID)
	asked()
	if err != nil {
		m.found.OpenFailed = true
		return m.lacks(ctx, "open issues", err)
	}
	m.answered()
	m.malformed = append(m.malformed, open.Malformed...)
	m.found.Open = scoring.CountOpen(open.Items, m.rules.registry)
	return nil
}

// issueLookUps is how many requests the look-ups of issues take at least.
func (m *miner) issueLookUps() int {
	switch known, isKnown := m.rules.issues(m.job); {
	case !isKnown:
		return 2
	case known.Inside:
		return 1
	}
	return 0
}

// solving fetches and scores solving pull requests. One whose files cannot be
// had, or are not stored, is unavailable.
func (m *miner) solving(ctx context.Context, pulls []scoring.SolvingPull) error {
	m.found.Solving = make([]scoring.SolvingScore, len(pulls))
	wanted, fetched := make([]want, len(pulls)), make([]fetched, len(pulls))
	for i, pull := range pulls {
		// Others than this miner may have written them.
		wanted[i] = m.want("", pull.Repository, pull.Number, pull.HeadSHA, scorecache.Base(pull.MergeBaseSHA, pull.BaseSHA),
			counted{MergedAt: pull.MergedAt})
	}
	files, err := m.look(ctx, wanted)
	if err != nil {
		return err
	}
	m.expect(ctx, files)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(m.evaluator.cfg.Files)
	for i, pull := range pulls {
		group.Go(func() error {
			repository, known := m.rules.registry.Repository(pull.Repository)
			if !known {
				return fmt.Errorf("solving pull request %s#%d: its repository is not in the registry", pull.Repository, pull.Number)
			}
			f, err := m.files(groupCtx, wanted[i])
			if err != nil {
				return err
			}
			fetched[i] = f
			figures := f.figures
			if !f.stored || f.spent() { // this miner's spent budget takes nothing from the issue's author
				figures = nil
			} else if figures == nil {
				figures = &tokens.Figures{} // an empty list of files scores nothing, and is available
			}
			m.found.Solving[i] = scoring.ScoreSolving(pull, repository, figures)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, f := range fetched {
		m.note(ctx, wanted[i], f)
	}
	return nil
}

// lacks notes an answer that could not be had. A cancelled context is no
// answer of the mirror's.
func (m *miner) lacks(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking for %s: %w", what, err)
	}
	m.missing = append(m.missing, newMissing(what, job.Unanswered, err))
	return nil
}
