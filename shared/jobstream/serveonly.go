package jobstream

import (
	"context"

	"mirrorfleet/shared/job"
)

// ServeOnly makes the consumer hand out the jobs of one round and of no other, or
// of every round again when round is "". Jobs of the others stay in the
// stream. A local fleet serves one round at a time: what an interrupted one
// left behind waits for its own resumption.
//
// A filter is for what was never handed out: it keeps back nothing that waits
// for its next delivery, and what the consumer has passed over is not looked at
// again. So everything that was handed out or passed over is queued anew, but
// for the round's own jobs that somebody claimed: they wait for their leases,
// and their deliveries count on. It is for a fleet that nobody else works for.
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

// claimed are the messages of a round that its records have last been claimed
// with.
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
