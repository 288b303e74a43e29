package jobstream

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// day is the unit of everything that is kept for a while.
const day = 24 * time.Hour

// streams are the declared streams, each once.
func streams() []jetstream.StreamConfig {
	return []jetstream.StreamConfig{{
		Name:        job.StreamJobs,
		Description: "one message per miner to be evaluated",
		Subjects:    []string{job.SubjectJobs},
		// A work queue keeps each message until it is acknowledged. No limit
		// of age, size or number: a limit would drop jobs.
		Retention: jetstream.WorkQueuePolicy,
		Discard:   jetstream.DiscardNew,
		// How long message ids are remembered: as long as a producer may be
		// away and still publish a round again. The memory is of the messages
		// in the stream once the server restarts, so the record has the last
		// word on a second message.
		Duplicates: day,
	}, {
		Name:        job.StreamDead,
		Description: "jobs that failed for good",
		Subjects:    []string{job.SubjectDead},
		Retention:   jetstream.LimitsPolicy,
		MaxAge:      job.DeadKept,
		Duplicates:  time.Hour,
	}, {
		Name:        job.StreamAdvisory,
		Description: "the server's word that a job's deliveries are used up",
		// In the account that owns the jobs no import is needed: the server
		// publishes the advisory there.
		Subjects:  []string{job.SubjectAdvisory},
		Retention: jetstream.LimitsPolicy,
		MaxAge:    30 * day,
	}}
}

// kvBuckets are the declared buckets, each once. One value per key is kept:
// records and evaluations are replaced under a fence, not followed back.
func kvBuckets() []jetstream.KeyValueConfig {
	return []jetstream.KeyValueConfig{
		{Bucket: job.BucketRounds, Description: "manifest and outcomes of each round"},
		{Bucket: job.BucketRecords, Description: "the state of each job"},
		{Bucket: job.BucketEvaluation, Description: "what workers concluded, compressed"},
		{Bucket: job.BucketMiners, Description: "each miner's last good evaluation"},
		// The rules look back 30 days unless a registry says otherwise, so what
		// is 45 days old has left every usual window; the rest is scored anew.
		{Bucket: job.BucketScores, Description: "token scores by content", TTL: 45 * day},
		{Bucket: job.BucketIdentities, Description: "whose GitHub account each miner's token is", TTL: job.IdentityKept},
	}
}

// declare makes everything that is declared true. It may be run twice.
func (b *Bus) declare(ctx context.Context) error {
	for _, want := range streams() {
		if err := b.declareStream(ctx, want); err != nil {
			return err
		}
	}
	for _, want := range kvBuckets() {
		if err := b.declareBucket(ctx, want); err != nil {
			return err
		}
	}
	if err := b.bind(ctx); err != nil {
		return err
	}
	return b.declareConsumer(ctx)
}

// bind looks the streams up: the handles that everything else works with.
func (b *Bus) bind(ctx context.Context) (err error) {
	for name, stream := range map[string]*jetstream.Stream{
		job.StreamJobs: &b.jobs, job.StreamDead: &b.dead, job.StreamAdvisory: &b.advisory,
	} {
		if *stream, err = b.js.Stream(ctx, name); err != nil {
			return fmt.Errorf("stream %s: %w", name, err)
		}
	}
	return nil
}

// declareStream creates a stream or mends it. Two processes may do so at once:
// whoever comes second finds it there and compares.
func (b *Bus) declareStream(ctx context.Context, want jetstream.StreamConfig) error {
	want.Storage = jetstream.FileStorage
	existing, err := b.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		want.Replicas = max(b.cfg.Replicas, 1)
		_, err = b.js.CreateStream(ctx, want)
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return naming("stream", want.Name, err)
		}
		existing, err = b.js.Stream(ctx, want.Name) // another process was first
	}
	if err != nil {
		return naming("stream", want.Name, err)
	}
	return b.bringUpToDate(ctx, existing.CachedInfo().Config, want)
}

// bringUpToDate changes what is declared and leaves the rest, such as an
// operator's placement, as it is.
func (b *Bus) bringUpToDate(ctx context.Context, have, want jetstream.StreamConfig) error {
	next, err := b.cfg.overlaid(have, want)
	if err != nil {
		return err
	}
	if reflect.DeepEqual(have, next) {
		return nil
	}
	_, err = b.js.UpdateStream(ctx, next)
	return naming("stream", want.Name, err)
}

// overlaid is an existing stream's configuration with what is declared laid
// over it: what Open makes of it, and what Inspect compares it with.
func (c Config) overlaid(have, want jetstream.StreamConfig) (jetstream.StreamConfig, error) {
	if have.Storage != want.Storage {
		return have, &MismatchError{Stream: want.Name, Setting: "storage", Have: have.Storage, Want: want.Storage}
	}
	if have.Retention != want.Retention {
		return have, &MismatchError{Stream: want.Name, Setting: "retention", Have: have.Retention, Want: want.Retention}
	}
	next := have
	next.Description, next.Subjects, next.MaxAge = want.Description, want.Subjects, want.MaxAge
	next.Discard = want.Discard
	if want.Duplicates > 0 {
		next.Duplicates = want.Duplicates
	}
	if c.Replicas > 0 {
		next.Replicas = c.Replicas
	}
	return next, nil
}

// declareBucket is declareStream for a key-value bucket.
func (b *Bus) declareBucket(ctx context.Context, want jetstream.KeyValueConfig) error {
	want.Storage, want.History = jetstream.FileStorage, 1
	kv, err := b.js.KeyValue(ctx, want.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		want.Replicas = max(b.cfg.Replicas, 1)
		kv, err = b.js.CreateKeyValue(ctx, want)
		if errors.Is(err, jetstream.ErrBucketExists) { // another process was first
			kv, err = b.js.KeyValue(ctx, want.Bucket)
		}
	}
	if err != nil {
		return naming("bucket", want.Bucket, err)
	}
	b.buckets[want.Bucket] = kv
	return b.bucketUpToDate(ctx, want)
}

// bucketUpToDate compares a bucket by its stream: the client library would
// write all of a bucket's settings anew, an operator's included.
func (b *Bus) bucketUpToDate(ctx context.Context, want jetstream.KeyValueConfig) error {
	stream, err := b.js.Stream(ctx, "KV_"+want.Bucket)
	if err != nil {
		return naming("bucket", want.Bucket, err)
	}
	have := stream.CachedInfo().Config
	return b.bringUpToDate(ctx, have, declaredBucket(have, want))
}

// declaredBucket is what a bucket shares with its stream, over the rest, which
// is the client library's.
func declaredBucket(have jetstream.StreamConfig, want jetstream.KeyValueConfig) jetstream.StreamConfig {
	declared := have
	declared.Description, declared.MaxAge = want.Description, want.TTL
	declared.Storage, declared.Retention = jetstream.FileStorage, jetstream.LimitsPolicy
	// The server refuses ids that are remembered for longer than messages.
	if want.TTL > 0 && have.Duplicates > want.TTL {
		declared.Duplicates = want.TTL
	}
	return declared
}

// declareConsumer makes the one durable consumer that all workers share. It
// has no filter, because a work queue allows only one consumer per subject,
// and no BackOff: that would override AckWait and shorten the lease.
func (b *Bus) declareConsumer(ctx context.Context) error {
	want := jetstream.ConsumerConfig{
		Durable: job.Consumer, AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckWait: DefaultAckWait, MaxDeliver: DefaultMaxDeliver, MaxAckPending: DefaultMaxAckPending,
		Description: "hands each job to one worker", Replicas: 0, // as the stream
	}
	existing, err := b.jobs.Consumer(ctx, job.Consumer)
	if err == nil {
		want = existing.CachedInfo().Config
		want.BackOff = nil // somebody's good intention
	} else if !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return naming("consumer", job.Consumer, err)
	}
	b.cfg.choose(&want)
	if existing == nil || !reflect.DeepEqual(existing.CachedInfo().Config, want) {
		if existing, err = b.jobs.CreateOrUpdateConsumer(ctx, want); err != nil {
			return naming("consumer", job.Consumer, err)
		}
	}
	b.workers, b.ackWait = existing, existing.CachedInfo().Config.AckWait
	return nil
}

// choose lays this process' settings over the consumer's.
func (c Config) choose(consumer *jetstream.ConsumerConfig) {
	if c.AckWait > 0 {
		consumer.AckWait = c.AckWait
	}
	if c.MaxDeliver > 0 {
		consumer.MaxDeliver = c.MaxDeliver
	}
	if c.MaxAckPending > 0 {
		consumer.MaxAckPending = c.MaxAckPending
	}
}

// naming says what an error is about; nil stays nil.
func naming(kind, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", kind, name, err)
}
