package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring/input"
)

// Attempts are the attempts of a miner's job, as its record has them. A round that still
// runs has them too.
type Attempts struct {
	Round string `json:"round"`
	UID   int    `json:"uid"`
	// NoJob is why the miner has no job; Lost is why its record cannot be read. Of such a
	// miner nothing else is known.
	NoJob input.Failure `json:"no_job"`
	Lost  string        `json:"lost,omitempty"`
	// Phase is the job's: planned, running, done or failed.
	Phase  job.Phase `json:"phase,omitempty"`
	Replay int       `json:"replay,omitempty"`
	Trace  string    `json:"trace,omitempty"`
	// Requests counts those of all attempts that reported them, and Unreported counts the
	// attempts that did not.
	Requests   int `json:"requests"`
	Unreported int `json:"unreported"`
	// Failure is the job's last one, in full. RetryAt is when the job may run again after
	// it, if it waits for that.
	Failure *Failure   `json:"failure,omitempty"`
	RetryAt *time.Time `json:"retry_at,omitempty"`
	// Refused is why the last worker that had the job could not do it.
	Refused string `json:"refused,omitempty"`
	// Unlisted counts earlier attempts that are not kept.
	Unlisted int       `json:"unlisted"`
	Attempts []Attempt `json:"attempts"`
}

// Failure is why an attempt or a job failed.
type Failure struct {
	Class job.Class `json:"class"`
	Error string    `json:"error"`
	At    time.Time `json:"at"`
}

// Attempt is one attempt of a job: its number in the job's whole life, then what the record
// has of it (job.EndedAttempt). A running one has the ending "running" and no end.
type Attempt struct {
	Number   int        `json:"number"`
	Replay   int        `json:"replay"`
	Delivery int        `json:"delivery"`
	Worker   string     `json:"worker"`
	Began    time.Time  `json:"began"`
	Ended    *time.Time `json:"ended"`
	Ending   job.Ending `json:"ending"`
	Requests *int       `json:"requests"`
	Class    job.Class  `json:"class,omitempty"`
	Error    string     `json:"error,omitempty"`
	Trace    string     `json:"trace,omitempty"`
}

// AttemptRunning stands for the ending of an attempt that has none yet.
const AttemptRunning job.Ending = "running"

// AttemptsOf reads the attempts of a miner's job in a round.
func AttemptsOf(ctx context.Context, bus *jobstream.Bus, name string, uid int) (Attempts, error) {
	m, err := bus.Rounds.Planned(ctx, name)
	switch {
	case errors.Is(err, jobstream.ErrNotFound):
		return Attempts{}, without(ctx, bus, name)
	case err != nil:
		return Attempts{}, fmt.Errorf("round %s: %w", name, err)
	}
	at := slices.IndexFunc(m.Miners, func(miner input.Miner) bool { return miner.UID == uid })
	if at < 0 {
		return Attempts{}, noMiner(name, uid, m.Miners, func(miner input.Miner) int { return miner.UID })
	}
	none := Attempts{
		Round:    name,
		UID:      uid,
		NoJob:    input.FailureOf(m.Miners[at]),
		Attempts: []Attempt{},
	}
	if none.NoJob != input.NoFailure {
		return none, nil
	}
	record, _, err := bus.Records.Load(ctx, name, uid)
	switch {
	case errors.Is(err, jobstream.ErrNotFound):
		none.Lost = "its record is gone, or not written yet"
		return none, nil
	case jobstream.Damaged(err):
		none.Lost = "its record cannot be read: " + err.Error()
		return none, nil
	case err != nil:
		return Attempts{}, fmt.Errorf("reading the record of miner %d in round %s: %w", uid, name, err)
	}
	return attemptsIn(record), nil
}

// attemptsIn are the attempts that a record tells of.
func attemptsIn(r job.Record) Attempts {
	a := Attempts{
		Round:      r.Round,
		UID:        r.UID,
		Phase:      r.Phase,
		Replay:     r.Replay,
		Trace:      r.Trace,
		Requests:   r.Requests,
		Unreported: r.Unreported,
		Refused:    r.Refused,
		Unlisted:   r.Unlisted(),
		Attempts:   make([]Attempt, 0, len(r.Attempts)+1),
	}
	if f := r.Failure; f != nil {
		a.Failure = &Failure{f.Class, f.Error, f.At}
		if r.Phase == job.Planned && f.Delay > 0 {
			retry := f.At.Add(f.Delay)
			a.RetryAt = &retry
		}
	}
	for i, one := range r.Attempts {
		a.Attempts = append(a.Attempts, Attempt{
			Number:   a.Unlisted + i + 1,
			Replay:   one.Replay,
			Delivery: int(one.Delivery),
			Worker:   one.Worker,
			Began:    one.Began,
			Ended:    &r.Attempts[i].Ended,
			Ending:   one.Ending,
			Requests: one.Requests,
			Class:    one.Class,
			Error:    one.Error,
			Trace:    one.Trace,
		})
	}
	if r.Phase == job.Running {
		a.Attempts = append(a.Attempts, Attempt{
			Number:   a.Unlisted + len(r.Attempts) + 1,
			Replay:   r.Replay,
			Delivery: int(r.Claim.Delivery),
			Worker:   r.Claim.Worker,
			Began:    r.Claim.Since,
			Ending:   AttemptRunning,
			Trace:    r.Trace,
		})
	}
	return a
}
