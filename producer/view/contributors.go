package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// ErrNoRepository says that a round's registry has no such repository.
var ErrNoRepository = errors.New("there is no such repository in the round's registry")

// Repository is a repository in a round: what its registry asks for, how its slice was split,
// and who has work there.
type Repository struct {
	// Rules is its entry in the registry that the round was planned with.
	Rules input.Repository
	Split Split
	// Contributors are the miners that have work there or maintain it, by uid.
	Contributors []Contributor
}

// Split is how a repository's slice was split. All of it is 0 for a repository without a
// share.
type Split struct {
	scoring.RepositoryEmission

	Miners int // that it pays
}

// SplitsOf are the splits of all repositories of a registry, in its order.
func SplitsOf(r *outcome.Result, registry input.Registry) []Split {
	splits := make([]Split, len(registry.Repositories))
	for i := range registry.Repositories {
		splits[i] = splitOf(r, &registry.Repositories[i])
	}
	return splits
}

func splitOf(r *outcome.Result, rules *input.Repository) Split {
	at := slices.IndexFunc(r.Outcome.Emission, func(e scoring.RepositoryEmission) bool { return e.Repository == rules.Name })
	if at < 0 {
		return Split{RepositoryEmission: scoring.RepositoryEmission{Repository: rules.Name}}
	}
	e := &r.Outcome.Emission[at]
	return Split{RepositoryEmission: *e, Miners: PaidBy(e)}
}

// PaidBy counts the miners that a repository pays, for scores or as maintainers.
func PaidBy(e *scoring.RepositoryEmission) int {
	paid := map[int]bool{}
	for _, part := range []scoring.ByUID{e.MaintainerRewards, e.PRRewards, e.IssueDiscoveryRewards} {
		for uid, amount := range part {
			if amount > 0 {
				paid[uid] = true
			}
		}
	}
	return len(paid)
}

// Contributor is a miner's part in one repository.
type Contributor struct {
	Figures

	UID    int
	Hotkey string
	Login  string // "" for unknown
	// NoPulls and NoIssues name the rule that makes a score 0; "" for another score, and for
	// a miner without such work.
	NoPulls, NoIssues string
	// What the repository pays: for pull requests, for issues, to a maintainer, and together.
	Pulls, Issues, Maintains, Reward float64
}

// Figures are a miner's scores in one repository.
type Figures struct {
	Merged, Open, Closed             int
	Score, Collateral, IssueScore    float64
	Solved, OpenIssues, ClosedIssues int
}

// RegistryOf reads the registry that a round was planned with.
func RegistryOf(ctx context.Context, bus *jobstream.Bus, round string) (input.Registry, error) {
	m, err := bus.Rounds.Manifest(ctx, round)
	if err != nil {
		return input.Registry{}, fmt.Errorf("reading the manifest of round %s: %w", round, err)
	}
	registry, err := input.ParseRegistry(m.Registry)
	if err != nil {
		return registry, &jobstream.ValueError{Bucket: job.BucketRounds, Key: job.ManifestKey(round), Err: err}
	}
	return registry, nil
}

// RepositoryIn is what an outcome and its registry say of a repository.
func RepositoryIn(r *outcome.Result, registry input.Registry, name string) (Repository, error) {
	rules, found := registry.Repository(name)
	if !found {
		names := make([]string, len(registry.Repositories))
		for i := range registry.Repositories {
			names[i] = registry.Repositories[i].Name
		}
		return Repository{}, fmt.Errorf("%w: %q; it has %s", ErrNoRepository, name, strings.Join(names, ", "))
	}
	a := Repository{Rules: *rules, Split: splitOf(r, rules)}
	for i := range r.Outcome.Miners {
		m := &r.Outcome.Miners[i]
		if c, takesPart := contributorOf(m, &a.Split); takesPart {
			a.Contributors = append(a.Contributors, c)
		}
	}
	return a, nil
}

func contributorOf(m *scoring.MinerOutcome, s *Split) (c Contributor, takesPart bool) {
	c = Contributor{UID: m.UID, Hotkey: m.Hotkey, Login: LoginOf(m)}
	at := slices.IndexFunc(m.Repositories, func(r scoring.RepositoryOutcome) bool { return r.Repository == s.Repository })
	if at >= 0 {
		r := &m.Repositories[at]
		takesPart = true
		c.Figures = Figures{
			Merged:       r.TotalMergedPRs,
			Open:         r.TotalOpenPRs,
			Closed:       r.TotalClosedPRs,
			Score:        r.TotalScore,
			Collateral:   r.TotalCollateralScore,
			IssueScore:   r.IssueDiscoveryScore,
			Solved:       r.TotalSolvedIssues,
			OpenIssues:   r.TotalOpenIssues,
			ClosedIssues: r.TotalClosedIssues,
		}
		c.NoPulls, c.NoIssues = ZeroPulls(r), ZeroIssues(r)
	}
	maintained, maintains := s.MaintainerRewards[m.UID]
	c.Maintains = maintained
	c.Pulls, c.Issues = s.PRRewards[m.UID], s.IssueDiscoveryRewards[m.UID]
	c.Reward = c.Maintains + c.Pulls + c.Issues // in the order of the rules
	return c, takesPart || maintains
}
