package jobstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/telemetry"
)

// PublishJob queues a job and returns when the server has stored it. A job
// that is queued already is not queued again, and is no error.
func (b *Bus) PublishJob(ctx context.Context, j job.Job) error {
	data, err := j.Encode()
	if err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	ctx, span := startPublish(ctx, j, len(data))
	msg := nats.NewMsg(job.Subject(j.Round, j.UID))
	msg.Data = data
	telemetry.Inject(ctx, msg.Header)
	_, err = b.publish(ctx, msg, j.MessageID())
	telemetry.JobPublished(ctx, err)
	telemetry.End(span, err)
	return err
}

// PublishDead stores a dead letter and returns when the server has it. The
// same letter again, after a crash, is not stored twice.
func (b *Bus) PublishDead(ctx context.Context, d job.DeadLetter) error {
	if !job.ValidRound(d.Round) { // it could not stand in a subject
		d.Round, d.UID = job.RoundUnnamed, 0
	}
	d.Version = job.Version
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encoding the dead letter of %s/%d: %w", d.Round, d.UID, err)
	}
	msg := nats.NewMsg(job.DeadSubject(d.Round, d.UID))
	msg.Data = data
	telemetry.Inject(ctx, msg.Header)
	_, err = b.publish(ctx, msg, deadID(d))
	return err
}

// deadID is the same for the same end of the same replay: a job ends once. The
// number of attempts is not in it, because a worker that dies right after its
// letter is followed by another, one attempt later, whose letter says the same.
func deadID(d job.DeadLetter) string {
	sum := fnv.New64a()
	_, _ = sum.Write(d.Payload) // it never fails
	return fmt.Sprintf("dead/%s/%d/%d/%s/%x", d.Round, d.UID, d.Replay, d.Class, sum.Sum64())
}

// publish may be tried again with the same id: the stream keeps one. Known says
// that the stream has seen the id before, also of a message that is gone.
func (b *Bus) publish(ctx context.Context, msg *nats.Msg, id string) (known bool, err error) {
	first := true
	err = b.try(ctx, "publishing "+id, func(ctx context.Context) error {
		stored, err := b.js.PublishMsg(ctx, msg, jetstream.WithMsgID(id))
		if err == nil {
			known = stored.Duplicate && first // not a try of our own whose answer was lost
		}
		first = false
		return err //nolint:wrapcheck // try names the operation
	})
	return known, err
}

// DeadLetters lists a round's dead letters, oldest first.
func (b *Bus) DeadLetters(ctx context.Context, round string) ([]job.DeadLetter, error) {
	subject := "miner.dead." + round + ".*"
	// One read per letter: there are few, and no consumer is left behind.
	var letters []job.DeadLetter
	for next := uint64(1); ; {
		var msg *jetstream.RawStreamMsg
		err := b.try(ctx, "reading dead letters of "+round, func(ctx context.Context) (err error) {
			msg, err = b.dead.GetMsg(ctx, next, jetstream.WithGetMsgSubject(subject))
			return err //nolint:wrapcheck // try names the operation
		})
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return letters, nil
		}
		if err != nil {
			return nil, err
		}
		var d job.DeadLetter
		if err := json.Unmarshal(msg.Data, &d); err != nil {
			return nil, &ValueError{Bucket: job.StreamDead, Key: fmt.Sprint(msg.Sequence), Err: err}
		}
		letters, next = append(letters, d), msg.Sequence+1
	}
}
