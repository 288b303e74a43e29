package kv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/signing"
)

// Form is how a value is stored.
type Form int

// The forms.
const (
	// Plain stores a value unchanged. It must be small enough for one message.
	Plain Form = iota
	// Packed compresses a value, and splits it if it is longer than one message may be.
	Packed
	// Sealed is Packed with a signature before it, if this process has a key. All values
	// that producers write and outcomes are made of are sealed, so that a change is detected
	// before it counts.
	Sealed
)

// Stored is a value as it was read from its bucket.
type Stored struct {
	Data      []byte
	SHA256    string            // of Data; "" if it is not sealed
	Signature signing.Signature // zero if it is not signed
	Revision  uint64            // a write that replaces the value must name it
	At        time.Time         // when it was stored, by the server's clock
}

// Load reads a value; ErrNotFound if there is none, a *ValueError if it cannot be unpacked
// or verified. A *ValueError comes with Revision and At, and with the digest of what could
// be unpacked.
func (b *Bucket) Load(ctx context.Context, key string, form Form) (Stored, error) {
	entry, err := b.Get(ctx, key)
	if err != nil {
		return Stored{}, err
	}
	return b.Decode(ctx, entry, form)
}

// Decode unpacks and verifies a stored value. If the value is split, Decode reads its parts.
func (b *Bucket) Decode(ctx context.Context, entry jetstream.KeyValueEntry, form Form) (Stored, error) {
	s := Stored{Data: entry.Value(), Revision: entry.Revision(), At: entry.Created()}
	if form == Plain {
		return s, nil
	}
	var err error
	if s.Data, err = b.unpack(ctx, entry.Key(), entry.Value()); err != nil || form == Packed {
		return s, err
	}
	s.Signature, s.Data, err = signing.Open(s.Data)
	if s.SHA256 = signing.Digest(s.Data); err == nil {
		err = b.Signing.Verify(entry.Key(), s.SHA256, s.Signature)
	}
	if err != nil {
		return Stored{SHA256: s.SHA256, Revision: s.Revision, At: s.At}, b.unverified(entry.Key(), err)
	}
	return s, nil
}

// unverified is the error of a value whose signature or digest does not match.
func (b *Bucket) unverified(key string, err error) error {
	return &ValueError{Bucket: b.Name, Key: key, Err: fmt.Errorf("%w: %w", ErrSignature, err)}
}

// encode returns the bytes to store for a value. It stores the parts, if any, before the
// caller writes the key. So a key that exists has all its parts.
func (b *Bucket) encode(ctx context.Context, key string, form Form, data []byte) ([]byte, error) {
	if form == Plain {
		return data, nil
	}
	if form == Sealed && b.Signing.Signs() {
		data = b.Signing.Sign(key, signing.Digest(data)).Seal(data)
	}
	return b.pack(ctx, key, data)
}

// Swap stores a value if the key has the given revision, and returns the new revision;
// ErrConflict if it has another. 0 means that the key must not exist.
func (b *Bucket) Swap(ctx context.Context, key string, form Form, data []byte, revision uint64) (uint64, error) {
	encoded, err := b.encode(ctx, key, form, data)
	if err != nil {
		return 0, err
	}
	return b.Write(ctx, key, encoded, revision)
}

// Create stores a value that is written once; ErrExists if the key exists.
func (b *Bucket) Create(ctx context.Context, key string, form Form, data []byte) error {
	_, err := b.Swap(ctx, key, form, data, 0)
	if errors.Is(err, ErrConflict) {
		return fmt.Errorf("bucket %s, key %s: %w", b.Name, key, ErrExists)
	}
	return err
}

// Put stores a value, whatever the key holds.
func (b *Bucket) Put(ctx context.Context, key string, form Form, data []byte) error {
	encoded, err := b.encode(ctx, key, form, data)
	if err != nil {
		return err
	}
	return b.put(ctx, key, encoded)
}

// Restore stores a value again if it is gone or damaged, and says whether it did. check
// returns nil if the stored value can be read; that one stays. A damaged value is replaced
// at its revision, so a faster writer is not overwritten.
func (b *Bucket) Restore(ctx context.Context, key string, form Form, data []byte, check func([]byte) error) (bool, error) {
	for {
		stored, err := b.Load(ctx, key, form)
		switch {
		case errors.Is(err, ErrNotFound), Damaged(err):
		case err != nil:
			return false, err
		case check(stored.Data) == nil:
			return false, nil
		}
		_, err = b.Swap(ctx, key, form, data, stored.Revision)
		if !errors.Is(err, ErrConflict) {
			return err == nil, err
		}
	}
}
