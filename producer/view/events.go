package view

import (
	"fmt"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// Event is one change of a round that is followed.
type Event struct {
	// ID is a sequence in the stream of records. Whoever has this event and those before it
	// has all changes up to that sequence. IDs do not fall, and events of what no record has
	// share one with the event before them.
	ID uint64 `json:"id"`
	// At is when the change was seen, by the follower's clock.
	At time.Time `json:"at"`
	// Type says which of the others is set.
	Type     EventType      `json:"type"`
	Progress *RoundProgress `json:"progress,omitempty"`
	Miner    *MinerNow      `json:"miner,omitempty"`
	End      *Summary       `json:"end,omitempty"`
}

// EventType is the kind of an event.
type EventType string

// The kinds of events.
const (
	EventProgress EventType = "progress" // the counts of the round have changed
	EventMiner    EventType = "miner"    // a miner's job has changed, or what it waits for
	EventEnd      EventType = "end"      // the last event: how the round stands
)

// RoundProgress counts the jobs of a round: Planned = Queued + Running + Done + Failed.
type RoundProgress struct {
	Planned  int `json:"planned"`
	Queued   int `json:"queued"`
	Running  int `json:"running"`
	Done     int `json:"done"`
	Failed   int `json:"failed"`
	Degraded int `json:"degraded"`
	Retrying int `json:"retrying"`
}

// MinerNow is a miner's job at a moment.
type MinerNow struct {
	UID   int       `json:"uid"`
	Phase job.Phase `json:"phase"`
	// Attempt counts the attempts that have begun, and Failures those that have failed.
	Attempt  int    `json:"attempt"`
	Failures int    `json:"failures"`
	Worker   string `json:"worker,omitempty"`
	// Doing is what the job does or waits for; "" for unknown.
	Doing string `json:"doing,omitempty"`
	// Waits and Step are what Doing is made of, for a page that links them: what the job
	// waits for (package doing, or WaitsWorker), "" for nothing or unknown, and the step.
	Waits string `json:"-"`
	Step  string `json:"-"`
	// Failure is how the last attempt failed; "" for no failure.
	Failure  string `json:"failure,omitempty"`
	Degraded bool   `json:"degraded,omitempty"`
}

// ProgressOf takes the counts out of what is known of a round.
func ProgressOf(p round.Progress) RoundProgress {
	return RoundProgress{
		Planned:  p.Planned,
		Queued:   p.Queued,
		Running:  p.Running,
		Done:     p.Done,
		Failed:   p.Failed,
		Degraded: p.Degraded,
		Retrying: p.Retrying,
	}
}

// minerNow says how a job stands. retry is when the record of a failed attempt was seen plus
// its delay; sign is the last one of the worker that has the job, nil for none.
func minerNow(r *job.Record, retry time.Time, sign *jobstream.Present, now time.Time) MinerNow {
	m := MinerNow{
		UID:      r.UID,
		Phase:    r.Phase,
		Attempt:  r.Deliveries,
		Failures: r.Failures,
		Degraded: r.Degraded,
	}
	if r.Claim != nil && r.Phase != job.Planned {
		m.Worker = r.Claim.Worker
	}
	if r.Failure != nil && r.Phase != job.Done {
		m.Failure = fmt.Sprintf("%s: %s", r.Failure.Class, r.Failure.Error)
	}
	switch {
	case r.Phase == job.Planned && r.Failures > 0 && r.Failure != nil:
		m.Doing = fmt.Sprintf("retry at %s after: %s", retry.UTC().Format("15:04:05"), r.Failure.Error)
	case r.Phase == job.Planned && r.Refused != "":
		m.Doing = "handed back: " + r.Refused
	case r.Phase == job.Running:
		m.running(r, sign, now)
	}
	return m
}

// WaitsWorker says that a job waits for a worker that gives no sign of life.
const WaitsWorker = "worker"

// running says what a running job does, by the sign of its worker.
func (m *MinerNow) running(r *job.Record, sign *jobstream.Present, now time.Time) {
	if sign == nil {
		if r.Claim.Stall != nil {
			m.Waits = doing.Breaker
			m.Doing = "breaker: " + r.Claim.Stall.Why
		}
		return
	}
	if _, silent := sign.Silence(sign.Stored, now); silent {
		m.Waits = WaitsWorker
		m.Doing = "its worker is silent since " + sign.Stored.UTC().Format("15:04:05")
		return
	}
	for _, j := range sign.Jobs {
		if j.Round == r.Round && j.UID == r.UID && !j.WarmUp {
			m.Waits = j.Doing.Waits
			m.Step = j.Doing.What
			m.Doing = Doing(j.Doing, sign.Stored)
			return
		}
	}
}
