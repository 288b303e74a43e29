package round

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/telemetry"
)

// conclude reads every evaluation, asks for the maintainers, and stores what
// the rules make of them as the revision after the replay's.
func (r *Runner) conclude(ctx context.Context, m job.Manifest, replay job.Replay, e ends) (Result, error) {
	ctx, span := otel.Tracer(telemetry.Scope).Start(ctx, telemetry.SpanConclude)
	defer span.End()
	telemetry.RoundIs(ctx, telemetry.RoundConcluding)
	registry, err := scoring.ParseRegistry(m.Registry)
	if err != nil {
		return Result{}, fmt.Errorf("registry of the manifest: %w", err)
	}
	result := newResult(m, replay, e)
	input := scoring.RoundInput{AsOf: m.AsOf, Miners: m.Miners, Registry: registry, Evaluations: map[int]scoring.Evaluation{}}
	if err := r.readEvaluations(ctx, e.records, &input, &result); err != nil {
		return Result{}, err
	}
	letters, err := r.cfg.Bus.DeadLetters(ctx, m.Round)
	if err != nil {
		return Result{}, fmt.Errorf("reading the dead letters: %w", err)
	}
	result.DeadLetters = lettersOf(e.records, letters)
	maintainers, failed, err := r.maintainers(ctx, m.Round, registry, overdue(m, replay))
	if err != nil {
		return Result{}, err
	}
	input.Maintainers, result.FailedLookUps, result.LookUps = maintainers.Found, failed, maintainers.Requests
	result.Requests += result.LookUps
	if input.Stored, err = r.cfg.Bus.Snapshot(ctx, m.Round); err != nil {
		return Result{}, fmt.Errorf("reading the stored evaluations: %w", err)
	}
	result.Outcome = scoring.Conclude(input)
	addStandIns(&result, m.Miners)
	result.Complete = result.complete()
	return r.store(ctx, m, result)
}

// store keeps the result. The stored evaluations come before the outcome: a
// crash in between concludes again, from the same snapshot, and changes the
// same. If another producer was first with this revision, its result counts.
func (r *Runner) store(ctx context.Context, m job.Manifest, result Result) (Result, error) {
	data, err := result.encode()
	if err != nil {
		return Result{}, err
	}
	origin := jobstream.Origin{Round: m.Round, PlannedAt: m.PlannedAt, Revision: result.Revision}
	if err := r.cfg.Bus.ChangeStored(ctx, origin, result.Outcome.Stored); err != nil {
		return Result{}, err
	}
	crash.At(crash.StoredChanged)
	err = r.cfg.Bus.PutOutcome(ctx, m.Round, result.Revision, data)
	if errors.Is(err, jobstream.ErrExists) {
		r.cfg.Log.WarnContext(ctx, "another producer has concluded this revision", "round", m.Round, "revision", result.Revision)
		data, err = r.cfg.Bus.Outcome(ctx, m.Round, result.Revision)
		if err == nil {
			return Decode(data)
		}
	}
	if err != nil {
		return Result{}, fmt.Errorf("storing the outcome: %w", err)
	}
	crash.At(crash.OutcomeWritten)
	return result, nil
}

func newResult(m job.Manifest, replay job.Replay, e ends) Result {
	p := e.progress()
	result := Result{
		Version: job.Version, Round: m.Round, Revision: replay.Number + 1, AsOf: m.AsOf, Due: m.Due, Mirror: m.Mirror,
		Unloadable: m.Unloadable, Planned: p.Planned, Done: p.Done, Failed: p.Failed, Requests: p.Requests,
		Notes: notesOf(m), Replayed: replay.UIDs, Mended: e.mended, Degraded: []Degraded{}, Malformed: []Malformed{},
		UnknownIdentities: []UnknownIdentity{}, StandIns: []StandIn{},
	}
	for _, record := range e.records {
		result.Retries += record.Retries()
		result.Unreported += record.Unreported
		if record.Phase == job.Failed && record.Failure != nil && record.Failure.Class == job.Overdue {
			result.Overdue++
		}
	}
	return result
}

// notesOf are a manifest's notes, without those on unknown identities when every
// identity is known.
func notesOf(m job.Manifest) []string {
	if slices.ContainsFunc(m.Miners, scoring.Miner.IdentityUnknown) {
		return m.Notes
	}
	return slices.DeleteFunc(slices.Clone(m.Notes), func(note string) bool { return strings.HasPrefix(note, job.NoteUnidentified) })
}

// readEvaluations reads what counts of each job, several at a time.
func (r *Runner) readEvaluations(ctx context.Context, records map[int]job.Record, input *scoring.RoundInput, result *Result) error {
	uids := slices.Sorted(maps.Keys(records))
	evaluations := make([]job.Evaluation, len(uids))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, uid := range uids {
		key := records[uid].Stands()
		if key == "" {
			continue
		}
		group.Go(func() (err error) {
			if evaluations[i], err = r.cfg.Bus.Evaluation(reading, key); err != nil {
				return fmt.Errorf("reading the evaluation of miner %d: %w", uid, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, uid := range uids {
		evaluation := &evaluations[i]
		if evaluation.Version == 0 {
			continue // it has none
		}
		input.Evaluations[uid] = evaluation.Evaluation
		result.Cached += evaluation.Cached
		result.Unsettled += len(evaluation.Unsettled)
		if len(evaluation.Missing) > 0 {
			result.Degraded = append(result.Degraded, Degraded{uid, evaluation.Missing})
		}
		if len(evaluation.Malformed) > 0 {
			result.Malformed = append(result.Malformed, Malformed{uid, evaluation.Malformed})
		}
	}
	return nil
}

// maintainers asks for each repository that has a cut, unless it was asked for
// before: every revision of an outcome has the same maintainers. A look-up that
// fails is no cut, as the rules say, and is reported; so is one that a round
// which has to end cannot wait for. Entries that cannot be read are reported as
// well, and the others count, as the rules say; the next revision asks again. The
// requests are counted where the answers are kept, so that whoever concludes after
// a crash has those of the dead.
func (r *Runner) maintainers(ctx context.Context, round string, registry scoring.Registry, overdueAt time.Time) (
	jobstream.Maintainers, []job.Missing, error,
) {
	kept, err := r.cfg.Bus.Maintainers(ctx, round)
	if err != nil {
		return kept, nil, fmt.Errorf("reading the maintainers of round %s: %w", round, err)
	}
	var asked atomic.Int64
	asking := mirror.WithCounter(ctx, &asked)
	if !overdueAt.IsZero() {
		var cancel context.CancelFunc
		asking, cancel = context.WithDeadlineCause(asking, lastLookUp(overdueAt, time.Now(), r.cfg.LookUps), errOverdue)
		defer cancel()
	}
	found, partly, failed := map[string][]scoring.Maintainer{}, map[string][]scoring.Maintainer{}, []job.Missing{}
	for _, repository := range registry.Repositories {
		if _, known := kept.Found[repository.Name]; known || repository.MaintainerCut == 0 {
			continue
		}
		answer, err := r.cfg.Mirror.Maintainers(asking, repository.Name)
		if ctxErr := ctx.Err(); ctxErr != nil {
			return kept, nil, fmt.Errorf("asking for the maintainers of %s: %w", repository.Name, errors.Join(ctxErr, err))
		}
		lacks := job.Missing{What: "maintainers " + repository.Name}
		switch n := len(answer.Malformed); {
		case err != nil:
			r.cfg.Log.WarnContext(ctx, "no maintainers: the cut is not paid", "repository", repository.Name, "error", err)
			lacks.Cause, lacks.Error = job.Unanswered, err.Error()
		case n > 0:
			first := answer.Malformed[0]
			r.cfg.Log.WarnContext(ctx, "maintainers that cannot be read: the cut is paid to the others",
				"repository", repository.Name, "unreadable", n, "item", first.Item, "error", first.Error)
			lacks.Cause, lacks.Error = job.Inconsistent, fmt.Sprintf("%d cannot be read, the first is %s: %s", n, first.Item, first.Error)
			partly[repository.Name] = answer.Items
		default:
			found[repository.Name] = answer.Items
			continue
		}
		failed = append(failed, lacks)
	}
	kept, err = r.cfg.Bus.AddMaintainers(ctx, round, jobstream.Maintainers{Requests: int(asked.Load()), Found: found})
	if err != nil {
		return kept, nil, fmt.Errorf("keeping the maintainers of round %s: %w", round, err)
	}
	crash.At(crash.MaintainersKept)
	if len(partly) > 0 {
		maps.Copy(partly, kept.Found)
		kept.Found = partly
	}
	return kept, failed, nil
}
