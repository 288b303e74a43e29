package jobstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/pause"
)

// ErrUndeclared says that streams are missing that a producer declares: no producer has run
// yet, or somebody has deleted them since (UndeclaredError).
var ErrUndeclared = errors.New("undeclared")

// UndeclaredError names the missing streams.
type UndeclaredError struct {
	Streams []string
	// All says that all are missing: no producer has declared any.
	All bool
}

func (e *UndeclaredError) Error() string {
	switch {
	case e.All:
		return "no producer has declared the streams yet"
	case len(e.Streams) == 0: // a consumer alone
		return "a consumer that a producer declares is gone: the next producer that starts declares it again"
	}
	return fmt.Sprintf("what a producer declares is gone: %s; the next producer that starts declares it again, empty",
		strings.Join(e.Streams, ", "))
}

// Is matches ErrUndeclared.
func (e *UndeclaredError) Is(target error) bool { return target == ErrUndeclared }

// undeclaredNow looks which of the role's streams are missing; nil if none is.
func (l *link) undeclaredNow(ctx context.Context) (*UndeclaredError, error) {
	absent, used := &UndeclaredError{}, 0
	for _, s := range declared() {
		if !s.does(l.cfg.Role, looks) {
			continue
		}
		used++
		_, err := l.js.Stream(ctx, s.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			absent.Streams = append(absent.Streams, s.Name)
		} else if err != nil {
			return nil, naming("stream", s.Name, err)
		}
	}
	if len(absent.Streams) == 0 {
		return nil, nil //nolint:nilnil // as documented
	}
	absent.All = len(absent.Streams) == used
	return absent, nil
}

// open declares the streams, or finds them, depending on the role. It waits up to cfg.Wait
// for a JetStream that is not ready.
func (l *link) open(ctx context.Context) error {
	ready, cancel := ctx, context.CancelFunc(func() {})
	if l.cfg.Wait > 0 {
		ready, cancel = context.WithTimeoutCause(ctx, l.cfg.Wait, fmt.Errorf("not ready after %s", l.cfg.Wait))
	}
	defer cancel()
	if l.cfg.Role == RoleProducer {
		return l.retryPass(ready, "declaring streams", l.declare)
	}
	err := l.find(ready)
	if l.cfg.Role == RoleWorker && errors.Is(err, ErrUndeclared) {
		return l.awaitDeclared(ctx)
	}
	return err
}

// find looks the streams up; ErrUndeclared if one is missing.
func (l *link) find(ctx context.Context) error {
	return l.retryPass(ctx, "looking for the streams", func(ctx context.Context) error {
		err := l.bind(ctx)
		if !undeclared(err) {
			return err
		}
		absent, lookErr := l.undeclaredNow(ctx)
		if absent == nil && lookErr == nil { // they have come meanwhile, or a consumer alone is missing
			absent = &UndeclaredError{}
		}
		return cmp.Or[error](lookErr, absent)
	})
}

// awaitDeclared waits until a producer has declared the streams. A worker may start
// long before the first producer.
func (l *link) awaitDeclared(ctx context.Context) error {
	const remind = 10 * time.Second
	var said time.Time
	for {
		err := l.find(ctx)
		if !errors.Is(err, ErrUndeclared) {
			return err
		}
		if now := time.Now(); now.Sub(said) >= remind {
			said = now
			l.cfg.Log.WarnContext(ctx, "waiting for a producer, which declares the streams", "error", err)
		}
		if err := pause.For(ctx, l.cfg.RetryWait); err != nil {
			return fmt.Errorf("waiting for a producer, which declares the streams: %w", err)
		}
	}
}

// undeclared says whether an error means that a stream or a consumer is missing.
func undeclared(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrBucketNotFound) ||
		errors.Is(err, jetstream.ErrConsumerNotFound)
}
