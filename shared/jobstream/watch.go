package jobstream

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// WatchRecords sends the records of a round: first all that are there, then
// each change, latest state per record, until ctx ends; then the channel is
// closed. It outlives reconnects and restarts of the server, after which some
// records may be sent again. A record that cannot be read is logged and left
// out: the one who needs it reads it by name and gets the error.
func (b *Bus) WatchRecords(ctx context.Context, round string) (<-chan job.Record, error) {
	messages, err := b.recordMessages(ctx, round)
	if err != nil {
		return nil, err
	}
	out := make(chan job.Record)
	go func() {
		defer close(out)
		for {
			b.forward(ctx, messages, out)
			if ctx.Err() != nil || b.nc.IsClosed() {
				return
			}
			if messages, err = b.recordMessages(ctx, round); err != nil {
				b.cfg.Log.ErrorContext(ctx, "watching records ended", "round", round, "error", err)
				return
			}
		}
	}()
	return out, nil
}

// recordMessages opens an ordered consumer on the bucket's stream: it starts
// itself anew where it was when the server forgets it.
func (b *Bus) recordMessages(ctx context.Context, round string) (jetstream.MessagesContext, error) {
	var messages jetstream.MessagesContext
	err := b.try(ctx, "watching records of "+round, func(try context.Context) error {
		consumer, err := b.js.OrderedConsumer(try, "KV_"+job.BucketRecords, jetstream.OrderedConsumerConfig{
			FilterSubjects: []string{recordSubject(round + ".*")},
			DeliverPolicy:  jetstream.DeliverLastPerSubjectPolicy,
		})
		if err != nil {
			return err //nolint:wrapcheck // try names the operation
		}
		messages, err = consumer.Messages()
		return err //nolint:wrapcheck // as above
	})
	return messages, err
}

// recordSubject is where the bucket keeps a key.
func recordSubject(key string) string { return "$KV." + job.BucketRecords + "." + key }

// forward passes messages on until they or ctx end.
func (b *Bus) forward(ctx context.Context, messages jetstream.MessagesContext, out chan<- job.Record) {
	stop := context.AfterFunc(ctx, messages.Stop) // Next waits for no context
	defer stop()
	defer messages.Stop()
	for {
		msg, err := messages.Next()
		if err != nil {
			return
		}
		if msg.Headers().Get("KV-Operation") != "" { // deleted or purged
			continue
		}
		r, err := b.decodeRecord(strings.TrimPrefix(msg.Subject(), recordSubject("")), msg.Data())
		if err != nil {
			b.cfg.Log.ErrorContext(ctx, "record left out of the watch", "error", err)
			continue
		}
		select {
		case out <- r:
		case <-ctx.Done():
			return
		}
	}
}
