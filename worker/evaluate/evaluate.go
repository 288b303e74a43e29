package evaluate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/worker/tokenscore"
)

// Config is what an Evaluator works with.
type Config struct {
	// Bus holds the rounds' manifests.
	Bus *jobstream.Bus
	// Mirror is the process's one client; MirrorURL is where it points, to be
	// compared with what a round was planned for.
	Mirror    *mirror.Client
	MirrorURL string
	// Scorer scores files in child processes.
	Scorer *tokenscore.Pool
	// Files is how many pull requests' files one job holds at once, and
	// HeldFiles how many the whole process does: it bounds the memory.
	// Default 8 both.
	Files, HeldFiles int
}

// Evaluator evaluates miners. It is safe for concurrent use.
type Evaluator struct {
	cfg    Config
	rounds rounds
	held   *semaphore.Weighted
}

// Attempt is what the lease knows of the attempt.
type Attempt struct {
	// Final says that no other attempt follows a failure of this one.
	Final bool
	// Expect is told how many requests the attempt makes in all; may be nil.
	Expect func(ctx context.Context, requests int)
}

// New returns an Evaluator; it starts nothing.
func New(cfg Config) (*Evaluator, error) {
	if cfg.Files == 0 {
		cfg.Files = 8
	}
	if cfg.HeldFiles == 0 {
		cfg.HeldFiles = 8
	}
	switch {
	case cfg.Bus == nil || cfg.Mirror == nil || cfg.Scorer == nil:
		return nil, errors.New("evaluate: Bus, Mirror and Scorer are required")
	case cfg.Files < 1 || cfg.HeldFiles < 1:
		return nil, fmt.Errorf("evaluate: Files %d and HeldFiles %d: want at least 1", cfg.Files, cfg.HeldFiles)
	}
	return &Evaluator{
		cfg:    cfg,
		rounds: rounds{bus: cfg.Bus, mirror: cfg.MirrorURL},
		held:   semaphore.NewWeighted(int64(cfg.HeldFiles)),
	}, nil
}

// Evaluate evaluates the miner of a job.
func (e *Evaluator) Evaluate(ctx context.Context, j job.Job, a Attempt) (job.Evaluation, error) {
	ctx, span := otel.Tracer(telemetry.Scope).Start(ctx, telemetry.SpanEvaluate, trace.WithAttributes(
		telemetry.RoundID.String(j.Round), telemetry.MinerUID.Int(j.UID), telemetry.GitHubID.String(j.GitHubID)))
	defer span.End()
	evaluation, err := e.evaluate(ctx, j, a)
	if err != nil && ctx.Err() == nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, "evaluation failed")
	}
	return evaluation, err
}

func (e *Evaluator) evaluate(ctx context.Context, j job.Job, a Attempt) (job.Evaluation, error) {
	rules, err := e.rounds.get(ctx, j.Round)
	if err != nil {
		return job.Evaluation{}, err
	}
	pulls, err := e.cfg.Mirror.Pulls(ctx, j.GitHubID, rules.registry.Windows(j.AsOf))
	if err != nil {
		return job.Evaluation{}, classify(fmt.Errorf("listing the pull requests of miner %d: %w", j.UID, err))
	}
	loaded := scoring.Load(pulls.Items, rules.registry)
	m := &miner{evaluator: e, job: j, rules: rules, loaded: loaded}
	if a.Expect != nil {
		a.Expect(ctx, 1+m.fetches())
	}
	if err := m.score(ctx); err != nil {
		return job.Evaluation{}, err
	}
	if retry := m.retryable(); len(retry) > 0 && !a.Final {
		return job.Evaluation{}, fmt.Errorf("%d of the miner's answers are missing, first %s: %s",
			len(retry), retry[0].What, retry[0].Error)
	}
	evaluation := m.evaluation()
	evaluation.Malformed = slices.Concat(pulls.Malformed, m.malformed())
	return evaluation, nil
}

// classify gives a mirror error its class: a final answer will not change.
func classify(err error) error {
	if errors.Is(err, mirror.ErrFinal) {
		return job.WithClass(job.Permanent, err)
	}
	return err
}
