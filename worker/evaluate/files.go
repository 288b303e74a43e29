package evaluate

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scorecache"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/telemetry"
)

// want is one pull request whose files are needed; the zero one wants none.
type want struct {
	key scorecache.Key
	// author is whose files they are, "" if that is not known.
	author string
	// entry is what the cache has of it, nil for nothing.
	entry *scorecache.Entry
}

// want is a want of this round's weights, at the commits that a list names.
func (m *miner) want(author, repository string, number int, head, base string) want {
	return want{author: author, key: scorecache.Key{
		Repository: repository, Number: number, Head: head, Base: base, Weights: m.rules.weights.Digest(),
	}}
}

func (w *want) none() bool { return w.key.Number == 0 && w.key.Repository == "" }

func (w *want) String() string { return fmt.Sprintf("%s#%d", w.key.Repository, w.key.Number) }

// fetched is what came of one pull request's files.
type fetched struct {
	// figures are nil when there are no files, or none could be had.
	figures *scoring.TokenFigures
	stored  bool // the mirror says that what it sent is all
	err     error
	skipped []job.Malformed
	// cached is what the cache said, "" without files.
	cached string
}

// look asks the cache for all of them, so that the attempt knows how many
// requests are left for it to make.
func (m *miner) look(ctx context.Context, wanted []want) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(m.evaluator.cfg.Files)
	for i := range wanted {
		if w := &wanted[i]; !w.none() {
			group.Go(func() (err error) {
				w.entry, err = m.evaluator.cfg.Scores.Look(groupCtx, w.key)
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	requests := 0
	for i := range wanted {
		if !wanted[i].none() && wanted[i].entry == nil {
			requests++
		}
	}
	m.expect(ctx, requests)
	return nil
}

// files gives what came of one pull request's files: from the cache, from the
// job of this process that fetches them right now, or from the mirror. Whoever
// waits for another holds no files, so it keeps nobody from fetching.
func (m *miner) files(ctx context.Context, w want) (f fetched, err error) {
	if w.none() {
		return f, nil
	}
	if w.entry != nil {
		return known(w.entry, telemetry.CacheHit), nil
	}
	entry, err := m.evaluator.cfg.Scores.Once(ctx, w.key, func(ctx context.Context) (scorecache.Key, *scorecache.Entry, error) {
		var answered scorecache.Key
		f, answered, err = m.fetch(ctx, w)
		return answered, f.lasting(err), err
	})
	if err == nil && entry != nil {
		f = known(entry, telemetry.CacheShared)
	}
	return f, err
}

// known is what a fetch gave that the cache has kept: only complete answers
// are.
func known(e *scorecache.Entry, cached string) fetched {
	return fetched{figures: e.Tokens, stored: true, skipped: e.Malformed, cached: cached}
}

// lasting is what may be kept of a fetch: nothing of an answer that failed, or
// that the mirror may still change.
func (f *fetched) lasting(err error) *scorecache.Entry {
	if err != nil || f.err != nil || !f.stored {
		return nil
	}
	return &scorecache.Entry{Tokens: f.figures, Malformed: f.skipped}
}

// fetch fetches one pull request's files and scores them, and says which
// commits they are of. What the mirror does not give is in the answer; an error
// is not its fault.
func (m *miner) fetch(ctx context.Context, w want) (fetched, scorecache.Key, error) {
	e, k := m.evaluator, w.key
	ctx = telemetry.With(ctx, telemetry.Repository.String(k.Repository), telemetry.PullRequest.Int(k.Number))
	if err := e.held.Acquire(ctx, 1); err != nil {
		return fetched{}, k, fmt.Errorf("waiting to hold files: %w", err)
	}
	defer e.held.Release(1)
	answer, err := e.cfg.Mirror.Files(ctx, k.Repository, k.Number)
	if err != nil {
		if ctx.Err() != nil {
			return fetched{}, k, fmt.Errorf("fetching the files of %s#%d: %w", k.Repository, k.Number, err)
		}
		return fetched{err: err, cached: telemetry.CacheMiss}, k, nil
	}
	k.Head, k.Base = answer.HeadSHA, scorecache.Base(answer.MergeBaseSHA, answer.BaseSHA)
	f := fetched{stored: answer.Stored, skipped: answer.Malformed, cached: telemetry.CacheMiss}
	if len(answer.Files) == 0 {
		return f, k, nil
	}
	figures, err := e.cfg.Scorer.Score(ctx, w.author, m.rules.weights, answer.Files)
	if err != nil {
		return fetched{}, k, fmt.Errorf("scoring the files of %s#%d: %w", k.Repository, k.Number, err)
	}
	f.figures = &figures
	return f, k, nil
}

// note keeps what one answer lacked, and how it came.
func (m *miner) note(ctx context.Context, w want, f fetched) {
	if f.err != nil {
		m.missing = append(m.missing, missing{job.Missing{What: "files " + w.String(), Error: f.err.Error()}, f.err})
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
