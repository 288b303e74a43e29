package jobstream

import (
	"context"
	"sync/atomic"
	"time"
)

// AwaitSetBack is for tests: a watch of a stream that was created then ends when it
// returns.
func (b *Bus) AwaitSetBack(ctx context.Context, name string, created time.Time) {
	var last atomic.Uint64
	b.awaitSetBack(ctx, name, created, &last)
}

// NotConnected is why a process has no connection.
var NotConnected = notConnected
