package doing

import (
	"context"
	"slices"
	"sync"
	"time"
)

// The values of State.Waits.
const (
	Permit     = "permit"     // the right to send the next request
	Redis      = "redis"      // it grants no permits
	Other      = "other"      // another job of this process, which fetches the same
	Memory     = "memory"     // the process holds as many pull requests' files as it may
	Connection = "connection" // all of the process's connections to the mirror are in use
	Breaker    = "breaker"    // the mirror does not answer this process
	Retry      = "retry"      // the pause after a try that failed
)

// State is what a job does at an instant. The zero State says nothing.
type State struct {
	// What names the step, such as "files of a/b#7".
	What string `json:"what,omitempty"`
	// Waits is what the step waits for; "" while it works.
	Waits string `json:"waits,omitempty"`
	// Place is the place in the line of those who wait for a permit in this process, from
	// 1; 0 for no line.
	Place int `json:"place,omitempty"`
	// For is how long the wait still takes; 0 for unknown. It is a duration and no instant,
	// because the clocks of two machines need not agree.
	For time.Duration `json:"for,omitempty"`
	// Why is what happened before the wait, such as how the last try failed.
	Why string `json:"why,omitempty"`
}

// Board has the steps of one job. Its zero value is ready. It is safe for concurrent use.
type Board struct {
	mu    sync.Mutex
	steps []*step // in the order in which they began
}

type step struct {
	board *Board
	what  string
	// waits tells the state of the innermost wait; it is empty while the step works.
	waits []*func(now time.Time) State
}

type boardKey struct{}

type stepKey struct{}

// With makes everything under ctx report to the board.
func With(ctx context.Context, b *Board) context.Context {
	return context.WithValue(context.WithValue(ctx, boardKey{}, b), stepKey{}, nil)
}

// Begin begins a step of the job of ctx. Waits under the context that it returns are the
// step's.
func Begin(ctx context.Context, what string) (under context.Context, end func()) {
	b, _ := ctx.Value(boardKey{}).(*Board)
	if b == nil {
		return ctx, func() {}
	}
	s := &step{board: b, what: what}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.steps = append(b.steps, s)
	return context.WithValue(ctx, stepKey{}, s), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.steps = slices.DeleteFunc(b.steps, func(other *step) bool { return other == s })
	}
}

// Wait says that the step of ctx waits, until end is called. tell is asked for the state
// whenever somebody looks, in that caller's goroutine. It must return at once.
func Wait(ctx context.Context, tell func(now time.Time) State) (end func()) {
	s, _ := ctx.Value(stepKey{}).(*step)
	if s == nil {
		return func() {}
	}
	s.board.mu.Lock()
	defer s.board.mu.Unlock()
	s.waits = append(s.waits, &tell)
	return func() {
		s.board.mu.Lock()
		defer s.board.mu.Unlock()
		s.waits = slices.DeleteFunc(s.waits, func(other *func(time.Time) State) bool { return other == &tell })
	}
}

// State is what the job does at an instant.
func (b *Board) State(now time.Time) State {
	what, tell := b.telling()
	if tell == nil {
		return State{What: what}
	}
	// Outside the lock: the function that is told may take a lock under which somebody begins a wait.
	state := tell(now)
	state.What = what
	state.For = max(state.For, 0)
	return state
}

// telling chooses the step that is shown, with what tells its wait.
func (b *Board) telling() (what string, tell func(time.Time) State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.steps) == 0 {
		return "", nil
	}
	if works := slices.IndexFunc(b.steps, func(s *step) bool { return len(s.waits) == 0 }); works >= 0 {
		return b.steps[works].what, nil
	}
	first := b.steps[0]
	return first.what, *first.waits[len(first.waits)-1]
}
