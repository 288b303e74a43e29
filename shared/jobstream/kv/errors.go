package kv

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Sentinels of the buckets.
var (
	// ErrNotFound says that there is no such key.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that the key has another revision than the one given:
	// read again and decide anew.
	ErrConflict = errors.New("changed by somebody else meanwhile")
	// ErrExists says that the key was there already.
	ErrExists = errors.New("exists already")
	// ErrSignature says that a sealed value is not what a producer has signed, or not
	// what the value after it says that it was. Such a value counts as damaged.
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

// Unwrap gives what was wrong with the value.
func (e *ValueError) Unwrap() error { return e.Err }

// Damaged says whether an error is of a stored value that cannot be read: it costs
// what was stored there, and another try gives the same.
func Damaged(err error) bool {
	_, is := errors.AsType[*ValueError](err)
	return is
}

// PayloadError is a server whose longest message is too short.
type PayloadError struct{ Have, Want int64 }

func (e *PayloadError) Error() string {
	return fmt.Sprintf("NATS takes messages of %d bytes at most (max_payload), want %d or more: raise it in the server's settings",
		e.Have, e.Want)
}

// CheckPayload refuses a server that takes only short messages. The client library
// knows the figure of the server that it is connected to.
func CheckPayload(nc *nats.Conn) error {
	if have := nc.MaxPayload(); have < MinPayload {
		return &PayloadError{have, MinPayload}
	}
	return nil
}

// Conflict says whether the server refused a write for its revision. There
// are two codes for it, the second from replicated streams.
func Conflict(err error) bool {
	return errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists)
}

// NotSent says that an operation did not leave this process.
func NotSent(err error) bool {
	return errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrConnectionReconnecting) ||
		errors.Is(err, nats.ErrDisconnected)
}
