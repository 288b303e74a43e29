package local

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// redisServer is miniredis with its clock driven. Its TIME is the real one;
// but keys expire only when it is told that time has passed, so a ticker
// tells it: a key expires within one tick of its TTL, before or after.
type redisServer struct {
	server *miniredis.Miniredis
	stop   context.CancelFunc
	ticks  sync.WaitGroup
}

// tick is how inexact a key's end may be.
const tick = 250 * time.Millisecond

// startRedis listens and starts the ticker; both end by close.
func startRedis(ctx context.Context, address, password string) (*redisServer, error) {
	r := &redisServer{server: miniredis.NewMiniRedis()}
	r.server.RequireUserAuth(user, password)
	if err := canListen(ctx, address); err != nil {
		return nil, fmt.Errorf("redis cannot listen on %s: %w", address, err)
	}
	if err := r.server.StartAddr(address); err != nil {
		return nil, fmt.Errorf("redis on %s: %w", address, err)
	}
	ticking, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.ticks.Go(func() { r.drive(ticking) })
	return r, nil
}

// drive passes on the time that has really passed, also after a stall.
func (r *redisServer) drive(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			r.server.FastForward(now.Sub(last))
			last = now
		}
	}
}

// close waits for the ticker and for every connection's goroutine.
func (r *redisServer) close() {
	r.stop()
	r.ticks.Wait()
	r.server.Close()
}
