package jobstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/pause"
)

// ErrUndeclared says that no producer has declared the streams yet.
var ErrUndeclared = errors.New("no producer has declared the streams yet")

// open declares the streams or finds them, as the role wants. A JetStream that is not
// ready is waited for until cfg.Wait is over.
func (b *Bus) open(ctx context.Context) error {
	ready, cancel := ctx, context.CancelFunc(func() {})
	if b.cfg.Wait > 0 {
		ready, cancel = context.WithTimeoutCause(ctx, b.cfg.Wait, fmt.Errorf("not ready after %s", b.cfg.Wait))
	}
	defer cancel()
	if b.cfg.Role == RoleProducer {
		return b.try(ready, "declaring streams", b.declare)
	}
	err := b.find(ready)
	if b.cfg.Role == RoleWorker && errors.Is(err, ErrUndeclared) {
		return b.awaitDeclared(ctx)
	}
	return err
}

// find looks the streams up; ErrUndeclared if one is not there.
func (b *Bus) find(ctx context.Context) (absent error) {
	err := b.try(ctx, "looking for the streams", func(ctx context.Context) error {
		absent = nil
		err := b.bind(ctx)
		if undeclared(err) {
			absent = fmt.Errorf("%w: %w", ErrUndeclared, err)
			return nil
		}
		return err
	})
	return errors.Join(err, absent)
}

// awaitDeclared waits until a producer has declared the streams. A worker may start
// long before the first producer.
func (b *Bus) awaitDeclared(ctx context.Context) error {
	const remind = 10 * time.Second
	var said time.Time
	for {
		err := b.find(ctx)
		if !errors.Is(err, ErrUndeclared) {
			return err
		}
		if now := time.Now(); now.Sub(said) >= remind {
			said = now
			b.cfg.Log.WarnContext(ctx, "waiting for a producer, which declares the streams", "error", err)
		}
		if err := pause.For(ctx, b.cfg.RetryWait); err != nil {
			return fmt.Errorf("waiting for a producer, which declares the streams: %w", err)
		}
	}
}

// undeclared says that a stream or a consumer is not there.
func undeclared(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrBucketNotFound) ||
		errors.Is(err, jetstream.ErrConsumerNotFound)
}
