package jobstream

import (
	"context"
	"errors"
	"fmt"
	"mirrorfleet/shared/jobstream/kv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What package kv says of values, for those who know the bus alone.
var (
	ErrNotFound  = kv.ErrNotFound
	ErrConflict  = kv.ErrConflict
	ErrExists    = kv.ErrExists
	ErrSignature = kv.ErrSignature
)

// ValueError is a stored value that cannot be read.
type ValueError = kv.ValueError

// PayloadError is a server whose longest message is too short.
type PayloadError = kv.PayloadError

// Stored is a value as it was found in its bucket.
type Stored = kv.Stored

// MinPayload is the least that the server must take as one message.
const MinPayload = kv.MinPayload

// Damaged says whether an error is of a stored value that cannot be read: it costs
// what was stored there, and another try gives the same.
func Damaged(err error) bool { return kv.Damaged(err) }

// whyClosed says why a connection is closed for good.
func whyClosed(nc *nats.Conn) error {
	if err := nc.LastError(); err != nil {
		return fmt.Errorf("%w: %w", nats.ErrConnectionClosed, err)
	}
	return nats.ErrConnectionClosed
}

// MismatchError is an existing stream that cannot be brought to its declared
// settings.
type MismatchError struct {
	Stream, Setting string
	Have, Want      any
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("stream %s exists with %s %v, want %v, which cannot be changed in place: "+
		"use another account, or move its messages and delete it", e.Stream, e.Setting, e.Have, e.Want)
}

// TooFewServers says whether NATS has fewer servers than a stream should have copies. alone
// says that it is one server outside a cluster, which no other server can join.
func TooFewServers(err error) (few, alone bool) {
	api, is := errors.AsType[*jetstream.APIError](err)
	alone = is && api.ErrorCode == noCluster
	return alone || is && api.ErrorCode == tooFewServers, alone
}

// overtaken says whether the server refused a message because its subject has
// another last one than expected. There are two codes for it, as above.
func overtaken(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// missing says whether an operation may have failed because a stream, a bucket or a
// consumer is not there. What is published to one that is not there gets the answer
// that a server which is away would give: nobody listens.
func missing(err error) bool {
	for _, one := range []error{
		nats.ErrNoResponders, jetstream.ErrNoStreamResponse, jetstream.ErrStreamNotFound, jetstream.ErrBucketNotFound,
		jetstream.ErrConsumerNotFound, jetstream.ErrConsumerDeleted,
	} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// passing says whether another try may do better: the server is away, has no
// leader, did not answer in time, or has no room until somebody makes some.
func passing(err error) bool {
	var api *jetstream.APIError
	var old *nats.APIError // of the library's older interface, by which ReadLeader asks
	switch {
	case errors.As(err, &old):
		return old.Code == 503
	case kv.NotSent(err), errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		return true
	case errors.As(err, &api):
		// JetStream temporarily unavailable, no leader; or a cluster that has too
		// few servers for the copies, yet or for the time being; or an account that is
		// full, which is a 400 where a stream that is full is a 503.
		return api.Code == 503 || api.ErrorCode == tooFewServers || api.ErrorCode == accountFull
	}
	return false
}
