package jobstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// read asks the leader for a key, but for a worker that reads the bucket of rounds: he
// may ask for single keys alone (rounds), and any replica answers that. For all others
// the client library would ask so, too; ReadLeader does not.
func (l *link) read(ctx context.Context, kv jetstream.KeyValue, key string) (jetstream.KeyValueEntry, error) {
	if kv.Bucket() != job.BucketRounds || l.cfg.Role == RoleWorker {
		return kv.Get(ctx, key) //nolint:wrapcheck // try names the operation
	}
	return l.readAny(ctx, kv, key)
}

// readAny asks the leader for a key that a list has. It may be one that the client
// library takes for no key, and refuses to ask for.
func (l *link) readAny(ctx context.Context, kv jetstream.KeyValue, key string) (jetstream.KeyValueEntry, error) {
	return ReadLeader(ctx, l.leader, kv.Bucket(), key)
}

// ReadLeader asks the leader for a key by the library's older interface;
// jetstream.ErrKeyNotFound if there is none.
func ReadLeader(ctx context.Context, leader nats.JetStreamContext, bucket, key string) (jetstream.KeyValueEntry, error) {
	subject := "$KV." + bucket + "." + key
	msg, err := leader.GetLastMsg(bucketStream(bucket), subject, nats.Context(ctx))
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

// CreateLeader sets a key that is not there, or was deleted; jetstream.ErrKeyExists if
// there is one. The client library's Create asks any replica whether the key that is in
// its way was deleted, which a producer may not do.
func CreateLeader(ctx context.Context, leader nats.JetStreamContext, kv jetstream.KeyValue, key string, data []byte) (uint64, error) {
	revision, err := kv.Update(ctx, key, data, 0)
	if !conflict(err) {
		return revision, err //nolint:wrapcheck // the caller names the operation
	}
	msg, lookErr := leader.GetLastMsg(bucketStream(kv.Bucket()), "$KV."+kv.Bucket()+"."+key, nats.Context(ctx))
	switch {
	case lookErr != nil:
		return 0, fmt.Errorf("asking the leader: %w", lookErr)
	case msg.Header.Get("KV-Operation") != "":
		return kv.Update(ctx, key, data, msg.Sequence) //nolint:wrapcheck // the caller names the operation
	}
	return 0, jetstream.ErrKeyExists
}

// entry is a value as the leader has it.
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
