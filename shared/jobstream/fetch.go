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
func (q Queue) Fetch(ctx context.Context, n int, wait time.Duration) ([]*Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx) //nolint:wrapcheck // the caller's own
	}
	got, err := q.pull(job.StreamJobs, func() (jetstream.MessageBatch, error) { return q.workers.FetchNoWait(n) })
	if len(got) == 0 && err == nil && ctx.Err() == nil {
		// One only: a batch would be held back until it is full or wait is over.
		got, err = q.pull(job.StreamJobs, func() (jetstream.MessageBatch, error) {
			return q.workers.Fetch(1, jetstream.FetchMaxWait(wait))
		})
	}
	if missing(err) {
		err = q.restored(ctx, err)
	}
	return got, err
}

// pull fetches one batch from a stream and drains it to its end: its channel is always
// closed.
func (l *link) pull(stream string, fetch func() (jetstream.MessageBatch, error)) ([]*Delivery, error) {
	var batch jetstream.MessageBatch
	err := l.connected()
	if err == nil {
		batch, err = fetch()
	}
	if err != nil {
		return nil, fmt.Errorf("fetching from %s: %w", stream, err)
	}
	var got []*Delivery
	for msg := range batch.Messages() {
		meta, metaErr := msg.Metadata()
		if metaErr != nil { // not from a stream: nothing to settle
			l.cfg.Log.Error("message without a place in the stream", "subject", msg.Subject(), "error", metaErr)
			continue
		}
		got = append(got, &Delivery{
			link: l,
			msg:  msg,
			meta: meta,
			at:   time.Now(),
		})
	}
	if err := batch.Error(); err != nil && len(got) == 0 {
		return nil, fmt.Errorf("fetching from %s: %w", stream, err)
	}
	return got, nil
}

// connected is why nothing can be sent now, nil if it can. The library would leave a
// subscription behind for each pull that cannot be sent, and an outage is many pulls
// long.
func (l *link) connected() error {
	switch {
	case l.nc.IsClosed():
		return whyClosed(l.nc)
	case !l.nc.IsConnected():
		return nats.ErrConnectionReconnecting
	}
	return nil
}

// Away says whether an error of Fetch will pass by waiting: the server is
// away, the consumer has no leader, or it was gone and is declared again. A connection
// that is closed stays so, whatever was wrong before.
func Away(err error) bool {
	return !errors.Is(err, nats.ErrConnectionClosed) && (passing(err) || missing(err) ||
		errors.Is(err, jetstream.ErrConsumerLeadershipChanged) || errors.Is(err, jetstream.ErrServerShutdown))
}
