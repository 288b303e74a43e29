package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
)

// Round is a round as it stands: its plan, how far its jobs are now, and what
// came of it so far.
type Round struct {
	Summary

	Mirror string `json:"mirror"`
	// PlannedRules is the version of the rules that the round was planned under. A replay of a
	// round that has other rules than this program must say so.
	PlannedRules int `json:"planned_rules"`
	// Revisions are those of the outcome.
	Revisions []int `json:"revisions"`
	// Failures are the dead and the degraded miners and those whose identity is
	// unknown, Replaying those that are being run again.
	Failures  []outcome.Failed `json:"failures"`
	Replaying []int            `json:"replaying"`
	// Groups are the failures by what they have in common.
	Groups []outcome.Group `json:"groups"`
	// FailedLookUps are the maintainers that the last outcome lacks.
	FailedLookUps []job.Missing `json:"failed_look_ups"`
	// Damaged is what damage has cost the last outcome.
	Damaged []outcome.Lost `json:"damaged"`
	// CancelOrders are the orders to cancel of the run that is under way or was broken off,
	// or else of the one that led to the last outcome.
	CancelOrders []job.CancelOrder `json:"cancel_orders"`
}

// RoundOf reads how a round stands. now is the clock by which a producer lives.
func RoundOf(ctx context.Context, bus *jobstream.Bus, name string, now time.Time) (Round, error) {
	return (&Standings{}).Of(ctx, bus, name, now)
}

// Round returns the state of the round from records that are already known, because listing the
// records of 256 jobs takes as many requests. Records that cannot be read are not known. The
// producer of a running round mends them.
func (s *Subscription) Round(ctx context.Context, bus *jobstream.Bus, now time.Time) (Round, error) {
	name := s.room.follow.manifest.Round
	stands, err := (&Standings{}).standing(ctx, bus, name, now)
	if errors.Is(err, jobstream.ErrNotFound) {
		return Round{}, without(ctx, bus, name)
	}
	if err != nil {
		return Round{}, fmt.Errorf("round %s: %w", name, err)
	}
	known, _ := s.Jobs()
	return roundOf(ctx, bus, &stands, outcome.RecordsOf(stands.manifest, known, nil))
}

// roundOf is a round as it stands by its outcome and its records.
func roundOf(ctx context.Context, bus *jobstream.Bus, s *standing, records outcome.Records) (Round, error) {
	m := s.manifest
	s.count(m, records.List) // its jobs may be ahead of its outcome
	failures, err := outcome.FailuresOf(ctx, bus, m, records, s.Revision > 0)
	if err != nil {
		return Round{}, err
	}
	if s.Revision > 0 { // nobody mends these but a replay
		s.Failed, s.Outstanding = s.Failed+failures.Lost, s.Outstanding-failures.Lost
	}
	orders := s.last.CancelOrders
	if open, err := bus.Rounds.Cancel(ctx, m.Round, s.Revision); err == nil && len(open.Orders) > 0 {
		orders = open.Orders
	} else if err != nil && !jobstream.Damaged(err) {
		return Round{}, fmt.Errorf("round %s: %w", m.Round, err)
	}
	return Round{
		Summary:       s.Summary,
		Mirror:        m.Mirror,
		PlannedRules:  m.RulesVersion(),
		Revisions:     append([]int{}, s.revisions...),
		Failures:      failures.Ended,
		Replaying:     append([]int{}, failures.Replaying...),
		Groups:        outcome.Groups(failures.Ended),
		FailedLookUps: append([]job.Missing{}, s.last.FailedLookUps...),
		Damaged:       append([]outcome.Lost{}, s.last.Damaged...),
		CancelOrders:  append([]job.CancelOrder{}, orders...),
	}, nil
}

// Like is the round with the failures of one group alone, by the group's key.
func (r Round) Like(key string) (Round, error) {
	list, group, err := outcome.Failures{Ended: r.Failures}.Like(key)
	if err != nil {
		return r, err // it names the round's groups
	}
	r.Failures, r.Groups = list, []outcome.Group{group}
	return r, nil
}

// Rewards are what a validator needs of an outcome. UIDs, Hotkeys and Rewards
// are parallel.
type Rewards struct {
	Round    string    `json:"round"`
	Revision int       `json:"revision"`
	AsOf     time.Time `json:"as_of"`
	// AgeSeconds is how long before the answer as_of was, by the clock of
	// the process that answers.
	AgeSeconds float64 `json:"age_seconds"`
	// Due is the instant of the schedule that the round was begun for; absent
	// for one that was run by hand.
	Due *time.Time `json:"due,omitempty"`
	// Complete says that nothing is missing and nothing stands in; Dead, Degraded,
	// UnknownIdentities, FromStored, FailedLookUps and Damaged say what is.
	Complete bool   `json:"complete"`
	Mirror   string `json:"mirror"`
	// PlannedRules is that of Round.
	PlannedRules int `json:"planned_rules"`

	UIDs    []int     `json:"uids"`
	Hotkeys []string  `json:"hotkeys"`
	Rewards []float64 `json:"rewards"`
	Sum     float64   `json:"sum"`
	// Untaken is the share that nobody takes, because uid 0 or 111 is missing: Sum
	// and Untaken add up to 1.
	Untaken float64 `json:"untaken"`

	Dead              []int    `json:"dead"`
	Degraded          []int    `json:"degraded"`
	UnknownIdentities []int    `json:"unknown_identities"`
	FailedLookUps     []string `json:"failed_look_ups"`
	Damaged           []string `json:"damaged"`
	// FromStored went on with their stored pull requests, SharedAccount are
	// failed for sharing a GitHub account.
	FromStored    []int `json:"from_stored"`
	SharedAccount []int `json:"shared_account"`
}

// RewardsOf is what a validator needs of an outcome, at an instant.
func RewardsOf(r outcome.Result, now time.Time) Rewards {
	a := Rewards{
		Round:             r.Round,
		Revision:          r.Revision,
		AsOf:              r.AsOf.UTC(),
		AgeSeconds:        now.Sub(r.AsOf).Seconds(),
		Complete:          r.Complete,
		Mirror:            r.Mirror,
		PlannedRules:      max(r.PlannedRules, scoring.FirstRules),
		Sum:               r.Outcome.Sum,
		Untaken:           r.Outcome.Untaken,
		Due:               dueOf(r.Due),
		UIDs:              []int{},
		Hotkeys:           []string{},
		Rewards:           []float64{},
		Dead:              []int{},
		Degraded:          []int{},
		UnknownIdentities: []int{},
		FailedLookUps:     []string{},
		Damaged:           []string{},
		FromStored:        append([]int{}, r.Outcome.FromStored...),
		SharedAccount:     append([]int{}, r.Outcome.SharedAccount...),
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
		if slices.Contains(r.Kept, letter.UID) {
			continue // nothing is missing: what counted before counts
		}
		a.Dead = append(a.Dead, letter.UID)
	}
	for _, d := range r.Degraded {
		a.Degraded = append(a.Degraded, d.UID)
	}
	for _, unknown := range r.UnknownIdentities {
		a.UnknownIdentities = append(a.UnknownIdentities, unknown.UID)
	}
	for _, d := range r.Damaged {
		a.Damaged = append(a.Damaged, d.What)
	}
	for _, look := range r.FailedLookUps {
		a.FailedLookUps = append(a.FailedLookUps, look.What)
	}
	return a
}
