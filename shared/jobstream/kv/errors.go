package kv

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Sentinels of the buckets.
var (
	// ErrNotFound says that the key does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that the key has another revision than the given one: read it again,
	// and decide again.
	ErrConflict = errors.New("changed by somebody else meanwhile")
	// ErrExists says that the key exists already.
	ErrExists = errors.New("exists already")
	// ErrSignature says that no producer has signed a sealed value as it is, or that its
	// digest is not the one that a later value names. Such a value counts as damaged.
	ErrSignature = errors.New("its signature or digest does not match")
)

// ValueError is a stored value that cannot be read.
type ValueError struct {
	Bucket, Key string
	Err         error
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("bucket %s, key %s: damaged value: %v", e.Bucket, e.Key, e.Err)
}

// Unwrap is the reason why the value cannot be read.
func (e *ValueError) Unwrap() error { return e.Err }

// Damaged says whether an error means a stored value that cannot be read. Another try would
// give the same, so the value counts as lost.
func Damaged(err error) bool {
	_, is := errors.AsType[*ValueError](err)
	return is
}

// PayloadError is a server whose limit of a message (max_payload) is too low, in bytes.
type PayloadError struct{ Have, Want int64 }

func (e *PayloadError) Error() string {
	return fmt.Sprintf("NATS takes messages of %d bytes at most (max_payload), want %d or more: raise it in the server's settings",
		e.Have, e.Want)
}

// CheckPayload refuses a server whose limit of a message is below MinPayload. The client
// library knows the limit of the server to which it is connected.
func CheckPayload(nc *nats.Conn) error {
	if have := nc.MaxPayload(); have < MinPayload {
		return &PayloadError{have, MinPayload}
	}
	return nil
}

// Conflict says whether the server refused a write because of its revision. There are two
// codes for it; replicated streams use the second.
func Conflict(err error) bool {
	return errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists)
}

// NotSent says whether an operation never left this process, because there was no
// connection.
func NotSent(err error) bool {
	return errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrConnectionReconnecting) ||
		errors.Is(err, nats.ErrDisconnected)
}
