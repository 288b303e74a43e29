package jobstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/telemetry"
)

// Publish queues a job, and returns when the server has stored it. A job that is already
// queued is not queued again; that is no error.
func (q Queue) Publish(ctx context.Context, j job.Job) error {
	data, err := j.Encode()
	if err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	ctx, span := startPublish(ctx, j, len(data))
	msg := nats.NewMsg(job.Subject(j.Round, j.UID))
	msg.Data = data
	telemetry.Inject(ctx, msg.Header)
	_, err = q.publish(ctx, msg, j.MessageID())
	telemetry.JobPublished(ctx, err)
	telemetry.End(span, err)
	return err
}

// Publish stores a dead letter, and returns when the server has it. The same letter again,
// such as after a crash, is not stored twice.
func (l Letters) Publish(ctx context.Context, d job.DeadLetter) error {
	msg, err := letterMsg(ctx, d)
	if err != nil {
		return err
	}
	_, err = l.publish(ctx, msg, deadID(d))
	return err
}

// Republish stores a dead letter that is gone or cannot be read. The stream remembers the
// ids of messages for a while, even of removed ones, and would drop the letter as a
// duplicate. Republish then stores it under another id.
func (l Letters) Republish(ctx context.Context, d job.DeadLetter) error {
	msg, err := letterMsg(ctx, d)
	if err != nil {
		return err
	}
	known, err := l.publish(ctx, msg, deadID(d))
	if err == nil && known {
		_, err = l.publish(ctx, msg, deadID(d)+"/again-"+nuid.Next())
	}
	return err
}

// letterMsg makes a dead letter's message.
func letterMsg(ctx context.Context, d job.DeadLetter) (*nats.Msg, error) {
	if !job.ValidRound(d.Round) { // it could not stand in a subject
		d.Round, d.UID = job.RoundUnnamed, 0
	}
	d.Version = job.Version
	data, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encoding the dead letter of %s/%d: %w", d.Round, d.UID, err)
	}
	msg := nats.NewMsg(job.DeadSubject(d.Round, d.UID))
	msg.Data = data
	telemetry.Inject(ctx, msg.Header)
	return msg, nil
}

// deadID is the message id of a job's end. It is the same whenever the same end of the same
// replay is published again. It leaves out the number of attempts: if a worker dies right
// after it has published the letter, another worker publishes the same letter one attempt
// later.
func deadID(d job.DeadLetter) string {
	sum := fnv.New64a()
	_, _ = sum.Write(d.Payload) // it never fails
	return fmt.Sprintf("dead/%s/%d/%d/%s/%x", d.Round, d.UID, d.Replay, d.Class, sum.Sum64())
}

// publish may be repeated with the same id: the stream keeps one message. known says that
// the stream had seen the id before, even if that message is gone.
func (l *link) publish(ctx context.Context, msg *nats.Msg, id string) (known bool, err error) {
	first := true
	err = l.retryWrite(ctx, "publishing "+id, listener(msg.Subject), func(ctx context.Context) error {
		stored, err := l.js.PublishMsg(ctx, msg, jetstream.WithMsgID(id))
		if err == nil {
			known = stored.Duplicate && first // not a try of our own whose answer was lost
		}
		first = false
		return err //nolint:wrapcheck // retry names the operation
	})
	return known, err
}

// List lists a round's dead letters, oldest first. It leaves out letters that cannot be
// read.
func (l Letters) List(ctx context.Context, round string) ([]job.DeadLetter, error) {
	letters, _, err := l.allLetters(ctx, round)
	return letters, err
}

// allLetters lists a round's dead letters, and separately those that cannot be read.
func (l Letters) allLetters(ctx context.Context, round string) (letters []job.DeadLetter, damage []job.Damage, err error) {
	subject := "miner.dead." + round + ".*"
	// Read each letter by itself: there are few, and a consumer might be left behind.
	for next := uint64(1); ; {
		var msg *jetstream.RawStreamMsg
		err := l.retry(ctx, "reading dead letters of "+round, func(ctx context.Context) (err error) {
			msg, err = l.dead.GetMsg(ctx, next, jetstream.WithGetMsgSubject(subject))
			return err //nolint:wrapcheck // retry names the operation
		})
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return letters, damage, nil
		}
		if err != nil {
			return nil, nil, err
		}
		next = msg.Sequence + 1
		if d, err := decodeLetter(msg); err == nil {
			letters = append(letters, d)
		} else {
			damage = append(damage, damagedLetter(msg, err))
		}
	}
}

// decodeLetter reads a dead letter, and checks that it belongs to its subject.
func decodeLetter(msg *jetstream.RawStreamMsg) (d job.DeadLetter, err error) {
	if err = json.Unmarshal(msg.Data, &d); err == nil {
		err = job.Readable(d.Version)
	}
	if err == nil && job.DeadSubject(d.Round, d.UID) != msg.Subject {
		err = fmt.Errorf("it is of %s", job.RecordKey(d.Round, d.UID))
	}
	return d, err
}

func damagedLetter(msg *jetstream.RawStreamMsg, err error) job.Damage {
	_, uid, keyErr := job.ParseRecordKey(strings.TrimPrefix(msg.Subject, "miner.dead."))
	if keyErr != nil {
		uid = -1
	}
	return job.Damage{
		Where:    job.StreamDead,
		Key:      msg.Subject,
		UID:      uid,
		Revision: msg.Sequence,
		Error:    err.Error(),
	}
}
