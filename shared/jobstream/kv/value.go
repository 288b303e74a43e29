package kv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// Value is one value of a bucket: a T as JSON, under one key.
type Value[T any] struct {
	Bucket *Bucket
	Key    string
	Form   Form
	// Version is the field of a T that holds the version of the build that wrote it. Writing
	// sets it, and reading checks it. It is nil for a T that has no such field, such as a
	// map.
	Version func(*T) *int
	// Check says what else is wrong with a T; nil if nothing is.
	Check func(T) error
}

// Load reads the value; ErrNotFound if there is none, a *ValueError if it cannot be read. A
// *ValueError comes with what is known of the stored value.
func (v Value[T]) Load(ctx context.Context) (T, Stored, error) {
	entry, err := v.Bucket.Get(ctx, v.Key)
	if err != nil {
		var none T
		return none, Stored{}, err
	}
	return v.Decode(ctx, entry)
}

// Find is Load, except that a missing value is the zero T at revision 0, which Swap accepts.
func (v Value[T]) Find(ctx context.Context) (T, Stored, error) {
	found, stored, err := v.Load(ctx)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return found, stored, err
}

// Decode makes a T of a stored entry.
func (v Value[T]) Decode(ctx context.Context, entry jetstream.KeyValueEntry) (T, Stored, error) {
	var none T
	stored, err := v.Bucket.Decode(ctx, entry, v.Form)
	if err != nil {
		return none, stored, err
	}
	found, err := v.parse(stored.Data)
	if err != nil {
		return none, stored, &ValueError{Bucket: v.Bucket.Name, Key: v.Key, Err: err}
	}
	return found, stored, nil
}

func (v Value[T]) parse(data []byte) (found T, err error) {
	err = json.Unmarshal(data, &found)
	if err == nil && v.Version != nil {
		err = job.Readable(*v.Version(&found))
	}
	if err == nil && v.Check != nil {
		err = v.Check(found)
	}
	return found, err
}

// stamp sets the version of this build.
func (v Value[T]) stamp(value T) T {
	if v.Version != nil {
		*v.Version(&value) = job.Version
	}
	return value
}

func (v Value[T]) encode(value T) ([]byte, error) {
	data, err := json.Marshal(v.stamp(value))
	if err != nil {
		return nil, fmt.Errorf("bucket %s, key %s: encoding: %w", v.Bucket.Name, v.Key, err)
	}
	return data, nil
}

// Create stores a value that is written once; ErrExists if there is one.
func (v Value[T]) Create(ctx context.Context, value T) error {
	data, err := v.encode(value)
	if err != nil {
		return err
	}
	return v.Bucket.Create(ctx, v.Key, v.Form, data)
}

// Swap replaces the value if it has the given revision, and returns the new revision;
// ErrConflict if it has another. 0 means that there must be none.
func (v Value[T]) Swap(ctx context.Context, value T, revision uint64) (uint64, error) {
	data, err := v.encode(value)
	if err != nil {
		return 0, err
	}
	return v.Bucket.Swap(ctx, v.Key, v.Form, data, revision)
}

// Put stores the value, whatever its key holds. Use it for a key with one writer, or whose
// writers all write the same.
func (v Value[T]) Put(ctx context.Context, value T) error {
	data, err := v.encode(value)
	if err != nil {
		return err
	}
	return v.Bucket.Put(ctx, v.Key, v.Form, data)
}

// Change replaces the value by the result of next, also while others change it, and returns
// the value after that. next gets the zero T for a value that is missing or cannot be read
// (damaged). It returns false if there is nothing to change. It may be called several times.
func (v Value[T]) Change(ctx context.Context, next func(now T, stored Stored, damaged bool) (T, bool)) (T, bool, error) {
	for {
		now, stored, err := v.Find(ctx)
		damaged := Damaged(err)
		if err != nil && !damaged {
			return now, false, err
		}
		then, change := next(now, stored, damaged)
		if !change {
			return now, false, nil
		}
		if _, err = v.Swap(ctx, then, stored.Revision); !errors.Is(err, ErrConflict) {
			return v.stamp(then), err == nil, err
		}
	}
}

// Restore stores the value again if it is gone or cannot be read, and says whether it did.
// It is for a process that still has the value.
func (v Value[T]) Restore(ctx context.Context, value T) (bool, error) {
	data, err := v.encode(value)
	if err != nil {
		return false, err
	}
	return v.Bucket.Restore(ctx, v.Key, v.Form, data, func(there []byte) error {
		_, err := v.parse(there)
		return err
	})
}
