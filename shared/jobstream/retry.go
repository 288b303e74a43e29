package jobstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/jobstream/kv"
	"mirrorfleet/shared/pause"
)

// retry runs op until it succeeds, fails for good, or ctx ends. Each run has its own
// timeout. op may run twice. If a stream is gone, a producer declares it again, and a
// viewer's operation ends with ErrUndeclared.
func (l *link) retry(ctx context.Context, what string, op func(context.Context) error) error {
	return l.retryWrite(ctx, what, "", op)
}

// retryPass is retry for a pass over all streams. Each of its questions has a timeout of its
// own (insistent): a server that is far away takes seconds for all of them.
func (l *link) retryPass(ctx context.Context, what string, op func(context.Context) error) error {
	return l.retryTries(ctx, what, "", func(ctx context.Context) error { return l.explained(ctx, op) })
}

// retryWrite is retry for a write to a stream. Whether writes are confirmed decides whether
// this process can work (Check), so their results are recorded.
func (l *link) retryWrite(ctx context.Context, what, stream string, op func(context.Context) error) error {
	return l.retryTries(ctx, what, stream, func(ctx context.Context) error { return l.once(ctx, op) })
}

func (l *link) retryTries(ctx context.Context, what, stream string, try func(context.Context) error) error {
	for {
		err := try(ctx)
		if err == nil {
			l.worked(stream)
			return nil
		}
		if stream != "" { // which may find that the stream is gone
			err = unconfirmed(ctx, l.js, stream, err)
		}
		if missing(err) {
			err = l.restored(ctx, l.gone(ctx, err))
		}
		if l.nc.IsClosed() {
			return fmt.Errorf("%s: %w", what, whyClosed(l.nc))
		}
		if errors.Is(err, nats.ErrMaxPayload) { // a reconnect may have led to a server with a lower limit
			err = cmp.Or(kv.CheckPayload(l.nc), err)
		}
		if !passing(err) && !missing(err) {
			if stream != "" && Refusal(err) != nil {
				l.failed(ctx, what, stream, err)
			}
			return fmt.Errorf("%s: %w", what, err)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w (last answer: %w)", what, context.Cause(ctx), err)
		}
		l.failed(ctx, what, stream, err)
		if waitErr := pause.For(ctx, l.cfg.RetryWait); waitErr != nil {
			return fmt.Errorf("%s: %w (last answer: %w)", what, waitErr, err)
		}
	}
}

// once bounds one try: a server that hangs is treated like one that is away.
func (l *link) once(ctx context.Context, op func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	return l.explained(ctx, op)
}

// explained runs op, and has its error say what the connection knows: that a right is missing, or
// that there is no connection.
func (l *link) explained(ctx context.Context, op func(context.Context) error) error {
	before := l.nc.LastError()
	err := op(ctx)
	if err != nil {
		err = forbidden(l.nc, before, err)
	}
	if errors.Is(err, nats.ErrReconnectBufExceeded) { // we buffer nothing, so it means "not connected"; its text does not say so
		return fmt.Errorf("there is no connection (%w)", err)
	}
	return err
}

// gone returns err, or for a viewer an UndeclaredError if streams are missing: no waiting of
// a viewer brings them back. A worker waits for a producer to declare them.
func (l *link) gone(ctx context.Context, err error) error {
	if l.cfg.Role != RoleViewer || !l.bound.Load() {
		return err
	}
	var absent *UndeclaredError
	looking := l.explained(ctx, func(ctx context.Context) (err error) {
		absent, err = l.undeclaredNow(ctx)
		return err
	})
	if looking != nil || absent == nil { // the server is away, or back by now
		return err
	}
	return absent
}

// restored declares lost streams and buckets again, after an operation has failed with err. It returns
// err, or a lasting error that prevented the declaration.
func (l *link) restored(ctx context.Context, err error) error {
	if restoring := l.redeclare(ctx); restoring != nil && !passing(restoring) && !missing(restoring) {
		// Of err only the text: err itself would look like a server that is away.
		return fmt.Errorf("declaring lost streams and buckets again: %w (%s)", restoring, err.Error())
	}
	return err
}

// Restore declares again, empty, every declared stream, bucket and consumer that is missing
// because somebody deleted it, or the server lost it. It logs each. The reconciler then
// fills them.
func (b *Bus) Restore(ctx context.Context) error { return b.redeclare(ctx) }

// redeclare is Restore for an operation that finds something missing.
func (l *link) redeclare(ctx context.Context) error {
	if l.cfg.Role != RoleProducer || !l.bound.Load() || !l.restoring.TryLock() {
		return nil // only a producer declares; or Open, or another call, is doing it now
	}
	defer l.restoring.Unlock()
	return l.explained(ctx, l.declareMissing)
}

// created logs that something was declared again. Open's own declarations are not logged.
func (l *link) created(ctx context.Context, kind, name string, err error) {
	if err == nil && l.bound.Load() {
		l.cfg.Log.ErrorContext(ctx, "it was gone, with all that it held: declared again, empty", kind, name)
	}
}
