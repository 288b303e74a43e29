package evaluate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// keptRounds is how many rounds' rules a worker keeps parsed: the one that
// runs, and those that replays ask for beside it.
const keptRounds = 4

// rules is what a round is scored by.
type rules struct {
	round    string
	asOf     time.Time
	registry input.Registry
	weights  *tokens.Weights
	// issues is what the round knows of a job's miner already.
	issues func(job.Job) (job.MinerIssues, bool)
}

// ErrMirror says that a round is scored from another mirror than this process
// has: no attempt of it would succeed.
var ErrMirror = errors.New("evaluate: another mirror than the round's")

// rounds reads each round's manifest once.
type rounds struct {
	bus    *jobstream.Bus
	mirror string

	mu   sync.Mutex
	kept []*rules // oldest first
}

// get returns the rules of a round, as its manifest has them.
func (r *rounds) get(ctx context.Context, round string) (*rules, error) {
	return r.by(ctx, round, r.bus.Rounds.Manifest)
}

// by returns the rules of a round or a warm-up; read reads its inputs. Rules that break a
// rule themselves are a permanent failure, because no retry would heal them. A manifest that
// is gone or unreadable is not: the round's producer puts it back, and a retry finds it.
func (r *rounds) by(
	ctx context.Context, round string, read func(context.Context, string) (job.Manifest, error),
) (*rules, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.kept {
		if k.round == round {
			return k, nil
		}
	}
	manifest, err := read(ctx, round)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest of round %s: %w", round, err)
	}
	if manifest.Mirror != r.mirror {
		return nil, fmt.Errorf("%w: round %s is scored from mirror %s, this worker's is %s: start it with --mirror %s",
			ErrMirror, round, manifest.Mirror, r.mirror, manifest.Mirror)
	}
	parsed, err := parse(manifest)
	if err != nil {
		return nil, job.WithClass(job.Permanent, fmt.Errorf("manifest of round %s: %w", round, err))
	}
	if r.kept = append(r.kept, parsed); len(r.kept) > keptRounds {
		r.kept = r.kept[1:]
	}
	return parsed, nil
}

func parse(m job.Manifest) (*rules, error) {
	registry, err := input.ParseRegistry(m.Registry)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	weights, err := tokens.ParseWeights(m.Languages, m.Tokens)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	if weights, err = weights.Without(m.Unloadable); err != nil {
		return nil, err
	}
	return &rules{
		round:    m.Round,
		asOf:     m.AsOf,
		registry: registry,
		weights:  weights,
		issues:   job.Manifest{AllIssues: m.AllIssues}.Issues,
	}, nil
}
