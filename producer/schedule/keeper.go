package schedule

import (
	"cmp"
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

// ErrPaused is the cause of the end of a warm-up's context when the schedule is paused. A
// schedule that is paused begins no round (Once).
var ErrPaused = errors.New("the schedule is paused")

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
	// Steer reads what operators have ordered.
	Steer(ctx context.Context) (job.Steer, error)
	// Announce says when the next turn is due, for readers of the schedule.
	Announce(ctx context.Context, turn time.Time)
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
	// Look is the time between two looks at what operators have ordered. Default: 2 s.
	Look time.Duration
	// Log default: slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Again = cmp.Or(c.Again, 5*time.Second)
	c.Look = cmp.Or(c.Look, 2*time.Second)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

// longest bounds every pause: a clock that was set, and a machine that slept,
// are noticed within it.
const longest = time.Minute

// Keeper begins rounds when they are due.
type Keeper struct {
	cfg Config

	mu      sync.Mutex
	trouble error
	paused  *job.Stop
}

// New returns a Keeper.
func New(cfg Config) *Keeper { return &Keeper{cfg: cfg.withDefaults()} }

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

// Paused is the pause of the schedule, as it was last seen; nil while it is not paused, or
// this producer does not lead.
func (k *Keeper) Paused() *job.Stop {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.paused
}

func (k *Keeper) setPaused(stop *job.Stop) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.paused = stop
}

// Run begins rounds until ctx ends, and returns why it did; or until this
// producer's egress is no longer declared (job.ErrUndeclared), which no retry changes.
func (k *Keeper) Run(ctx context.Context, rounds Rounds) error {
	defer k.setTrouble(nil) // the next leader has its own
	defer k.setPaused(nil)
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
	m, due, err := k.await(ctx, rounds, last)
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

// Once begins one round now, whatever is due, and returns when it has ended. If the last
// turn's round has not ended, it is resumed first: two rounds of a schedule never run beside
// each other. It does not wait for inputs that cannot be used, and there is no warm-up.
func (k *Keeper) Once(ctx context.Context, rounds Rounds) error {
	last, err := rounds.Last(ctx)
	for ; err == nil && last.Planned && !last.Ended; last, err = rounds.Last(ctx) {
		k.cfg.Log.InfoContext(ctx, "resuming the round of the last turn before a new one begins", "round", last.Round, "due", last.Due)
		if err := rounds.Resume(ctx, last.Round); err != nil {
			return fmt.Errorf("resuming round %s: %w", last.Round, err)
		}
	}
	if err != nil {
		return fmt.Errorf("looking at the last turn: %w", err)
	}
	m, err := rounds.Prepare(ctx)
	if err != nil {
		return fmt.Errorf("preparing a round: %w", err)
	}
	steer, err := rounds.Steer(ctx)
	if err != nil {
		return fmt.Errorf("reading the orders: %w", err)
	}
	if steer.Schedule != nil {
		return fmt.Errorf("%w: %s", ErrPaused, steer.Schedule.Text())
	}
	now := time.Now()
	k.plan(&m, Due{At: now}, now)
	k.cfg.Log.InfoContext(ctx, "beginning a round", "round", m.Round, "overdue", m.OverdueAt)
	if err := rounds.Begin(ctx, m, job.Turn{Round: m.Round, Due: m.Due}, last.Revision); err != nil {
		return fmt.Errorf("round %s: %w", m.Round, err)
	}
	return nil
}

// plan writes into a manifest when its turn was due, and when it is overdue.
func (k *Keeper) plan(m *job.Manifest, due Due, now time.Time) {
	m.Due = due.At.UTC()
	if k.cfg.Overdue > 0 {
		m.OverdueAt = now.Add(k.cfg.Overdue).UTC()
	}
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
