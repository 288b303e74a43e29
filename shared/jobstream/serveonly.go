package jobstream

import (
	"context"

	"mirrorfleet/shared/job"
)

// ServeOnly makes the consumer deliver the jobs of one round only, or of every round if
// round is "". Other jobs stay in the stream. A local fleet serves one round at a time: the
// jobs of an interrupted round wait until that round is resumed.
//
// A filter affects only messages that were never delivered. It does not hold back a message
// that waits for its next delivery, and the consumer does not look again at messages that it
// has passed over. So ServeOnly queues all of these again, except for the round's own jobs
// that a worker has claimed: they wait for their leases, and keep their count of deliveries.
// Use it only for a fleet that nobody else works for.
func (q Queue) ServeOnly(ctx context.Context, round string) error {
	config := *q.consumer.Load()
	config.FilterSubject = ""
	if round != "" {
		config.FilterSubject = job.RoundSubject(round)
	}
	consumer, err := q.jobs.CreateOrUpdateConsumer(ctx, config)
	if err != nil {
		return naming("consumer", job.Consumer, err)
	}
	config = consumer.CachedInfo().Config
	q.consumer.Store(&config)
	claimed, err := q.claimed(ctx, round)
	if err != nil {
		return err
	}
	handedOut := consumer.CachedInfo().Delivered.Stream
	for next := uint64(1); next <= handedOut; {
		msg, err := q.next(ctx, job.SubjectJobs, next)
		if err != nil || msg == nil || msg.Sequence > handedOut {
			return err
		}
		next = msg.Sequence + 1
		if claimed[msg.Sequence] {
			continue
		}
		if err := q.Unstick(ctx, Stuck{Sequence: msg.Sequence, msg: msg}); err != nil {
			return err
		}
	}
	return nil
}

// claimed are a round's messages by which its records were last claimed.
func (l *link) claimed(ctx context.Context, round string) (map[uint64]bool, error) {
	claimed := map[uint64]bool{}
	if round == "" {
		return claimed, nil
	}
	records, err := Records{l}.List(ctx, round)
	for _, r := range records {
		if r.Claim != nil {
			claimed[r.Claim.Sequence] = true
		}
	}
	return claimed, err
}
