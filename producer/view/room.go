package view

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"mirrorfleet/shared/broadcast"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// room is one round with its viewers.
type room struct {
	quit    context.CancelFunc
	viewers int // guarded by the hub

	begun   chan struct{} // closed when follow is set, or err
	follow  *Follow
	changed broadcast.Signal

	mu sync.Mutex
	// told is the last event of each miner, of the counts and of the end, in the order in
	// which they were told. count is how many were told in all.
	told   []numbered
	count  int
	err    error // why the round is no longer followed
	moment Moment
}

// numbered is an event with its place among all that were told.
type numbered struct {
	Event

	number int
}

// run follows the round. Viewers are let in when all that is known of it is told.
func (r *room) run(ctx context.Context, bus *jobstream.Bus, name string) error {
	now := time.Now()
	f, err := NewFollow(ctx, bus, name, now)
	if err != nil {
		return err
	}
	if err := f.tell(now, r.tell); err != nil {
		return err
	}
	r.follow, r.moment = f, f.Watch.Begin(ctx, now)
	close(r.begun)
	_, err = f.Run(ctx, r.tell)
	return err
}

// over tells the viewers that nothing more comes.
func (r *room) over(err error) {
	r.mu.Lock()
	r.err = err
	r.mu.Unlock()
	if r.follow == nil {
		close(r.begun)
	}
	r.changed.Send()
}

func (r *room) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// tell puts an event in the place of the one that it replaces.
func (r *room) tell(e Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = slices.DeleteFunc(r.told, func(old numbered) bool {
		return old.Type == e.Type && (e.Type != EventMiner || old.Miner.UID == e.Miner.UID)
	})
	r.count++
	r.told = append(r.told, numbered{e, r.count})
	r.changed.Send()
	return nil
}

// Subscription is one viewer of a round. Next is for one goroutine at a time.
type Subscription struct {
	room  *room
	leave func()
	after uint64 // the ID of the last event that the viewer had before
	seen  int    // the number of the last event that it has
	ended bool
}

// Close ends it. The last viewer of a round ends what follows it. It may be called again.
func (s *Subscription) Close() { s.leave() }

// Next returns what has changed since it was called last, or waits for it; nothing if nothing
// changes for so long. After the event EventEnd comes io.EOF, and after Hub.Close ErrHubClosed.
func (s *Subscription) Next(ctx context.Context, atMost time.Duration) ([]Event, error) {
	enough := time.NewTimer(atMost)
	defer enough.Stop()
	for {
		changed := s.room.changed.Next()
		if events, err := s.take(); err != nil || len(events) > 0 {
			return events, err
		}
		select {
		case <-changed:
		case <-enough.C:
			return nil, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("viewing a round: %w", context.Cause(ctx))
		}
	}
}

// take takes the events that the viewer does not have. None has an ID below that of its last
// one: what the viewer had before, it has.
func (s *Subscription) take() (events []Event, err error) {
	if s.ended {
		return nil, io.EOF
	}
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.told {
		if e.number <= s.seen || e.Type == EventMiner && e.ID <= s.after && !e.Miner.passing() {
			continue
		}
		e.ID = max(e.ID, s.after)
		s.ended = e.Type == EventEnd
		events = append(events, e.Event)
	}
	s.seen = r.count
	if len(events) == 0 {
		return nil, r.err
	}
	return events, nil
}

// passing says that no record tells all of a job: what it does, or until when it waits.
func (m *MinerNow) passing() bool {
	return m.Phase == job.Running || m.Phase == job.Planned && m.Failures > 0
}

// Moment is the round at an instant, for a display; Miners are all of its jobs. Any goroutine
// may ask, as often as it wants.
func (s *Subscription) Moment(ctx context.Context, now time.Time) Moment {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.moment.Now) >= lookAtRecords { // the meter keeps each reading for a minute
		r.follow.Watch.Look(ctx, &r.moment, now)
	}
	m := r.moment
	m.Meter = m.Meter.Clone()
	return m
}
