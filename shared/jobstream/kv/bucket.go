package kv

import (
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

// AtOnce bounds the operations that one list of things has under way: enough
// to hide the way to the server, too few to starve anybody else's.
const AtOnce = 32

// Link is what buckets are reached by.
type Link struct {
	NC     *nats.Conn
	JS     jetstream.JetStream
	Leader nats.JetStreamContext // the library's older interface, for ReadLeader
	// Retry runs an operation until it succeeds, fails for good, or ctx ends. The
	// operation must be one that may be run twice. What it writes to is stream, "" for
	// a read.
	Retry func(ctx context.Context, what, stream string, op func(context.Context) error) error
	// Timeout is how long one look at a stream may take.
	Timeout time.Duration
	// Signing signs and verifies what is sealed.
	Signing signing.Keys
	// Log hears of what a watch leaves out.
	Log *slog.Logger
}

// Bucket is one bucket. It is safe for concurrent use.
type Bucket struct {
	*Link

	Name   string
	KV     jetstream.KeyValue
	Stream jetstream.Stream
	// MaxBytes is what a value may unpack to: MaxRoundValue or MaxMinerValue.
	MaxBytes int
	// AtLeader says that the leader is asked by the library's older interface: the
	// newer one would ask any replica of a bucket that allows it.
	AtLeader bool
}

const streamPrefix = "KV_"

// StreamOf is the name of a bucket's stream.
func StreamOf(bucket string) string { return streamPrefix + bucket }

// BucketOf is the name of the bucket whose stream it is; false for any other stream.
func BucketOf(stream string) (string, bool) { return strings.CutPrefix(stream, streamPrefix) }

// Subject is where a bucket keeps a key.
func Subject(bucket, key string) string { return "$KV." + bucket + "." + key }

// Get reads what is stored under a key, as it is stored; ErrNotFound if there is none.
func (b *Bucket) Get(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	return b.getBy(ctx, key, b.read)
}

// getBy is Get by one of the ways to read: read or readAny.
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

// Write sets key to data if its revision is the given one, 0 meaning that it
// must not exist. When an earlier try's answer was lost, a conflict may be
// that try's own doing: then the stored value is compared before ErrConflict
// is returned.
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

// create sets a key that is not there.
func (b *Bucket) create(ctx context.Context, key string, data []byte) (uint64, error) {
	if !b.AtLeader { // the library asks the leader anyway
		return b.KV.Create(ctx, key, data) //nolint:wrapcheck // Retry names the operation
	}
	return CreateLeader(ctx, b.Leader, b.KV, key, data)
}

// ownWrite returns the revision of key if it holds data already.
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

// List calls each for every value of the bucket whose key matches a pattern, in the order
// of the keys. It asks the leader for the keys, and then for each value. A consumer
// would do it in one go, but any replica serves it, and a replica may lag; and whoever
// may make consumers may have them deliver to where he must not write. A value that is
// deleted meanwhile is left out.
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

// Keys lists the keys that match a pattern, sorted. A key that somebody has
// deleted by itself, which nothing of the product does, is among them.
func (b *Bucket) Keys(ctx context.Context, pattern string) ([]string, error) {
	subjects, err := b.Subjects(ctx, b.Stream, Subject(b.Name, pattern))
	keys := slices.Sorted(maps.Keys(subjects))
	for i, subject := range keys {
		keys[i] = strings.TrimPrefix(subject, Subject(b.Name, ""))
	}
	return keys, err
}

// Subjects lists what a stream holds of a subject, each with its number of messages:
// one request for many thousand.
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
