package kv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// read reads a key in the bucket's way: from the leader, or from any replica.
func (b *Bucket) read(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	if !b.AtLeader {
		return b.KV.Get(ctx, key) //nolint:wrapcheck // Retry names the operation
	}
	return b.readAny(ctx, key)
}

// readAny reads a listed key from the leader. The newer interface refuses keys that it takes
// for invalid, and a list may contain such keys.
func (b *Bucket) readAny(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	return ReadLeader(ctx, b.Leader, b.Name, key)
}

// ReadLeader reads a key from the leader, by the library's older interface;
// jetstream.ErrKeyNotFound if there is none.
func ReadLeader(ctx context.Context, leader nats.JetStreamContext, bucket, key string) (jetstream.KeyValueEntry, error) {
	subject := Subject(bucket, key)
	msg, err := leader.GetLastMsg(StreamOf(bucket), subject, nats.Context(ctx))
	switch {
	case errors.Is(err, nats.ErrMsgNotFound):
		return nil, jetstream.ErrKeyNotFound
	case errors.Is(err, nats.ErrStreamNotFound):
		return nil, jetstream.ErrStreamNotFound
	case err != nil:
		return nil, fmt.Errorf("asking the leader: %w", err)
	case msg.Subject != subject: // the key has a wildcard, and this is another one
		return nil, jetstream.ErrKeyNotFound
	case msg.Header.Get("KV-Operation") != "": // deleted or purged
		return nil, jetstream.ErrKeyNotFound
	}
	return &entry{bucket, key, msg}, nil
}

// CreateLeader sets a key that does not exist or was deleted; jetstream.ErrKeyExists if it
// exists. The client library's Create would ask any replica whether an existing entry is a
// deletion, by a direct read that a producer may not make.
func CreateLeader(ctx context.Context, leader nats.JetStreamContext, kv jetstream.KeyValue, key string, data []byte) (uint64, error) {
	revision, err := kv.Update(ctx, key, data, 0)
	if !Conflict(err) {
		return revision, err //nolint:wrapcheck // the caller names the operation
	}
	msg, lookErr := leader.GetLastMsg(StreamOf(kv.Bucket()), Subject(kv.Bucket(), key), nats.Context(ctx))
	switch {
	case lookErr != nil:
		return 0, fmt.Errorf("asking the leader: %w", lookErr)
	case msg.Header.Get("KV-Operation") != "":
		return kv.Update(ctx, key, data, msg.Sequence) //nolint:wrapcheck // the caller names the operation
	}
	return 0, jetstream.ErrKeyExists
}

// entry is a value as read from the leader.
type entry struct {
	bucket, key string
	msg         *nats.RawStreamMsg
}

func (e *entry) Bucket() string                  { return e.bucket }
func (e *entry) Key() string                     { return e.key }
func (e *entry) Value() []byte                   { return e.msg.Data }
func (e *entry) Revision() uint64                { return e.msg.Sequence }
func (e *entry) Created() time.Time              { return e.msg.Time }
func (e *entry) Delta() uint64                   { return 0 }
func (e *entry) Operation() jetstream.KeyValueOp { return jetstream.KeyValuePut }
