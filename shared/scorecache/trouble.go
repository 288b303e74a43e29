package scorecache

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/pause"
)

// try runs one operation within the timeout. While the connection is down it
// tries again until ctx ends: nothing left this process, so nothing is done
// twice.
func (c *Cache) try(ctx context.Context, op func(context.Context) error) error {
	for {
		bounded, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
		err := op(bounded)
		cancel()
		if err == nil {
			c.recovered(ctx)
			return nil
		}
		if !away(err) {
			return err
		}
		c.trouble(ctx, "waiting for the connection", err)
		if err := pause.For(ctx, c.cfg.RetryWait); err != nil {
			return err
		}
	}
}

// away says that an operation did not leave this process.
func away(err error) bool {
	return errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrConnectionReconnecting) ||
		errors.Is(err, nats.ErrDisconnected)
}

// trouble logs the first of a row of failed operations.
func (c *Cache) trouble(ctx context.Context, what string, err error) {
	if c.out.CompareAndSwap(false, true) {
		c.cfg.Log.WarnContext(ctx, "the score cache cannot be used", "doing", what, "error", err)
	}
}

// recovered logs the first success after trouble.
func (c *Cache) recovered(ctx context.Context) {
	if c.out.Load() && c.out.CompareAndSwap(true, false) {
		c.cfg.Log.InfoContext(ctx, "the score cache can be used again")
	}
}
