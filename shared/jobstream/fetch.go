package jobstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// Fetch returns up to n deliveries: those that are there now or, if there is
// none, the first to come within wait. An empty answer is no error.
//
// It is not broken off when ctx ends, because a message that the server has
// sent by then would wait a whole AckWait for nobody; it returns after wait
// at the latest (a second more if the server is silent), and the caller must
// settle whatever it gets.
func (b *Bus) Fetch(ctx context.Context, n int, wait time.Duration) ([]*Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx) //nolint:wrapcheck // the caller's own
	}
	if b.nc.IsClosed() {
		return nil, fmt.Errorf("fetching from %s: %w", job.StreamJobs, whyClosed(b.nc))
	}
	if !b.nc.IsConnected() {
		// The library would leave a subscription behind for each pull that
		// cannot be sent, and an outage is many pulls long.
		return nil, fmt.Errorf("fetching from %s: %w", job.StreamJobs, nats.ErrConnectionReconnecting)
	}
	got, err := b.collect(b.workers.FetchNoWait(n))
	if len(got) == 0 && err == nil && ctx.Err() == nil {
		// One only: a batch would be held back until it is full or wait is over.
		got, err = b.collect(b.workers.Fetch(1, jetstream.FetchMaxWait(wait)))
	}
	if missing(err) {
		err = b.restored(ctx, err)
	}
	if err != nil {
		return nil, fmt.Errorf("fetching from %s: %w", job.StreamJobs, err)
	}
	return got, nil
}

// collect drains a batch to its end: its channel is always closed. Whoever fetched
// names the stream of an error. A batch of which anything came has none.
func (b *Bus) collect(batch jetstream.MessageBatch, err error) ([]*Delivery, error) {
	if err != nil {
		return nil, err
	}
	var got []*Delivery
	for msg := range batch.Messages() {
		meta, metaErr := msg.Metadata()
		if metaErr != nil { // not from a stream: nothing to settle
			b.cfg.Log.Error("message without a place in the stream", "subject", msg.Subject(), "error", metaErr)
			continue
		}
		got = append(got, &Delivery{bus: b, msg: msg, meta: meta, at: time.Now()})
	}
	if len(got) > 0 {
		return got, nil
	}
	return nil, batch.Error() //nolint:wrapcheck // as documented
}

// Away says whether an error of Fetch will pass by waiting: the server is
// away, the consumer has no leader, or it was gone and is declared again.
func Away(err error) bool {
	return passing(err) || missing(err) ||
		errors.Is(err, jetstream.ErrConsumerLeadershipChanged) || errors.Is(err, jetstream.ErrServerShutdown)
}
