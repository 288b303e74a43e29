package round

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.opentelemetry.io/otel"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/telemetry"
)

// firstRevision is the revision of a round's first outcome.
const firstRevision = 1

// conclude reads every evaluation, asks for the maintainers, and stores what
// the rules make of them.
func (r *Runner) conclude(ctx context.Context, m job.Manifest, records tally) (Result, error) {
	ctx, span := otel.Tracer(telemetry.Scope).Start(ctx, telemetry.SpanConclude)
	defer span.End()
	registry, err := scoring.ParseRegistry(m.Registry)
	if err != nil {
		return Result{}, fmt.Errorf("registry of the manifest: %w", err)
	}
	result := newResult(m, records)
	input := scoring.RoundInput{AsOf: m.AsOf, Miners: m.Miners, Registry: registry, Evaluations: map[int]scoring.Evaluation{}}
	if err := r.readEvaluations(ctx, records, &input, &result); err != nil {
		return Result{}, err
	}
	letters, err := r.cfg.Bus.DeadLetters(ctx, m.Round)
	if err != nil {
		return Result{}, fmt.Errorf("reading the dead letters: %w", err)
	}
	result.DeadLetters = append(result.DeadLetters, letters...)
	if input.Maintainers, result.FailedLookUps, err = r.maintainers(ctx, registry); err != nil {
		return Result{}, err
	}
	if input.Stored, err = r.cfg.Bus.Snapshot(ctx, m.Round); err != nil {
		return Result{}, fmt.Errorf("reading the stored evaluations: %w", err)
	}
	result.Outcome = scoring.Conclude(input)
	result.Complete = result.Failed == 0 && len(result.Degraded) == 0 && len(result.FailedLookUps) == 0
	data, err := result.encode()
	if err != nil {
		return Result{}, err
	}
	// Before the outcome: a crash in between concludes again, from the same
	// snapshot, and changes the same.
	if err := r.cfg.Bus.ChangeStored(ctx, result.Outcome.Stored); err != nil {
		return Result{}, err
	}
	if err := r.cfg.Bus.PutOutcome(ctx, m.Round, result.Revision, data); err != nil {
		return Result{}, fmt.Errorf("storing the outcome: %w", err)
	}
	return result, nil
}

func newResult(m job.Manifest, records tally) Result {
	p := records.progress()
	result := Result{
		Version: job.Version, Round: m.Round, Revision: firstRevision, AsOf: m.AsOf, Mirror: m.Mirror,
		Unloadable: m.Unloadable, Planned: p.Planned, Done: p.Done, Failed: p.Failed, Requests: p.Requests,
		DeadLetters: []job.DeadLetter{}, Degraded: []Degraded{}, Malformed: []Malformed{},
	}
	for _, record := range records {
		result.Retries += record.Failures
	}
	return result
}

func (r *Runner) readEvaluations(ctx context.Context, records tally, input *scoring.RoundInput, result *Result) error {
	for _, uid := range slices.Sorted(maps.Keys(records)) {
		record := records[uid]
		if record.Evaluation == "" {
			continue
		}
		evaluation, err := r.cfg.Bus.Evaluation(ctx, record.Evaluation)
		if err != nil {
			return fmt.Errorf("reading the evaluation of miner %d: %w", uid, err)
		}
		input.Evaluations[uid] = evaluation.Evaluation
		result.Cached += evaluation.Cached
		if len(evaluation.Missing) > 0 {
			result.Degraded = append(result.Degraded, Degraded{uid, evaluation.Missing})
		}
		if len(evaluation.Malformed) > 0 {
			result.Malformed = append(result.Malformed, Malformed{uid, evaluation.Malformed})
		}
	}
	return nil
}

// maintainers asks for each repository that has a cut. A look-up that fails is
// no cut, as the rules say, and is reported.
func (r *Runner) maintainers(ctx context.Context, registry scoring.Registry) (map[string][]scoring.Maintainer, []job.Missing, error) {
	found, failed := map[string][]scoring.Maintainer{}, []job.Missing{}
	for _, repository := range registry.Repositories {
		if repository.MaintainerCut == 0 {
			continue
		}
		answer, err := r.cfg.Mirror.Maintainers(ctx, repository.Name)
		if ctxErr := ctx.Err(); ctxErr != nil {
			return nil, nil, fmt.Errorf("asking for the maintainers of %s: %w", repository.Name, errors.Join(ctxErr, err))
		}
		if err != nil {
			r.cfg.Log.WarnContext(ctx, "no maintainers: the cut is not paid", "repository", repository.Name, "error", err)
			failed = append(failed, job.Missing{What: "maintainers " + repository.Name, Error: err.Error()})
			continue
		}
		found[repository.Name] = answer.Items
	}
	return found, failed, nil
}
