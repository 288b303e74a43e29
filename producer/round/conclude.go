package round

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/otel"
	"golang.org/x/sync/errgroup"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/telemetry"
)

// evidence is what an outcome is made of, read after all jobs have ended.
type evidence struct {
	*tally

	evaluations map[int]found
	letters     []job.DeadLetter
}

// found is one evaluation, with its key and digest as the outcome lists them.
type found struct {
	job.Evaluation

	part outcome.Part
}

// verify reads the stored data of the round, and does not rely on what this process
// remembers. It repairs each job that is incomplete, and returns true only if none was: each
// job has ended by a record that exists, and each evaluation that a record names can be read.
// After any repair everything must be read again, because jobs may be outstanding.
func (w *work) verify(ctx context.Context) (evidence, bool, error) {
	held, did, err := w.reconcile(ctx)
	if err != nil || did > 0 {
		return evidence{}, false, err
	}
	e := evidence{tally: newTally(w.jobs), letters: held.Letters}
	for _, record := range held.Records {
		e.take(record, held.At)
	}
	if !e.ended() {
		return evidence{}, false, nil
	}
	var lost []job.Record
	if e.evaluations, lost, err = w.readEvaluations(ctx, e.records); err != nil {
		return evidence{}, false, err
	}
	for _, record := range lost {
		did, err := w.reopen(ctx, record)
		if err != nil {
			return evidence{}, false, fmt.Errorf("reopening the job of miner %d: %w", record.UID, err)
		}
		if did != "" {
			w.note(ctx, record.UID, did)
		}
	}
	return e, len(lost) == 0, nil
}

// readEvaluations reads the evaluation that counts for each job (Record.Stands), several
// at a time. lost are the records whose evaluation is gone or cannot be read.
func (w *work) readEvaluations(ctx context.Context, records map[int]job.Record) (read map[int]found, lost []job.Record, err error) {
	uids := slices.Sorted(maps.Keys(records))
	all, unreadable := make([]found, len(uids)), make([]bool, len(uids))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, uid := range uids {
		key := records[uid].Stands()
		if key == "" {
			continue
		}
		account := w.accountOf(uid)
		group.Go(func() error {
			evaluation, digest, err := w.cfg.Bus.Evaluations.LoadDigest(reading, key)
			if unreadable[i] = jobstream.Damaged(err) || errors.Is(err, jobstream.ErrNotFound); err != nil && !unreadable[i] {
				return fmt.Errorf("reading the evaluation of miner %d: %w", uid, err)
			}
			if key == records[uid].Former && evaluation.Evaluation.GitHubID != account {
				return nil // a replay has found another account, and failed: what it had of the former one is not its own
			}
			all[i] = found{evaluation, outcome.Part{UID: uid, Key: key, SHA256: digest}}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	read = make(map[int]found, len(uids))
	for i, uid := range uids {
		switch {
		case unreadable[i]:
			lost = append(lost, records[uid])
		case all[i].part.Key != "":
			read[uid] = all[i]
		}
	}
	return read, lost, nil
}

// accountOf is the GitHub account of a miner, as it is known by now.
func (w *work) accountOf(uid int) string {
	for i := range w.m.Miners {
		if w.m.Miners[i].UID == uid {
			return w.m.Miners[i].GitHubID
		}
	}
	return ""
}

// conclude looks up the maintainers, applies the rules to the evidence, and stores the
// outcome as the next revision: 1 for the round itself, n+1 for replay n. The order of
// rules is that of scoring.Conclude (docs/rules/scoring.md). An outcome is complete only if
// nothing stands in for anything (outcome.Result.NothingStandsIn).
func (w *work) conclude(ctx context.Context, e evidence) (outcome.Result, error) {
	ctx, span := otel.Tracer(telemetry.Scope).Start(ctx, telemetry.SpanConclude)
	defer span.End()
	telemetry.RoundIs(ctx, telemetry.RoundConcluding)
	maintainers, failed, err := w.maintainers(ctx)
	if err != nil {
		return outcome.Result{}, err
	}
	if err := w.keepSnapshot(ctx); err != nil {
		return outcome.Result{}, err
	}
	if err := w.readOrders(ctx); err != nil { // the list of a producer that resumes a round is no shorter
		return outcome.Result{}, err
	}
	result := w.newResult(e)
	result.FailedLookUps, result.LookUps = failed, maintainers.Requests
	if result.AllIssues = outcome.AllIssuesOf(w.m.Manifest); result.AllIssues != nil {
		result.LookUps += result.AllIssues.Requests
	}
	result.Requests += result.LookUps
	input := scoring.RoundInput{
		AsOf:        w.m.AsOf,
		Miners:      w.m.Miners,
		Registry:    w.registry,
		Maintainers: maintainers.Found,
		Stored:      w.stored,
		Evaluations: make(map[int]scoring.Evaluation, len(e.evaluations)),
	}
	for uid := range e.evaluations {
		input.Evaluations[uid] = e.evaluations[uid].Evaluation.Evaluation
	}
	result.Outcome = scoring.Conclude(input)
	outcome.AddStandIns(&result, w.m.Miners)
	if result.Damaged, err = w.damaged(ctx, &result.Outcome); err != nil {
		return outcome.Result{}, err
	}
	result.Complete = result.NothingStandsIn()
	if result.Revision > 1 {
		if result.Former, err = w.cfg.Bus.Outcomes.Digest(ctx, w.m.Round, result.Revision-1); err != nil {
			return outcome.Result{}, fmt.Errorf("reading the revision before this one: %w", err)
		}
	}
	if result, err = w.store(ctx, result); err != nil {
		return outcome.Result{}, fmt.Errorf("concluding: %w", err)
	}
	return result, nil
}

// damaged lists what damage has cost the outcome. That includes an unreadable stored
// evaluation, but only where it would have been used: for a miner whose pull requests
// could not be listed (docs/rules/scoring.md#fallback-and-shared-accounts).
func (w *work) damaged(ctx context.Context, o *scoring.Outcome) ([]outcome.Lost, error) {
	lost := slices.Clone(w.lost)
	for i := range o.Miners {
		m := &o.Miners[i]
		if !m.FetchFailed || m.FromStored || m.Failed != input.NoFailure {
			continue
		}
		damage, err := w.cfg.Bus.Miners.Damage(ctx, m.UID)
		if err != nil {
			return nil, fmt.Errorf("looking at the stored evaluation of miner %d: %w", m.UID, err)
		}
		if damage != nil {
			lost = append(lost, outcome.Lost{What: fmt.Sprintf("stored evaluation of miner %d", m.UID), Error: damage.Error()})
		}
	}
	return lost, nil
}

// store writes the stored evaluations and then the outcome. In this order a crash in
// between is harmless: the next producer concludes again from the same snapshot, and
// makes the same changes. In the other order, the changes would be missing for good. If
// another producer was first with this revision, its outcome counts, unless it cannot be
// read: then this one replaces it.
func (w *work) store(ctx context.Context, result outcome.Result) (outcome.Result, error) {
	data, err := result.Encode()
	if err != nil {
		return outcome.Result{}, err
	}
	origin := jobstream.Origin{Round: w.m.Round, PlannedAt: w.m.PlannedAt, Revision: result.Revision}
	if err := w.cfg.Bus.Miners.Change(ctx, origin, result.Outcome.Stored); err != nil {
		return outcome.Result{}, err
	}
	crash.At(crash.StoredChanged)
	err = w.cfg.Bus.Outcomes.Put(ctx, w.m.Round, result.Revision, data)
	first := err == nil
	if errors.Is(err, jobstream.ErrExists) {
		first, err = w.cfg.Bus.Outcomes.Replace(ctx, w.m.Round, result.Revision, data, func(there []byte) error {
			_, err := outcome.Decode(there)
			return err
		})
	}
	if err != nil {
		return outcome.Result{}, fmt.Errorf("storing the outcome: %w", err)
	}
	if !first {
		w.cfg.Log.WarnContext(ctx, "another producer has concluded this revision", "round", w.m.Round, "revision", result.Revision)
		return outcome.Read(ctx, w.cfg.Bus, w.m.Round, result.Revision)
	}
	crash.At(crash.OutcomeWritten)
	return result, nil
}

// newResult fills in what does not depend on the rules: counts, dead letters, and what
// evaluations lack. Evaluations are listed by uid, so that equal evidence gives equal
// bytes to sign.
func (w *work) newResult(e evidence) outcome.Result {
	p, m := e.progress(), w.m
	result := outcome.Result{
		Version:           job.Version,
		Round:             m.Round,
		Revision:          w.replay.Number + 1,
		AsOf:              m.AsOf,
		Due:               m.Due,
		Mirror:            m.Mirror,
		Unloadable:        m.Unloadable,
		Rules:             scoring.RulesVersion,
		PlannedRules:      m.RulesVersion(),
		Planned:           p.Planned,
		Done:              p.Done,
		Failed:            p.Failed,
		Requests:          p.Requests,
		Manifest:          m.SHA256,
		Plan:              w.replay.SHA256,
		Notes:             notesOf(m.Manifest),
		Replayed:          w.replay.UIDs,
		Mended:            w.m.past.mended,
		CancelOrders:      w.orders().Orders,
		Degraded:          []outcome.Degraded{},
		Malformed:         []outcome.Malformed{},
		UnknownIdentities: []outcome.UnknownIdentity{},
		StandIns:          []outcome.StandIn{},
		DeadLetters:       outcome.DeadLetters(e.records, e.letters),
	}
	w.countEnds(e, &result)
	for _, uid := range slices.Sorted(maps.Keys(e.evaluations)) {
		evaluation := e.evaluations[uid]
		result.Evaluations = append(result.Evaluations, evaluation.part)
		result.Cached += evaluation.Cached
		result.Unsettled += len(evaluation.Unsettled)
		if len(evaluation.Missing) > 0 {
			result.Degraded = append(result.Degraded, outcome.Degraded{UID: uid, Missing: evaluation.Missing})
		}
		if len(evaluation.Malformed) > 0 {
			result.Malformed = append(result.Malformed, outcome.Malformed{UID: uid, Items: evaluation.Malformed})
		}
	}
	return result
}

// countEnds adds up how the jobs ended, and lists those whose evaluation from before a
// failed replay counts and lacks nothing.
func (w *work) countEnds(e evidence, result *outcome.Result) {
	for uid, record := range e.records {
		result.Retries += record.Retries()
		result.Unreported += record.Unreported
		if record.Phase != job.Failed {
			continue
		}
		if record.Failure != nil {
			switch record.Failure.Class {
			case job.Overdue:
				result.Overdue++
			case job.Cancelled:
				result.Cancelled++
			case job.Transient, job.Permanent, job.Poison, job.Damaged:
			}
		}
		former, counts := e.evaluations[uid]
		if counts && record.Former != "" && len(former.Missing) == 0 && !former.Evaluation.Evaluation.FetchFailed {
			result.Kept = append(result.Kept, uid)
		}
	}
	slices.Sort(result.Kept)
}

// notesOf returns a manifest's notes. The note on unknown identities is left out once a
// replay has found out all of them.
func notesOf(m job.Manifest) []string {
	if slices.ContainsFunc(m.Miners, input.Miner.IdentityUnknown) {
		return m.Notes
	}
	return slices.DeleteFunc(slices.Clone(m.Notes), func(note string) bool { return strings.HasPrefix(note, job.NoteUnidentified) })
}
