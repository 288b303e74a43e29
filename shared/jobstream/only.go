package jobstream

import (
	"context"

	"mirrorfleet/shared/job"
)

// Only makes the consumer hand out the jobs of one round and of no other, or
// of every round again when round is "". Jobs of the others stay in the
// stream. A local fleet serves one round at a time: what an interrupted one
// left behind waits for its own resumption.
//
// A filter is for what was never handed out: it keeps back nothing that waits
// for its next delivery, and what the consumer has passed over is not looked at
// again. So everything that was handed out or passed over is queued anew. It is
// for a fleet that nobody else works for: leases under way are not waited for.
func (b *Bus) Only(ctx context.Context, round string) error {
	config := b.workers.CachedInfo().Config
	config.FilterSubject = ""
	if round != "" {
		config.FilterSubject = job.RoundSubject(round)
	}
	consumer, err := b.jobs.CreateOrUpdateConsumer(ctx, config)
	if err != nil {
		return naming("consumer", job.Consumer, err)
	}
	b.workers = consumer
	handedOut := consumer.CachedInfo().Delivered.Stream
	for next := uint64(1); next <= handedOut; {
		msg, err := b.next(ctx, job.SubjectJobs, next)
		if err != nil || msg == nil || msg.Sequence > handedOut {
			return err
		}
		next = msg.Sequence + 1
		if err := b.Unstick(ctx, Stuck{Sequence: msg.Sequence, msg: msg}); err != nil {
			return err
		}
	}
	return nil
}
