package kv

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Watch sends what decode makes of the values whose keys match a pattern: first all that
// are there, then each change, latest state per key. The channel is closed when ctx or
// the connection has ended. The watch outlives reconnects and restarts of the server, and
// a bucket that is made anew or set back; after each, values may be sent again. A value
// that cannot be decoded is logged and left out: whoever needs it reads it by its key and
// gets the error.
func Watch[T any](ctx context.Context, b *Bucket, pattern string, decode func(key string, value []byte) (T, error)) (<-chan T, error) {
	messages, created, err := b.messages(ctx, pattern)
	if err != nil {
		return nil, err
	}
	out := make(chan T)
	go func() {
		defer close(out)
		for {
			forward(ctx, b, watched{messages, created}, decode, out)
			if ctx.Err() != nil || b.NC.IsClosed() {
				return
			}
			if messages, created, err = b.messages(ctx, pattern); err != nil {
				b.Log.ErrorContext(ctx, "a watch ended", "bucket", b.Name, "keys", pattern, "error", err)
				return
			}
		}
	}()
	return out, nil
}

// watched are the messages of a watch, and when their stream was created.
type watched struct {
	jetstream.MessagesContext

	created time.Time
}

// messages opens an ordered consumer on the bucket's stream: it starts
// itself anew where it was when the server forgets it. created tells that stream from
// one that is made anew under its name: it is looked up first, so that one which is made
// anew in between does not count as this one.
func (b *Bucket) messages(ctx context.Context, pattern string) (messages jetstream.MessagesContext, created time.Time, err error) {
	err = b.Retry(ctx, "watching "+b.Name+" "+pattern, "", func(ctx context.Context) error {
		stream, err := b.JS.Stream(ctx, StreamOf(b.Name))
		if err != nil {
			return err //nolint:wrapcheck // Retry names the operation
		}
		created = stream.CachedInfo().Created
		consumer, err := b.JS.OrderedConsumer(ctx, StreamOf(b.Name), jetstream.OrderedConsumerConfig{
			FilterSubjects: []string{Subject(b.Name, pattern)},
			DeliverPolicy:  jetstream.DeliverLastPerSubjectPolicy,
		})
		if err != nil {
			return err //nolint:wrapcheck // Retry names the operation
		}
		messages, err = consumer.Messages()
		return err //nolint:wrapcheck // as above
	})
	return messages, created, err
}

// forward passes messages on until they or ctx end, or the stream has gone back.
func forward[T any](ctx context.Context, b *Bucket, from watched, decode func(string, []byte) (T, error), out chan<- T) {
	ctx, cancel := context.WithCancel(ctx)
	var last atomic.Uint64
	var looking sync.WaitGroup
	looking.Go(func() {
		defer cancel()
		b.awaitSetBack(ctx, from.created, &last)
	})
	defer looking.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, from.Stop) // Next waits for no context
	defer stop()
	defer from.Stop()
	for {
		msg, err := from.Next()
		if err != nil {
			return
		}
		if meta, err := msg.Metadata(); err == nil {
			last.Store(meta.Sequence.Stream)
		}
		if msg.Headers().Get("KV-Operation") != "" { // deleted or purged
			continue
		}
		value, err := decode(strings.TrimPrefix(msg.Subject(), Subject(b.Name, "")), msg.Data())
		if err != nil {
			b.Log.ErrorContext(ctx, "value left out of the watch", "error", err)
			continue
		}
		select {
		case out <- value:
		case <-ctx.Done():
			return
		}
	}
}

// awaitSetBack waits until the stream is made anew, or ends before the last sequence that
// was read of it. A power cut does that, or an operator. The library goes on after that
// sequence, so it would pass over everything until the stream has come as far again.
func (b *Bucket) awaitSetBack(ctx context.Context, created time.Time, last *atomic.Uint64) {
	ticker := time.NewTicker(b.Timeout)
	defer ticker.Stop()
	for {
		read := last.Load() // before the look: what is read meanwhile is not held against it
		info, err := b.streamInfo(ctx)
		switch {
		case err != nil: // a server that is away has set nothing back yet
		case !info.Created.Equal(created) || info.State.LastSeq < read:
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// streamInfo looks at the stream once.
func (b *Bucket) streamInfo(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, b.Timeout)
	defer cancel()
	stream, err := b.JS.Stream(ctx, StreamOf(b.Name))
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", StreamOf(b.Name), err)
	}
	return stream.CachedInfo(), nil
}
