package view

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"mirrorfleet/shared/jobstream"
)

// MaxViewers is how many viewers a hub has at once, of all rounds together. A fleet has a
// handful, and each may have a connection.
const MaxViewers = 64

// Why somebody cannot view a round, or can no longer.
var (
	ErrViewers   = fmt.Errorf("%d viewers follow rounds, and there is no room for more", MaxViewers)
	ErrHubClosed = errors.New("rounds are no longer followed: this process is stopping")
)

// Hub lets viewers follow rounds that run, at the cost of one of them: each round is followed
// once, from its first viewer until its last one leaves.
//
// A viewer is never waited for, and has no queue. It takes what has changed since it took last
// when it comes for it; a change that another one has replaced by then is not told. So a viewer
// that is slow or gone costs no memory.
type Hub struct {
	bus  *jobstream.Bus
	log  *slog.Logger
	ctx  context.Context //nolint:containedctx // the life of what follows rounds, which outlasts the request that began it
	quit context.CancelFunc
	wait sync.WaitGroup

	mu      sync.Mutex
	rooms   map[string]*room
	viewers int
}

// NewHub returns a hub. It ends with ctx, or by Close.
func NewHub(ctx context.Context, bus *jobstream.Bus, log *slog.Logger) *Hub {
	ctx, quit := context.WithCancel(ctx)
	return &Hub{
		bus:   bus,
		log:   log,
		ctx:   ctx,
		quit:  quit,
		rooms: map[string]*room{},
	}
}

// Close ends every subscription and waits for what follows rounds. It may be called again.
func (h *Hub) Close() {
	h.mu.Lock() // whoever has entered before is counted by wait
	h.quit()
	h.mu.Unlock()
	h.wait.Wait()
}

// Subscribe begins to view a round, by its name, and waits until it is known how it stands.
// after is the ID of the last event that the viewer has, 0 for none: of the miners it is told
// those that have changed since, and those that run or wait for a retry, for what they wait for
// is not in the stream. An ID beyond the last change is of a stream that was since set back, so
// all is told. A round that does not exist is ErrNoRound.
//
// ctx is for the beginning alone: the subscription lasts until it is closed, which is the
// caller's duty.
func (h *Hub) Subscribe(ctx context.Context, name string, after uint64) (*Subscription, error) {
	r, err := h.enter(name) //nolint:contextcheck // what follows the round outlasts this viewer
	if err != nil {
		return nil, err
	}
	s := &Subscription{
		room:  r,
		after: after,
		leave: sync.OnceFunc(func() { h.left(name, r) }),
	}
	select {
	case <-r.begun:
		err = r.failure()
	case <-ctx.Done():
		err = fmt.Errorf("beginning to follow round %s: %w", name, context.Cause(ctx))
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	if after > r.follow.reached() {
		s.after = 0
	}
	return s, nil
}

// enter finds the round's room, or opens it, and counts the viewer.
func (h *Hub) enter(name string) (*room, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ctx.Err() != nil:
		return nil, ErrHubClosed
	case h.viewers >= MaxViewers:
		return nil, ErrViewers
	}
	r := h.rooms[name]
	if r == nil {
		ctx, quit := context.WithCancel(h.ctx)
		r = &room{quit: quit, begun: make(chan struct{})}
		h.rooms[name] = r
		h.wait.Go(func() { h.follow(ctx, name, r) })
	}
	h.viewers++
	r.viewers++
	return r, nil
}

// left counts a viewer that has gone. The last one takes the room with it.
func (h *Hub) left(name string, r *room) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.viewers--
	if r.viewers--; r.viewers == 0 {
		h.shutLocked(name, r)
	}
}

// shutLocked lets nobody else into a room, and ends what follows its round.
func (h *Hub) shutLocked(name string, r *room) {
	r.quit()
	if h.rooms[name] == r {
		delete(h.rooms, name)
	}
}

// follow follows a room's round until it has ended or its viewers have left. Whoever comes
// afterwards begins anew: the round may be replayed.
func (h *Hub) follow(ctx context.Context, name string, r *room) {
	err := r.run(ctx, h.bus, name)
	switch {
	case h.ctx.Err() != nil:
		err = ErrHubClosed
	case err != nil && ctx.Err() == nil && !NotThere(err):
		h.log.WarnContext(ctx, "a round can no longer be followed for its viewers", "round", name, "error", err)
	}
	h.mu.Lock()
	h.shutLocked(name, r)
	h.mu.Unlock()
	r.over(err)
}
