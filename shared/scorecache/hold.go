package scorecache

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// hold is a claim of this process, prolonged until rest.
type hold struct {
	cache    *Cache
	id       string
	revision uint64 // the renewing goroutine's until rest
	enough   chan struct{}
	renewing sync.WaitGroup
}

// hold begins to prolong a claim at a third of its time, so that one sign of
// life may be lost.
func (c *Cache) hold(ctx context.Context, id string, revision uint64) *hold {
	h := &hold{cache: c, id: id, revision: revision, enough: make(chan struct{})}
	ctx = context.WithoutCancel(ctx) // it ends with rest, which its holder calls in any case
	h.renewing.Go(func() {
		ticker := time.NewTicker(c.cfg.ClaimFor / 3)
		defer ticker.Stop()
		for {
			select {
			case <-h.enough:
				return
			case <-ticker.C:
				if !h.renew(ctx) {
					return
				}
			}
		}
	})
	return h
}

// renew prolongs the claim once; false when it is another's by now, which
// costs a second fetch and nothing else.
func (h *hold) renew(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, h.cache.cfg.Timeout)
	defer cancel()
	data, err := encodeClaim(time.Now().Add(h.cache.cfg.ClaimFor))
	if err == nil {
		var revision uint64
		if revision, err = h.cache.cfg.Bucket.Update(ctx, h.id, data, h.revision); err == nil {
			h.revision = revision
		}
	}
	return !conflict(err)
}

// rest prolongs the claim no more; of none it does nothing.
func (h *hold) rest() {
	if h == nil {
		return
	}
	close(h.enough)
	h.renewing.Wait()
}

// release removes the claim if it is still this one: others need not wait for
// its end. One that stays, because the server cannot be asked, runs out.
func (h *hold) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, h.cache.cfg.Timeout)
	defer cancel()
	err := h.cache.cfg.Bucket.Delete(ctx, h.id, jetstream.LastRevision(h.revision))
	if err != nil && !conflict(err) {
		h.cache.trouble(ctx, "removing a claim", err)
	}
}
