package backup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// silence is how long a server may say nothing in the middle of a stream. It
// gives up after five seconds itself.
const silence = 30 * time.Second

// ErrCutOff says that the connection was lost on the way.
var ErrCutOff = errors.New("the connection to NATS was lost")

// guard ends a context when the connection is lost, or when nobody has touched
// the guard for a while: a chunk that was under way then is not sent again, and
// neither the library nor the server says so.
type guard struct {
	timer *time.Timer
	fail  context.CancelCauseFunc
	stop  func()
}

func guarded(ctx context.Context, nc *nats.Conn) (context.Context, *guard) {
	ctx, cancel := context.WithCancelCause(ctx)
	g := &guard{fail: cancel}
	lost := nc.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	g.timer = time.AfterFunc(silence, func() { cancel(fmt.Errorf("%w: it said nothing for %s", ErrCutOff, silence)) })
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-lost:
			cancel(ErrCutOff)
		case <-ctx.Done():
		}
	})
	if nc.IsClosed() {
		cancel(ErrCutOff) // before anybody listened
	}
	g.stop = func() {
		cancel(nil)
		g.timer.Stop()
		watch.Wait()
		nc.RemoveStatusListener(lost)
	}
	return ctx, g
}

// touch says that something has moved.
func (g *guard) touch() { g.timer.Reset(silence) }

// why is the reason of an error: that of the context's end says more than what
// the library makes of it.
func why(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause //nolint:wrapcheck // the caller names the operation
	}
	if errors.Is(err, nats.ErrConnectionClosed) { // before the guard has heard of it
		return fmt.Errorf("%w: %w", ErrCutOff, err)
	}
	return err
}
