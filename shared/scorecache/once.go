package scorecache

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/watch"
)

// Fetch brings a pull request from the mirror. It returns what is to be kept,
// nil for nothing, under the commits that the answer itself names. The context
// is Once's own.
type Fetch func(ctx context.Context) (Key, *Entry, error)

// Once has fetch bring what a look has not found, unless another goroutine or
// process is at it: then it waits, and returns what that one brought. It
// returns nil when fetch ran. An error is fetch's own, or says that the context
// has ended; a fetch that fails elsewhere is made here.
func (c *Cache) Once(ctx context.Context, seen Seen, fetch Fetch) (*Entry, error) {
	if seen.blind {
		return nil, c.fetch(ctx, nil, seen, fetch)
	}
	leave, seen, err := c.enter(ctx, seen)
	if err != nil {
		return nil, err
	}
	defer leave()
	h, entry, err := c.claim(ctx, seen)
	if err != nil {
		return nil, err
	}
	if entry != nil {
		c.stats.shared.Add(1)
		return entry, nil
	}
	return nil, c.fetch(ctx, h, seen, fetch)
}

// enter waits until no other goroutine of this process is at the key. Then the
// key is looked at again: what the other one brought is there.
func (c *Cache) enter(ctx context.Context, seen Seen) (leave func(), now Seen, err error) {
	waited := false
	for {
		c.mu.Lock()
		other, busy := c.busy[seen.id]
		if !busy {
			mine := make(chan struct{})
			c.busy[seen.id] = mine
			leave = func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				delete(c.busy, seen.id)
				close(mine)
			}
		}
		c.mu.Unlock()
		if !busy {
			break
		}
		waited = true
		select {
		case <-other:
		case <-ctx.Done():
			return nil, seen, seen.ended(ctx)
		}
	}
	if waited {
		if seen, err = c.look(ctx, seen.key); err != nil {
			leave()
			return nil, seen, err
		}
	}
	return leave, seen, nil
}

func (s Seen) ended(ctx context.Context) error {
	return fmt.Errorf("waiting for another's fetch of %s#%d: %w", s.key.Repository, s.key.Number, context.Cause(ctx))
}

// claim makes the key this process' to fetch, or returns what somebody else
// brought meanwhile. Neither means that the bucket cannot be asked.
func (c *Cache) claim(ctx context.Context, s Seen) (*hold, *Entry, error) {
	for {
		if s.entry != nil || s.blind {
			return nil, s.entry, nil
		}
		if now := time.Now(); s.until.After(now) {
			if s = c.await(ctx, s, now); ctx.Err() != nil {
				return nil, nil, s.ended(ctx)
			}
			continue
		}
		revision, err := c.write(ctx, s)
		switch {
		case err == nil:
			return c.hold(ctx, s.id, revision), nil, nil
		case ctx.Err() != nil:
			return nil, nil, s.ended(ctx)
		case conflict(err): // the watch begins with what came first
			s.until = time.Now().Add(c.cfg.ClaimFor)
		default:
			c.trouble(ctx, "claiming a pull request", err)
			s.blind = true
		}
	}
}

// write puts a claim where the look has found none that counts.
func (c *Cache) write(ctx context.Context, s Seen) (revision uint64, err error) {
	err = c.try(ctx, func(ctx context.Context) error {
		data, err := encodeClaim(time.Now().Add(c.cfg.ClaimFor))
		if err != nil {
			return err
		}
		if s.revision == 0 {
			revision, err = c.cfg.Bucket.Create(ctx, s.id, data)
		} else {
			revision, err = c.cfg.Bucket.Update(ctx, s.id, data, s.revision)
		}
		return err //nolint:wrapcheck // told apart by claim
	})
	return revision, err
}

// await watches a claimed key until it holds something else, its claim runs
// out unprolonged, or ctx ends. An instant too far ahead is another clock's:
// nobody waits longer than ClaimFor for a sign of life.
func (c *Cache) await(ctx context.Context, s Seen, now time.Time) Seen {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	bound := time.AfterFunc(c.cfg.Timeout, cancel) // the watch's beginning, not its length
	watcher, err := c.cfg.Bucket.Watch(watching, s.id)
	if !bound.Stop() && err == nil {
		err = context.DeadlineExceeded
		watch.Stop(watcher)
	}
	if err != nil {
		c.trouble(ctx, "watching a pull request", err)
		s.blind = true
		return s
	}
	defer watch.Stop(watcher)
	runsOut := time.NewTimer(min(s.until.Sub(now), c.cfg.ClaimFor))
	defer runsOut.Stop()
	return c.follow(ctx, s, watcher, runsOut)
}

// follow is await's loop.
func (c *Cache) follow(ctx context.Context, s Seen, watcher jetstream.KeyWatcher, runsOut *time.Timer) Seen {
	for there := false; ; {
		select {
		case <-ctx.Done():
			return s
		case <-runsOut.C:
			s.until = time.Time{}
			return s
		case entry, open := <-watcher.Updates():
			if !open {
				s.blind = true
				return s
			}
			if entry == nil { // all that was there has come
				if !there {
					s.until, s.revision = time.Time{}, 0
					return s
				}
				continue
			}
			there = true
			now := time.Now()
			if s = c.read(ctx, s, entry); !s.until.After(now) {
				return s
			}
			runsOut.Reset(min(s.until.Sub(now), c.cfg.ClaimFor))
		}
	}
}

// fetch fetches under a hold, nil for none, and keeps what it brought. The
// claim ends when the value replaces it, or else is removed.
func (c *Cache) fetch(ctx context.Context, h *hold, s Seen, fetch Fetch) error {
	key, entry, err := func() (Key, *Entry, error) {
		defer h.rest() // a panic of the fetch's is its caller's, and no claim outlives it
		return fetch(ctx)
	}()
	// What was fetched is worth keeping even if the job has ended meanwhile.
	ctx = context.WithoutCancel(ctx)
	key.Scorer = c.cfg.Scorer
	kept := entry != nil && c.keep(ctx, key, *entry)
	if replaced := kept && key.id() == s.id; h != nil && !replaced {
		h.release(ctx)
	}
	return err
}
