package tokenscore

import (
	"context"
	"errors"
	"fmt"

	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/shared/telemetry"
)

// pull is the work of a child for one pull request.
type pull struct {
	client  client
	weights *tokens.Weights
	files   []*tokens.FilePlan // whose trees are to be compared
	budget  *Budget
}

// found is the result of one try.
type found struct {
	diffs []tokens.Diff // of the files; fewer mean that there are no scores
	lacks error         // as Scored.Lacks
}

// compare compares all trees of a pull request. If time or memory runs out, it tries once
// more, alone. If the second try gives nothing, the first one's result stands.
func (p *Pool) compare(ctx context.Context, asked *pull) (found, error) {
	if len(asked.files) == 0 {
		return found{}, nil
	}
	s, err := p.queue.take(ctx, asked.client)
	if err != nil {
		return found{}, err
	}
	first, err := p.try(ctx, s, asked)
	p.queue.give(s)
	if err != nil || first.lacks == nil {
		return first, err
	}
	if err := asked.budget.end(); err != nil {
		if !errors.Is(first.lacks, ErrSpent) { // it is why there is no second try
			first.lacks = fmt.Errorf("%w; %w", first.lacks, err)
		}
		return first, nil
	}
	p.cfg.Log.WarnContext(ctx, "token scoring ran out of time or memory: it is tried once more, alone", "error", first.lacks)
	if s, err = p.queue.takeAlone(ctx); err != nil {
		return found{}, err
	}
	defer p.queue.giveAlone(s)
	if s.child != nil {
		p.drop(s)
	}
	second, err := p.try(ctx, s, asked)
	if err == nil && len(second.diffs) < len(first.diffs) {
		return first, nil
	}
	return second, err
}

// try lets one child compare all trees of a pull request, within the rest of its budget.
func (p *Pool) try(ctx context.Context, s *slot, asked *pull) (found, error) {
	if err := asked.budget.end(); err != nil {
		return found{lacks: err}, nil //nolint:nilerr // it is the pull request's loss
	}
	var scored []compared
	var diffs []tokens.Diff
	lacks, err := p.exchange(ctx, s, asked, func(figures tokens.Diff, when timing) {
		scored = append(scored, compared{when, asked.files[len(diffs)]})
		diffs = append(diffs, figures)
	})
	if err != nil {
		return found{}, err
	}
	if lacks != nil {
		if err := asked.budget.end(); err != nil {
			lacks = fmt.Errorf("%w; %w", lacks, err)
		}
		return found{lacks: lacks}, nil
	}
	showChild(ctx, s.child, scored)
	return found{diffs, outOfTime(asked.files, diffs)}, nil
}

// outOfTime names the files with a text that took too long to parse.
func outOfTime(files []*tokens.FilePlan, diffs []tokens.Diff) error {
	var first string
	late := 0
	for i := range diffs {
		if !diffs[i].OutOfTime {
			continue
		}
		if late++; late == 1 {
			first = files[i].Figures.Filename
		}
	}
	if late == 0 {
		return nil
	}
	return fmt.Errorf("%d of its files took too much processor time to parse, the first %.200s", late, first)
}

// exchange lets a child score a pull request: the slot's own, or a new one if that child has
// served another client. A child that does not begin is replaced once. If the new child does
// not begin either, the pool has failed, and the pull request is not to blame. If the child
// ended during the pull request, lacks says how.
func (p *Pool) exchange(ctx context.Context, s *slot, asked *pull, take func(tokens.Diff, timing)) (lacks, err error) {
	for fresh := false; ; fresh = true {
		if err := p.prepare(ctx, s, asked.client); err != nil {
			return nil, err
		}
		c := s.child
		w := watch{before: c.worked(), allowed: min(p.cfg.Budget, asked.budget.left()), patience: p.cfg.HangTimeout}
		stop := context.AfterFunc(ctx, c.signalKill)
		answered, err := c.exchange(asked, traceparent(ctx), p.cfg.StartTimeout, &w, take)
		stop()
		if err == nil {
			asked.budget.spend(w.cost(c, nil))
			return nil, nil
		}
		if !errors.Is(err, errNotReady) {
			lacks, err := p.lost(ctx, s, err, asked.files[min(answered, len(asked.files)-1)])
			asked.budget.spend(w.cost(c, lacks))
			return lacks, err
		}
		p.drop(s)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("asking a token-scoring child: %w", ctx.Err())
		}
		ended(ctx, telemetry.ChildCrashed)
		if fresh {
			return nil, fmt.Errorf("a fresh token-scoring child does not answer: %w", err)
		}
	}
}

// lost decides what a failed exchange means: a loss of the pull request (lacks), or an error
// of the pool.
func (p *Pool) lost(ctx context.Context, s *slot, cause error, plan *tokens.FilePlan) (lacks, err error) {
	c := s.child
	p.drop(s)
	if _, failed := errors.AsType[*FailedError](cause); failed {
		ended(ctx, telemetry.ChildFailed)
		return nil, cause // the child was well, but more requests are on their way to it
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("token scoring: %w", ctx.Err())
	}
	log := p.cfg.Log.With("file", plan.Figures.Filename, "language", plan.Language, "pid", c.cmd.Process.Pid)
	if isOverrun(cause) {
		p.late.Add(1)
		ended(ctx, telemetry.ChildOutOfTime)
		log.WarnContext(ctx, "token scoring ran out of its budget", "error", cause)
		return fmt.Errorf("its scoring was ended at %.200s: %w", plan.Figures.Filename, cause), nil
	}
	p.crashed.Add(1)
	ended(ctx, telemetry.ChildCrashed)
	log.WarnContext(ctx, "a token-scoring child died", "end", endOf(c.end), "error", cause)
	return fmt.Errorf("its child died at %.200s (%s): %w", plan.Figures.Filename, endOf(c.end), cause), nil
}
