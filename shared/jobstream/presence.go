package jobstream

import (
	"context"
	"errors"
	"fmt"
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
	if !p.nc.IsConnected() {
		return fmt.Errorf("showing worker %s: %w", w.Name, errNotConnected)
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	_, err = p.js.Publish(ctx, kv.Subject(job.BucketWorkers, process), data,
		jetstream.WithExpectStream(kv.StreamOf(job.BucketWorkers)), jetstream.WithRetryAttempts(0))
	if err != nil {
		return fmt.Errorf("showing worker %s: %w", w.Name, err)
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
func (p Presence) List(ctx context.Context) (Roll, error) {
	var stream jetstream.Stream
	err := p.retry(ctx, "looking at the workers' signs", func(ctx context.Context) (err error) {
		stream, err = p.js.Stream(ctx, kv.StreamOf(job.BucketWorkers))
		return err //nolint:wrapcheck // retry names the operation
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Roll{Now: time.Now()}, nil
	}
	if err != nil {
		return Roll{}, err
	}
	roll := Roll{}
	signs := &kv.Bucket{Link: &p.values, Name: job.BucketWorkers, Stream: stream}
	err = signs.List(ctx, ">", func(entry jetstream.KeyValueEntry) {
		w, err := job.DecodeWorker(entry.Value())
		if err != nil {
			roll.Unreadable = append(roll.Unreadable, entry.Key())
			return
		}
		roll.Workers = append(roll.Workers, Present{w, entry.Key(), entry.Created()})
	})
	if err != nil {
		return Roll{}, err
	}
	// The time of the look that began the list: a sign that came during the list is new.
	roll.Now = stream.CachedInfo().TimeStamp
	return roll, nil
}
