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

// maintainers are those of each repository that has a cut, asked for unless they are
// kept: every revision of an outcome has the same. A look-up that fails is no cut, as
// the rules say, and is reported; so is one that a round which has to end cannot wait
// for. Entries that cannot be read are reported as well, and the others count, as the
// rules say; the next revision asks again. The requests are counted where the answers
// are kept, so that whoever concludes after a crash has those of the dead.
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

// lookUp asks for the maintainers that are not kept: found are whole answers, partly
// those of which some cannot be read, and failed is what either kind of answer lacks.
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
	found.Found, partly, failed = map[string][]scoring.Maintainer{}, map[string][]scoring.Maintainer{}, []job.Missing{}
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

// unanswered is a look-up that failed.
func (w *work) unanswered(ctx context.Context, repository string, err error) job.Missing {
	w.cfg.Log.WarnContext(ctx, "no maintainers: the cut is not paid", "repository", repository, "error", err)
	return job.Missing{What: "maintainers " + repository, Cause: job.Unanswered, Error: err.Error()}
}

// unreadable is an answer of which some entries cannot be read.
func (w *work) unreadable(ctx context.Context, repository string, entries []job.Malformed) job.Missing {
	n, first := len(entries), entries[0]
	w.cfg.Log.WarnContext(ctx, "maintainers that cannot be read: the cut is paid to the others",
		"repository", repository, "unreadable", n, "item", first.Item, "error", first.Error)
	return job.Missing{
		What: "maintainers " + repository, Cause: job.Inconsistent,
		Error: fmt.Sprintf("%d cannot be read, the first is %s: %s", n, first.Item, first.Error),
	}
}
