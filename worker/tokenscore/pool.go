package tokenscore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/worker/tokenscore/grammars/manifest"
	"mirrorfleet/worker/tokenscore/sandbox"
)

// ErrClosed says that the pool accepts no more work.
var ErrClosed = errors.New("tokenscore: the pool is closed")

// stopPatience is how long Close waits for an idle child to end by itself.
const stopPatience = 5 * time.Second

// Pool scores pull requests in child processes. It is safe for concurrent use.
type Pool struct {
	cfg      Config
	manifest *manifest.Manifest
	there    *manifest.Files // as they were checked
	queue    *queue
	held     sandbox.State // the first child
	once     sync.Once
	// counters of Stats
	started, crashed, late atomic.Int64
	usage                  usage
	unobserve              func()
}

// Stats are counts since the pool was created.
type Stats struct {
	Started  int64 // children
	Crashed  int64 // tries without scores because their child died
	TimedOut int64 // tries without scores because their time ran out
}

// New checks the configuration and the grammars. It also starts a first child, to check the
// command. The other children start when they are needed.
func New(ctx context.Context, cfg Config) (*Pool, error) {
	cfg.Command = slices.Clone(cfg.Command)
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	m, there, err := checkGrammars(cfg.Grammars)
	if err != nil {
		return nil, err
	}
	p := &Pool{
		cfg:      cfg,
		manifest: m,
		there:    there,
		queue:    newQueue(cfg.Children),
	}
	if err := sandbox.HideFiles(); err != nil {
		return nil, err
	}
	first, err := p.queue.take(ctx, client{})
	if err != nil {
		return nil, err
	}
	defer p.queue.give(first)
	if err := p.fill(ctx, first); err != nil {
		return nil, err
	}
	p.held = first.child.held
	p.tellSandbox(ctx)
	p.unobserve = telemetry.ObserveScoreCPU(p.usage.total)
	return p, nil
}

// Version identifies the code that computes scores: the rules' own version, and the sources
// of runtime, walk and grammars. Every key under which scores are cached must contain it,
// beside the digest of the weights.
func (p *Pool) Version() string {
	return fmt.Sprintf("%d-%s", tokens.FiguresVersion, p.manifest.Digest())
}

// Stats tells what happened so far.
func (p *Pool) Stats() Stats {
	return Stats{Started: p.started.Load(), Crashed: p.crashed.Load(), TimedOut: p.late.Load()}
}

// Sandbox is the confinement of the first child. The others have the same.
func (p *Pool) Sandbox() sandbox.State { return p.held }

// tellSandbox logs at the start which parts of the sandbox are missing.
func (p *Pool) tellSandbox(ctx context.Context) {
	if p.cfg.Sandbox == sandbox.Off {
		p.cfg.Log.WarnContext(ctx, "token-scoring children work without a sandbox", "sandbox", sandbox.Off)
		return
	}
	level := slog.LevelInfo
	if p.held.Satisfies(sandbox.Required) != nil {
		level = slog.LevelWarn
	}
	p.cfg.Log.Log(ctx, level, "token-scoring children work in a sandbox", "landlock", p.held.Landlock, "seccomp", p.held.Seccomp,
		"namespace", p.held.Namespace, "lacks", p.held.Lacks())
}

// Scored is the result for the files of one pull request.
type Scored struct {
	Figures tokens.Figures
	// Lacks is nil if the scores follow from the files alone. Otherwise it is the reason why
	// they do not: time or memory ran out twice, or the shared budget was spent.
	Lacks error
}

// Score scores the files of one pull request. author is any name that is unique to the
// author of the files, or "" if unknown: no child gets files of two authors.
//
// Score waits for a free child. The budget counts the child's work from then on. If time or
// memory runs out, Score tries once more, in a fresh child while no other child works. If
// they run out again, that is no error: Lacks and the figures show it. An error means that
// nothing could be scored: the context ended, the pool is closed, or children cannot work at
// all.
func (p *Pool) Score(
	ctx context.Context, author string, weights *tokens.Weights, files []tokens.File, budget *Budget,
) (scored Scored, err error) {
	plans, began := tokens.PlanFiles(files, weights), time.Now()
	ctx, span := startScore(ctx, files)
	defer func() { endScore(ctx, span, began, plans, scored.Figures, err) }()
	asked := pull{client: client{author, weights.Digest()}, weights: weights, budget: budget}
	for i := range plans {
		if needsChild(&plans[i], weights) {
			asked.files = append(asked.files, &plans[i])
		}
	}
	found, err := p.compare(ctx, &asked)
	if err != nil {
		return Scored{}, p.orReplaced(err)
	}
	if len(found.diffs) < len(asked.files) {
		return Scored{tokens.TimedOut(files), found.lacks}, nil
	}
	figures := make([]tokens.FileFigures, len(plans))
	for i := range plans {
		var diff tokens.Diff
		if needsChild(&plans[i], weights) {
			diff, found.diffs = found.diffs[0], found.diffs[1:]
		}
		figures[i] = plans[i].Finish(diff)
	}
	return Scored{tokens.Totals(figures), found.lacks}, nil
}

// needsChild says whether a file's trees must be compared. A language that the validator
// cannot load gives no nodes, and equal texts have no difference.
func needsChild(plan *tokens.FilePlan, w *tokens.Weights) bool {
	return plan.Figures.Method == tokens.MethodTreeDiff && plan.Base != plan.Head && w.Loads(plan.Language)
}

// prepare gives the slot a child that may get the client's files.
func (p *Pool) prepare(ctx context.Context, s *slot, who client) error {
	if s.child != nil && s.child.gone() {
		ended(ctx, telemetry.ChildCrashed) // between two pull requests
		p.drop(s)
	}
	if s.child != nil && (!s.child.serves(who) || s.child.tired()) {
		p.drop(s)
	}
	if s.child != nil {
		return nil
	}
	return p.fill(ctx, s)
}

// fill starts a child for a slot.
func (p *Pool) fill(ctx context.Context, s *slot) error {
	c, err := startChild(ctx, &p.cfg, p.manifest.Digest())
	if err != nil {
		return err
	}
	// The child has looked at the same files by now, and opens no others.
	if err := p.unlessReplaced(); err != nil {
		c.kill()
		return err
	}
	p.started.Add(1)
	p.usage.follow(c)
	telemetry.ChildStarted(ctx)
	s.child = c
	return nil
}

// unlessReplaced is ErrReplaced if the grammars were replaced.
func (p *Pool) unlessReplaced() error {
	if replaced := p.there.Replaced(); replaced != "" {
		return fmt.Errorf("%w: %s", ErrReplaced, replaced)
	}
	return nil
}

// orReplaced is err, with ErrReplaced if grammars that were replaced can be its cause.
func (p *Pool) orReplaced(err error) error {
	if replaced := p.unlessReplaced(); replaced != nil && !errors.Is(err, ErrReplaced) {
		return fmt.Errorf("%w: %w", replaced, err)
	}
	return err
}

// drop ends a slot's child. The next pull request starts another.
func (p *Pool) drop(s *slot) {
	s.child.kill()
	s.child = nil
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// Close accepts no more work, and waits for the pull requests under way; HangTimeout bounds
// that wait. Then it ends every child, and waits for each. It may be called again.
func (p *Pool) Close() error {
	p.once.Do(func() {
		slots := p.queue.close()
		p.unobserve()
		var ends sync.WaitGroup
		for _, s := range slots {
			if s.child != nil {
				ends.Go(func() { s.child.stop(stopPatience) })
			}
		}
		ends.Wait()
	})
	return nil
}
