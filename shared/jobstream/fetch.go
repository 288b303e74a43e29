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

// Fetch returns up to n deliveries that are available now. If there is none, it waits for
// the first one, up to wait. An empty answer is no error.
//
// Fetch does not return early when ctx ends: a message that the server has sent by then
// would be lost for a whole AckWait. It returns after wait at the latest (a second more if
// the server is silent). The caller must settle every delivery that it gets.
func (q Queue) Fetch(ctx context.Context, n int, wait time.Duration) ([]*Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx) //nolint:wrapcheck // the caller's own
	}
	got, err := q.pull(job.StreamJobs, func() (jetstream.MessageBatch, error) { return q.workers.FetchNoWait(n) })
	if len(got) == 0 && err == nil && ctx.Err() == nil {
		// Ask for one message only: the server would hold back a batch until it is full, or
		// wait is over.
		got, err = q.pull(job.StreamJobs, func() (jetstream.MessageBatch, error) {
			return q.workers.Fetch(1, jetstream.FetchMaxWait(wait))
		})
	}
	if missing(err) {
		err = q.restored(ctx, err)
	}
	return got, err
}

// pull fetches one batch from a stream, and reads its channel until the library closes it.
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

// connected says why nothing can be sent now; nil if it can. It is asked before each pull,
// because the library leaks a subscription for each pull that cannot be sent, and a long
// outage has many pulls.
func (l *link) connected() error {
	switch {
	case l.nc.IsClosed():
		return whyClosed(l.nc)
	case !l.nc.IsConnected():
		return nats.ErrConnectionReconnecting
	}
	return nil
}

// Away says whether an error of Fetch ends by waiting: the server is away, the consumer has
// no leader, or it was gone and is declared again. A closed connection never comes back,
// whatever error came before.
func Away(err error) bool {
	return !errors.Is(err, nats.ErrConnectionClosed) && (passing(err) || missing(err) ||
		errors.Is(err, jetstream.ErrConsumerLeadershipChanged) || errors.Is(err, jetstream.ErrServerShutdown))
}
