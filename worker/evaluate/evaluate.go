package evaluate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scorecache"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/worker/tokenscore"
)

// DefaultMinerBudget lets a miner have thirty pull requests that take all that
// one may, and bounds what hostile ones cost.
const DefaultMinerBudget = 30 * tokenscore.DefaultBudget

// Config is what an Evaluator works with.
type Config struct {
	// Bus holds the rounds' manifests.
	Bus *jobstream.Bus
	// Mirror is the process's one client; MirrorURL is where it points, to be
	// compared with what a round was planned for.
	Mirror    *mirror.Client
	MirrorURL string
	// Egress is the name that the process sends under, to be compared with those
	// that the fleet has declared.
	Egress string
	// Scorer scores files in child processes.
	Scorer *tokenscore.Pool
	// Scores keeps what came of files, so that they are fetched once.
	Scores *scorecache.Cache
	// Now is the clock that tells how long the mirror has had an answer. Default:
	// the mirror's own, which is one for all workers.
	Now func() time.Time
	// Files is how many pull requests' files one job holds at once, and
	// HeldFiles how many the whole process does: it bounds the memory.
	// Default 8 both.
	Files, HeldFiles int
	// MinerBudget is the processor time that scoring all of a miner's files may
	// take in one attempt. Default 5 min.
	MinerBudget time.Duration
}

func (c Config) withDefaults() Config {
	c.Files = cmp.Or(c.Files, 8)
	c.HeldFiles = cmp.Or(c.HeldFiles, 8)
	c.MinerBudget = cmp.Or(c.MinerBudget, DefaultMinerBudget)
	return c
}

func (c Config) validate() error {
	switch {
	case c.Bus == nil || c.Mirror == nil || c.Scorer == nil || c.Scores == nil:
		return errors.New("evaluate: Bus, Mirror, Scorer and Scores are required")
	case c.Files < 1 || c.HeldFiles < 1:
		return fmt.Errorf("evaluate: Files %d and HeldFiles %d: want at least 1", c.Files, c.HeldFiles)
	case c.MinerBudget < 0:
		return fmt.Errorf("evaluate: MinerBudget %v: want more than 0", c.MinerBudget)
	}
	return nil
}

// Evaluator evaluates miners. It is safe for concurrent use.
type Evaluator struct {
	cfg    Config
	rounds rounds
	held   *semaphore.Weighted
	// flights are the fetches under way, by the key of what they fetch.
	flights singleflight.Group
}

// New returns an Evaluator; it starts nothing.
func New(cfg Config) (*Evaluator, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Evaluator{
		cfg:    cfg,
		rounds: rounds{bus: cfg.Bus, mirror: cfg.MirrorURL},
		held:   semaphore.NewWeighted(int64(cfg.HeldFiles)),
	}, nil
}

// Evaluate evaluates the miner of a job. An error beside an evaluation means
// that the pull requests could not be listed and that no retry will: the
// evaluation is then all that the rules still need, the miner's issues.
func (e *Evaluator) Evaluate(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
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

func (e *Evaluator) evaluate(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
	if err := e.admitted(ctx); err != nil {
		return job.Evaluation{}, err
	}
	rules, err := e.rounds.get(ctx, j.Round)
	if err != nil {
		return job.Evaluation{}, err
	}
	if a.Left == nil {
		a.Left = new(atomic.Int64)
	}
	m := &miner{
		evaluator: e,
		mirror:    e.cfg.Mirror,
		job:       j,
		rules:     rules,
		tell:      a.Expect,
		left:      a.Left,
		budget:    tokenscore.NewBudget(e.cfg.MinerBudget),
	}
	defer m.tellCache(ctx)
	evaluation := scoring.Evaluation{UID: j.UID, Hotkey: j.Hotkey, GitHubID: j.GitHubID}
	failed := m.list(ctx, &evaluation)
	if failed != nil && (ctx.Err() != nil || job.ClassOf(failed) != job.Permanent && !a.Final) {
		return job.Evaluation{}, failed
	}
	if err := m.issues(ctx, evaluation.Merged); err != nil {
		return job.Evaluation{}, err
	}
	if err := m.retry(); err != nil && failed == nil && !a.Final {
		return job.Evaluation{}, err
	}
	return m.committed(evaluation), failed
}

// admitted is nil while the process's egress is one of the fleet's. It is looked up
// for each job: a declaration may change while the process runs.
func (e *Evaluator) admitted(ctx context.Context) error {
	declared, _, err := e.cfg.Bus.Egresses.Load(ctx)
	if err != nil {
		return fmt.Errorf("reading the fleet's egresses: %w", err)
	}
	if err := declared.Admit(e.cfg.Egress); err != nil {
		return fmt.Errorf("%w: start this worker with the --egress of the address that it sends from, or, if the address is a new one, "+
			"the producers with --egresses %s", err, strings.Join(slices.Concat(declared.Names, []string{e.cfg.Egress}), ","))
	}
	return nil
}

// list lists and scores the pull requests. Its error says that they could not
// be listed, with the class that decides the job's fate; or that the attempt
// cannot go on.
func (m *miner) list(ctx context.Context, into *scoring.Evaluation) error {
	if m.job.IssuesOnly {
		into.FetchFailed = true
		m.expect(ctx, m.issueLookUps())
		return nil
	}
	asking, asked := doing.Begin(ctx, "the list of pull requests")
	pulls, err := m.mirror.Pulls(asking, m.job.GitHubID, m.rules.registry.Windows(m.job.AsOf))
	asked()
	if err != nil {
		into.FetchFailed = true
		return classify(fmt.Errorf("listing the pull requests of miner %d: %w", m.job.UID, err))
	}
	m.malformed = append(m.malformed, pulls.Malformed...)
	loaded := scoring.Load(pulls.Items, m.rules.registry)
	m.expected = 1
	into.Dropped, into.Received = loaded.Dropped, scoring.Facts(pulls.Items)
	return m.pulls(ctx, loaded, into)
}

// committed is the evaluation with what it lacks.
func (m *miner) committed(evaluation scoring.Evaluation) job.Evaluation {
	evaluation.Issues = m.found
	committed := job.Evaluation{
		Version:    job.Version,
		Round:      m.job.Round,
		UID:        m.job.UID,
		Cached:     m.cached,
		Evaluation: evaluation,
		Malformed:  m.malformed,
		Unsettled:  m.unsettled,
	}
	for _, missing := range m.missing {
		committed.Missing = append(committed.Missing, missing.Missing)
	}
	return committed
}

// classify gives a mirror error its class: a final answer will not change.
func classify(err error) error {
	if errors.Is(err, mirror.ErrFinal) {
		return job.WithClass(job.Permanent, err)
	}
	return err
}
