package view

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// State is the state of a round.
type State string

// The states.
const (
	Running   State = "running"   // its producer lives, and it has no outcome
	Stopped   State = "stopped"   // it has no outcome, and no producer
	Concluded State = "concluded" // it has an outcome
	Replaying State = "replaying" // it is being concluded anew
	Damaged   State = "damaged"   // its manifest or its last outcome is gone or cannot be read
)

// Summary is a round in a list. Counts are of miners with a job. They come from the last
// outcome, or from the records while no outcome can be read and while the round is replayed. A
// round whose manifest is gone or unreadable has only its name and its state.
type Summary struct {
	Round     string    `json:"round"`
	AsOf      time.Time `json:"as_of"`
	PlannedAt time.Time `json:"planned_at"`
	// Due is the instant of the schedule that it was begun for; absent for a
	// round that was run by hand.
	Due   *time.Time `json:"due,omitempty"`
	State State      `json:"state"`
	// Revision is the last outcome's, 0 while there is none.
	Revision int  `json:"revision"`
	Complete bool `json:"complete"`

	// Planned = Done + Failed + Outstanding.
	Planned     int `json:"planned"`
	Done        int `json:"done"`
	Failed      int `json:"failed"`
	Degraded    int `json:"degraded"`
	Outstanding int `json:"outstanding"`
	// Cancelled counts those of the failed that an operator has ended, by the last outcome.
	Cancelled int `json:"cancelled"`
	// What else the last outcome lacks: miners of unknown identity, miners for whom
	// stored pull requests stand in, repositories without their maintainers.
	UnknownIdentities  int `json:"unknown_identities"`
	StandIns           int `json:"stand_ins"`
	MaintainersMissing int `json:"maintainers_missing"`
	// Requests counts the requests to the mirror: the jobs' alone while there is no outcome,
	// then the producer's own too. FromCache counts the pull requests whose scores came from
	// the score cache, by the last outcome.
	Requests  int `json:"requests"`
	FromCache int `json:"from_cache"`
	// ConcludedAt and Seconds are of the first outcome: when it was stored, and
	// how long after the plan.
	ConcludedAt *time.Time `json:"concluded_at,omitempty"`
	Seconds     *float64   `json:"seconds,omitempty"`
}

// standing is a summary with what it was read from.
type standing struct {
	Summary // without the state, until at has said when

	manifest  job.Manifest // without the files that jobs are scored by
	revisions []int
	holder    job.Holder
	beat      time.Time      // the holder's last sign
	last      outcome.Result // what RoundOf shows of the last outcome
	damaged   bool           // the last outcome cannot be read
}

// readStanding reads a standing without counting the records: it has the counts of the last
// outcome, or none if that cannot be read.
func readStanding(ctx context.Context, bus *jobstream.Bus, m job.Manifest) (s standing, err error) {
	s.Summary = Summary{
		Round:     m.Round,
		AsOf:      m.AsOf.UTC(),
		PlannedAt: m.PlannedAt.UTC(),
		Due:       dueOf(m.Due),
	}
	m.Registry, m.Languages = nil, nil // these and the next two are large
	m.Tokens, m.AllIssues = nil, nil
	s.manifest = m
	if s.revisions, err = bus.Outcomes.Revisions(ctx, m.Round); err != nil {
		return s, fmt.Errorf("listing the outcomes: %w", err)
	}
	if s.holder, s.beat, err = bus.Holders.LastBeat(ctx, m.Round); err != nil {
		return s, fmt.Errorf("looking for its producer: %w", err)
	}
	if len(s.revisions) == 0 {
		return s, nil
	}
	err = s.conclude(ctx, bus)
	if s.damaged = jobstream.Damaged(err) || errors.Is(err, jobstream.ErrNotFound); s.damaged { // a list has what was deleted by hand
		err = nil
	}
	return s, err
}

// at says in which state the round is at an instant.
func (s *standing) at(now time.Time) {
	live := !s.beat.IsZero() && !s.holder.Released && now.Sub(s.beat) <= s.holder.For
	switch concluded := len(s.revisions) > 0; {
	case s.damaged:
		s.State = Damaged
	case concluded && live:
		s.State = Replaying
	case concluded:
		s.State = Concluded
	case live:
		s.State = Running
	default:
		s.State = Stopped
	}
}

// dueOf is an instant of the schedule; nil for none.
func dueOf(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}

// count counts the jobs of a manifest. One without a record has not begun.
func (s *Summary) count(m job.Manifest, records []job.Record) {
	s.Planned = len(m.Jobs())
	s.Done = 0
	s.Failed = 0
	s.Degraded = 0
	requests := 0
	for i := range records {
		requests += records[i].Requests
		switch r := &records[i]; {
		case r.Phase == job.Failed:
			s.Failed++
		case r.Phase == job.Done && r.Degraded:
			s.Degraded++
			fallthrough
		case r.Phase == job.Done:
			s.Done++
		}
	}
	s.Outstanding = s.Planned - s.Done - s.Failed
	if s.Revision == 0 { // an outcome counts the producer's own too
		s.Requests = requests
	}
}

// conclude takes the counts of the last outcome, and the time of the first.
func (s *standing) conclude(ctx context.Context, bus *jobstream.Bus) error {
	s.Revision = s.revisions[len(s.revisions)-1]
	head, at, err := readHead(ctx, bus, OutcomeRef{s.Round, s.Revision})
	if err == nil && len(s.revisions) > 1 {
		_, at, err = readHead(ctx, bus, OutcomeRef{s.Round, s.revisions[0]})
	}
	if err != nil {
		return err
	}
	s.last = outcome.Result{CancelOrders: head.CancelOrders, FailedLookUps: head.FailedLookUps, Damaged: head.Damaged}
	s.Complete = head.Complete
	s.Planned = head.Planned
	s.Done = head.Done
	s.Failed = head.Failed
	s.Degraded = len(head.Degraded)
	s.Cancelled = head.Cancelled
	s.UnknownIdentities = len(head.UnknownIdentities)
	s.StandIns = len(head.StandIns)
	s.MaintainersMissing = len(head.FailedLookUps)
	s.Requests = head.Requests
	s.FromCache = head.Cached
	if s.ConcludedAt = &at; !s.PlannedAt.IsZero() {
		seconds := max(0, at.Sub(s.PlannedAt).Seconds()) // two machines' clocks may differ
		s.Seconds = &seconds
	}
	return nil
}

func readHead(ctx context.Context, bus *jobstream.Bus, at OutcomeRef) (outcome.Result, time.Time, error) {
	stored, err := bus.Outcomes.Open(ctx, at.Round, at.Revision)
	if err != nil {
		return outcome.Result{}, time.Time{}, fmt.Errorf("reading revision %d of its outcome: %w", at.Revision, err)
	}
	defer stored.Close()
	head, err := outcome.ReadHead(stored)
	if err != nil {
		err = &jobstream.ValueError{Bucket: job.BucketRounds, Key: job.OutcomeKey(at.Round, at.Revision), Err: err}
	}
	return head, stored.At, err
}
