package jobstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
)

// errNotConnected refuses a sign of life while NATS is away. The client library would keep
// it and send it later, when it is out of date.
var errNotConnected = errors.New("not connected to NATS")

// Show stores a sign of life of a worker process, which replaces its last one. It tries once
// and takes at most the time of one operation: the next sign comes soon, and nothing depends
// on any of them.
func (p Presence) Show(ctx context.Context, process string, w job.Worker) error {
	data, err := w.Encode()
	if err != nil {
		return err
	}
	return p.show(ctx, "worker "+w.Name, process, data)
}

// ShowProducer stores a sign of life of a producer process, as Show does.
func (p Presence) ShowProducer(ctx context.Context, process string, of job.Producer) error {
	data, err := of.Encode()
	if err != nil {
		return err
	}
	return p.show(ctx, "producer "+of.Name, job.ProducerKey(process), data)
}

func (p Presence) show(ctx context.Context, what, key string, data []byte) error {
	if !p.nc.IsConnected() {
		return fmt.Errorf("showing %s: %w", what, errNotConnected)
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	_, err := p.js.Publish(ctx, kv.Subject(job.BucketWorkers, key), data,
		jetstream.WithExpectStream(kv.StreamOf(job.BucketWorkers)), jetstream.WithRetryAttempts(0))
	if err != nil {
		return fmt.Errorf("showing %s: %w", what, err)
	}
	return nil
}

// Present is a worker process by its last sign of life.
type Present struct {
	job.Worker

	// Process is the key of the process, which is another one after each start.
	Process string
	// Stored is when the server stored the sign, by the server's clock.
	Stored time.Time
}

// Roll is all worker processes of the last day, in the order of their keys.
type Roll struct {
	Workers []Present
	// Now is the server's time when the list was made: the age of a sign is Now − Stored,
	// whatever the clocks of the workers and of the reader say.
	Now time.Time
	// Unreadable are the keys of signs that cannot be read.
	Unreadable []string
}

// List reads the last sign of every worker process. It is empty where no producer of this
// version has declared the bucket yet.
func (p Presence) List(ctx context.Context) (roll Roll, err error) {
	roll.Now, err = p.list(ctx, "*", func(entry jetstream.KeyValueEntry) {
		w, err := job.DecodeWorker(entry.Value())
		if err != nil {
			roll.Unreadable = append(roll.Unreadable, entry.Key())
			return
		}
		roll.Workers = append(roll.Workers, Present{w, entry.Key(), entry.Created()})
	})
	return roll, err
}

// PresentProducer is a producer process by its last sign of life. Process and Stored are as
// those of Present.
type PresentProducer struct {
	job.Producer

	Process string
	Stored  time.Time
}

// ProducerRoll is all producer processes of the last day that have shown themselves, in the
// order of their keys. Now is that of Roll. Signs that cannot be read are left out: they are
// of a later version.
type ProducerRoll struct {
	Producers []PresentProducer
	Now       time.Time
}

// Producers reads the last sign of every producer process, as List does.
func (p Presence) Producers(ctx context.Context) (roll ProducerRoll, err error) {
	roll.Now, err = p.list(ctx, job.ProducerKey("*"), func(entry jetstream.KeyValueEntry) {
		if of, err := job.DecodeProducer(entry.Value()); err == nil {
			process := strings.TrimPrefix(entry.Key(), job.ProducerKey(""))
			roll.Producers = append(roll.Producers, PresentProducer{of, process, entry.Created()})
		}
	})
	return roll, err
}

// list reads the last signs whose keys match a pattern, and the server's time.
func (p Presence) list(ctx context.Context, pattern string, each func(jetstream.KeyValueEntry)) (now time.Time, err error) {
	var stream jetstream.Stream
	err = p.retry(ctx, "looking at the signs of life", func(ctx context.Context) (err error) {
		stream, err = p.js.Stream(ctx, kv.StreamOf(job.BucketWorkers))
		return err //nolint:wrapcheck // retry names the operation
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return time.Now(), nil
	}
	if err != nil {
		return now, err
	}
	// The time of the look that began the list: a sign that came during the list is new.
	now = stream.CachedInfo().TimeStamp
	signs := &kv.Bucket{Link: &p.values, Name: job.BucketWorkers, Stream: stream}
	return now, signs.List(ctx, pattern, each)
}
