package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/producer/leadership"
	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/schedule"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/warmup"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// served are the rounds of one installation. It is what schedule.Keeper drives, and what
// the API replays with.
type served struct {
	session *Session
	keep    time.Duration // how long rounds are kept; 0 keeps all
	share   float64       // of a warm-up
	source  *miners.Source
	config  round.Config
	mirror  string        // the only one that a local fleet has workers for; "" if it serves rounds of its own mirror alone
	alone   chan struct{} // a local fleet serves one round at a time: the round in work fills it
	recent  *recent
}

// recent is what this process remembers of the last turn, to restore what the streams
// lose of it. Only the goroutine that leads uses it, so it needs no lock.
type recent struct {
	turn     job.Turn
	manifest job.Manifest
	// orders are those of operators, as far as they were read since this process leads.
	orders jobstream.Orders
	// begun is the round of the turn that this process has begun last.
	begun string
	// result is that of the round that was concluded last.
	result outcome.Result
	// lost is the name of a round that was given up: the schedule continues without it.
	lost string
}

var _ schedule.Rounds = (*served)(nil)

// Last reads how the last turn stands. A round that nobody can resume counts as ended,
// so that the next turn begins on time.
func (v *served) Last(ctx context.Context) (schedule.Last, error) {
	if err := v.restoreTurn(ctx); err != nil {
		return schedule.Last{}, err
	}
	turn, revision, err := round.LastTurn(ctx, v.config.Bus)
	if err != nil || turn.Round == "" {
		return schedule.Last{Revision: revision}, err
	}
	last := schedule.Last{Turn: turn, Revision: revision}
	if turn.Round == v.recent.lost {
		last.Planned, last.Ended = true, true
		return last, nil
	}
	m, err := v.config.Bus.Rounds.Manifest(ctx, turn.Round)
	if jobstream.Damaged(err) || errors.Is(err, jobstream.ErrNotFound) {
		return v.withoutManifest(ctx, last, err)
	}
	if err != nil {
		return last, fmt.Errorf("round %s: %w", turn.Round, err)
	}
	v.recent.turn, v.recent.manifest = turn, m
	latest, err := outcome.Latest(ctx, v.config.Bus, turn.Round)
	if jobstream.Damaged(err) { // counts as not ended: resuming the round writes the outcome again
		latest, err = outcome.Result{}, nil
	}
	last.Planned, last.Ended = true, latest.Revision > 0
	return last, err
}

// restoreTurn restores the last turn and its manifest from memory if the streams have
// lost them. Another producer may have led since this one did. Then a later round of the
// schedule exists, and what this process remembers is out of date: nothing is restored.
func (v *served) restoreTurn(ctx context.Context) error {
	if v.recent.turn.Round == "" {
		return nil
	}
	turn, revision, err := v.config.Bus.Schedule.Turn(ctx)
	if err != nil && !jobstream.Damaged(err) {
		return err
	}
	if lost := err != nil || revision == 0; lost {
		newest, _, unlisted := round.LastTurn(ctx, v.config.Bus)
		if unlisted != nil || newest.Due.After(v.recent.turn.Due) {
			return unlisted
		}
		v.session.cfg.Log.WarnContext(ctx, "the schedule's last turn is gone or unreadable: restoring it",
			"round", v.recent.turn.Round, "error", err)
		if err := v.config.Bus.Schedule.SetTurn(ctx, v.recent.turn, revision); err != nil {
			return fmt.Errorf("restoring the last turn: %w", err)
		}
		turn = v.recent.turn
	}
	if turn.Round != v.recent.manifest.Round {
		return nil
	}
	restored, err := v.config.Bus.Rounds.RestoreManifest(ctx, v.recent.manifest)
	if restored {
		v.session.cfg.Log.WarnContext(ctx, "the manifest of the last turn's round was gone or unreadable: restored", "round", turn.Round)
	}
	return err
}

// withoutManifest says how a turn stands whose round has no readable manifest. If nothing
// at all is stored of the round, its producer died between taking the turn and writing
// the manifest: the turn is still due. Otherwise the round is lost.
func (v *served) withoutManifest(ctx context.Context, last schedule.Last, why error) (schedule.Last, error) {
	_, err := v.config.Bus.Inventory(ctx, last.Round)
	switch {
	case errors.Is(err, jobstream.ErrNotFound): // still due
		return last, nil
	case err != nil:
		return last, err
	}
	v.giveUp(ctx, last.Round, why)
	last.Planned, last.Ended = true, true
	return last, nil
}

// giveUp lets the schedule continue without a round that nobody can resume.
func (v *served) giveUp(ctx context.Context, name string, why error) {
	v.recent.lost = name
	v.session.cfg.Log.ErrorContext(ctx, "the round of the last turn is lost: the schedule continues with its next turn",
		"round", name, "error", why)
}

// Prepare plans a round from the files as they are now. Files that cannot be used
// postpone the round (schedule.PostponedError); they may be in the middle of being replaced.
func (v *served) Prepare(ctx context.Context) (job.Manifest, error) {
	now := time.Now()
	fleet, err := v.source.Read(ctx, now)
	if input, of := errors.AsType[*miners.InputError](err); of && errors.Is(err, miners.ErrUnusable) {
		err = &schedule.PostponedError{Input: input.Input, Err: err}
	}
	if err != nil {
		return job.Manifest{}, err
	}
	m, err := v.session.cfg.Files.PlanOf(fleet.Miners, v.session.cfg.Mirror, time.Now()) // not now: GitHub may have taken minutes
	if err != nil {
		return m, &schedule.PostponedError{Input: inputRules, Err: err}
	}
	m.Notes = fleet.Notes
	v.session.cfg.Log.InfoContext(ctx, "the miners of the round", "round", m.Round, "uids", len(m.Miners), "counts", miners.Count(m.Miners))
	v.tellFellOut(ctx, m)
	return m, nil
}

// tellFellOut logs and counts the miners that have lost their usable token since the last
// round.
func (v *served) tellFellOut(ctx context.Context, m job.Manifest) {
	if uids := v.countFellOut(ctx, m); len(uids) > 0 {
		v.session.cfg.Log.WarnContext(ctx, "miners have lost their usable token since the last round: producer tokens says why",
			"round", m.Round, "miners", len(uids), "first", uids[:min(len(uids), view.MaxListed)])
	}
}

// countFellOut counts them for the metric: in the round that is to begin, or without one in
// the last round, for a producer that leads since. It decides nothing: what cannot be read
// is left out, and the rounds go on.
func (v *served) countFellOut(ctx context.Context, begins ...job.Manifest) []int {
	uids, err := view.FellOut(ctx, v.config.Bus, begins...)
	if err != nil {
		v.session.cfg.Log.WarnContext(ctx, "could not compare the miners' tokens with those of the round before", "error", err)
		return nil
	}
	telemetry.MinersFellOut(ctx, len(uids))
	return uids
}

// What postpones a round beside the tokens and the metagraph: the registry and the
// weights, and anything else that stops the schedule. The values are labels of a metric.
const (
	inputRules = "rules"
	inputOther = "other"
)

//nolint:gochecknoglobals // a constant, if Go had such
var postponingInputs = []string{miners.InputTokens, miners.InputMetagraph, inputRules, inputOther}

// postponedBy returns the input that postpones a round; "" for none.
func postponedBy(trouble error) string {
	off, of := errors.AsType[*schedule.PostponedError](trouble)
	switch {
	case trouble == nil:
		return ""
	case of:
		return off.Input
	}
	return inputOther
}

// Begin takes the turn and runs its round. The turn comes first: it names the round, so
// that a producer that follows a dead one knows whether the round was begun. The revision
// makes sure that only one producer takes a turn.
func (v *served) Begin(ctx context.Context, m job.Manifest, turn job.Turn, revision uint64) error {
	if err := v.config.Bus.Schedule.SetTurn(ctx, turn, revision); err != nil {
		return fmt.Errorf("taking the turn: %w", err)
	}
	crash.At(crash.TurnTaken)
	v.recent.turn, v.recent.manifest = turn, m
	v.recent.begun = m.Round
	return v.conclude(ctx, m, func(r *round.Runner) (outcome.Result, error) { return r.Start(ctx, m) })
}

// Resume resumes a round, on the mirror that it was planned for.
func (v *served) Resume(ctx context.Context, name string) error {
	m, err := v.config.Bus.Rounds.Manifest(ctx, name)
	if err != nil {
		return err // Last decides, at its next look, whether the round is lost
	}
	if m.Mirror != v.session.cfg.Mirror {
		v.session.cfg.Log.WarnContext(ctx, "the round was planned for another mirror: without workers of that mirror it becomes overdue",
			"round", name, "mirror", m.Mirror)
	}
	err = v.conclude(ctx, m, func(r *round.Runner) (outcome.Result, error) { return r.Resume(ctx, name) })
	if errors.Is(err, round.ErrLost) {
		v.giveUp(ctx, name, err)
		return nil
	}
	return err
}

// conclude runs a round to its end and logs how it ended. The round stays noted as under
// way only if a signal has interrupted it: a producer that has lost the lead has no round
// to report, because another one runs it.
func (v *served) conclude(ctx context.Context, m job.Manifest, work func(*round.Runner) (outcome.Result, error)) error {
	var result outcome.Result
	ended, far := v.session.under.note(m.Round), &phases{round: m.Round}
	told := func(p round.Progress) { far.tell(ctx, v.session.cfg.Log, p) }
	err := v.run(ctx, m, told, func(r *round.Runner) (err error) {
		result, err = work(r)
		return err
	})
	if err == nil || ctx.Err() == nil || errors.Is(context.Cause(ctx), leadership.ErrLost) {
		ended()
	}
	if err != nil {
		return err
	}
	v.recent.result = result
	v.session.cfg.Log.InfoContext(ctx, "the round is concluded", "round", result.Round, "complete", result.Complete, "planned", result.Planned,
		"done", result.Done, "failed", result.Failed, "overdue", result.Overdue, "degraded", len(result.Degraded),
		"from_stored", len(result.Outcome.FromStored), "requests", result.Requests, "took", time.Since(m.PlannedAt))
	return nil
}

// replay runs failed miners again for a caller of the API. It makes no difference
// whether this producer leads the schedule: leadership of the round is separate.
func (v *served) replay(ctx context.Context, name string, s outcome.Selection) (result outcome.Result, did outcome.Replayed, err error) {
	m, err := v.config.Bus.Rounds.Manifest(ctx, name)
	if err != nil {
		return result, did, err
	}
	if v.mirror != "" && m.Mirror != v.mirror {
		return result, did, fmt.Errorf("round %s is of the mirror %s, and the workers of this process are for %s: "+
			"producer replay %s --local runs it",
			name, m.Mirror, v.mirror, name)
	}
	err = v.run(ctx, m, nil, func(r *round.Runner) (err error) {
		result, did, err = r.Replay(ctx, name, s)
		return err
	})
	return result, did, err
}

// cancel follows an order to cancel for a caller of the API. It waits beside a round that a
// local fleet has in work: that round is the one that ends.
func (v *served) cancel(ctx context.Context, c round.Cancelled) error {
	m, err := v.config.Bus.Rounds.Manifest(ctx, c.Round)
	if err != nil {
		return err
	}
	config := v.config
	if config.Mirror, err = v.session.mirrorOf(m.Mirror); err != nil { //nolint:contextcheck // its breaker is nobody's request
		return err
	}
	config.SoleProducer = false // this process may run the round itself
	runner, err := round.New(config)
	if err != nil {
		return err
	}
	return runner.FollowCancel(ctx, c)
}

// run does the work on a round, and calls progress with its counts unless that is nil. A
// local fleet serves one round at a time, because its workers are started for one mirror
// and its consumer is filtered to one round: there, a second round waits.
func (v *served) run(ctx context.Context, m job.Manifest, progress func(round.Progress), work func(*round.Runner) error) error {
	if v.session.cfg.Local {
		select {
		case v.alone <- struct{}{}:
			defer func() { <-v.alone }()
		case <-ctx.Done():
			return fmt.Errorf("waiting for the round before: %w", ctx.Err())
		}
		if err := v.config.Bus.Queue.ServeOnly(ctx, m.Round); err != nil {
			return fmt.Errorf("serving the round alone: %w", err)
		}
	}
	mirror, err := v.session.mirrorOf(m.Mirror) //nolint:contextcheck // its breaker is nobody's request
	if err != nil {
		return err
	}
	config := v.config
	config.Mirror, config.Progress = mirror, progress
	runner, err := round.New(config)
	if err != nil {
		return err
	}
	return work(runner)
}

// WarmUp fetches ahead of the round of a turn.
func (v *served) WarmUp(ctx context.Context, turn time.Time) error {
	list, err := v.source.Foresee(ctx, time.Now())
	if err != nil {
		return err
	}
	m, err := v.session.cfg.Files.PlanOf(list, v.session.cfg.Mirror, time.Now())
	if err != nil {
		return err
	}
	m.AsOf = turn
	_, err = warmup.Run(ctx, warmup.Config{
		Bus:    v.config.Bus,
		Inputs: m,
		Turn:   turn,
		Until:  turn,
		Share:  v.share,
		Log:    v.session.cfg.Log,
	})
	return err
}

// Forget removes the rounds that are older than --keep.
func (v *served) Forget(ctx context.Context) error {
	if v.keep == 0 {
		return nil
	}
	gone, err := round.Forget(ctx, v.config, v.keep, time.Now())
	for _, name := range gone {
		v.session.cfg.Log.InfoContext(ctx, "an old round is removed", "round", name, "kept", v.keep)
	}
	return err
}
