package kv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/signing"
)

// AtOnce bounds the concurrent operations of one list: enough to hide the latency of the
// server, too few to slow down others.
const AtOnce = 32

// Link is how buckets reach the server.
type Link struct {
	NC     *nats.Conn
	JS     jetstream.JetStream
	Leader nats.JetStreamContext // the library's older interface, for ReadLeader
	// Retry runs an operation until it succeeds, fails for good, or ctx ends. The operation
	// may run twice. stream is the stream to which it writes, "" for a read.
	Retry func(ctx context.Context, what, stream string, op func(context.Context) error) error
	// Timeout bounds one look at a stream.
	Timeout time.Duration
	// Signing signs and verifies sealed values.
	Signing signing.Keys
	// Log receives the values that a watch leaves out. Default: slog.Default().
	Log *slog.Logger
}

func (l *Link) log() *slog.Logger { return cmp.Or(l.Log, slog.Default()) }

// Bucket is one bucket. It is safe for concurrent use.
type Bucket struct {
	*Link

	Name   string
	KV     jetstream.KeyValue
	Stream jetstream.Stream
	// MaxBytes is the largest size to which a value may unpack: MaxRoundValue or
	// MaxMinerValue.
	MaxBytes int
	// AtLeader says that reads go to the leader, by the library's older interface. The newer
	// interface would let any replica answer if the bucket allows direct reads.
	AtLeader bool
}

const streamPrefix = "KV_"

// StreamOf is the name of a bucket's stream.
func StreamOf(bucket string) string { return streamPrefix + bucket }

// BucketOf is the name of the bucket to which a stream belongs; false for any other stream.
func BucketOf(stream string) (string, bool) { return strings.CutPrefix(stream, streamPrefix) }

// Subject is the subject under which a bucket stores a key.
func Subject(bucket, key string) string { return "$KV." + bucket + "." + key }

// Get reads the stored bytes of a key; ErrNotFound if there is none.
func (b *Bucket) Get(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	return b.getBy(ctx, key, b.read)
}

// getBy is Get with the way to read: read or readAny.
func (b *Bucket) getBy(ctx context.Context, key string,
	read func(context.Context, string) (jetstream.KeyValueEntry, error),
) (jetstream.KeyValueEntry, error) {
	var entry jetstream.KeyValueEntry
	err := b.Retry(ctx, "reading "+b.Name+" "+key, "", func(ctx context.Context) (err error) {
		entry, err = read(ctx, key)
		return err
	})
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, fmt.Errorf("bucket %s, key %s: %w", b.Name, key, ErrNotFound)
	}
	return entry, err
}

// Write sets key to data if the key has the given revision; 0 means that it must not exist.
// ErrConflict if it has another. If the answer to an earlier try was lost, the conflict may
// be with that try's own write, so Write compares the stored value first.
func (b *Bucket) Write(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	var now uint64
	unsure := false
	err := b.Retry(ctx, "writing "+b.Name+" "+key, StreamOf(b.Name), func(ctx context.Context) error {
		var err error
		if revision == 0 {
			now, err = b.create(ctx, key, data)
		} else {
			now, err = b.KV.Update(ctx, key, data, revision)
		}
		if unsure && Conflict(err) {
			now, err = b.ownWrite(ctx, key, data)
		}
		unsure = unsure || err != nil && !NotSent(err)
		return err
	})
	if Conflict(err) {
		return 0, fmt.Errorf("bucket %s, key %s at revision %d: %w", b.Name, key, revision, ErrConflict)
	}
	return now, err
}

// create sets a key that does not exist.
func (b *Bucket) create(ctx context.Context, key string, data []byte) (uint64, error) {
	if !b.AtLeader { // the library asks the leader anyway
		return b.KV.Create(ctx, key, data) //nolint:wrapcheck // Retry names the operation
	}
	return CreateLeader(ctx, b.Leader, b.KV, key, data)
}

// ownWrite returns the revision of key if it already holds data.
func (b *Bucket) ownWrite(ctx context.Context, key string, data []byte) (uint64, error) {
	entry, err := b.read(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) { // it is gone, which is another state than was expected
		return 0, jetstream.ErrKeyExists
	}
	if err != nil {
		return 0, fmt.Errorf("looking up the outcome of a write: %w", err)
	}
	if string(entry.Value()) != string(data) {
		return 0, jetstream.ErrKeyExists
	}
	return entry.Revision(), nil
}

// put sets key to data whatever it held.
func (b *Bucket) put(ctx context.Context, key string, data []byte) error {
	return b.Retry(ctx, "writing "+b.Name+" "+key, StreamOf(b.Name), func(ctx context.Context) error {
		_, err := b.KV.Put(ctx, key, data)
		return err //nolint:wrapcheck // Retry names the operation
	})
}

// List calls each for every value whose key matches a pattern, in the order of the keys. A
// value that is deleted meanwhile is left out.
//
// List asks the leader for the keys, and then for each value. A consumer would read all in
// one go, but has two faults. Any replica may serve it, and a replica may lag. And a user
// who may create consumers could have messages delivered to subjects to which it must not
// write.
func (b *Bucket) List(ctx context.Context, pattern string, each func(jetstream.KeyValueEntry)) error {
	keys, err := b.Keys(ctx, pattern)
	if err != nil {
		return err
	}
	entries := make([]jetstream.KeyValueEntry, len(keys))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(AtOnce)
	for i, key := range keys {
		group.Go(func() (err error) {
			if entries[i], err = b.getBy(reading, key, b.readAny); errors.Is(err, ErrNotFound) {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, entry := range entries {
		if entry != nil {
			each(entry)
		}
	}
	return nil
}

// Keys lists the keys that match a pattern, sorted. It includes a key that somebody has
// deleted by hand; the product itself deletes none singly.
func (b *Bucket) Keys(ctx context.Context, pattern string) ([]string, error) {
	subjects, err := b.Subjects(ctx, b.Stream, Subject(b.Name, pattern))
	keys := slices.Sorted(maps.Keys(subjects))
	for i, subject := range keys {
		keys[i] = strings.TrimPrefix(subject, Subject(b.Name, ""))
	}
	return keys, err
}

// Subjects lists the subjects of a stream that match a pattern, each with its number of
// messages. One request covers many thousands.
func (l *Link) Subjects(ctx context.Context, stream jetstream.Stream, subject string) (held map[string]uint64, err error) {
	err = l.Retry(ctx, "listing "+subject, "", func(ctx context.Context) error {
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subject))
		if err == nil {
			held = info.State.Subjects
		}
		return err //nolint:wrapcheck // Retry names the operation
	})
	return held, err
}
