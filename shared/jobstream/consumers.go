package jobstream

import (
	"context"
	"errors"
	"mirrorfleet/shared/job"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// consumer is a declared consumer and the name of its stream. No consumer has a BackOff: it
// would override AckWait, and so shorten the lease.
type consumer struct {
	stream string
	config jetstream.ConsumerConfig
}

// consumers are those that producers declare.
func consumers() []consumer {
	return []consumer{workersConsumer(), advisoriesConsumer(), warmersConsumer()}
}

// workersConsumer hands each job to one worker. It has no filter, because a work queue
// allows only one consumer per subject.
func workersConsumer() consumer {
	c := durable(job.Consumer, "hands each job to one worker")
	c.AckWait = DefaultAckWait
	c.MaxDeliver = DefaultMaxDeliver
	c.MaxAckPending = DefaultMaxAckPending
	return consumer{job.StreamJobs, c}
}

// advisoriesConsumer hands each advisory to one producer.
func advisoriesConsumer() consumer {
	c := durable("exhausted", "hands each advisory to one producer")
	c.AckWait = time.Minute
	c.MaxDeliver = -1
	c.MaxAckPending = 1000
	return consumer{job.StreamAdvisory, c}
}

// warmersConsumer hands each miner of a warm-up to one worker, once. If that worker dies,
// nobody repeats it: the round then makes those requests itself, as it would without a
// warm-up.
func warmersConsumer() consumer {
	c := durable(job.ConsumerWarm, "hands each miner of a warm-up to one worker, once")
	c.AckWait = DefaultAckWait
	c.MaxDeliver = 1
	c.MaxAckPending = DefaultMaxAckPending
	return consumer{job.StreamWarm, c}
}

// durable is a consumer that outlives its clients, with as many copies as its stream.
func durable(name, description string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Name:          name,
		Durable:       name,
		Description:   description,
		AckPolicy:     jetstream.AckExplicitPolicy,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		MaxWaiting:    512,
	}
}

// declareConsumer is declareStream for a consumer.
func (l *link) declareConsumer(ctx context.Context, want consumer) error {
	name := want.config.Durable
	existing, err := l.js.Consumer(ctx, want.stream, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		_, err = l.js.CreateConsumer(ctx, want.stream, l.lastKnown(want.config))
		if !errors.Is(err, jetstream.ErrConsumerExists) {
			l.created(ctx, "consumer", name, err)
			return naming("consumer", name, err)
		}
		existing, err = l.js.Consumer(ctx, want.stream, name) // another process was first
	}
	if err != nil {
		return naming("consumer", name, err)
	}
	have := existing.CachedInfo().Config
	next := l.cfg.overlaidConsumer(have, want.config)
	if reflect.DeepEqual(have, next) {
		return nil
	}
	_, err = l.js.UpdateConsumer(ctx, want.stream, next)
	return unchangeable("consumer", name, drifted(have, next), err)
}

// overlaidConsumer is overlaid for a consumer. The lease, the deliveries and MaxAckPending
// keep their values unless cfg sets them. The filter (ServeOnly, of a local fleet) and a
// pause always stay.
func (c Config) overlaidConsumer(have, want jetstream.ConsumerConfig) jetstream.ConsumerConfig {
	next := want
	next.AckWait = have.AckWait
	next.MaxDeliver = have.MaxDeliver
	next.MaxAckPending = have.MaxAckPending
	next.FilterSubject, next.PauseUntil = have.FilterSubject, have.PauseUntil
	next.Replicas, next.Metadata = have.Replicas, have.Metadata
	if want.Durable == job.Consumer {
		c.choose(&next)
	}
	return next
}

// choose applies this process's settings to the workers' consumer.
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

// lastKnown is the configuration with which a missing consumer is created: for the workers'
// consumer the one that this process knew last, otherwise the declaration.
func (l *link) lastKnown(want jetstream.ConsumerConfig) jetstream.ConsumerConfig {
	if want.Durable != job.Consumer {
		return want
	}
	if known := l.consumer.Load(); known != nil {
		return *known
	}
	l.cfg.choose(&want)
	return want
}
