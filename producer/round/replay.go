package round

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// ErrRunning says that a round is not concluded yet. It cannot be replayed, because a
// miner that has failed so far may still be in its first outcome.
var ErrRunning = errors.New("the round is not concluded yet")

// ErrRules says that a round was planned under another version of the rules.
var ErrRules = errors.New("other rules")

// Replay runs failed miners of a concluded round again, or for a rescore any miners that
// are named, and concludes the round again. The
// result is the new revision, or the last one if there was nothing to run. Failed look-ups
// of maintainers are repeated, and GitHub is asked again about unknown identities. A miner
// runs again if its account is another than the one that stood in for it; a miner whose
// token GitHub refuses takes part no longer.
//
// Everything that a replay will do is stored in its plan before it does any of it. If it
// is interrupted, the next Replay or Resume finishes it first. Two replays at once take
// turns: the second runs only the miners that are still as they were when it was asked.
func (r *Runner) Replay(ctx context.Context, round string, s outcome.Selection) (result outcome.Result, did outcome.Replayed, err error) {
	if _, err := r.manifest(ctx, round, known{}); err != nil {
		return outcome.Result{}, did, err
	}
	asked, already, err := Chosen(ctx, r.cfg.Bus, round, s)
	if err != nil {
		return outcome.Result{}, did, err
	}
	begun := 0 // the revision that this replay started from, if its lead was lost in the middle; 0 before
	var m known
	result, err = r.holding(ctx, round, func(ctx context.Context) (_ outcome.Result, err error) {
		if m, err = r.manifest(ctx, round, m); err != nil { // read again: the round may have been removed in the meantime
			return outcome.Result{}, err
		}
		latest, err := r.settled(ctx, m)
		if err == nil && latest.Revision == 0 { // its outcome is gone, or its producer died before it
			latest, err = r.run(ctx, m, job.Replay{})
		}
		if err != nil || begun > 0 && latest.Revision > begun && slices.Equal(latest.Replayed, did.UIDs) {
			return latest, err // the producer that took over has finished this replay
		}
		now, err := outcome.ReadFailures(ctx, r.cfg.Bus, m.Manifest, true)
		if err != nil {
			return outcome.Result{}, err
		}
		still, others := unchanged(asked, s.Of(now))
		replay := job.Replay{
			Round:  round,
			Number: latest.Revision,
			UIDs:   []int{},
			By:     r.cfg.Name,
			At:     time.Now().UTC(),
		}
		if replay.Miners, err = r.identify(ctx, still, now.Unknown); err != nil {
			return outcome.Result{}, err
		}
		did = outcome.Replayed{Meanwhile: slices.Concat(others, already)}
		sortChosen(&did, &replay, still, now.Unknown)
		if len(replay.UIDs)+len(replay.Miners) == 0 && (len(did.Meanwhile) > 0 || len(latest.FailedLookUps) == 0) {
			return latest, nil
		}
		did.UIDs, begun = replay.UIDs, latest.Revision
		return r.begin(ctx, m, replay)
	})
	return result, did, err
}

// identify asks GitHub about the chosen miners whose identity is unknown.
func (r *Runner) identify(ctx context.Context, chosen []outcome.Failed, unknown []input.Miner) ([]input.Miner, error) {
	asking := slices.DeleteFunc(slices.Clone(unknown), func(m input.Miner) bool {
		return !slices.ContainsFunc(chosen, func(f outcome.Failed) bool { return f.UID == m.UID })
	})
	if len(asking) == 0 || r.cfg.Identify == nil {
		return nil, nil
	}
	found, err := r.cfg.Identify(ctx, asking)
	if err != nil {
		return nil, fmt.Errorf("asking for the identities of %s: %w", plural.Of(len(asking), "miner"), err)
	}
	return found, nil
}

// sortChosen decides which of the chosen miners the replay runs again, and notes what was
// found out about identities. A miner that was chosen only for its unknown identity runs
// again if the identity turns out to be another than the one that stood in. A miner that
// now fails a rule, because GitHub refuses its token, never runs: it has no job.
func sortChosen(did *outcome.Replayed, replay *job.Replay, chosen []outcome.Failed, unknown []input.Miner) {
	of := func(list []input.Miner, uid int) int {
		return slices.IndexFunc(list, func(m input.Miner) bool { return m.UID == uid })
	}
	for _, f := range chosen {
		before, now := of(unknown, f.UID), of(replay.Miners, f.UID)
		switch {
		case before < 0:
		case now < 0:
			did.Unidentified = append(did.Unidentified, f.UID)
			if f.Class == outcome.ClassIdentity {
				continue
			}
		default:
			did.Identified = append(did.Identified, f.UID)
			stood, is := unknown[before], replay.Miners[now]
			same := !stood.IdentityUnreachable && stood.GitHubID == is.GitHubID
			if input.FailureOf(is) != input.NoFailure || f.Class == outcome.ClassIdentity && same {
				continue
			}
		}
		replay.UIDs = append(replay.UIDs, f.UID)
	}
}

// begin stores the plan of a replay, and then runs it. The plan is read back for the
// digest that the outcome lists.
func (r *Runner) begin(ctx context.Context, m known, replay job.Replay) (outcome.Result, error) {
	if err := r.cfg.Bus.Rounds.CreateReplay(ctx, replay); err != nil {
		return outcome.Result{}, fmt.Errorf("writing the plan of replay %d: %w", replay.Number, err)
	}
	crash.At(crash.ReplayPlanned)
	planned, err := r.cfg.Bus.Rounds.Replay(ctx, replay.Round, replay.Number)
	if err != nil {
		return outcome.Result{}, fmt.Errorf("reading the plan of replay %d: %w", replay.Number, err)
	}
	replay.SHA256 = planned.SHA256
	m.Manifest = m.After([]job.Replay{replay})
	return r.run(ctx, m, replay)
}

// Chosen lists the miners that a replay would run, and those of the selection that are
// being replayed already. It returns ErrRules if the round is one of other rules and the
// selection does not say that the current ones are meant, ErrRunning if the round has no outcome and outstanding
// jobs, and outcome.ErrSelection if the selection names a miner that has not failed, or that has no
// job.
func Chosen(ctx context.Context, bus *jobstream.Bus, round string, s outcome.Selection) (
	chosen []outcome.Failed, already []int, err error,
) {
	revisions, err := bus.Outcomes.Revisions(ctx, round)
	if err != nil {
		return nil, nil, fmt.Errorf("listing the outcomes of round %s: %w", round, err)
	}
	m, err := bus.Rounds.Planned(ctx, round)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the manifest of round %s: %w", round, err)
	}
	if err = sameRules(&m, s); err != nil {
		return nil, nil, err
	}
	failures, err := outcome.ReadFailures(ctx, bus, m, len(revisions) > 0)
	if err != nil {
		return nil, nil, err
	}
	if len(revisions) == 0 && failures.Outstanding > 0 {
		return nil, nil, fmt.Errorf("round %s: %w: %s outstanding", round, ErrRunning,
			plural.Of(failures.Outstanding, "job")+" "+plural.Are(failures.Outstanding))
	}
	return s.Select(failures)
}

// sameRules refuses a round of another version of the rules, unless the selection takes
// the current one: some of its miners would have the old rules, and some the new ones.
func sameRules(m *job.Manifest, s outcome.Selection) error {
	planned := m.RulesVersion()
	if planned == scoring.RulesVersion || s.CurrentRules {
		return nil
	}
	var changes []string
	for _, c := range scoring.RuleChanges(planned, scoring.RulesVersion) {
		changes = append(changes, c.Change)
	}
	if len(changes) == 0 {
		changes = []string{"this version does not know what"}
	}
	return fmt.Errorf("%w: round %s was planned under version %d, and this is version %d. What differs: %s. "+
		"With --rules current (in the API: \"rules\": \"current\") its miners run again under version %d",
		ErrRules, m.Round, planned, scoring.RulesVersion, strings.Join(changes, "; "), scoring.RulesVersion)
}

// unchanged splits the miners that were asked for into those that have still failed in the
// same replay, and those that another replay has run in the meantime.
func unchanged(asked, now []outcome.Failed) (still []outcome.Failed, meanwhile []int) {
	for _, a := range asked {
		if slices.ContainsFunc(now, func(n outcome.Failed) bool { return n.UID == a.UID && n.Replay == a.Replay }) {
			still = append(still, a)
		} else {
			meanwhile = append(meanwhile, a.UID)
		}
	}
	return still, meanwhile
}
