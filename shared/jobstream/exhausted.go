package jobstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/pause"
	"mirrorfleet/shared/telemetry"
)

// advisory is the server's word that a message has used up its deliveries.
type advisory struct {
	Sequence   uint64 `json:"stream_seq"`
	Deliveries uint64 `json:"deliveries"`
}

// Exhausted is a message whose deliveries are used up.
type Exhausted struct {
	Round string
	UID   int
	// Replay is the job's; -1 if the message cannot be read.
	Replay     int
	Sequence   uint64
	Deliveries uint64
	// Trace is the one that the message was published in; "" for none.
	Trace string
}

// About is ctx for a line about the job: it names it, and its own trace.
func (e Exhausted) About(ctx context.Context) context.Context {
	if e.Round == "" { // the message names none
		return ctx
	}
	j := telemetry.Job{Round: e.Round, UID: e.UID, Replay: max(e.Replay, 0)}
	return telemetry.About(ctx, j, e.Deliveries, e.Trace)
}

// ConsumeExhausted calls handle for each job whose deliveries are used up,
// one after the other, until ctx ends; then it returns nil. After handle has
// returned nil the message is removed: no raised limit would have revived
// it. After an error the advisory comes again, 5 s later.
func (q Queue) ConsumeExhausted(ctx context.Context,
	handle func(ctx context.Context, e Exhausted) error,
) error {
	for {
		consumer, err := q.advisories(ctx)
		for err == nil && ctx.Err() == nil {
			err = q.exhaustedOnce(ctx, consumer, handle)
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end that was asked for
		}
		if !missing(err) {
			return err
		}
		// It is gone, or between two leaders: then it is there, and silent.
		_ = pause.For(ctx, q.cfg.RetryWait)
	}
}

// advisories looks up the consumer of the advisories, which all producers share.
func (l *link) advisories(ctx context.Context) (found jetstream.Consumer, err error) {
	want := advisoriesConsumer()
	err = l.retry(ctx, "looking up the consumer of "+want.stream, func(ctx context.Context) (err error) {
		found, err = l.js.Consumer(ctx, want.stream, want.config.Durable)
		return err //nolint:wrapcheck // retry names the operation
	})
	return found, err
}

// exhaustedOnce waits for one advisory and deals with it.
func (l *link) exhaustedOnce(ctx context.Context, consumer jetstream.Consumer,
	handle func(ctx context.Context, e Exhausted) error,
) error {
	got, err := l.pull(job.StreamAdvisory, func() (jetstream.MessageBatch, error) {
		return consumer.Fetch(1, jetstream.FetchMaxWait(time.Second))
	})
	if err != nil {
		if !Away(err) || missing(err) {
			return fmt.Errorf("fetching from %s: %w", job.StreamAdvisory, err)
		}
		l.failed(ctx, "fetching advisories", "", err)
		_ = pause.For(ctx, l.cfg.RetryWait) // the caller looks at ctx
		return nil
	}
	for _, d := range got {
		if e, err := l.exhausted(ctx, d, handle); err != nil {
			l.cfg.Log.ErrorContext(e.About(ctx), "a job whose deliveries are used up could not be buried yet", "error", err)
			_ = d.Nak(context.WithoutCancel(ctx), 5*time.Second) // if it is lost, AckWait does the same
		}
	}
	return nil
}

// exhausted handles one advisory: find the message, bury its job, remove it. It returns
// whose job it is, if the message says so.
func (l *link) exhausted(ctx context.Context, d *Delivery,
	handle func(ctx context.Context, e Exhausted) error,
) (e Exhausted, err error) {
	var said advisory
	if err := json.Unmarshal(d.Payload(), &said); err != nil || said.Sequence == 0 {
		l.cfg.Log.ErrorContext(ctx, "advisory that cannot be read", "payload", string(d.Payload()), "error", err)
		return e, d.Ack(ctx)
	}
	msg, err := l.message(ctx, said.Sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) { // settled after all
		return e, d.Ack(ctx)
	}
	if err != nil {
		return e, err
	}
	round, uid, err := job.ParseSubject(msg.Subject)
	if err != nil { // no record can be of that name; workers bury such messages when they see them
		err = Letters{l}.Publish(ctx, job.DeadLetter{
			Class:   job.Poison,
			At:      time.Now().UTC(),
			Payload: msg.Data,
			Error:   fmt.Sprintf("deliveries used up (%d): %v", said.Deliveries, err),
		})
	} else {
		e = Exhausted{
			Round:      round,
			UID:        uid,
			Replay:     -1,
			Sequence:   said.Sequence,
			Deliveries: said.Deliveries,
			Trace:      traceOf(msg.Header), //nolint:contextcheck // the trace is the message's and not the caller's
		}
		if j, err := job.Decode(msg.Data); err == nil {
			e.Replay = j.Replay
		}
		err = handle(ctx, e)
	}
	if err != nil {
		return e, err
	}
	// The job's end may be what the caller waited for: what is left is done all
	// the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.Timeout)
	defer cancel()
	if err := l.remove(ctx, said.Sequence); err != nil {
		return e, err
	}
	crash.At(crash.ExhaustedRemoved)
	return e, d.Ack(ctx)
}

// message reads a job's message by its place in the stream.
func (l *link) message(ctx context.Context, sequence uint64) (*jetstream.RawStreamMsg, error) {
	var msg *jetstream.RawStreamMsg
	err := l.retry(ctx, fmt.Sprintf("reading message %d", sequence), func(ctx context.Context) (err error) {
		msg, err = l.jobs.GetMsg(ctx, sequence)
		return err //nolint:wrapcheck // retry names the operation
	})
	return msg, err
}

// remove takes a message out of the queue; one that is gone is removed.
func (l *link) remove(ctx context.Context, sequence uint64) error {
	err := l.retry(ctx, fmt.Sprintf("removing message %d", sequence), func(ctx context.Context) error {
		return l.jobs.DeleteMsg(ctx, sequence)
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		return nil
	}
	return err
}
