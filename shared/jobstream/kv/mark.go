package kv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Mark tells states of the keys that match a pattern apart. While the mark stays the same, no
// key was written, deleted or purged, and every value is the one of before: a value that is
// written gets the last sequence of all, and one that is purged takes its key along. A stream
// that was set back or made anew has another last value, or the same values up to it.
type Mark struct {
	keys int
	last uint64
	at   time.Time
}

// Mark reads the mark of the keys that match a pattern, in two requests to the leader. A mark
// for what is read afterwards must be read before it.
func (b *Bucket) Mark(ctx context.Context, pattern string) (mark Mark, err error) {
	subject := Subject(b.Name, pattern)
	err = b.Retry(ctx, "looking for changes of "+b.Name+" "+pattern, "", func(ctx context.Context) error {
		info, err := b.Stream.Info(ctx, jetstream.WithSubjectFilter(subject))
		if err != nil {
			return err //nolint:wrapcheck // Retry names the operation
		}
		mark = Mark{keys: len(info.State.Subjects)}
		last, err := b.Leader.GetLastMsg(StreamOf(b.Name), subject, nats.Context(ctx))
		if errors.Is(err, nats.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("asking the leader: %w", err)
		}
		mark.last, mark.at = last.Sequence, last.Time
		return nil
	})
	return mark, err
}
