package session

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"mirrorfleet/producer/round"
)

// phases log how far a round is, each phase once: its first job runs, half of its jobs
// have ended, all have ended. A served round has no display, and a line for every job
// would be too much.
type phases struct {
	round string
	told  phase // the last one that was logged
}

// phase is how far a round is.
type phase int

const (
	queued  phase = iota // no job runs yet
	begun                // the first one does
	half                 // half of the jobs have ended
	settled              // all of them have
)

// phaseOf derives the phase of a round from its counts.
func phaseOf(p round.Progress) phase {
	switch ended := p.Done + p.Failed; {
	case ended == p.Planned:
		return settled
	case 2*ended >= p.Planned:
		return half
	case ended+p.Running > 0:
		return begun
	}
	return queued
}

// text is what the log says of a phase.
func (p phase) text() string {
	return map[phase]string{
		begun: "the round's jobs run", half: "half of the round's jobs have ended", settled: "every job of the round has ended: concluding it",
	}[p]
}

// tell logs the phase that a round has reached, unless it is logged already.
func (t *phases) tell(ctx context.Context, log *slog.Logger, p round.Progress) {
	now := phaseOf(p)
	if now <= t.told {
		return
	}
	t.told = now
	about := []any{"round", t.round, "jobs", p.Planned}
	if now == settled { // earlier, the records of a resumed round are not all read, and the counts are too low
		about = append(about, "done", p.Done, "failed", p.Failed, "degraded", p.Degraded, "requests", p.Requests)
	}
	log.InfoContext(ctx, now.text(), about...)
}

// underWay holds which rounds this process works on, and whether it leads the schedule,
// for the message of a producer that is stopped. Rounds and replays run on goroutines of
// their own.
type underWay struct {
	mu      sync.Mutex
	leading bool
	rounds  []string
}

// lead notes whether this process leads the schedule.
func (u *underWay) lead(leads bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.leading = leads
}

// note records that a round is worked on, until done is called. A round that a signal
// interrupts is not marked as done, so that left returns it.
func (u *underWay) note(name string) (done func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.rounds = append(u.rounds, name)
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if at := slices.Index(u.rounds, name); at >= 0 {
			u.rounds = slices.Delete(u.rounds, at, at+1)
		}
	}
}

// left returns the rounds that were interrupted, and whether this process led.
func (u *underWay) left() (rounds []string, led bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.rounds), u.leading
}
