package jobstream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/telemetry"
)

// Delivery is one hand-out of a job. Its holder has the lease until AckWait
// after Received or after its last confirmed heartbeat.
type Delivery struct {
	link *link
	msg  jetstream.Msg
	meta *jetstream.MsgMetadata
	at   time.Time
}

// Job reads the message. Every error is job.ErrUnreadable, also for a job
// that is not the one its subject names.
func (d *Delivery) Job() (job.Job, error) {
	j, err := job.Decode(d.msg.Data())
	if err != nil {
		return job.Job{}, err
	}
	if want := job.Subject(j.Round, j.UID); want != d.msg.Subject() {
		return job.Job{}, fmt.Errorf("%w: on subject %s, want %s", job.ErrUnreadable, d.msg.Subject(), want)
	}
	return j, nil
}

// Context returns ctx with the trace that the job was published in.
func (d *Delivery) Context(ctx context.Context) context.Context {
	return telemetry.Extract(ctx, d.msg.Headers())
}

// Number counts the hand-outs of this message, from 1.
func (d *Delivery) Number() uint64 { return d.meta.NumDelivered }

// Sequence is the message's place in the stream.
func (d *Delivery) Sequence() uint64 { return d.meta.Sequence.Stream }

// Published is when the message was stored.
func (d *Delivery) Published() time.Time { return d.meta.Timestamp }

// Received is when the message reached this process.
func (d *Delivery) Received() time.Time { return d.at }

// Payload is the message as it came.
func (d *Delivery) Payload() []byte { return d.msg.Data() }

// Subject is where the message was published.
func (d *Delivery) Subject() string { return d.msg.Subject() }

// InProgress is the heartbeat: once it is confirmed, the lease runs anew from
// the instant before it was sent. The server confirms it also for a message
// that another worker has by now, and then prolongs that worker's lease. So a worker
// that cannot be sure of its lease must not send it.
func (d *Delivery) InProgress(ctx context.Context) error { return d.settle(ctx, "+WPI") }

// Ack removes the message from the queue. It may be tried again: only a job
// that has ended is acknowledged, so a late ack takes nothing from anybody.
func (d *Delivery) Ack(ctx context.Context) error {
	return d.link.retry(ctx, "acknowledging "+d.Subject(), func(ctx context.Context) error { return d.settle(ctx, "+ACK") })
}

// Nak gives the message back, to be handed out again after delay. It is sent
// once: a second one could end the next holder's lease.
func (d *Delivery) Nak(ctx context.Context, delay time.Duration) error {
	return d.settle(ctx, fmt.Sprintf(`-NAK {"delay": %d}`, delay.Nanoseconds()))
}

// Term removes the message because its job has failed for good. As with Ack
// it may be tried again.
func (d *Delivery) Term(ctx context.Context, reason string) error {
	return d.link.retry(ctx, "terminating "+d.Subject(), func(ctx context.Context) error {
		return d.settle(ctx, "+TERM "+reason)
	})
}

// settle sends one acknowledgement and waits for the server's word on it. The
// client library confirms acks only; the server confirms all of them.
func (d *Delivery) settle(ctx context.Context, word string) error {
	ctx, cancel := context.WithTimeout(ctx, d.link.cfg.Timeout)
	defer cancel()
	if _, err := d.link.nc.RequestWithContext(ctx, d.msg.Reply(), []byte(word)); err != nil {
		return fmt.Errorf("%.4s for %s delivery %d: %w", word, d.Subject(), d.Number(), err)
	}
	return nil
}
