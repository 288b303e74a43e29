package evaluate

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"

	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/worker/tokenscore"
)

// Prepare reads what a warm-up is made with. An error says that this worker cannot work on
// it: it is of another mirror or egress, its files were replaced, or the inputs are gone.
func (e *Evaluator) Prepare(ctx context.Context, warmUp string) error {
	if err := errors.Join(e.admitted(ctx), e.cfg.Scorer.Usable(ctx)); err != nil {
		return err
	}
	_, err := e.rounds.by(ctx, warmUp, e.cfg.Bus.WarmUps.Inputs)
	return err
}

// Warm fetches and scores the files of a miner that the cache lacks, as an evaluation would.
// client is a view of the evaluator's own. Warm keeps nothing but the cache, and returns how
// many files answers it fetched. An error says that something could not be had.
func (e *Evaluator) Warm(ctx context.Context, client *mirror.Client, w job.Warm) (fetched int, err error) {
	//nolint:spancheck // telemetry.End ends it
	ctx, span := telemetry.Tracer().Start(ctx, telemetry.SpanWarm, trace.WithAttributes(
		telemetry.WarmUp.String(w.WarmUp), telemetry.MinerUID.Int(w.UID), telemetry.GitHubID.String(w.GitHubID)))
	defer func() { telemetry.End(span, err) }()
	rules, err := e.rounds.by(ctx, w.WarmUp, e.cfg.Bus.WarmUps.Inputs)
	if err != nil {
		return 0, err //nolint:spancheck // as above
	}
	m := &miner{
		evaluator: e,
		mirror:    client,
		rules:     rules,
		left:      new(atomic.Int64),
		budget:    tokenscore.NewBudget(e.cfg.MinerBudget),
		job: job.Job{
			Round:    w.WarmUp,
			UID:      w.UID,
			GitHubID: w.GitHubID,
			AsOf:     rules.asOf,
		},
	}
	defer m.tellCache(ctx)
	var discarded scoring.Evaluation
	if err := m.list(ctx, &discarded); err != nil {
		return m.fetched, err
	}
	asking, asked := doing.Begin(ctx, "the list of issues")
	listed, err := client.Issues(asking, w.GitHubID, rules.registry.Windows(rules.asOf))
	asked()
	if err != nil {
		return m.fetched, fmt.Errorf("listing the issues of miner %d: %w", w.UID, err)
	}
	m.found = &scoring.IssueAnswers{}
	if err := m.solving(ctx, scoring.SolvingPulls(listed.Items, rules.registry, discarded.Merged)); err != nil {
		return m.fetched, err
	}
	var lacks []error
	for _, missing := range m.missing {
		lacks = append(lacks, missing.err)
	}
	return m.fetched, errors.Join(lacks...)
}
