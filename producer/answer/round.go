package answer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// Summary is a round in a list.
type Summary struct {
	Round string    `json:"round"`
	AsOf  time.Time `json:"as_of"`
	// Revision is the last outcome's, 0 while there is none.
	Revision int  `json:"revision"`
	Complete bool `json:"complete"`
}

// SummaryOf reads a round's summary.
func SummaryOf(ctx context.Context, bus *jobstream.Bus, at Place) (Summary, error) {
	if at.Revision > 0 {
		r, err := Read(ctx, bus, at)
		return Summary{r.Round, r.AsOf, r.Revision, r.Complete}, err
	}
	m, err := bus.Manifest(ctx, at.Round)
	if err != nil {
		return Summary{}, fmt.Errorf("round %s: %w", at.Round, err)
	}
	return Summary{Round: m.Round, AsOf: m.AsOf}, nil
}

// Round is a round as it stands: its plan, how far its jobs are, and what came
// of it so far.
type Round struct {
	Summary

	PlannedAt time.Time `json:"planned_at"`
	Mirror    string    `json:"mirror"`
	// Revisions are those of the outcome.
	Revisions []int `json:"revisions"`
	// Planned = Done + Failed + Outstanding.
	Planned     int `json:"planned"`
	Done        int `json:"done"`
	Failed      int `json:"failed"`
	Outstanding int `json:"outstanding"`
	// Failures are the dead and the degraded miners, Replaying those that are
	// being run again.
	Failures  []round.Failed `json:"failures"`
	Replaying []int          `json:"replaying"`
	// FailedLookUps are the maintainers that the last outcome lacks.
	FailedLookUps []job.Missing `json:"failed_look_ups"`
}

// RoundOf reads how a round stands.
func RoundOf(ctx context.Context, bus *jobstream.Bus, name string) (Round, error) {
	if name == Latest {
		at, err := Locate(ctx, bus, name, 0)
		if err != nil {
			return Round{}, err
		}
		name = at.Round
	}
	m, err := bus.Manifest(ctx, name)
	switch {
	case errors.Is(err, jobstream.ErrNotFound):
		return Round{}, without(ctx, bus, name)
	case err != nil:
		return Round{}, fmt.Errorf("round %s: %w", name, err)
	}
	a := Round{
		Summary: Summary{Round: m.Round, AsOf: m.AsOf}, PlannedAt: m.PlannedAt, Mirror: m.Mirror, Planned: len(round.Jobs(m)),
		Revisions: []int{}, Replaying: []int{}, FailedLookUps: []job.Missing{},
	}
	if err := a.readOutcome(ctx, bus); err != nil {
		return Round{}, err
	}
	return a, a.readJobs(ctx, bus)
}

// readOutcome adds what the last outcome says.
func (a *Round) readOutcome(ctx context.Context, bus *jobstream.Bus) error {
	revisions, err := bus.Outcomes(ctx, a.Round)
	if err != nil {
		return fmt.Errorf("listing the outcomes of round %s: %w", a.Round, err)
	}
	if len(revisions) == 0 {
		return nil
	}
	r, err := Read(ctx, bus, Place{a.Round, revisions[len(revisions)-1]})
	if err != nil {
		return err
	}
	a.Revisions, a.Revision, a.Complete = revisions, r.Revision, r.Complete
	a.FailedLookUps = append(a.FailedLookUps, r.FailedLookUps...)
	return nil
}

// readJobs adds how far the jobs are. A job without a record has not begun.
func (a *Round) readJobs(ctx context.Context, bus *jobstream.Bus) error {
	records, err := bus.Records(ctx, a.Round)
	if err != nil {
		return fmt.Errorf("reading the records of round %s: %w", a.Round, err)
	}
	for i := range records {
		switch records[i].Phase {
		case job.Done:
			a.Done++
		case job.Failed:
			a.Failed++
		default:
		}
	}
	a.Outstanding = a.Planned - a.Done - a.Failed
	failures, err := round.ReadFailures(ctx, bus, a.Round)
	if err != nil {
		return err
	}
	a.Failures = failures.Ended
	a.Replaying = append(a.Replaying, failures.Replaying...)
	return nil
}

// Rewards are what a validator needs of an outcome. UIDs, Hotkeys and Rewards
// are parallel.
type Rewards struct {
	Round    string    `json:"round"`
	Revision int       `json:"revision"`
	AsOf     time.Time `json:"as_of"`
	// AgeSeconds is how long before the answer as_of was, by the clock of
	// whoever answers.
	AgeSeconds float64 `json:"age_seconds"`
	// Complete says that nothing is missing; Dead, Degraded and FailedLookUps
	// are what is.
	Complete bool   `json:"complete"`
	Mirror   string `json:"mirror"`

	UIDs    []int     `json:"uids"`
	Hotkeys []string  `json:"hotkeys"`
	Rewards []float64 `json:"rewards"`
	Sum     float64   `json:"sum"`

	Dead          []int    `json:"dead"`
	Degraded      []int    `json:"degraded"`
	FailedLookUps []string `json:"failed_look_ups"`
	// FromStored went on with their stored pull requests, SharedAccount are
	// failed for sharing a GitHub account.
	FromStored    []int `json:"from_stored"`
	SharedAccount []int `json:"shared_account"`
}

// RewardsOf is what a validator needs of an outcome, at an instant.
func RewardsOf(r round.Result, now time.Time) Rewards {
	a := Rewards{
		Round: r.Round, Revision: r.Revision, AsOf: r.AsOf, AgeSeconds: now.Sub(r.AsOf).Seconds(), Complete: r.Complete,
		Mirror: r.Mirror, Sum: r.Outcome.Sum,
		UIDs: []int{}, Hotkeys: []string{}, Rewards: []float64{}, Dead: []int{}, Degraded: []int{}, FailedLookUps: []string{},
		FromStored: append([]int{}, r.Outcome.FromStored...), SharedAccount: append([]int{}, r.Outcome.SharedAccount...),
	}
	hotkeys := make(map[int]string, len(r.Outcome.Miners))
	for i := range r.Outcome.Miners {
		hotkeys[r.Outcome.Miners[i].UID] = r.Outcome.Miners[i].Hotkey
	}
	for _, reward := range r.Outcome.Rewards {
		a.UIDs = append(a.UIDs, reward.UID)
		a.Hotkeys = append(a.Hotkeys, hotkeys[reward.UID])
		a.Rewards = append(a.Rewards, reward.Reward)
	}
	for _, letter := range r.DeadLetters {
		a.Dead = append(a.Dead, letter.UID)
	}
	for _, d := range r.Degraded {
		a.Degraded = append(a.Degraded, d.UID)
	}
	for _, look := range r.FailedLookUps {
		a.FailedLookUps = append(a.FailedLookUps, look.What)
	}
	return a
}
