package evaluate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scorecache"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/worker/tokenscore"
)

// want is one pull request whose files are needed; the zero one wants none.
type want struct {
	key scorecache.Key
	// author is whose files they are, "" if that is not known.
	author string
	// list is what a list says of the files.
	list counted
	// found is what the cache has.
	found scorecache.Found
}

// want is a want of this round's weights, at the commits that a list names.
func (m *miner) want(author, repository string, number int, head, base string, list counted) want {
	return want{author: author, list: list, key: scorecache.Key{
		Repository: repository,
		Number:     number,
		Head:       head,
		Base:       base,
		Weights:    m.rules.weights.Digest(),
	}}
}

func (w *want) none() bool { return w.key.Number == 0 && w.key.Repository == "" }

func (w *want) String() string { return fmt.Sprintf("%s#%d", w.key.Repository, w.key.Number) }

// missing says that the files lack something.
func (w *want) missing(cause job.Cause, err error) missing {
	return newMissing("files "+w.String(), cause, err)
}

// fetched is what came of one pull request's files.
type fetched struct {
	// figures are nil when there are no files, or none could be had.
	figures *tokens.Figures
	stored  bool // the mirror says that what it sent is all
	// lacks are why the answer is missing, cannot be all, or was not scored whole.
	lacks   []missing
	skipped []job.Malformed
	// answer is the mirror's, nil when it gave none and for what the cache had.
	answer *answered
	// unsettled says that the answer is not kept yet, though nothing speaks against
	// it.
	unsettled bool
	// cached is what the cache said, "" without files.
	cached string
}

// spent says whether the budget of the miner whose job fetched them was spent.
func (f *fetched) spent() bool {
	return slices.ContainsFunc(f.lacks, func(l missing) bool { return errors.Is(l.err, tokenscore.ErrSpent) })
}

// look asks the cache for all of them, and says how many of them it lacks: so
// many requests are to be made.
func (m *miner) look(ctx context.Context, wanted []want) (requests int, err error) {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(m.evaluator.cfg.Files)
	for i := range wanted {
		if w := &wanted[i]; !w.none() {
			group.Go(func() (err error) {
				w.found, err = m.evaluator.cfg.Scores.Look(groupCtx, w.key)
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	for i := range wanted {
		if !wanted[i].none() && wanted[i].found.Entry == nil {
			requests++
		}
	}
	return requests, nil
}

// files gives what came of one pull request's files: from the cache, from the
// job of this process that fetches them right now, or from the mirror. A job
// that waits for another holds no files, so it blocks no other fetch.
func (m *miner) files(ctx context.Context, w want) (fetched, error) {
	switch {
	case w.none():
		return fetched{}, nil
	case w.found.Entry != nil:
		return known(w.found.Entry, telemetry.CacheHit), nil
	}
	for {
		f, mine, err := m.flight(ctx, w)
		switch {
		case mine || err == nil && ctx.Err() == nil && !f.spent():
			if !mine {
				f = m.settled(ctx, w, f) // by this job's own list
			}
			if err == nil && (f.answer != nil || f.cached == telemetry.CacheShared) {
				m.answered()
			}
			return f, err
		case ctx.Err() != nil:
			return fetched{}, fmt.Errorf("waiting for another job's fetch of %s: %w", w.String(), context.Cause(ctx))
		}
		// The other job failed for a reason of its own, such as a lost lease or a
		// spent budget: that is no answer for this one.
	}
}

// flight fetches and settles, or waits for the job of this process that does so
// already. A fetch runs in the context of its own job, and ends when its scores
// are kept: a job that comes later finds them.
func (m *miner) flight(ctx context.Context, w want) (f fetched, mine bool, err error) {
	began := make(chan struct{})
	waiting, waited := doing.Begin(ctx, "files of "+w.String())
	defer waited()
	defer doing.Wait(waiting, func(time.Time) doing.State { return doing.State{Waits: doing.Other} })()
	what := fmt.Sprintf("%#v", w.key) // quoted, so that no text can imitate another field
	var own fetched                   // settled by this job's own list, which is not the others'
	results := m.evaluator.flights.DoChan(what, func() (any, error) {
		close(began)
		waited() // this job fetches by itself, and says what it does then
		shared, err := m.fetchUnlessKept(ctx, w)
		own = m.settled(ctx, w, shared)
		return shared, err
	})
	var r singleflight.Result
	select {
	case r = <-results:
	case <-ctx.Done():
		select {
		case <-began: // this job's own fetch, which ends with the context
			r = <-results
		default: // another job's; or its own that has not begun, and will find its context ended
			return f, false, ctx.Err() //nolint:wrapcheck // by the caller
		}
	}
	select {
	case <-began:
		return own, true, r.Err
	default:
		f, _ = r.Val.(fetched)
		f.cached = telemetry.CacheShared
		return f, false, r.Err
	}
}

// fetchUnlessKept fetches what nobody has kept since the caller's own look.
func (m *miner) fetchUnlessKept(ctx context.Context, w want) (fetched, error) {
	found, err := m.evaluator.cfg.Scores.Look(ctx, w.key)
	if err != nil {
		return fetched{}, err
	}
	if found.Entry != nil {
		return known(found.Entry, telemetry.CacheShared), nil
	}
	return m.fetch(ctx, w)
}

// known is what a fetch gave that the cache has kept: only answers that have
// settled are.
func known(e *scorecache.Entry, cached string) fetched {
	return fetched{
		figures: e.Tokens,
		stored:  true,
		skipped: e.Malformed,
		cached:  cached,
	}
}

// fetch fetches one pull request's files and scores them. What the mirror does
// not give is in the result; an error is not its fault.
func (m *miner) fetch(ctx context.Context, w want) (fetched, error) {
	e := m.evaluator
	ctx = telemetry.With(ctx, telemetry.Repository.String(w.key.Repository), telemetry.PullRequest.Int(w.key.Number))
	asking, asked := doing.Begin(ctx, "files of "+w.String())
	defer asked()
	full := doing.Wait(asking, func(time.Time) doing.State { return doing.State{Waits: doing.Memory} })
	err := e.held.Acquire(ctx, 1)
	full()
	if err != nil {
		return fetched{}, fmt.Errorf("waiting to hold files: %w", err)
	}
	defer e.held.Release(1)
	answer, err := m.mirror.Files(asking, w.key.Repository, w.key.Number)
	asked()
	if err != nil {
		if ctx.Err() != nil {
			return fetched{}, fmt.Errorf("fetching the files of %s: %w", w.String(), err)
		}
		return fetched{lacks: []missing{w.missing(job.Unanswered, err)}, cached: telemetry.CacheMiss}, nil
	}
	f := fetched{
		answer:  answeredBy(&answer),
		stored:  answer.Stored,
		skipped: answer.Malformed,
		cached:  telemetry.CacheMiss,
	}
	if len(answer.Files) > 0 {
		scoring, done := doing.Begin(ctx, "scoring files of "+w.String())
		scored, err := e.cfg.Scorer.Score(scoring, w.author, m.rules.weights, answer.Files, m.budget)
		done()
		if err != nil {
			return fetched{}, fmt.Errorf("scoring the files of %s: %w", w.String(), err)
		}
		if f.figures = &scored.Figures; scored.Lacks != nil {
			f.lacks = append(f.lacks, w.missing(job.OutOfBudget, scored.Lacks))
		}
	}
	return f, nil
}

// errInconsistent says that a files answer cannot be all that the mirror has.
var errInconsistent = errors.New("the files answer is inconsistent: the mirror may be writing it")

// settled is what came of a fetch, with what speaks against its answer. It keeps the
// scores of an answer that has settled, under the commits that the answer itself
// names. What has not settled is remembered where the next look finds it.
func (m *miner) settled(ctx context.Context, w want, f fetched) fetched {
	f.lacks = slices.Clone(f.lacks) // other jobs have them too
	if f.answer == nil {
		return f
	}
	scores := m.evaluator.cfg.Scores
	now := f.answer.At
	if m.evaluator.cfg.Now != nil {
		now = m.evaluator.cfg.Now()
	}
	v := settle(w.list, f.answer, w.found.Sighting, now)
	switch {
	case v.Keep:
		answered := w.key
		answered.Head, answered.Base = f.answer.Head, f.answer.Base
		scores.Keep(ctx, answered, scorecache.Entry{Tokens: f.figures, Malformed: f.skipped})
	case v.Inconsistent != "":
		f.lacks = append(f.lacks, w.missing(job.Inconsistent, fmt.Errorf("%w: %s", errInconsistent, v.Inconsistent)))
	default:
		f.unsettled = true
	}
	if v.Sighting != nil {
		scores.Remember(ctx, w.key, w.found, *v.Sighting)
	}
	return f
}

// note keeps what one answer lacked, and how it came.
func (m *miner) note(ctx context.Context, w want, f fetched) {
	m.missing = append(m.missing, f.lacks...)
	if f.unsettled {
		m.unsettled = append(m.unsettled, w.String())
	}
	m.malformed = append(m.malformed, f.skipped...)
	switch f.cached {
	case "":
		return
	case telemetry.CacheMiss:
		m.fetched++
	case telemetry.CacheShared:
		m.expected-- // it was reckoned with; the next ones tell it
		fallthrough
	default:
		m.cached++
	}
	telemetry.CacheAsked(ctx, f.cached)
	trace.SpanFromContext(ctx).AddEvent(telemetry.EventScoreCache, trace.WithAttributes(
		telemetry.Repository.String(w.key.Repository), telemetry.PullRequest.Int(w.key.Number), telemetry.CacheResult.String(f.cached)))
}

// tellCache shows on the attempt's span how much of it the cache had.
func (m *miner) tellCache(ctx context.Context) {
	trace.SpanFromContext(ctx).SetAttributes(telemetry.CacheHits.Int(m.cached), telemetry.CacheMisses.Int(m.fetched))
}
