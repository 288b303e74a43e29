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
	// Version is where a T says which build has written it: it is stamped when a T is
	// written, and checked when one is read. It is nil for a T that says nothing of it,
	// such as a map.
	Version func(*T) *int
	// Check says what else is wrong with a T; nil if there is nothing to be said.
	Check func(T) error
}

// Load reads the value; ErrNotFound if there is none, a *ValueError if it cannot be
// read. What is known of how it is stored comes also with a *ValueError.
func (v Value[T]) Load(ctx context.Context) (T, Stored, error) {
	entry, err := v.Bucket.Get(ctx, v.Key)
	if err != nil {
		var none T
		return none, Stored{}, err
	}
	return v.Decode(ctx, entry)
}

// Find is Load where none counts as the zero value at revision 0, which Swap takes.
func (v Value[T]) Find(ctx context.Context) (T, Stored, error) {
	found, stored, err := v.Load(ctx)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return found, stored, err
}

// Decode makes a T of what is stored under its key.
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
		err = Readable(*v.Version(&found))
	}
	if err == nil && v.Check != nil {
		err = v.Check(found)
	}
	return found, err
}

// Readable refuses what a later build has written: this one would drop what it
// does not know.
func Readable(version int) error {
	if version < 1 || version > job.Version {
		return fmt.Errorf("version %d, this build reads 1 to %d", version, job.Version)
	}
	return nil
}

// stamp says that this build writes the value.
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

// Create stores what is written once; ErrExists if there is one.
func (v Value[T]) Create(ctx context.Context, value T) error {
	data, err := v.encode(value)
	if err != nil {
		return err
	}
	return v.Bucket.Create(ctx, v.Key, v.Form, data)
}

// Swap replaces the value if its revision is still the given one, 0 meaning that there
// must be none, and returns the new one; ErrConflict if it is not.
func (v Value[T]) Swap(ctx context.Context, value T, revision uint64) (uint64, error) {
	data, err := v.encode(value)
	if err != nil {
		return 0, err
	}
	return v.Bucket.Swap(ctx, v.Key, v.Form, data, revision)
}

// Put stores the value whatever its key held. It is for a key that has one writer, or
// whose writers all say the same.
func (v Value[T]) Put(ctx context.Context, value T) error {
	data, err := v.encode(value)
	if err != nil {
		return err
	}
	return v.Bucket.Put(ctx, v.Key, v.Form, data)
}

// Change replaces the value by what next makes of it, whoever else does so at the same
// time, and returns what then is there. One that is not there, or cannot be read
// (damaged), is given as the zero value. next says false when there is nothing to be
// changed.
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

// Restore stores the value again if it is gone or cannot be read, and says whether it
// had to. It is for whoever has it still.
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
