package jobstream

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
)

// lastEgresses is the declaration that this process has read last.
type lastEgresses struct {
	job.Egresses

	mu      sync.Mutex
	damaged uint64 // the revision that could not be read
}

// Load reads the fleet's egresses, with the revision that Set needs. If the declaration is
// gone or cannot be read, the one that this process read last stays in force; a process that
// has read none gets the answer of Stored. Each damaged value is logged once. Restore
// replaces it, and so does the next producer that starts.
func (eg Egresses) Load(ctx context.Context) (job.Egresses, uint64, error) {
	e, revision, err := eg.Stored(ctx)
	last := &eg.egresses
	last.mu.Lock()
	defer last.mu.Unlock()
	switch damaged := Damaged(err); {
	case err != nil && !damaged:
		return e, revision, err
	case damaged && last.damaged != revision:
		last.damaged = revision
		eg.cfg.Log.WarnContext(ctx, "the declared egresses cannot be read: those known before stay in force, and without any nobody sends",
			"known", last.Names, "error", err)
	case len(e.Names) > 0:
		last.Egresses = e
	}
	if len(last.Names) == 0 {
		return job.Egresses{}, revision, err
	}
	return last.Egresses, revision, nil
}

// Restore declares again the egresses that this process knew last, if the declaration is
// gone or cannot be read. It says whether it did.
func (eg Egresses) Restore(ctx context.Context) (bool, error) {
	_, revision, err := eg.Stored(ctx)
	if err != nil && !Damaged(err) || err == nil && revision != 0 {
		return false, err
	}
	eg.egresses.mu.Lock()
	known := eg.egresses.Egresses
	eg.egresses.mu.Unlock()
	if len(known.Names) == 0 {
		return false, nil
	}
	err = eg.Set(ctx, known, revision)
	if errors.Is(err, ErrConflict) { // somebody was faster
		return false, nil
	}
	return err == nil, err
}

// Stored reads the declaration itself: a *ValueError, with the revision,
// if it cannot be read. The revision is 0 when nobody has ever declared any.
func (eg Egresses) Stored(ctx context.Context) (job.Egresses, uint64, error) {
	e, stored, err := egressesIn(eg.rounds()).Find(ctx)
	return e, stored.Revision, err
}

// Set declares the fleet's egresses if the declaration still has the given revision;
// ErrConflict if it has another.
func (eg Egresses) Set(ctx context.Context, e job.Egresses, revision uint64) error {
	_, err := egressesIn(eg.rounds()).Swap(ctx, e, revision)
	return err
}

// DeclaredEgresses is Egresses.Stored for a process that only looks, such as the doctor: it
// opens no Bus, and so declares no stream.
func DeclaredEgresses(ctx context.Context, nc *nats.Conn) (job.Egresses, error) {
	leader, err := nc.JetStream()
	if err != nil {
		return job.Egresses{}, fmt.Errorf("jobstream: %w", err)
	}
	entry, err := kv.ReadLeader(ctx, leader, job.BucketRounds, job.EgressesKey)
	if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrKeyNotFound) {
		return job.Egresses{}, nil
	}
	if err != nil {
		return job.Egresses{}, fmt.Errorf("bucket %s, key %s: %w", job.BucketRounds, job.EgressesKey, err)
	}
	e, _, err := egressesIn(&kv.Bucket{Name: job.BucketRounds}).Decode(ctx, entry)
	return e, err
}
