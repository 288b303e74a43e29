package jobstream

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// Watch sends the records of a round: first all that are there, then each
// change, latest state per record. The channel is closed when ctx or the connection
// has ended. The watch outlives reconnects and restarts of the server, and a bucket that
// is made anew or set back; after each, records may be sent again. A record that cannot
// be read is logged and left out: whoever needs it reads it by name and gets the error.
func (re Records) Watch(ctx context.Context, round string) (<-chan job.Record, error) {
	messages, created, err := re.recordMessages(ctx, round)
	if err != nil {
		return nil, err
	}
	out := make(chan job.Record)
	go func() {
		defer close(out)
		for {
			re.forward(ctx, messages, created, out)
			if ctx.Err() != nil || re.nc.IsClosed() {
				return
			}
			if messages, created, err = re.recordMessages(ctx, round); err != nil {
				re.cfg.Log.ErrorContext(ctx, "watching records ended", "round", round, "error", err)
				return
			}
		}
	}()
	return out, nil
}

// recordMessages opens an ordered consumer on the bucket's stream: it starts
// itself anew where it was when the server forgets it. created tells that stream from
// one that is made anew under its name: it is looked up first, so that one which is made
// anew in between does not count as this one.
func (l *link) recordMessages(ctx context.Context, round string) (messages jetstream.MessagesContext, created time.Time, err error) {
	err = l.try(ctx, "watching records of "+round, func(try context.Context) error {
		stream, err := l.js.Stream(try, bucketStream(job.BucketRecords))
		if err != nil {
			return err //nolint:wrapcheck // try names the operation
		}
		created = stream.CachedInfo().Created
		consumer, err := l.js.OrderedConsumer(try, bucketStream(job.BucketRecords), jetstream.OrderedConsumerConfig{
			FilterSubjects: []string{recordSubject(round + ".*")},
			DeliverPolicy:  jetstream.DeliverLastPerSubjectPolicy,
		})
		if err != nil {
			return err //nolint:wrapcheck // try names the operation
		}
		messages, err = consumer.Messages()
		return err //nolint:wrapcheck // as above
	})
	return messages, created, err
}

// recordSubject is where the bucket keeps a key.
func recordSubject(key string) string { return "$KV." + job.BucketRecords + "." + key }

// forward passes messages on until they or ctx end, or the stream has gone back.
func (l *link) forward(ctx context.Context, messages jetstream.MessagesContext, created time.Time, out chan<- job.Record) {
	ctx, cancel := context.WithCancel(ctx)
	var last atomic.Uint64
	var looking sync.WaitGroup
	looking.Go(func() {
		defer cancel()
		l.awaitSetBack(ctx, bucketStream(job.BucketRecords), created, &last)
	})
	defer looking.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, messages.Stop) // Next waits for no context
	defer stop()
	defer messages.Stop()
	for {
		msg, err := messages.Next()
		if err != nil {
			return
		}
		if meta, err := msg.Metadata(); err == nil {
			last.Store(meta.Sequence.Stream)
		}
		if msg.Headers().Get("KV-Operation") != "" { // deleted or purged
			continue
		}
		r, err := l.decodeRecord(strings.TrimPrefix(msg.Subject(), recordSubject("")), msg.Data())
		if err != nil {
			l.cfg.Log.ErrorContext(ctx, "record left out of the watch", "error", err)
			continue
		}
		select {
		case out <- r:
		case <-ctx.Done():
			return
		}
	}
}

// awaitSetBack waits until a stream is made anew, or ends before the last sequence that
// was read of it. A power cut does that, or an operator. The library goes on after that
// sequence, so it would pass over everything until the stream has come as far again.
func (l *link) awaitSetBack(ctx context.Context, name string, created time.Time, last *atomic.Uint64) {
	ticker := time.NewTicker(l.cfg.Timeout)
	defer ticker.Stop()
	for {
		read := last.Load() // before the look: what is read meanwhile is not held against it
		info, err := l.streamInfo(ctx, name)
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

// streamInfo looks at a stream once.
func (l *link) streamInfo(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	stream, err := l.js.Stream(ctx, name)
	if err != nil {
		return nil, naming("stream", name, err)
	}
	return stream.CachedInfo(), nil
}
