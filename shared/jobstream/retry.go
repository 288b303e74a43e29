package jobstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/pause"
)

// try runs op until it succeeds, fails for good, or ctx ends. Each run has
// its own timeout. op must be one that may be run twice. A stream that is gone is
// declared again by a producer, and ends what a viewer does with ErrUndeclared.
func (l *link) try(ctx context.Context, what string, op func(context.Context) error) error {
	return l.tryWrite(ctx, what, "", op)
}

// tryWrite is try for a write to a stream: whether it is confirmed says whether work
// goes on (Check).
func (l *link) tryWrite(ctx context.Context, what, stream string, op func(context.Context) error) error {
	for {
		err := l.once(ctx, op)
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
		if errors.Is(err, nats.ErrMaxPayload) { // the server may be another than at the start
			err = cmp.Or(checkPayload(l.nc), err)
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

// once bounds one try: a server that hangs is as good as one that is away.
func (l *link) once(ctx context.Context, op func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	before := l.nc.LastError()
	err := op(ctx)
	if err != nil {
		err = forbidden(l.nc, before, err)
	}
	if errors.Is(err, nats.ErrReconnectBufExceeded) { // nothing is kept for later, which its text does not say
		return fmt.Errorf("there is no connection (%w)", err)
	}
	return err
}

// gone is err, or for a viewer an UndeclaredError if streams are not there: no wait of
// its own brings them back. A worker waits for the producer that does.
func (l *link) gone(ctx context.Context, err error) error {
	if l.cfg.Role != RoleViewer || !l.bound.Load() {
		return err
	}
	var absent *UndeclaredError
	looking := l.once(ctx, func(ctx context.Context) (err error) {
		absent, err = l.undeclaredNow(ctx)
		return err
	})
	if looking != nil || absent == nil { // the server is away, or back by now
		return err
	}
	return absent
}

// restored declares again what is gone, after an operation has failed with err. It
// returns err, or what keeps it from that and does not pass.
func (l *link) restored(ctx context.Context, err error) error {
	if restoring := l.redeclare(ctx); restoring != nil && !passing(restoring) && !missing(restoring) {
		// Of err only the text: err itself would look like a server that is away.
		return fmt.Errorf("declaring again what is gone: %w (%s)", restoring, err.Error())
	}
	return err
}

// Restore declares again, empty, what is declared and not there: somebody has deleted
// it, or the server has lost it. Each is logged. The reconciler fills it.
func (b *Bus) Restore(ctx context.Context) error { return b.redeclare(ctx) }

// redeclare is Restore for what misses something while it is at work.
func (l *link) redeclare(ctx context.Context) error {
	if l.cfg.Role != RoleProducer || !l.bound.Load() || !l.restoring.TryLock() {
		return nil // it is a producer's business; Open is at it, or another call
	}
	defer l.restoring.Unlock()
	return l.once(ctx, l.declareMissing)
}

// created logs that something was declared again, unless Open declares it.
func (l *link) created(ctx context.Context, kind, name string, err error) {
	if err == nil && l.bound.Load() {
		l.cfg.Log.ErrorContext(ctx, "it was gone, with all that it held: declared again, empty", kind, name)
	}
}

// write sets key to data if its revision is the given one, 0 meaning that it
// must not exist. When an earlier try's answer was lost, a conflict may be
// that try's own doing: then the stored value is compared before ErrConflict
// is returned.
func (l *link) write(ctx context.Context, kv jetstream.KeyValue, key string, data []byte, revision uint64) (uint64, error) {
	var now uint64
	unsure := false
	err := l.tryWrite(ctx, "writing "+kv.Bucket()+" "+key, bucketStream(kv.Bucket()), func(ctx context.Context) error {
		var err error
		if revision == 0 {
			now, err = l.create(ctx, kv, key, data)
		} else {
			now, err = kv.Update(ctx, key, data, revision)
		}
		if unsure && conflict(err) {
			now, err = l.ownWrite(ctx, kv, key, data)
		}
		unsure = unsure || err != nil && !notSent(err)
		return err
	})
	if conflict(err) {
		return 0, fmt.Errorf("bucket %s, key %s at revision %d: %w", kv.Bucket(), key, revision, ErrConflict)
	}
	return now, err
}

// create sets a key that is not there.
func (l *link) create(ctx context.Context, kv jetstream.KeyValue, key string, data []byte) (uint64, error) {
	if kv.Bucket() != job.BucketRounds { // the others are read at the leader anyway
		return kv.Create(ctx, key, data) //nolint:wrapcheck // try names the operation
	}
	return CreateLeader(ctx, l.leader, kv, key, data)
}

// ownWrite returns the revision of key if it holds data already.
func (l *link) ownWrite(ctx context.Context, kv jetstream.KeyValue, key string, data []byte) (uint64, error) {
	entry, err := l.read(ctx, kv, key)
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
func (l *link) put(ctx context.Context, kv jetstream.KeyValue, key string, data []byte) error {
	return l.tryWrite(ctx, "writing "+kv.Bucket()+" "+key, bucketStream(kv.Bucket()), func(ctx context.Context) error {
		_, err := kv.Put(ctx, key, data)
		return err //nolint:wrapcheck // try names the operation
	})
}

// get reads a key; ErrNotFound if there is none.
func (l *link) get(ctx context.Context, kv jetstream.KeyValue, key string) (jetstream.KeyValueEntry, error) {
	return l.getBy(ctx, kv, key, l.read)
}

// getBy is get by one of the ways to read: read or readAny.
func (l *link) getBy(ctx context.Context, kv jetstream.KeyValue, key string,
	read func(context.Context, jetstream.KeyValue, string) (jetstream.KeyValueEntry, error),
) (jetstream.KeyValueEntry, error) {
	var entry jetstream.KeyValueEntry
	err := l.try(ctx, "reading "+kv.Bucket()+" "+key, func(ctx context.Context) (err error) {
		entry, err = read(ctx, kv, key)
		return err
	})
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, fmt.Errorf("bucket %s, key %s: %w", kv.Bucket(), key, ErrNotFound)
	}
	return entry, err
}

// list calls each for every value of a bucket whose key matches a pattern, in the order
// of the keys. It asks the leader for the keys, and then for each value. A consumer
// would do it in one go, but any replica serves it, and a replica may lag; and whoever
// may make consumers may have them deliver to where he must not write. A value that is
// deleted meanwhile is left out.
func (l *link) list(ctx context.Context, kv jetstream.KeyValue, pattern string, each func(jetstream.KeyValueEntry)) error {
	keys, err := l.keys(ctx, kv, pattern)
	if err != nil {
		return err
	}
	entries := make([]jetstream.KeyValueEntry, len(keys))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, key := range keys {
		group.Go(func() (err error) {
			if entries[i], err = l.getBy(reading, kv, key, l.readAny); errors.Is(err, ErrNotFound) {
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

// keys lists a bucket's keys that match a pattern, sorted. A key that somebody has
// deleted by itself, which nothing of the product does, is among them.
func (l *link) keys(ctx context.Context, kv jetstream.KeyValue, pattern string) ([]string, error) {
	prefix := "$KV." + kv.Bucket() + "."
	subjects, err := l.subjects(ctx, bucketStream(kv.Bucket()), prefix+pattern)
	keys := slices.Sorted(maps.Keys(subjects))
	for i, subject := range keys {
		keys[i] = strings.TrimPrefix(subject, prefix)
	}
	return keys, err
}

// subjects lists what a stream holds of a subject, each with its number of messages:
// one request for many thousand.
func (l *link) subjects(ctx context.Context, stream, subject string) (held map[string]uint64, err error) {
	err = l.try(ctx, "listing "+subject, func(ctx context.Context) error {
		info, err := l.streams[stream].Info(ctx, jetstream.WithSubjectFilter(subject))
		if err == nil {
			held = info.State.Subjects
		}
		return err //nolint:wrapcheck // try names the operation
	})
	return held, err
}
