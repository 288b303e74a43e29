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
	"mirrorfleet/producer/warmup"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// served are the rounds of one installation, as the schedule's keeper directs
// them.
type served struct {
	session *Session
	keep    time.Duration
	share   float64 // of a warm-up
	source  *miners.Source
	config  round.Config
	alone   chan struct{} // taken by the round that a local fleet serves
	recent  *recent
}

// recent is what this process knows of the last turn: what the streams lose of it is
// put back. One goroutine at a time leads, and has it.
type recent struct {
	turn     job.Turn
	manifest job.Manifest
	// lost is the round that was given up: the schedule goes on without it.
	lost string
}

var _ schedule.Rounds = (*served)(nil)

// Last looks at the last turn. A round of it that nobody can go on with counts as
// ended: the next turn is none the worse for it.
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
	if jobstream.Damaged(err) { // whoever goes on with it makes it anew
		latest, err = outcome.Result{}, nil
	}
	last.Planned, last.Ended = true, latest.Revision > 0
	return last, err
}

// restoreTurn puts back what this process knows of the last turn, if the streams
// have lost it. Another producer may have led since: then a round that was planned
// later tells the last turn, and what is known here is of the past.
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
		v.session.cfg.Log.WarnContext(ctx, "the schedule's last turn is gone or unreadable: put back", "round", v.recent.turn.Round, "error", err)
		if err := v.config.Bus.Schedule.SetTurn(ctx, v.recent.turn, revision); err != nil {
			return fmt.Errorf("putting the last turn back: %w", err)
		}
		turn = v.recent.turn
	}
	if turn.Round != v.recent.manifest.Round {
		return nil
	}
	restored, err := v.config.Bus.Rounds.RestoreManifest(ctx, v.recent.manifest)
	if restored {
		v.session.cfg.Log.WarnContext(ctx, "the manifest of the last turn's round is gone or unreadable: put back", "round", turn.Round)
	}
	return err
}

// withoutManifest says how a turn stands whose round has no manifest that can be
// read: it was never begun, or is lost.
func (v *served) withoutManifest(ctx context.Context, last schedule.Last, why error) (schedule.Last, error) {
	_, err := v.config.Bus.Inventory(ctx, last.Round)
	switch {
	case errors.Is(err, jobstream.ErrNotFound): // the producer died between turn and round
		return last, nil
	case err != nil:
		return last, err
	}
	v.giveUp(ctx, last.Round, why)
	last.Planned, last.Ended = true, true
	return last, nil
}

// giveUp lets the schedule go on without a round that nobody can go on with.
func (v *served) giveUp(ctx context.Context, name string, why error) {
	v.recent.lost = name
	v.session.cfg.Log.ErrorContext(ctx, "the round of the last turn is lost: the schedule goes on with its next turn",
		"round", name, "error", why)
}

// Prepare makes a round of the files as they are now.
func (v *served) Prepare(ctx context.Context) (job.Manifest, error) {
	now := time.Now()
	fleet, err := v.source.Read(ctx, now)
	if input, of := errors.AsType[*miners.InputError](err); of && errors.Is(err, miners.ErrUnusable) {
		err = &schedule.PutOffError{Input: input.Input, Err: err}
	}
	if err != nil {
		return job.Manifest{}, err
	}
	m, err := v.session.cfg.Files.Plan(fleet.Miners, v.session.cfg.Mirror, time.Now()) // GitHub was asked in between
	if err != nil {
		return m, &schedule.PutOffError{Input: inputRules, Err: err}
	}
	m.Notes = fleet.Notes
	v.session.cfg.Log.InfoContext(ctx, "the miners of the round", "round", m.Round, "uids", len(m.Miners), "counts", miners.Count(m.Miners))
	return m, nil
}

// What puts a round off beside the tokens and the metagraph: the registry and
// the weights, and whatever else keeps the schedule from going on.
const (
	inputRules = "rules"
	inputOther = "other"
)

//nolint:gochecknoglobals // a constant, if Go had such
var putOffInputs = []string{miners.InputTokens, miners.InputMetagraph, inputRules, inputOther}

// putOffBy is which input puts a round off, "" for none.
func putOffBy(trouble error) string {
	off, of := errors.AsType[*schedule.PutOffError](trouble)
	switch {
	case trouble == nil:
		return ""
	case of:
		return off.Input
	}
	return inputOther
}

// Begin takes the turn and runs its round.
func (v *served) Begin(ctx context.Context, m job.Manifest, turn job.Turn, revision uint64) error {
	if err := v.config.Bus.Schedule.SetTurn(ctx, turn, revision); err != nil {
		return fmt.Errorf("taking the turn: %w", err)
	}
	crash.At(crash.TurnTaken)
	v.recent.turn, v.recent.manifest = turn, m
	return v.conclude(ctx, m, func(r *round.Runner) (outcome.Result, error) { return r.Start(ctx, m) })
}

// Resume goes on with a round, on the mirror that it was planned for.
func (v *served) Resume(ctx context.Context, name string) error {
	m, err := v.config.Bus.Rounds.Manifest(ctx, name)
	if err != nil {
		return err // the next look at the turn finds out
	}
	if m.Mirror != v.session.cfg.Mirror {
		v.session.cfg.Log.WarnContext(ctx, "the round was planned for another mirror: workers of that one run its jobs, or it will be overdue",
			"round", name, "mirror", m.Mirror)
	}
	err = v.conclude(ctx, m, func(r *round.Runner) (outcome.Result, error) { return r.Resume(ctx, name) })
	if errors.Is(err, round.ErrLost) {
		v.giveUp(ctx, name, err)
		return nil
	}
	return err
}

// conclude runs a round to its end and tells how it ended.
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
	v.session.cfg.Log.InfoContext(ctx, "the round is concluded", "round", result.Round, "complete", result.Complete, "planned", result.Planned,
		"done", result.Done, "failed", result.Failed, "overdue", result.Overdue, "degraded", len(result.Degraded),
		"from_stored", len(result.Outcome.FromStored), "requests", result.Requests, "took", time.Since(m.PlannedAt))
	return nil
}

// replay runs failed miners again for whoever asks for it over the API. Leading
// or standing by makes no difference: the round's hold decides who does it.
func (v *served) replay(ctx context.Context, name string, s outcome.Selection) (result outcome.Result, did outcome.Replayed, err error) {
	m, err := v.config.Bus.Rounds.Manifest(ctx, name)
	if err != nil {
		return result, did, err
	}
	err = v.run(ctx, m, nil, func(r *round.Runner) (err error) {
		result, did, err = r.Replay(ctx, name, s)
		return err
	})
	return result, did, err
}

// run does the work on a round, and tells how far it is unless progress is nil. A local fleet serves one round at a time: there, what comes
// second waits.
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
	m, err := v.session.cfg.Files.Plan(list, v.session.cfg.Mirror, time.Now())
	if err != nil {
		return err
	}
	m.AsOf = turn
	_, err = warmup.Run(ctx, warmup.Config{
		Bus: v.config.Bus, Inputs: m, Turn: turn, Until: turn, Share: v.share, Log: v.session.cfg.Log,
	})
	return err
}

// Forget removes the rounds that are kept no longer.
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
