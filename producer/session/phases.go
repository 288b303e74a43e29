package session

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"mirrorfleet/producer/round"
)

// phases tell in the log how far a round is, each phase once: its first job runs, half
// of its jobs have ended, all have.
type phases struct {
	round string
	told  phase
}

// phase is how far a round is.
type phase int

const (
	queued  phase = iota // no job runs yet
	begun                // the first one does
	half                 // half of them have ended
	settled              // all of them have
)

// phaseOf is how far a round is by its counts.
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

// tell logs the phase that a round has come to, unless it was told.
func (t *phases) tell(ctx context.Context, log *slog.Logger, p round.Progress) {
	now := phaseOf(p)
	if now <= t.told {
		return
	}
	t.told = now
	about := []any{"round", t.round, "jobs", p.Planned}
	if now == settled { // before that, a round that is resumed has not been read to its end
		about = append(about, "done", p.Done, "failed", p.Failed, "degraded", p.Degraded, "requests", p.Requests)
	}
	log.InfoContext(ctx, now.text(), about...)
}

// underWay are the rounds that this process works on, and whether it leads.
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

// note notes that a round is worked on, until done is called. What was broken off stays.
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

// left says what was broken off, and whether this process led.
func (u *underWay) left() (rounds []string, led bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.rounds), u.leading
}
