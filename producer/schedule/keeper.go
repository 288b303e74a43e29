package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/pause"
)

// ErrPostponed says that a round's inputs cannot be used now and should be read again. It comes
// as a PostponedError.
var ErrPostponed = errors.New("the inputs cannot be used")

// ErrTurn is the cause of the end of a warm-up's context when its turn has come.
var ErrTurn = errors.New("the turn has come")

// PostponedError says which input postpones a round, and why.
type PostponedError struct {
	Input string // in a word, for metrics
	Err   error
}

func (e *PostponedError) Error() string { return fmt.Sprintf("%v: %v", ErrPostponed, e.Err) }

// Is says that it is ErrPostponed.
func (e *PostponedError) Is(target error) bool { return target == ErrPostponed }

func (e *PostponedError) Unwrap() error { return e.Err }

// Last is how the schedule's last turn stands. It names no round when there was none.
type Last struct {
	job.Turn

	// Revision is what the next turn replaces.
	Revision uint64
	// Planned says that the turn's round was begun, Ended that it has an
	// outcome, or that no producer can resume it.
	Planned, Ended bool
}

// Rounds is what a Keeper directs.
type Rounds interface {
	// Last looks at the last turn.
	Last(ctx context.Context) (Last, error)
	// Prepare reads the inputs and makes a round of them; ErrPostponed if it cannot.
	Prepare(ctx context.Context) (job.Manifest, error)
	// Begin begins a turn, unless another has come after the revision, and runs
	// its round to its end.
	Begin(ctx context.Context, m job.Manifest, turn job.Turn, revision uint64) error
	// Resume continues a round until it has ended.
	Resume(ctx context.Context, round string) error
	// WarmUp fetches ahead of the round that is due at a turn, until it is done or ctx
	// ends. What it returns is told and changes nothing.
	WarmUp(ctx context.Context, turn time.Time) error
	// Forget removes rounds whose time is over.
	Forget(ctx context.Context) error
}

// Config is what a Keeper follows.
type Config struct {
	Schedule Schedule
	// Overdue is how long a round may take; 0 is as long as it takes.
	Overdue time.Duration
	// WarmUp is how long before a turn its warm-up begins; 0 is for none.
	WarmUp time.Duration
	// Again is the pause between two readings of inputs that cannot be used, and
	// the first one after an error. Default: 5 s.
	Again time.Duration
	Log   *slog.Logger
}

// longest bounds every pause: a clock that was set, and a machine that slept,
// are noticed within it.
const longest = time.Minute

// Keeper begins rounds when they are due.
type Keeper struct {
	cfg Config

	mu      sync.Mutex
	trouble error
}

// New returns a Keeper.
func New(cfg Config) *Keeper {
	if cfg.Again <= 0 {
		cfg.Again = 5 * time.Second
	}
	return &Keeper{cfg: cfg}
}

// Trouble is why no round can be begun, nil if one can.
func (k *Keeper) Trouble() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.trouble
}

func (k *Keeper) setTrouble(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trouble = err
}

// Run begins rounds until ctx ends, and returns why it did; or until this
// producer's egress is no longer declared (job.ErrUndeclared), which no retry changes.
func (k *Keeper) Run(ctx context.Context, rounds Rounds) error {
	defer k.setTrouble(nil) // the next leader has its own
	wait := k.cfg.Again
	for {
		err := k.turn(ctx, rounds)
		if ctx.Err() != nil {
			return context.Cause(ctx) //nolint:wrapcheck // the caller's own
		}
		if errors.Is(err, job.ErrUndeclared) {
			return err
		}
		k.setTrouble(err)
		if err == nil {
			wait = k.cfg.Again
			continue
		}
		k.cfg.Log.ErrorContext(ctx, "the schedule cannot continue: retrying", "error", err, "in", wait)
		_ = pause.For(ctx, wait)
		wait = min(2*wait, longest)
	}
}

// turn brings the schedule one round further.
func (k *Keeper) turn(ctx context.Context, rounds Rounds) error {
	last, err := rounds.Last(ctx)
	if err != nil {
		return fmt.Errorf("looking at the last turn: %w", err)
	}
	if last.Planned && !last.Ended {
		k.cfg.Log.InfoContext(ctx, "resuming the round of the last turn", "round", last.Round, "due", last.Due)
		if err := rounds.Resume(ctx, last.Round); err != nil {
			return fmt.Errorf("resuming round %s: %w", last.Round, err)
		}
		return nil
	}
	if err := rounds.Forget(ctx); err != nil {
		return fmt.Errorf("removing old rounds: %w", err)
	}
	m, due, err := k.prepare(ctx, rounds, last)
	if err != nil {
		return fmt.Errorf("preparing a round: %w", err)
	}
	k.setTrouble(nil)
	if err := rounds.Begin(ctx, m, job.Turn{Round: m.Round, Due: due.At.UTC()}, last.Revision); err != nil {
		return fmt.Errorf("round %s: %w", m.Round, err)
	}
	return nil
}

// next is the turn after the last one, or the first one of a schedule that
// began then. A turn whose round was never begun, because its producer died in
// between, is still due.
func (k *Keeper) next(last Last, began, now time.Time) Due {
	if last.Round == "" {
		return k.cfg.Schedule.Next(k.cfg.Schedule.Before(began), now)
	}
	due := k.cfg.Schedule.Next(last.Due, now)
	switch {
	case last.Planned:
		return due
	case due.At.After(now):
		return Due{At: last.Due}
	}
	due.Missed++
	return due
}

// prepare waits until a round is due and its inputs can be used.
func (k *Keeper) prepare(ctx context.Context, rounds Rounds, last Last) (job.Manifest, Due, error) {
	var delay postponement
	began := wall()
	told := time.Time{}
	warmed := time.Time{}
	for {
		now := wall()
		began, last.Due = sooner(began, now), sooner(last.Due, now)
		due := k.next(last, began, now)
		if left := due.At.Sub(now); left > 0 {
			if !told.Equal(due.At) {
				k.cfg.Log.InfoContext(ctx, "waiting for the next turn", "due", due.At, "in", left)
				told = due.At
			}
			if k.await(ctx, rounds, due.At, left, &warmed) != nil {
				return job.Manifest{}, due, context.Cause(ctx) //nolint:wrapcheck // the caller's own
			}
			continue
		}
		m, err := rounds.Prepare(ctx)
		if err == nil {
			now, m.Due = time.Now(), due.At.UTC()
			if k.cfg.Overdue > 0 {
				m.OverdueAt = now.Add(k.cfg.Overdue).UTC()
			}
			m.Notes = append(notes(due, delay, now), m.Notes...)
			k.cfg.Log.InfoContext(ctx, "beginning a round", "round", m.Round, "due", due.At, "missed", due.Missed, "overdue", m.OverdueAt)
			return m, due, nil
		}
		if !errors.Is(err, ErrPostponed) {
			return m, due, err
		}
		k.setTrouble(err)
		if delay.note(err, now) {
			k.cfg.Log.WarnContext(ctx, "the round is postponed: its inputs are read again until they can be used", "due", due.At, "error", err)
		}
		if pause.For(ctx, k.cfg.Again) != nil {
			return m, due, context.Cause(ctx) //nolint:wrapcheck // the caller's own
		}
	}
}

// await waits for a part of what is left to a turn, or runs its warm-up.
func (k *Keeper) await(ctx context.Context, rounds Rounds, turn time.Time, left time.Duration, warmed *time.Time) error {
	wait, warm := k.untilWarmUp(left, warmed.Equal(turn))
	if !warm {
		return pause.For(ctx, min(wait, longest))
	}
	*warmed = turn
	k.warmUp(ctx, rounds, turn)
	return context.Cause(ctx) //nolint:wrapcheck // the caller's own
}

// untilWarmUp is how long to wait when so much is left to the turn, and whether its warm-up
// is to begin now, unless it has begun.
func (k *Keeper) untilWarmUp(left time.Duration, begun bool) (wait time.Duration, warm bool) {
	switch {
	case begun || k.cfg.WarmUp <= 0:
		return left, false
	case left <= k.cfg.WarmUp:
		return 0, true
	}
	return left - k.cfg.WarmUp, false
}

// warmUp lets the warm-up of a turn go on until it is done or the turn has come, by the one
// clock that turns have.
func (k *Keeper) warmUp(ctx context.Context, rounds Rounds, turn time.Time) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	done := make(chan error, 1)
	go func() { done <- rounds.WarmUp(ctx, turn) }()
	for {
		look := longest
		if left := turn.Sub(wall()); left > 0 {
			look = min(left, longest)
		} else {
			end(ErrTurn)
		}
		select {
		case err := <-done:
			if err != nil && ctx.Err() == nil {
				k.cfg.Log.WarnContext(ctx, "the warm-up failed: the round fetches what it needs by itself", "turn", turn, "error", err)
			}
			return
		case <-time.After(look):
		}
	}
}

// wall is the operating system's time without the monotonic reading: the schedule must
// follow a clock that is set.
func wall() time.Time { return time.Now().Round(0) }

// sooner limits an instant to now. An instant in the future was read before the clock was
// set back. The caller keeps the result: computed again at each look, the next turn would
// move along with the clock and never come.
func sooner(at, now time.Time) time.Time {
	if at.After(now) {
		return now
	}
	return at
}

// postponement is since when, and why, a round is postponed.
type postponement struct {
	since time.Time
	why   string
}

// note remembers when it began, and the last reason; true for one that is new.
func (p *postponement) note(err error, now time.Time) bool {
	if p.since.IsZero() {
		p.since = now
	}
	another := p.why != err.Error()
	p.why = err.Error()
	return another
}

// notes are what the manifest says about a round that began late.
func notes(due Due, delay postponement, now time.Time) []string {
	var list []string
	if due.Missed > 0 {
		list = append(list, fmt.Sprintf("turns missed before this one: %d", due.Missed))
	}
	if !delay.since.IsZero() {
		list = append(list, fmt.Sprintf("postponed for %s: %s", now.Sub(delay.since).Round(time.Second), delay.why))
	}
	return list
}
