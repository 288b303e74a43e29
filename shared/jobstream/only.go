package jobstream

import (
	"context"

	"mirrorfleet/shared/job"
)

// Only makes the consumer hand out the jobs of one round and of no other, or
// of every round again when round is "". Jobs of the others stay in the
// stream. A local fleet serves one round at a time: what an interrupted one
// left behind waits for its own resumption.
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
	return nil
}
