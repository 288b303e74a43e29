package jobstream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// firstWait is how long a question for a stream, a bucket or a consumer waits for its answer
// before it is asked again. Each further wait is twice as long, for a server that is slow.
const firstWait = 500 * time.Millisecond

// insistent is JetStream whose questions are asked again. A server that does not lead a
// stream leaves the question for it to the leader. While a new stream elects its first
// leader, nobody answers, and the answer does not come later either. The client library asks
// once. A request that changes something is not repeated here, and has the same timeout.
type insistent struct {
	jetstream.JetStream

	timeout time.Duration
}

func (i insistent) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	return answered(ctx, i.timeout, func(ctx context.Context) (jetstream.Stream, error) {
		return i.JetStream.Stream(ctx, name)
	})
}

func (i insistent) Consumer(ctx context.Context, stream, name string) (jetstream.Consumer, error) {
	return answered(ctx, i.timeout, func(ctx context.Context) (jetstream.Consumer, error) {
		return i.JetStream.Consumer(ctx, stream, name)
	})
}

func (i insistent) KeyValue(ctx context.Context, bucket string) (jetstream.KeyValue, error) {
	return answered(ctx, i.timeout, func(ctx context.Context) (jetstream.KeyValue, error) {
		return i.JetStream.KeyValue(ctx, bucket)
	})
}

func (i insistent) CreateStream(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	return requested(ctx, i.timeout, func(ctx context.Context) (jetstream.Stream, error) {
		return i.JetStream.CreateStream(ctx, cfg)
	})
}

func (i insistent) UpdateStream(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	return requested(ctx, i.timeout, func(ctx context.Context) (jetstream.Stream, error) {
		return i.JetStream.UpdateStream(ctx, cfg)
	})
}

func (i insistent) CreateConsumer(ctx context.Context, stream string, cfg jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	return requested(ctx, i.timeout, func(ctx context.Context) (jetstream.Consumer, error) {
		return i.JetStream.CreateConsumer(ctx, stream, cfg)
	})
}

func (i insistent) UpdateConsumer(ctx context.Context, stream string, cfg jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	return requested(ctx, i.timeout, func(ctx context.Context) (jetstream.Consumer, error) {
		return i.JetStream.UpdateConsumer(ctx, stream, cfg)
	})
}

// requested sends one request, and waits for its answer for at most timeout.
func requested[T any](ctx context.Context, timeout time.Duration, request func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return request(ctx)
}

// answered asks until there is an answer, for at most timeout.
func answered[T any](ctx context.Context, timeout time.Duration, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for wait := firstWait; ; wait *= 2 {
		asking, end := context.WithTimeout(ctx, wait)
		answer, err := ask(asking)
		end()
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return answer, err
		}
	}
}
