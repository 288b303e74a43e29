package round

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// ErrRunning says that a round is not concluded yet, so that nothing of it can
// be replayed: what fails now may still be in its first outcome.
var ErrRunning = errors.New("the round is not concluded yet")

// Replayed says what a replay did.
type Replayed struct {
	// UIDs were run again.
	UIDs []int
	// Meanwhile were to be run again, and another replay was first: it ran
	// them already when this one was asked, or took its turn before.
	Meanwhile []int
}

// Replay runs failed miners of a concluded round again and concludes the round
// anew: the result is the new revision, or the last one if there was nothing to
// run. A look-up of maintainers that failed is made again, too.
//
// Everything that a replay will do is written down before it does any of it.
// If it is broken off, whoever comes next (Replay or Resume) ends it first. Two
// at once take turns: the second one runs what is still as it was when it was
// asked.
func (r *Runner) Replay(ctx context.Context, round string, s Selection) (result Result, did Replayed, err error) {
	if _, err := r.manifest(ctx, round); err != nil {
		return Result{}, did, err
	}
	asked, already, err := Chosen(ctx, r.cfg.Bus, round, s)
	if err != nil {
		return Result{}, did, err
	}
	begun := 0 // the revision that the replay of before a takeover was of
	result, err = r.holding(ctx, round, func(ctx context.Context) (Result, error) {
		m, err := r.manifest(ctx, round) // it may have been forgotten meanwhile
		if err != nil {
			return Result{}, err
		}
		latest, err := r.settled(ctx, m)
		if err != nil || begun > 0 && latest.Revision > begun && slices.Equal(latest.Replayed, did.UIDs) {
			return latest, err // whoever took the round over has ended it
		}
		now, err := ReadFailures(ctx, r.cfg.Bus, round)
		if err != nil {
			return Result{}, err
		}
		still, others := unchanged(asked, now.Ended)
		did.UIDs, did.Meanwhile = nil, slices.Concat(others, already)
		if len(still) == 0 && (len(did.Meanwhile) > 0 || len(latest.FailedLookUps) == 0) {
			return latest, nil
		}
		did.UIDs, begun = still, latest.Revision
		return r.begin(ctx, m, job.Replay{Round: round, Number: latest.Revision, UIDs: still, By: r.cfg.Name, At: time.Now().UTC()})
	})
	return result, did, err
}

// begin writes the plan of a replay down and then runs it.
func (r *Runner) begin(ctx context.Context, m job.Manifest, replay job.Replay) (Result, error) {
	if err := r.cfg.Bus.CreateReplay(ctx, replay); err != nil {
		return Result{}, fmt.Errorf("writing the plan of replay %d: %w", replay.Number, err)
	}
	crash.At(crash.ReplayPlanned)
	return r.run(ctx, m, replay)
}

// Chosen lists what a replay would run, and what of it is being replayed just
// now. ErrRunning if the round is not concluded, ErrSelection if the selection
// names what there is not.
func Chosen(ctx context.Context, bus *jobstream.Bus, round string, s Selection) (chosen []Failed, already []int, err error) {
	latest, err := Latest(ctx, bus, round)
	if err != nil {
		return nil, nil, err
	}
	failures, err := ReadFailures(ctx, bus, round)
	if err != nil {
		return nil, nil, err
	}
	if latest.Revision == 0 {
		return nil, nil, fmt.Errorf("round %s: %w: %d jobs are outstanding", round, ErrRunning, failures.Outstanding)
	}
	return s.Select(failures)
}

// unchanged splits what was asked into what is still failed in the same replay
// and what another one has run meanwhile.
func unchanged(asked, now []Failed) (still, meanwhile []int) {
	still = []int{}
	for _, a := range asked {
		if slices.ContainsFunc(now, func(n Failed) bool { return n.UID == a.UID && n.Replay == a.Replay }) {
			still = append(still, a.UID)
		} else {
			meanwhile = append(meanwhile, a.UID)
		}
	}
	return still, meanwhile
}
