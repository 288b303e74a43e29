package jobstream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
	"mirrorfleet/shared/telemetry"
)

// Last is the state of the last warm-up. It has no ID if there was none, or if it cannot be
// read.
func (w WarmUps) Last(ctx context.Context) (job.WarmUp, error) {
	last, _, err := w.warmUp().Find(ctx)
	if Damaged(err) {
		return job.WarmUp{}, nil
	}
	return last, err
}

// Inputs reads a warm-up's inputs.
func (w WarmUps) Inputs(ctx context.Context, id string) (job.Manifest, error) {
	m, _, err := w.warmUpInputs(id).Load(ctx)
	return m, err
}

// Begin replaces the last warm-up, and drops its miners. inputs is a manifest under the
// warm-up's name. Its miners are published one by one.
func (w WarmUps) Begin(ctx context.Context, up job.WarmUp, inputs job.Manifest) error {
	inputs.Miners, inputs.Round = nil, up.ID
	if err := w.warmUpInputs(up.ID).Put(ctx, inputs); err != nil {
		return fmt.Errorf("storing the inputs of warm-up %s: %w", up.ID, err)
	}
	_, _, err := w.warmUp().Change(ctx, func(job.WarmUp, kv.Stored, bool) (job.WarmUp, bool) { return up, true })
	if err != nil {
		return fmt.Errorf("beginning warm-up %s: %w", up.ID, err)
	}
	return w.purge(ctx, "dropping the miners of former warm-ups", leftover{job.StreamWarm, job.SubjectWarm})
}

// Publish queues one miner of a warm-up.
func (w WarmUps) Publish(ctx context.Context, miner job.Warm) error {
	data, err := miner.Encode()
	if err != nil {
		return err
	}
	msg := nats.NewMsg(job.WarmSubject(miner.WarmUp, miner.UID))
	msg.Data = data
	telemetry.Inject(ctx, msg.Header)
	_, err = w.publish(ctx, msg, fmt.Sprintf("%s/%d", miner.WarmUp, miner.UID))
	return err
}

// Fetch returns up to n miners of a warm-up that are available now. Each is delivered once.
func (w WarmUps) Fetch(ctx context.Context, n int) ([]*Delivery, error) {
	asking, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	warmers, err := w.js.Consumer(asking, job.StreamWarm, job.ConsumerWarm)
	if err != nil {
		return nil, naming("consumer", job.ConsumerWarm, err)
	}
	return w.pull(job.StreamWarm, func() (jetstream.MessageBatch, error) { return warmers.FetchNoWait(n) })
}

// Warm reads the message of a warm-up's miner. Every error is job.ErrUnreadable.
func (d *Delivery) Warm() (job.Warm, error) {
	miner, err := job.DecodeWarm(d.msg.Data())
	if err == nil && job.WarmSubject(miner.WarmUp, miner.UID) != d.msg.Subject() {
		err = fmt.Errorf("%w: on subject %s", job.ErrUnreadable, d.msg.Subject())
	}
	return miner, err
}

// Left counts the miners in the stream: those that no worker has finished. It takes one
// request.
func (w WarmUps) Left(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	stream, err := w.js.Stream(ctx, job.StreamWarm)
	if err != nil {
		return 0, naming("stream", job.StreamWarm, err)
	}
	return int(stream.CachedInfo().State.Msgs), nil
}

// ToCome counts the miners that a worker works on, or is still to be given. It leaves out
// those of a worker that died. It takes one request.
func (w WarmUps) ToCome(ctx context.Context) (int, error) {
	return w.toCome(ctx, job.StreamWarm, job.ConsumerWarm)
}

// ToCome counts the jobs of all rounds that a worker works on, or is still to be given. It
// leaves out stuck messages. It takes one request.
func (q Queue) ToCome(ctx context.Context) (int, error) {
	return q.toCome(ctx, job.StreamJobs, job.Consumer)
}

func (l *link) toCome(ctx context.Context, stream, name string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	consumer, err := l.js.Consumer(ctx, stream, name)
	if err != nil {
		return 0, naming("consumer", name, err)
	}
	info := consumer.CachedInfo()
	return int(info.NumPending) + info.NumAckPending, nil
}

// End ends the warm-up with this id, or any if id is "", unless it has ended. It records
// why, and drops the miners that are left. It returns the state of the last warm-up after
// that.
func (w WarmUps) End(ctx context.Context, id, why string, now time.Time) (job.WarmUp, error) {
	left, err := w.Left(ctx)
	if err != nil {
		return job.WarmUp{}, err
	}
	last, ended, err := w.warmUp().Change(ctx, func(up job.WarmUp, _ kv.Stored, damaged bool) (job.WarmUp, bool) {
		if damaged || up.ID == "" || !up.Ended.IsZero() || id != "" && up.ID != id {
			return up, false
		}
		up.Ended = now.UTC()
		up.Why = why
		up.Left = left
		return up, true
	})
	if err != nil || !ended {
		return last, err
	}
	return last, w.purge(ctx, "dropping what is left of warm-up "+last.ID, leftover{job.StreamWarm, job.WarmUpSubject(last.ID)})
}
