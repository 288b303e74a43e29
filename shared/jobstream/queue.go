package jobstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/telemetry"
)

// Messages counts a round's messages in the queue, by uid.
func (q Queue) Messages(ctx context.Context, round string) (map[int]int, error) {
	subjects, err := q.values.Subjects(ctx, q.jobs, job.RoundSubject(round))
	queued := map[int]int{}
	for subject, n := range subjects {
		if _, uid, err := job.ParseSubject(subject); err == nil {
			queued[uid] = int(n)
		}
	}
	return queued, err
}

// Requeue queues a job whose message is gone, and says whether it had to. The stream
// remembers message ids for a day, even of removed messages, and drops a second message
// under the same id. So only a job that was never queued keeps its own id; any other gets a
// new one. The server stores it only if no message of the job has come meanwhile. So two
// processes that requeue one job at the same time queue it once.
func (q Queue) Requeue(ctx context.Context, j job.Job) (bool, error) {
	data, err := j.Encode()
	if err != nil {
		return false, fmt.Errorf("queueing again: %w", err)
	}
	msg := nats.NewMsg(job.Subject(j.Round, j.UID))
	msg.Data = data
	telemetry.Inject(ctx, msg.Header)
	known, err := q.publish(ctx, msg, j.MessageID())
	if err != nil || !known {
		return err == nil, err
	}
	last, err := q.last(ctx, msg.Subject)
	if err != nil {
		return false, err
	}
	if last.Sequence != 0 {
		if there, err := job.Decode(last.Data); err == nil && there.Replay >= j.Replay {
			return false, nil
		}
	}
	return q.publishAfter(ctx, msg, j.MessageID(), last.Sequence)
}

// last is the last message of a subject; its sequence is 0 if there is none.
func (l *link) last(ctx context.Context, subject string) (jetstream.RawStreamMsg, error) {
	var last *jetstream.RawStreamMsg
	err := l.retry(ctx, "reading the message of "+subject, func(ctx context.Context) (err error) {
		last, err = l.jobs.GetLastMsgForSubject(ctx, subject)
		return err //nolint:wrapcheck // retry names the operation
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return jetstream.RawStreamMsg{}, nil
	}
	if err != nil {
		return jetstream.RawStreamMsg{}, err
	}
	return *last, nil
}

// Trace is the trace in which a miner's message was published; "" if there is no message, or
// nothing was traced.
func (q Queue) Trace(ctx context.Context, round string, uid int) (string, error) {
	last, err := q.last(ctx, job.Subject(round, uid))
	return traceOf(last.Header), err //nolint:contextcheck // the trace is the message's and not the caller's
}

// traceOf is the trace in which a message was published.
func traceOf(header nats.Header) string {
	return telemetry.TraceID(telemetry.Extract(context.Background(), header))
}

// publishAfter queues a message if the last one of its subject still has the given sequence,
// 0 for none. It returns false if another message came meanwhile. That may be its own, after
// the confirmation of an earlier try was lost.
func (l *link) publishAfter(ctx context.Context, msg *nats.Msg, id string, last uint64) (bool, error) {
	id = fmt.Sprintf("%s/again-%s", id, nuid.Next())
	err := l.retryWrite(ctx, "publishing "+id, listener(msg.Subject), func(ctx context.Context) error {
		_, err := l.js.PublishMsg(ctx, msg, jetstream.WithMsgID(id), jetstream.WithExpectLastSequencePerSubject(last))
		return err //nolint:wrapcheck // retry names the operation
	})
	if overtaken(err) {
		return false, nil
	}
	return err == nil, err
}

// Stuck is a queued message that the server gives to no worker: its deliveries are used
// up, or the consumer has passed it over.
type Stuck struct {
	Round    string
	UID      int
	Sequence uint64
	// Replay is the job's replay; -1 if the message cannot be read.
	Replay int
	// MaxDeliver is how many deliveries a message may have.
	MaxDeliver int

	msg *jetstream.RawStreamMsg
}

// Stuck lists a round's stuck messages. The server reports used-up deliveries once, and
// messages that it passed over never, so Stuck derives them. Every message below the
// consumer's ack floor is settled. When no delivery is outstanding, every message that was
// ever delivered is settled. A settled message that is still in the stream is therefore
// stuck.
//
// The floor does not pass a message whose deliveries are used up while others are
// outstanding, so a busy fleet may find such a message late.
func (q Queue) Stuck(ctx context.Context, round string) ([]Stuck, error) {
	info, err := q.consumerInfo(ctx)
	if err != nil {
		return nil, err
	}
	below := info.AckFloor.Stream
	if info.NumAckPending == 0 {
		below = info.Delivered.Stream
	}
	var stuck []Stuck
	for next := uint64(1); ; {
		msg, err := q.next(ctx, job.RoundSubject(round), next)
		if err != nil || msg == nil || msg.Sequence > below {
			return stuck, err
		}
		next = msg.Sequence + 1
		s := Stuck{
			Round:      round,
			Sequence:   msg.Sequence,
			Replay:     -1,
			MaxDeliver: info.Config.MaxDeliver,
			msg:        msg,
		}
		if _, s.UID, err = job.ParseSubject(msg.Subject); err != nil {
			continue // no job can have that name; the advisory deals with it
		}
		if j, err := job.Decode(msg.Data); err == nil {
			s.Replay = j.Replay
		}
		stuck = append(stuck, s)
	}
}

// next is the first message of a subject at or after a sequence; nil if there is none.
func (l *link) next(ctx context.Context, subject string, from uint64) (*jetstream.RawStreamMsg, error) {
	var msg *jetstream.RawStreamMsg
	err := l.retry(ctx, "reading messages of "+subject, func(ctx context.Context) (err error) {
		msg, err = l.jobs.GetMsg(ctx, from, jetstream.WithGetMsgSubject(subject))
		return err //nolint:wrapcheck // retry names the operation
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil //nolint:nilnil // as documented
	}
	return msg, err
}

// Unstick replaces a stuck message by a copy, whose deliveries count from the first again.
// If the job already has a later message, it only removes the stuck one.
func (q Queue) Unstick(ctx context.Context, s Stuck) error {
	last, err := q.last(ctx, s.msg.Subject)
	if err != nil {
		return err
	}
	if last.Sequence == s.Sequence {
		return q.renew(ctx, s.msg)
	}
	return q.remove(ctx, s.Sequence)
}

// Renew replaces a job's last message by a copy, even if the server would still deliver it;
// false if there is none.
func (q Queue) Renew(ctx context.Context, round string, uid int) (bool, error) {
	last, err := q.last(ctx, job.Subject(round, uid))
	if err != nil || last.Sequence == 0 {
		return false, err
	}
	return true, q.renew(ctx, &last)
}

// renew replaces a message by a copy in the same trace.
func (l *link) renew(ctx context.Context, old *jetstream.RawStreamMsg) error {
	msg := nats.NewMsg(old.Subject)
	msg.Data = old.Data
	telemetry.Inject(telemetry.Extract(ctx, old.Header), msg.Header)
	if _, err := l.publishAfter(ctx, msg, old.Subject, old.Sequence); err != nil {
		return err
	}
	crash.At(crash.CopyQueued)
	return l.remove(ctx, old.Sequence)
}

// Discard removes a stuck message whose job has ended.
func (q Queue) Discard(ctx context.Context, s Stuck) error { return q.remove(ctx, s.Sequence) }
