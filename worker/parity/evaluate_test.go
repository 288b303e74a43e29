package parity_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore"
)

// startScorer starts the real parser, without the budget: the cases were
// computed without it.
func startScorer(tb testing.TB) scorer {
	tb.Helper()
	weights := must.Get(tokens.ParseWeights(tokens.DefaultWeights()))(tb)
	// As an installation of today: its grammar of C# does not load.
	weights = must.Get(weights.Without([]string{"csharp"}))(tb)
	pool := must.Get(tokenscore.New(tb.Context(), tokenscore.Config{
		Command:  []string{"env", "MIRRORFLEET_GRAMMARS=" + fleettest.Grammars(), os.Args[0], childArgument},
		Grammars: fleettest.Grammars(), Budget: time.Hour,
		Log: slog.New(slog.DiscardHandler),
	}))(tb)
	tb.Cleanup(func() { must.Check(tb, pool.Close()) })
	return scorer{pool: pool, weights: weights}
}

// scorer remembers token figures by pull request for as long as the mirror is
// the same.
type scorer struct {
	pool    *tokenscore.Pool
	weights *tokens.Weights
	seen    map[string]*tokens.Figures
}

// files fetches and scores a pull request's files; stored is what the answer
// says of them. Nil figures mean that the fetch failed for good.
func (s *scorer) files(ctx context.Context, client *mirror.Client, repo string, number int) (figures *tokens.Figures, files mirror.Files, err error) {
	files, err = client.Files(ctx, repo, number)
	if errors.Is(err, mirror.ErrFinal) {
		return nil, files, nil
	}
	if err != nil {
		return nil, files, err
	}
	key := fmt.Sprintf("%s#%d", repo, number)
	if s.seen[key] == nil {
		scored, err := s.pool.Score(ctx, "the cases", s.weights, files.Files, nil)
		if err != nil {
			return nil, files, err
		}
		s.seen[key] = &scored.Figures
	}
	return s.seen[key], files, nil
}

// evaluate is a worker's job on one miner, with one attempt: what fails is
// missing at once.
func (s *scorer) evaluate(ctx context.Context, client *mirror.Client, r round, m input.Miner) (scoring.Evaluation, error) {
	e := scoring.Evaluation{UID: m.UID, Hotkey: m.Hotkey, GitHubID: m.GitHubID}
	windows := r.registry.Windows(r.asOf)
	e.FetchFailed = m.IdentityUnreachable
	if !m.IdentityUnreachable {
		pulls, err := client.Pulls(ctx, m.GitHubID, windows)
		if err != nil && !errors.Is(err, mirror.ErrFinal) {
			return e, err
		}
		e.FetchFailed = err != nil
		loaded := scoring.Load(pulls.Items, r.registry)
		e.Dropped, e.Received = loaded.Dropped, scoring.Facts(pulls.Items)
		for _, list := range []struct {
			from []scoring.PullRequest
			to   *[]scoring.ScoredPullRequest
		}{{loaded.Merged, &e.Merged}, {loaded.Open, &e.Open}, {loaded.Closed, &e.Closed}} {
			for _, pr := range list.from {
				scored, err := s.pull(ctx, client, r, pr)
				if err != nil {
					return e, err
				}
				*list.to = append(*list.to, scored)
			}
		}
	}
	return e, s.issues(ctx, client, r, &e, windows)
}

func (s *scorer) pull(ctx context.Context, client *mirror.Client, r round, pr scoring.PullRequest) (scoring.ScoredPullRequest, error) {
	repo, _ := r.registry.Repository(pr.Repository)
	var figures *tokens.Figures
	if scoring.NeedsFiles(pr) {
		scored, files, err := s.files(ctx, client, pr.Repository, pr.Number)
		if err != nil {
			return scoring.ScoredPullRequest{}, err
		}
		if len(files.Files) > 0 {
			figures = scored
		}
	}
	return scoring.Score(pr, repo, figures, r.asOf), nil
}

func (s *scorer) issues(ctx context.Context, client *mirror.Client, r round, e *scoring.Evaluation, windows map[string]time.Time) error {
	known, isKnown := r.known[e.GitHubID]
	var listed mirror.Answer[scoring.Issue]
	if !isKnown || known.Inside {
		var err error
		listed, err = client.Issues(ctx, e.GitHubID, windows)
		if errors.Is(err, mirror.ErrFinal) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	e.Issues = &scoring.IssueAnswers{Listed: listed.Items, Open: known.Open}
	if !isKnown {
		open, err := client.OpenIssues(ctx, e.GitHubID)
		if err != nil && !errors.Is(err, mirror.ErrFinal) {
			return err
		}
		e.Issues.OpenFailed = err != nil
		if err == nil {
			e.Issues.Open = scoring.CountOpen(open.Items, r.registry)
		}
	}
	for _, pull := range scoring.SolvingPulls(listed.Items, r.registry, e.Merged) {
		repo, _ := r.registry.Repository(pull.Repository)
		figures, files, err := s.files(ctx, client, pull.Repository, pull.Number)
		if err != nil {
			return err
		}
		if !files.Stored {
			figures = nil
		}
		e.Issues.Solving = append(e.Issues.Solving, scoring.ScoreSolving(pull, repo, figures))
	}
	return nil
}

// input gathers what one round of a world is concluded from.
func (s *scorer) input(ctx context.Context, client *mirror.Client, r round, stored map[int]scoring.StoredEvaluation) (scoring.RoundInput, error) {
	in := scoring.RoundInput{
		AsOf: r.asOf, Registry: r.registry, Miners: r.miners, Stored: stored,
		Evaluations: map[int]scoring.Evaluation{}, Maintainers: map[string][]scoring.Maintainer{},
	}
	var err error
	for _, m := range in.Miners {
		if input.FailureOf(m) != input.NoFailure {
			continue
		}
		if in.Evaluations[m.UID], err = s.evaluate(ctx, client, r, m); err != nil {
			return in, fmt.Errorf("miner %d: %w", m.UID, err)
		}
	}
	for _, repo := range r.registry.Repositories {
		if repo.MaintainerCut == 0 {
			continue
		}
		answer, err := client.Maintainers(ctx, repo.Name)
		if errors.Is(err, mirror.ErrFinal) {
			continue
		}
		if err != nil {
			return in, err
		}
		in.Maintainers[strings.ToLower(repo.Name)] = answer.Items
	}
	return in, nil
}
