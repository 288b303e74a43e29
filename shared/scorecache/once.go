package scorecache

import (
	"context"
	"fmt"
	"sync"
)

// Fetch brings a pull request from the mirror. It returns what is to be kept,
// nil for nothing, under the commits that the answer itself names.
type Fetch func(ctx context.Context) (Key, *Entry, error)

// Once has fetch bring what the cache lacks. While another job of this process
// fetches the same pull request, it waits, and returns what that one kept. It
// returns nil when fetch ran. An error is fetch's own, or says that ctx has
// ended.
//
// Each fetch runs in its own job's context and fails that job alone. One that
// fails says little of the next: its job may have lost its lease. So whoever
// waited for it fetches the pull request itself.
func (c *Cache) Once(ctx context.Context, k Key, fetch Fetch) (*Entry, error) {
	k.Scorer = c.cfg.Scorer
	leave, err := c.turns.take(ctx, k.id())
	if err != nil {
		return nil, fmt.Errorf("waiting for another's fetch of %s#%d: %w", k.Repository, k.Number, err)
	}
	defer leave()
	// Since the caller's own look, another may have kept it.
	if entry, err := c.Look(ctx, k); entry != nil || err != nil {
		return entry, err
	}
	answered, entry, err := fetch(ctx)
	if entry != nil {
		// What was fetched is worth keeping even if the job has ended meanwhile.
		c.keep(context.WithoutCancel(ctx), answered, *entry)
	}
	return nil, err
}

// turns gives each key to one at a time. The zero value is ready for use.
//
// It is not singleflight.Group: that one runs the call in the context of whoever
// came first and gives its failure to all, so that a lease that ends in one job
// would fail the others.
type turns struct {
	mu sync.Mutex
	// taken has a channel for each key that somebody has, which closes when it
	// is free again.
	taken map[string]chan struct{}
}

// take waits until the key is free, and takes it until leave is called. An
// error is the cause of ctx's end.
func (t *turns) take(ctx context.Context, key string) (leave func(), err error) {
	for {
		taken := t.try(key)
		if taken == nil {
			return func() { t.leave(key) }, nil
		}
		select {
		case <-taken:
		case <-ctx.Done():
			return nil, context.Cause(ctx) //nolint:wrapcheck // the caller's own
		}
	}
}

// try takes the key, or returns the channel of whoever has it.
func (t *turns) try(key string) (taken <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if taken, busy := t.taken[key]; busy {
		return taken
	}
	if t.taken == nil {
		t.taken = map[string]chan struct{}{}
	}
	t.taken[key] = make(chan struct{})
	return nil
}

func (t *turns) leave(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.taken[key])
	delete(t.taken, key)
}
