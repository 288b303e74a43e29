package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"mirrorfleet/producer/schedule"
	"mirrorfleet/shared/job"
)

// fleet is an installation in virtual time: what is stored of its turns and
// rounds, and how long a round takes. It outlives the keepers that direct it.
type fleet struct {
	mu       sync.Mutex
	turn     job.Turn
	revision uint64
	rounds   map[string]*served
	order    []string
	// takes is how long the nth round takes, from 0.
	takes func(n int) time.Duration
	// unusable says why the inputs cannot be used at an instant, nil if they can.
	unusable func(now time.Time) error
	// dies, once, is where the next producer to come there dies: after its turn,
	// or in the middle of its round.
	dies map[string]bool
	// steer is what operators have ordered; announced are the turns that were told.
	steer     job.Steer
	announced []time.Time
	// broken is how many looks at the last turn fail.
	broken  int
	forgets int
	// warms is the work of a warm-up; warmUps are those that were begun.
	warms   func(ctx context.Context) error
	warmUps []*warmed
}

type served struct {
	manifest     job.Manifest
	due          time.Time
	begun, ended time.Time
	overdue      bool
	resumed      int
}

type warmed struct {
	turn, begun, ended time.Time
	cause              error
}

func newFleet() *fleet {
	return &fleet{
		rounds: map[string]*served{}, dies: map[string]bool{},
		takes: func(int) time.Duration { return 20 * time.Minute }, unusable: func(time.Time) error { return nil },
	}
}

// errDied is a producer's death: nothing it does afterwards counts.
var errDied = errors.New("the producer died")

// producer is one producer's access to the fleet; die ends it as SIGKILL would.
type producer struct {
	*fleet

	die context.CancelCauseFunc
}

func (p *producer) reaches(point string) bool {
	if !p.dies[point] {
		return false
	}
	delete(p.dies, point)
	p.die(errDied)
	return true
}

func (p *producer) Last(context.Context) (schedule.Last, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken > 0 {
		p.broken--
		return schedule.Last{}, errors.New("the streams are away")
	}
	last := schedule.Last{Turn: p.turn, Revision: p.revision}
	if r := p.rounds[p.turn.Round]; r != nil {
		last.Planned, last.Ended = true, !r.ended.IsZero()
	}
	return last, nil
}

func (p *producer) Prepare(context.Context) (job.Manifest, error) {
	now := time.Now()
	if err := p.unusable(now); err != nil {
		return job.Manifest{}, fmt.Errorf("%w: %w", schedule.ErrPostponed, err)
	}
	return job.Manifest{Round: fmt.Sprintf("r%d", now.Unix()), PlannedAt: now}, nil
}

func (p *producer) Begin(ctx context.Context, m job.Manifest, turn job.Turn, revision uint64) error {
	p.mu.Lock()
	if revision != p.revision {
		p.mu.Unlock()
		return errors.New("conflict")
	}
	p.turn, p.revision = turn, revision+1
	if p.reaches("turn taken") {
		p.mu.Unlock()
		return errDied
	}
	if !m.Due.Equal(turn.Due) {
		panic(fmt.Sprintf("round %s says that it was due at %s, its turn %s", m.Round, m.Due, turn.Due))
	}
	if running := p.running(); running != "" {
		panic(fmt.Sprintf("round %s begins while %s runs", m.Round, running))
	}
	p.rounds[m.Round] = &served{manifest: m, due: turn.Due, begun: time.Now()}
	p.order = append(p.order, m.Round)
	p.mu.Unlock()
	return p.run(ctx, m.Round)
}

func (f *fleet) running() string {
	for name, r := range f.rounds {
		if r.ended.IsZero() {
			return name
		}
	}
	return ""
}

func (p *producer) Resume(ctx context.Context, round string) error {
	p.mu.Lock()
	p.rounds[round].resumed++
	p.mu.Unlock()
	return p.run(ctx, round)
}

// run lets the round have the time that it takes, whoever is there; it is ended
// when it is overdue, as package round ends it.
func (p *producer) run(ctx context.Context, round string) error {
	p.mu.Lock()
	r, n := p.rounds[round], slices.Index(p.order, round)
	ends := r.begun.Add(p.takes(n))
	overdue := !r.manifest.OverdueAt.IsZero() && ends.After(r.manifest.OverdueAt)
	if overdue {
		ends = r.manifest.OverdueAt
	}
	half, dying := time.Until(ends)/2, p.dies["round under way"]
	p.mu.Unlock()
	if dying && wait(ctx, half) {
		p.mu.Lock()
		p.reaches("round under way")
		p.mu.Unlock()
	}
	if !wait(ctx, time.Until(ends)) {
		return context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.ended, r.overdue = time.Now(), overdue
	return nil
}

// WarmUp takes the time that the fleet says, and no round may run beside it.
func (p *producer) WarmUp(ctx context.Context, turn time.Time) error {
	p.mu.Lock()
	if running := p.running(); running != "" {
		panic("a warm-up begins while round " + running + " runs")
	}
	w := &warmed{turn: turn, begun: time.Now()}
	p.warmUps = append(p.warmUps, w)
	p.mu.Unlock()
	if p.warms == nil {
		return nil
	}
	err := p.warms(ctx)
	w.ended, w.cause = time.Now(), context.Cause(ctx)
	return err
}

func (p *producer) Steer(context.Context) (job.Steer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.steer, nil
}

func (p *producer) Announce(_ context.Context, turn time.Time) {
	p.announced = append(p.announced, turn)
}

// steered changes the orders as `producer pause`, `resume` and `now` do.
func (f *fleet) steered(change func(job.Steer) (job.Steer, bool)) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	then, changed := change(f.steer)
	f.steer = then
	return changed
}

func (p *producer) Forget(context.Context) error {
	p.forgets++
	return nil
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// follow runs producers one after the other until the fleet's time is over: one
// that dies is followed after the takeover time.
func (f *fleet) follow(t *testing.T, cfg schedule.Config, span time.Duration) {
	t.Helper()
	if cfg.Look == 0 { // weeks have many seconds
		cfg.Look = time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	over, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	for over.Err() == nil {
		ctx, die := context.WithCancelCause(over)
		err := schedule.New(cfg).Run(ctx, &producer{fleet: f, die: die})
		die(nil)
		if !errors.Is(err, errDied) && over.Err() == nil {
			t.Fatalf("the keeper ended with %v", err)
		}
		wait(over, 15*time.Second)
	}
}

// begun are the instants at which rounds began, since the first.
func (f *fleet) begun() []time.Duration {
	var list []time.Duration
	for _, name := range f.order {
		list = append(list, f.rounds[name].begun.Sub(f.rounds[f.order[0]].begun))
	}
	return list
}
