package round

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring/input"
)

// ErrRunning says that a round is not concluded yet, so that nothing of it can
// be replayed: what fails now may still be in its first outcome.
var ErrRunning = errors.New("the round is not concluded yet")

// Replay runs failed miners of a concluded round again and concludes the round
// anew: the result is the new revision, or the last one if there was nothing to
// run. A look-up of maintainers that failed is made again, too, and GitHub is
// asked again about identities that it left unknown. A miner whose account turns
// out to be another than the one that stood in is run again; one whose token
// GitHub refuses takes part no more.
//
// Everything that a replay will do is written down before it does any of it.
// If it is broken off, whoever comes next (Replay or Resume) ends it first. Two
// at once take turns: the second one runs what is still as it was when it was
// asked.
func (r *Runner) Replay(ctx context.Context, round string, s outcome.Selection) (result outcome.Result, did outcome.Replayed, err error) {
	if _, err := r.manifest(ctx, round, known{}); err != nil {
		return outcome.Result{}, did, err
	}
	asked, already, err := Chosen(ctx, r.cfg.Bus, round, s)
	if err != nil {
		return outcome.Result{}, did, err
	}
	begun := 0 // the revision that the replay of before a takeover was of
	var m known
	result, err = r.holding(ctx, round, func(ctx context.Context) (_ outcome.Result, err error) {
		if m, err = r.manifest(ctx, round, m); err != nil { // it may have been forgotten meanwhile
			return outcome.Result{}, err
		}
		latest, err := r.settled(ctx, m)
		if err == nil && latest.Revision == 0 { // its outcome is gone, or its producer died before it
			latest, err = r.run(ctx, m, job.Replay{})
		}
		if err != nil || begun > 0 && latest.Revision > begun && slices.Equal(latest.Replayed, did.UIDs) {
			return latest, err // whoever took the round over has ended it
		}
		now, err := outcome.ReadFailures(ctx, r.cfg.Bus, m.Manifest, true)
		if err != nil {
			return outcome.Result{}, err
		}
		still, others := unchanged(asked, now.Ended)
		replay := job.Replay{Round: round, Number: latest.Revision, UIDs: []int{}, By: r.cfg.Name, At: time.Now().UTC()}
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

// sortChosen says which of the chosen miners the replay runs again. Who is chosen for
// an unknown identity alone is run again if that turns out to be another than
// what stood in.
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

// begin writes the plan of a replay down and then runs it.
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

// Chosen lists what a replay would run, and what of it is being replayed just
// now. ErrRunning if the round has no outcome and jobs that have not ended,
// ErrSelection if the selection names what there is not.
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

// unchanged splits what was asked into what is still failed in the same replay
// and what another one has run meanwhile.
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
