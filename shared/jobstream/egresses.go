package jobstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// Egresses reads the egresses that the fleet has, with the revision that
// SetEgresses wants; the revision is 0 when nobody has ever declared any. A value
// that cannot be read declares none: it costs no job, and the next producer that
// starts writes it anew.
func (b *Bus) Egresses(ctx context.Context) (job.Egresses, uint64, error) {
	entry, err := b.get(ctx, b.rounds(), job.EgressesKey)
	if errors.Is(err, ErrNotFound) {
		return job.Egresses{}, 0, nil
	}
	if err != nil {
		return job.Egresses{}, 0, err
	}
	e, err := decodeEgresses(entry.Value())
	if err != nil {
		b.cfg.Log.WarnContext(ctx, "the declared egresses cannot be read and count as none", "error", err)
	}
	return e, entry.Revision(), nil
}

// SetEgresses declares the fleet's egresses if what is declared still is at the
// given revision; ErrConflict if it is not.
func (b *Bus) SetEgresses(ctx context.Context, e job.Egresses, revision uint64) error {
	e.Version = job.Version
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding the egresses: %w", err)
	}
	_, err = b.write(ctx, b.rounds(), job.EgressesKey, data, revision)
	return err
}

// DeclaredEgresses reads what Bus.Egresses reads, and declares no stream: it is
// for who only looks.
func DeclaredEgresses(ctx context.Context, nc *nats.Conn) (job.Egresses, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return job.Egresses{}, fmt.Errorf("jobstream: %w", err)
	}
	kv, err := js.KeyValue(ctx, job.BucketRounds)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return job.Egresses{}, nil
	}
	if err != nil {
		return job.Egresses{}, fmt.Errorf("bucket %s: %w", job.BucketRounds, err)
	}
	entry, err := kv.Get(ctx, job.EgressesKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return job.Egresses{}, nil
	}
	if err != nil {
		return job.Egresses{}, fmt.Errorf("bucket %s, key %s: %w", job.BucketRounds, job.EgressesKey, err)
	}
	return decodeEgresses(entry.Value())
}

func decodeEgresses(data []byte) (e job.Egresses, err error) {
	if err = json.Unmarshal(data, &e); err == nil {
		err = readable(e.Version)
	}
	if err != nil {
		return job.Egresses{}, &ValueError{Bucket: job.BucketRounds, Key: job.EgressesKey, Err: err}
	}
	return e, nil
}
