package tokenscore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// ErrClosed says that the pool takes no more work.
var ErrClosed = errors.New("tokenscore: the pool is closed")

// stopPatience is how long Close lets an idle child end on its own.
const stopPatience = 5 * time.Second

// Pool scores pull requests in child processes. It is safe for concurrent use.
type Pool struct {
	cfg      Config
	manifest *manifest.Manifest
	queue    *queue
	once     sync.Once
	// counters of Stats
	started, crashed, late atomic.Int64
	usage                  usage
	unobserve              func()
}

// Stats counts since the pool was made.
type Stats struct {
	Started  int64 // children
	Crashed  int64 // pull requests without figures because their child died
	TimedOut int64 // pull requests without figures because their budget ran out
}

// New checks the configuration, the grammars and, by starting a first child,
// the command. The other children start when they are needed.
func New(ctx context.Context, cfg Config) (*Pool, error) {
	cfg.Command = slices.Clone(cfg.Command)
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	m, err := checkGrammars(cfg.Grammars)
	if err != nil {
		return nil, err
	}
	p := &Pool{cfg: cfg, manifest: m, queue: newQueue(cfg.Children)}
	first, err := p.queue.take(ctx, client{})
	if err != nil {
		return nil, err
	}
	defer p.queue.give(first)
	if err := p.fill(ctx, first); err != nil {
		return nil, err
	}
	p.unobserve = telemetry.ObserveScoreCPU(p.usage.total)
	return p, nil
}

// Version identifies what computes: the rules' own part, and the sources of
// runtime, walk and grammars. It belongs into every key under which figures are
// kept, beside the digest of the weights.
func (p *Pool) Version() string {
	return fmt.Sprintf("%d-%s", scoring.FiguresVersion, p.manifest.Digest())
}

// Stats tells what happened so far.
func (p *Pool) Stats() Stats {
	return Stats{Started: p.started.Load(), Crashed: p.crashed.Load(), TimedOut: p.late.Load()}
}

// Score scores the files of one pull request. The author is whose files they
// are, by any name that is nobody else's, or "" if that is not known: no child
// has files of two authors. It waits for a free child; the budget runs from then
// on. A crash or a timeout is not an error: the figures say so. An error means
// that nothing could be scored: the context ended, the pool is closed, or
// children cannot do their work at all.
func (p *Pool) Score(
	ctx context.Context, author string, weights *scoring.Weights, files []scoring.File,
) (scored scoring.TokenFigures, err error) {
	plans, began := scoring.PlanFiles(files, weights), time.Now()
	ctx, span := startScore(ctx, files)
	defer func() { endScore(ctx, span, began, plans, scored, err) }()
	diffs := make([]scoring.Diff, len(plans))
	if slices.ContainsFunc(plans, func(plan scoring.FilePlan) bool { return needsChild(&plan, weights) }) {
		err := p.diffAll(ctx, author, weights, plans, diffs)
		if errors.Is(err, errIsolated) {
			return scoring.TimedOut(files), nil
		}
		if err != nil {
			return scoring.TokenFigures{}, err
		}
	}
	figures := make([]scoring.FileFigures, len(plans))
	for i := range plans {
		figures[i] = plans[i].Finish(diffs[i])
	}
	return scoring.Totals(figures), nil
}

// needsChild says whether a file's trees have to be compared. Those of a
// language that the validator cannot load have no nodes, and equal texts have
// no difference.
func needsChild(plan *scoring.FilePlan, w *scoring.Weights) bool {
	return plan.Figures.Method == scoring.MethodTreeDiff && plan.Base != plan.Head && w.Loads(plan.Language)
}

// pull is what a child is asked of one pull request.
type pull struct {
	client  client
	weights *scoring.Weights
	files   []*scoring.FilePlan // whose trees are to be compared
}

// diffAll has one child compare all trees of a pull request.
func (p *Pool) diffAll(ctx context.Context, author string, w *scoring.Weights, plans []scoring.FilePlan, diffs []scoring.Diff) error {
	asked := pull{client: client{author, w.Digest()}, weights: w}
	var into []*scoring.Diff
	for i := range plans {
		if needsChild(&plans[i], w) {
			asked.files = append(asked.files, &plans[i])
			into = append(into, &diffs[i])
		}
	}
	s, err := p.queue.take(ctx, asked.client)
	if err != nil {
		return err
	}
	defer p.queue.give(s)
	scored := make([]compared, 0, len(into))
	err = p.exchange(ctx, s, &asked, func(figures scoring.Diff, when timing) {
		i := len(scored)
		*into[i] = figures
		scored = append(scored, compared{when, asked.files[i]})
	})
	if err != nil {
		return err
	}
	showChild(ctx, s.child, scored)
	return nil
}

// exchange has the slot's child score a pull request, or a new child if that one
// has served somebody else. A child that does not even begin is replaced once: a
// new one that does not begin either is a failure, and no pull request's fault.
func (p *Pool) exchange(ctx context.Context, s *slot, asked *pull, take func(scoring.Diff, timing)) error {
	for fresh := false; ; fresh = true {
		if s.child != nil && s.child.gone() {
			ended(ctx, telemetry.ChildCrashed) // between two pull requests
			p.drop(s)
		}
		if s.child != nil && !s.child.serves(asked.client) {
			p.drop(s)
		}
		if s.child == nil {
			if err := p.fill(ctx, s); err != nil {
				return err
			}
		}
		stop := context.AfterFunc(ctx, s.child.signalKill)
		answered, err := s.child.exchange(asked, traceparent(ctx), &p.cfg, take)
		stop()
		if err == nil {
			return nil
		}
		if !errors.Is(err, errNotReady) {
			return p.lost(ctx, s, err, asked.files[min(answered, len(asked.files)-1)])
		}
		p.drop(s)
		if ctx.Err() != nil {
			return fmt.Errorf("asking a token-scoring child: %w", ctx.Err())
		}
		ended(ctx, telemetry.ChildCrashed)
		if fresh {
			return fmt.Errorf("a fresh token-scoring child does not answer: %w", err)
		}
	}
}

// fill starts a child for a slot.
func (p *Pool) fill(ctx context.Context, s *slot) error {
	c, err := startChild(ctx, &p.cfg, p.manifest.Digest())
	if err != nil {
		return err
	}
	p.started.Add(1)
	p.usage.follow(c)
	telemetry.ChildStarted(ctx)
	s.child = c
	return nil
}

// drop ends a slot's child; the next pull request starts another.
func (p *Pool) drop(s *slot) {
	s.child.kill()
	s.child = nil
}

// lost decides what an exchange that failed means.
func (p *Pool) lost(ctx context.Context, s *slot, cause error, plan *scoring.FilePlan) error {
	c := s.child
	died := c.gone()
	p.drop(s)
	if _, failed := errors.AsType[*FailedError](cause); failed {
		ended(ctx, telemetry.ChildFailed)
		return cause // the child was well, but more requests are on their way to it
	}
	if ctx.Err() != nil {
		return fmt.Errorf("token scoring: %w", ctx.Err())
	}
	log := p.cfg.Log.With("file", plan.Figures.Filename, "language", plan.Language, "pid", c.cmd.Process.Pid)
	if isTimeout(cause) && !died {
		p.late.Add(1)
		ended(ctx, telemetry.ChildOutOfTime)
		log.WarnContext(ctx, "token scoring ran out of its budget: the pull request has no figures", "budget", p.cfg.Budget)
	} else {
		p.crashed.Add(1)
		ended(ctx, telemetry.ChildCrashed)
		log.WarnContext(ctx, "a token-scoring child died: the pull request has no figures", "end", endOf(c.end), "error", cause)
	}
	return errIsolated
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// Close takes no more work, waits for what is under way, which its budget
// bounds, ends every child and waits for it. It may be called again.
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
