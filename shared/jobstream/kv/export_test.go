package kv

import (
	"context"
	"sync/atomic"
	"time"
)

// AwaitSetBack is for tests: a watch of a stream that was created then ends when it
// returns.
func (b *Bucket) AwaitSetBack(ctx context.Context, created time.Time) {
	var last atomic.Uint64
	b.awaitSetBack(ctx, created, &last)
}
