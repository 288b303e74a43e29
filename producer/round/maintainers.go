package round

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scoring"
)

// maintainers returns the maintainers of each repository with a cut. Answers that are
// stored are not asked for again, so that every revision of an outcome has the same ones.
//
// A look-up that fails pays no cut, as docs/rules/scoring.md#rewards has it, and is
// reported; so is one that an overdue or cancelled round cannot wait for. Of an answer with unreadable
// entries the others count; it is reported but not stored, so that the next revision asks
// again. The number of requests is stored with the answers: a producer that concludes after
// a crash must count those of the dead one.
func (w *work) maintainers(ctx context.Context) (jobstream.Maintainers, []job.Missing, error) {
	kept, err := w.cfg.Bus.Rounds.Maintainers(ctx, w.m.Round)
	if jobstream.Damaged(err) {
		w.note(ctx, -1, lostMaintainers)
		err = nil
	}
	if err != nil {
		return kept, nil, fmt.Errorf("reading the maintainers of round %s: %w", w.m.Round, err)
	}
	found, partly, failed, err := w.lookUp(ctx, kept.Found)
	if err != nil {
		return kept, nil, err
	}
	kept, err = w.cfg.Bus.Rounds.AddMaintainers(ctx, w.m.Round, found)
	if err != nil {
		return kept, nil, fmt.Errorf("keeping the maintainers of round %s: %w", w.m.Round, err)
	}
	crash.At(crash.MaintainersKept)
	if len(partly) > 0 {
		maps.Copy(partly, kept.Found)
		kept.Found = partly
	}
	return kept, failed, nil
}

// lookUp asks for the maintainers that are not stored. found has the complete answers,
// partly those with unreadable entries, and failed says what is missing. Only the end of
// ctx is an error: an overdue or cancelled round ends the requests and not the work.
func (w *work) lookUp(ctx context.Context, kept map[string][]scoring.Maintainer) (
	found jobstream.Maintainers, partly map[string][]scoring.Maintainer, failed []job.Missing, err error,
) {
	var asked atomic.Int64
	asking := mirror.WithCounter(ctx, &asked)
	if !w.overdueAt.IsZero() {
		var cancel context.CancelFunc
		asking, cancel = context.WithDeadlineCause(asking, lastLookUp(w.overdueAt, time.Now(), w.cfg.MaintainerGrace), errOverdue)
		defer cancel()
	}
	asking, stop := w.whileWanted(asking)
	defer stop()
	found.Found = map[string][]scoring.Maintainer{}
	partly = map[string][]scoring.Maintainer{}
	failed = []job.Missing{}
	for _, repository := range w.registry.Repositories {
		name := repository.Name
		if _, known := kept[name]; known || repository.MaintainerCut == 0 {
			continue
		}
		answer, err := w.cfg.Mirror.Maintainers(asking, name)
		if ctxErr := ctx.Err(); ctxErr != nil {
			return found, nil, nil, fmt.Errorf("asking for the maintainers of %s: %w", name, errors.Join(ctxErr, err))
		}
		switch {
		case err != nil:
			failed = append(failed, w.unanswered(ctx, name, err))
		case len(answer.Malformed) > 0:
			partly[name] = answer.Items
			failed = append(failed, w.unreadable(ctx, name, answer.Malformed))
		default:
			found.Found[name] = answer.Items
		}
	}
	found.Requests = int(asked.Load())
	return found, partly, failed, nil
}

// unanswered reports a look-up that failed.
func (w *work) unanswered(ctx context.Context, repository string, err error) job.Missing {
	w.cfg.Log.WarnContext(ctx, "no maintainers: the cut is not paid", "repository", repository, "error", err)
	return job.Missing{What: "maintainers " + repository, Cause: job.Unanswered, Error: err.Error()}
}

// unreadable reports an answer with entries that cannot be read.
func (w *work) unreadable(ctx context.Context, repository string, entries []job.Malformed) job.Missing {
	n, first := len(entries), entries[0]
	w.cfg.Log.WarnContext(ctx, "some maintainers cannot be read: the cut is paid to the others",
		"repository", repository, "unreadable", n, "item", first.Item, "error", first.Error)
	return job.Missing{
		What: "maintainers " + repository, Cause: job.Inconsistent,
		Error: fmt.Sprintf("%d cannot be read, the first is %s: %s", n, first.Item, first.Error),
	}
}
