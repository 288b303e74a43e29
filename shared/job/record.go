package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Sentinels of the record's transitions.
var (
	// ErrFenced says that the record has another claim: the lease was lost, and the work
	// done under the old claim must have no effect.
	ErrFenced = errors.New("job: lease lost: the record is held by another claim")
	// ErrSettled says that the job has ended: its message is to be removed.
	ErrSettled = errors.New("job: already ended")
	// ErrNotEnded says that a job cannot be replayed yet.
	ErrNotEnded = errors.New("job: not ended")
)

// MaxFailures is how many counted failures a job has before it is dead.
const MaxFailures = 4

// Record is the truth about one job.
type Record struct {
	Version int    `json:"version"`
	Round   string `json:"round"`
	UID     int    `json:"uid"`
	Replay  int    `json:"replay,omitempty"`
	Phase   Phase  `json:"phase"`
	// Deliveries counts claims; Failures counts attempts that failed.
	Deliveries int `json:"deliveries"`
	Failures   int `json:"failures"`
	// Requests counts the mirror requests of all attempts that reported them. Unreported
	// counts the attempts that ended without a report, because their worker died or lost
	// its lease. Expected is how many requests the running attempt makes in all; 0 until
	// the miner's list is known.
	Requests   int `json:"requests"`
	Unreported int `json:"unreported,omitempty"`
	Expected   int `json:"expected,omitempty"`
	// Left is how many requests the job still needed when a worker last reported. It
	// outlives the attempt, because the next one has about as many to make. It is 0 until
	// an attempt has known the list.
	Left int `json:"left,omitempty"`
	// Refused is why the last worker that had the job could not do it, such as a worker
	// for another mirror; "" otherwise.
	Refused string `json:"refused,omitempty"`
	// Lapses counts the attempts of this replay that stopped without a report. They
	// reveal a job that kills every process, even when it came with several messages.
	Lapses int `json:"lapses,omitempty"`
	// Trace is the id of the trace that shows this job, all attempts in one.
	Trace string `json:"trace,omitempty"`
	// Claim is set while running, and kept afterwards: who ended it.
	Claim *Claim `json:"claim,omitempty"`
	// Evaluation is the key of what a done job committed, or of what a failed
	// one left.
	Evaluation string `json:"evaluation,omitempty"`
	// Degraded says that the evaluation lacks what the mirror did not give.
	Degraded bool `json:"degraded,omitempty"`
	// Former is the key of the evaluation that counted before the last replay. If the
	// replay fails, Former counts: a replay must not make a result worse.
	Former string `json:"former,omitempty"`
	// Failure is the last failure, whether or not it was the end.
	Failure *Failure `json:"failure,omitempty"`
	// Attempts are the last ended attempts, of all replays, oldest first (MaxAttempts).
	// They are for show: nothing is decided by them.
	Attempts []EndedAttempt `json:"attempts,omitempty"`
}

// Failure is why an attempt, or a job, failed.
type Failure struct {
	Class Class     `json:"class"`
	Error string    `json:"error"`
	At    time.Time `json:"at"`
	// Delay is how long the job waits before its next attempt.
	Delay time.Duration `json:"delay,omitempty"`
}

// Plan returns the record of a job that is to be published.
func Plan(round string, uid int, trace string) Record {
	return Record{
		Version: Version,
		Round:   round,
		UID:     uid,
		Phase:   Planned,
		Trace:   trace,
	}
}

// Claimed gives the record to a claim. A running record accepts only a later delivery: the
// server makes one when the former lease has run out. A message of an earlier replay than
// the record's is a leftover: its job has ended (ErrSettled).
func (r Record) Claimed(c Claim) (Record, error) {
	if r.Phase.Ended() || c.Replay < r.Replay {
		return r, ErrSettled
	}
	if c.Replay > r.Replay {
		return r, fmt.Errorf("replay %d before it was planned: %w", c.Replay, ErrFenced)
	}
	if r.Phase == Running && r.Claim != nil && !c.after(*r.Claim) {
		return r, fmt.Errorf("message %d delivery %d is not after message %d delivery %d by %s: %w",
			c.Sequence, c.Delivery, r.Claim.Sequence, r.Claim.Delivery, r.Claim.Worker, ErrFenced)
	}
	r.Lapses += r.abandoned()
	r.Unreported += r.abandoned()
	r = r.over(EndedLapsed, c.Since, nil, Failure{})
	r.Phase = Running
	r.Claim = &c
	r.Expected = 0
	r.Refused = ""
	r.Deliveries++
	return r, nil
}

// abandoned is 1 for a running attempt and 0 otherwise. An attempt that somebody else ends
// can no longer report its requests.
func (r Record) abandoned() int {
	if r.Phase == Running {
		return 1
	}
	return 0
}

// Expecting notes how many requests the running attempt makes in all.
func (r Record) Expecting(claim string, requests int, s Sign) (Record, error) {
	if err := r.heldBy(claim); err != nil {
		return r, err
	}
	r.Expected = requests
	return r.beaten(s), nil
}

// Beaten notes a heartbeat of the running attempt.
func (r Record) Beaten(claim string, s Sign) (Record, error) {
	if err := r.heldBy(claim); err != nil {
		return r, err
	}
	return r.beaten(s), nil
}

func (r Record) beaten(s Sign) Record {
	c := *r.Claim
	c.Beat++
	c.Stall = s.Stall
	r.Claim = &c
	return r.left(s.Left)
}

// left notes how many requests are still to come, if the attempt knows.
func (r Record) left(requests int) Record {
	if requests >= 0 {
		r.Left = requests
	}
	return r
}

// Lapsed takes the job back from a claim without a heartbeat since the given one. Then any
// delivery may claim it, also one with a lower sequence from a stream that was restored or
// created again.
func (r Record) Lapsed(claim string, beat int, now time.Time) (Record, error) {
	if err := r.heldBy(claim); err != nil {
		return r, err
	}
	if r.Claim.Beat != beat {
		return r, fmt.Errorf("heartbeat %d has followed %d: %w", r.Claim.Beat, beat, ErrFenced)
	}
	r.Lapses++
	r.Unreported++
	r = r.over(EndedLapsed, now, nil, Failure{})
	r.Phase, r.Expected = Planned, 0
	return r, nil
}

// Spent is the report of an attempt that did not end its job: the requests that it made,
// those that are still to come (below 0 for unknown), and when it ended.
type Spent struct {
	Requests, Left int
	At             time.Time
}

// HandedBack returns the job without counting a failure: the worker drains, stops, or
// cannot do this job and says why (refused).
func (r Record) HandedBack(claim string, spent Spent, refused string) (Record, error) {
	if err := r.heldBy(claim); err != nil {
		return r, err
	}
	r = r.over(EndedHandedBack, spent.At, &spent.Requests, Failure{Error: refused})
	r.Phase = Planned
	r.Expected = 0
	r.Refused = refused
	r.Requests += spent.Requests
	return r.left(spent.Left), nil
}

// FailedAttempt returns the job after a counted failure.
func (r Record) FailedAttempt(claim string, spent Spent, f Failure) (Record, error) {
	if err := r.heldBy(claim); err != nil {
		return r, err
	}
	r = r.over(EndedFailed, f.At, &spent.Requests, f)
	r.Phase = Planned
	r.Failure = &f
	r.Expected = 0
	r.Failures++
	r.Requests += spent.Requests
	return r.left(spent.Left), nil
}

// Committed ends the job with an evaluation.
func (r Record) Committed(claim string, requests int, evaluation string, degraded bool, now time.Time) (Record, error) {
	if err := r.heldBy(claim); err != nil {
		return r, err
	}
	how := EndedCommitted
	if degraded {
		how = EndedDegraded
	}
	r = r.over(how, now, &requests, Failure{})
	r.Phase = Done
	r.Evaluation = evaluation
	r.Degraded = degraded
	r.Expected = 0
	r.Left = 0
	r.Requests += requests
	return r, nil
}

// Buried ends the job as failed. It may leave an evaluation of what could be
// had, "" for none: the miner's issues count without its pull requests.
func (r Record) Buried(claim string, requests int, evaluation string, f Failure) (Record, error) {
	if err := r.heldBy(claim); err != nil {
		return r, err
	}
	r = r.over(EndedDead, f.At, &requests, f)
	r.Phase = Failed
	r.Failure = &f
	r.Expected = 0
	r.Left = 0
	r.Evaluation = evaluation
	r.Failures++
	r.Requests += requests
	return r, nil
}

// Exhausted ends a job when the deliveries of its message are used up, though
// no worker lived to say so. A message of an earlier replay than the record's
// is a leftover (ErrSettled); one that a later message has taken over from ends
// nothing (ErrFenced).
func (r Record) Exhausted(replay int, sequence uint64, f Failure) (Record, error) {
	switch {
	case r.Phase.Ended() || replay < r.Replay:
		return r, ErrSettled
	case replay > r.Replay:
		return r, fmt.Errorf("replay %d before it was planned: %w", replay, ErrFenced)
	case r.Claim != nil && r.Claim.Sequence > sequence:
		return r, fmt.Errorf("message %d is held by message %d: %w", sequence, r.Claim.Sequence, ErrFenced)
	}
	return r.ended(f), nil
}

// ended is the job failed by somebody who does not hold its claim. An attempt that runs
// ends with it.
func (r Record) ended(f Failure) Record {
	r.Unreported += r.abandoned()
	r = r.over(Ending(f.Class), f.At, nil, f)
	r.Phase = Failed
	r.Failure = &f
	r.Expected = 0
	r.Left = 0
	return r
}

// GivenUp ends an unfinished job because its round has to end, or because an operator has
// cancelled it. A worker that still runs it is fenced off from then on.
func (r Record) GivenUp(replay int, f Failure) (Record, error) {
	switch {
	case r.Phase.Ended() || replay < r.Replay:
		return r, ErrSettled
	case replay > r.Replay:
		return r, fmt.Errorf("replay %d before it was planned: %w", replay, ErrFenced)
	}
	return r.ended(f), nil
}

// Replanned opens an ended job for its next replay, whether it failed, is degraded or lacks
// nothing. What counted for it until now becomes Former. Its failures count from 0.
// Deliveries and requests are not reset: they are the cost of the job.
func (r Record) Replanned(replay int, trace string) (Record, error) {
	if !r.Phase.Ended() {
		return r, fmt.Errorf("replay %d: the job is %s, not ended: %w", replay, r.Phase, ErrNotEnded)
	}
	if replay <= r.Replay {
		return r, fmt.Errorf("replay %d is not after replay %d: %w", replay, r.Replay, ErrSettled)
	}
	r.Former = r.Stands()
	r.Replay = replay
	r.Trace = trace
	return r.unstarted(), nil
}

// Reopened opens an ended job again, in the same replay, because the evaluation that
// counts is gone or cannot be read. Its failures count from 0; deliveries and requests are
// not reset.
func (r Record) Reopened() (Record, error) {
	if !r.Phase.Ended() {
		return r, fmt.Errorf("opening it again: the job is %s, not ended: %w", r.Phase, ErrNotEnded)
	}
	if r.Stands() == r.Former { // then it is the former one that is damaged
		r.Former = ""
	}
	return r.unstarted(), nil
}

// unstarted is the record with its job planned again: without a claim, an ending, or
// failures that count. Deliveries and requests are not reset.
func (r Record) unstarted() Record {
	r.Phase = Planned
	r.Failures = 0
	r.Lapses = 0
	r.Expected = 0
	r.Left = 0
	r.Claim = nil
	r.Evaluation = ""
	r.Degraded = false
	r.Failure = nil
	return r
}

// DeclaredDamaged ends a job as failed, without any evaluation: what it had is
// gone or cannot be read, and its round does not wait for another.
func (r Record) DeclaredDamaged(f Failure) Record {
	r = r.ended(f)
	r.Evaluation = ""
	r.Former = ""
	r.Degraded = false
	return r
}

// Stands is the key of the evaluation that counts for an ended job, "" for
// none.
func (r Record) Stands() string {
	if r.Phase == Failed && r.Former != "" {
		return r.Former
	}
	return r.Evaluation
}

// FinalAttempt says whether a failure of the running attempt is the last.
func (r Record) FinalAttempt() bool { return r.Failures+1 >= MaxFailures }

// Retries counts the failed attempts after which another one came: all but the one that
// ended the job. Exhausted deliveries, damage, the end of a round and an operator's order
// are no failure of an attempt.
func (r Record) Retries() int {
	if r.Phase != Failed || r.Failure == nil {
		return r.Failures
	}
	switch r.Failure.Class {
	case Poison, Overdue, Cancelled, Damaged:
		return r.Failures
	case Transient, Permanent:
	}
	return max(r.Failures-1, 0)
}

func (r Record) heldBy(claim string) error {
	switch {
	case r.Phase.Ended():
		return ErrSettled
	case r.Phase != Running || r.Claim == nil || r.Claim.ID != claim:
		return ErrFenced
	}
	return nil
}

// DecodeRecord reads a record's wire form and checks that the transitions can work with
// it. Informative values that no worker can have are cut to their bounds.
func DecodeRecord(data []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("reading a record: %w", err)
	}
	readable := Readable(r.Version)
	switch {
	case readable != nil:
		return Record{}, fmt.Errorf("record of %w", readable)
	case r.Phase != Planned && r.Phase != Running && r.Phase != Done && r.Phase != Failed:
		return Record{}, fmt.Errorf("record in phase %q, want planned, running, done or failed", r.Phase)
	case r.Phase == Running && r.Claim == nil:
		return Record{}, errors.New("record is running without a claim")
	case r.Phase == Done && r.Evaluation == "":
		return Record{}, errors.New("record is done without an evaluation")
	}
	return r.bounded(), nil
}
