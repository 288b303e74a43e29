package jobstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
	"mirrorfleet/shared/pause"
)

// Workers is what the server shows of workers.
type Workers struct {
	// Declared says that the workers' consumer exists.
	Declared bool
	// Idle is how many workers wait for a job.
	Idle int
	// Busy names a worker that has shown a sign of life for a job; "" if none has.
	Busy string
	// Queued counts the jobs that have not ended, of any round.
	Queued uint64
}

// LookForWorkers looks for a sign of any live worker. If there are jobs out, it waits as
// long as a live worker may take to show one. It changes nothing.
func LookForWorkers(ctx context.Context, nc *nats.Conn) (Workers, error) {
	const again, gap = 200 * time.Millisecond, 2 * time.Second
	js, err := jetstream.New(nc)
	if err != nil {
		return Workers{}, fmt.Errorf("jobstream: %w", err)
	}
	leader, err := nc.JetStream()
	if err != nil {
		return Workers{}, fmt.Errorf("jobstream: %w", err)
	}
	began, first := time.Now(), uint64(0)
	for {
		consumer, err := js.Consumer(ctx, job.StreamJobs, job.Consumer)
		if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
			return Workers{}, nil
		}
		if err != nil {
			return Workers{}, naming("consumer", job.Consumer, err)
		}
		info := consumer.CachedInfo()
		found := Workers{Declared: true, Idle: info.NumWaiting, Queued: uint64(info.NumAckPending) + info.NumPending}
		last, seq, err := lastRecord(ctx, leader)
		if err != nil {
			return found, err
		}
		if first > 0 && seq > first && last.Claim != nil && (last.Phase == job.Running || last.Phase == job.Done) {
			found.Busy = last.Claim.Worker
		}
		first = max(first, seq, 1)
		limit := gap
		if info.NumAckPending > 0 { // a worker has, or had, a job
			limit += info.Config.AckWait / job.SignsPerLease
		}
		if found.Idle > 0 || found.Busy != "" || time.Since(began) >= limit {
			return found, nil
		}
		if err := pause.For(ctx, again); err != nil {
			return found, fmt.Errorf("looking for workers: %w", err)
		}
	}
}

// lastRecord is the record that changed last, with its sequence in the stream. The sequence
// is 0 if there is no record, or if the last value is a probe (job.ProbeKey).
func lastRecord(ctx context.Context, leader nats.JetStreamContext) (job.Record, uint64, error) {
	msg, err := leader.GetLastMsg(kv.StreamOf(job.BucketRecords), kv.Subject(job.BucketRecords, ">"), nats.Context(ctx))
	switch {
	case errors.Is(err, nats.ErrMsgNotFound), errors.Is(err, nats.ErrStreamNotFound):
		return job.Record{}, 0, nil
	case err != nil:
		return job.Record{}, 0, fmt.Errorf("looking at the records: %w", err)
	}
	record, err := job.DecodeRecord(msg.Data)
	if err != nil {
		return job.Record{}, 0, nil //nolint:nilerr // as documented
	}
	return record, msg.Sequence, nil
}
