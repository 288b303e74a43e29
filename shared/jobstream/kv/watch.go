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

// Watch sends the decoded values whose keys match a pattern: first all existing ones, then
// each change. Of several changes to one key it may send only the latest. The channel is
// closed when ctx or the connection has ended.
//
// The watch survives reconnects, restarts of the server, and a bucket that is recreated or
// set back; after each of these it may send values again. A value that cannot be decoded is
// logged and left out: a reader that needs it reads its key, and gets the error.
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
				b.log().ErrorContext(ctx, "a watch ended", "bucket", b.Name, "keys", pattern, "error", err)
				return
			}
		}
	}()
	return out, nil
}

// watched holds the messages of a watch, and the time at which their stream was created.
type watched struct {
	jetstream.MessagesContext

	created time.Time
}

// messages opens an ordered consumer on the bucket's stream. If the server forgets the
// consumer, the library recreates it where it was.
//
// created tells the stream from one that is recreated under its name. It is read before the
// consumer is opened: a stream that is recreated in between is then noticed.
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

// forward passes messages on until they or ctx end, or the stream is set back.
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
	stop := context.AfterFunc(ctx, from.Stop) // Next takes no context
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
			b.log().ErrorContext(ctx, "value left out of the watch", "error", err)
			continue
		}
		select {
		case out <- value:
		case <-ctx.Done():
			return
		}
	}
}

// awaitSetBack waits until the stream is recreated, or ends before the last sequence that
// was read of it. A power cut or an operator can cause that. The library would continue
// after that sequence, and so miss every change until the stream has reached it again.
func (b *Bucket) awaitSetBack(ctx context.Context, created time.Time, last *atomic.Uint64) {
	ticker := time.NewTicker(b.Timeout)
	defer ticker.Stop()
	for {
		read := last.Load() // before the look, so that messages read meanwhile do not look like a set-back
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

// streamInfo asks for the stream's state once.
func (b *Bucket) streamInfo(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, b.Timeout)
	defer cancel()
	stream, err := b.JS.Stream(ctx, StreamOf(b.Name))
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", StreamOf(b.Name), err)
	}
	return stream.CachedInfo(), nil
}
