package view

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// Timeline is the attempts of a round's last run, by worker: a row for each job that a worker
// had beside others. From is the beginning of the first attempt, and zero without one.
type Timeline struct {
	From, To time.Time
	Rows     []TimelineRow
}

// TimelineRow is one job after the other of one worker. Slot counts a worker's rows from 1.
type TimelineRow struct {
	Worker   string
	Slot     int
	Attempts []TimelineAttempt
}

// TimelineAttempt is one attempt of a miner's job.
type TimelineAttempt struct {
	Attempt

	UID int
	// Usual is how long the miner's job took in the last concluded round that had it; 0 for
	// unknown.
	Usual time.Duration
}

// Over is the end of an attempt, which for one that runs is an instant of now.
func (a *TimelineAttempt) Over(now time.Time) time.Time {
	if a.Ended == nil {
		return later(now, a.Began)
	}
	return later(*a.Ended, a.Began) // whoever noticed the end may have another clock
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// TimelineOf orders the attempts that the records of a round tell of. Of a round that was
// replayed it has the last replay alone.
func TimelineOf(records []job.Record, usual map[int]time.Duration, now time.Time) Timeline {
	run := 0
	for i := range records {
		run = max(run, records[i].Replay)
	}
	byWorker := map[string][]TimelineAttempt{}
	t := Timeline{To: now}
	for i := range records {
		for _, a := range attemptsIn(records[i]).Attempts {
			if a.Replay != run || a.Began.IsZero() {
				continue
			}
			byWorker[a.Worker] = append(byWorker[a.Worker], TimelineAttempt{a, records[i].UID, usual[records[i].UID]})
			if t.From.IsZero() || a.Began.Before(t.From) {
				t.From = a.Began
			}
		}
	}
	for worker, attempts := range byWorker {
		slices.SortFunc(attempts, func(a, b TimelineAttempt) int { return cmp.Or(a.Began.Compare(b.Began), a.UID-b.UID) })
		t.Rows = append(t.Rows, rowsOf(worker, attempts, now)...)
	}
	slices.SortFunc(t.Rows, func(a, b TimelineRow) int { return cmp.Or(cmp.Compare(a.Worker, b.Worker), a.Slot-b.Slot) })
	return t
}

// rowsOf puts each attempt, in the order in which they began, into the first row whose last
// one is over.
func rowsOf(worker string, attempts []TimelineAttempt, now time.Time) (rows []TimelineRow) {
	for _, a := range attempts {
		free := slices.IndexFunc(rows, func(row TimelineRow) bool {
			last := &row.Attempts[len(row.Attempts)-1]
			return !last.Over(now).After(a.Began)
		})
		if free < 0 {
			free = len(rows)
			rows = append(rows, TimelineRow{Worker: worker, Slot: free + 1})
		}
		rows[free].Attempts = append(rows[free].Attempts, a)
	}
	return rows
}

// lookedAt is how many rounds are looked at for the usual length of jobs: a miner may have
// had no job in the last one.
const lookedAt = 3

// Usual is how long each miner's job took in the last concluded rounds other than a round, those
// after it too: of its last attempt there that was committed. A record that cannot be read is left
// out.
func Usual(ctx context.Context, bus *jobstream.Bus, other string) (map[int]time.Duration, error) {
	concluded, err := bus.Rounds.Concluded(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for the rounds other than %s: %w", other, err)
	}
	concluded = slices.DeleteFunc(concluded, func(name string) bool { return name == other })
	usual := map[int]time.Duration{}
	for _, name := range concluded[max(0, len(concluded)-lookedAt):] { // a later one replaces an earlier one
		records, _, err := bus.Records.ListAll(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("reading the records of round %s: %w", name, err)
		}
		for i := range records {
			for _, a := range records[i].Attempts {
				if (a.Ending == job.EndedCommitted || a.Ending == job.EndedDegraded) && a.Ended.After(a.Began) {
					usual[records[i].UID] = a.Ended.Sub(a.Began)
				}
			}
		}
	}
	return usual, nil
}
