package jobstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
)

// fresh is for how long a write tells how NATS is. A question that comes sooner is
// answered from the last write, so that no page can make a process write more often.
const fresh = 2 * time.Second

// standing is how NATS has treated this process of late: how its last writes ended, and
// what the log was told.
type standing struct {
	mu sync.Mutex
	// told is the trouble that the log was told of; nil while there is none.
	told error
	// refused are the streams whose last write was refused.
	refused map[string]bool
	// confirmed is when a write was last confirmed; at is when one last failed, with
	// the trouble.
	confirmed, at time.Time
	trouble       error

	// lost is since when nothing can be sent, zero while it can.
	lost time.Time

	checking sync.Mutex // one check at a time
}

// reconnecting is longer than the client waits before it tries to connect again.
const reconnecting = time.Second

// failed takes down an operation that failed; stream is what it wrote to, "" for none.
// It logs the first failure in a row, and each change of its kind.
func (l *link) failed(ctx context.Context, what, stream string, err error) {
	s := &l.standing
	trouble := Trouble(err)
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if kv.NotSent(err) {
		if s.lost.IsZero() {
			s.lost = now
		}
		trouble = notConnected(l.nc.LastError())
		if Code(trouble) == "" && now.Sub(s.lost) < reconnecting {
			return // the log has the loss; whether the server refuses shows in the next try to connect
		}
	}
	code := Code(trouble)
	if stream != "" {
		s.trouble, s.at = trouble, now
		if code != "" && !kv.NotSent(err) {
			s.refused[stream] = true
		}
	}
	known := s.told != nil && Code(s.told) == code
	s.told = trouble
	switch {
	case known:
	case code == "":
		l.cfg.Log.WarnContext(ctx, "NATS does not answer, waiting for it", "doing", what, "error", err)
	default:
		l.cfg.Log.WarnContext(ctx, "NATS refuses what is asked of it", "doing", what, "code", code, "error", trouble)
	}
}

// worked takes down an operation that succeeded, and logs the first success after
// trouble. A refusal by a stream is over when that stream confirms a write.
func (l *link) worked(stream string) {
	s := &l.standing
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = time.Time{}
	if stream != "" {
		s.confirmed = time.Now()
		delete(s.refused, stream)
	}
	s.settleLocked(l.cfg.Log)
}

// settleLocked ends the trouble if no stream refuses any more.
func (s *standing) settleLocked(log *slog.Logger) {
	if len(s.refused) > 0 {
		return
	}
	s.trouble = nil
	if s.told == nil {
		return
	}
	message := "NATS answers again"
	if Code(s.told) != "" {
		message = "NATS takes what is asked of it again"
	}
	log.Info(message)
	s.told = nil
}

// recent says how NATS was a moment ago, if that is known.
func (s *standing) recent(now time.Time) (trouble error, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble != nil {
		return s.trouble, now.Sub(s.at) < fresh
	}
	return nil, len(s.refused) == 0 && now.Sub(s.confirmed) < fresh
}

// Standing says what is wrong with NATS as far as this process knows, nil when nothing
// is. It sends nothing.
func (b *Bus) Standing() error {
	if !b.nc.IsConnected() {
		return notConnected(b.nc.LastError())
	}
	s := &b.standing
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told
}

// Check says why NATS keeps work from going on, nil when it confirms what this process
// writes. If nothing was written a moment ago, Check writes one small value under one
// key of each bucket that the role cannot do without. The value replaces the last one,
// and belongs to no round. A viewer writes nothing; for it Check is a look.
func (b *Bus) Check(ctx context.Context) error {
	if !b.nc.IsConnected() {
		trouble := notConnected(b.nc.LastError())
		if Code(trouble) != "" { // else the log has that the connection is lost
			b.failed(ctx, "connecting", "", trouble)
		}
		return trouble
	}
	if b.cfg.Role == RoleViewer {
		_, err := b.Queue.Backlog(ctx)
		return Trouble(err)
	}
	s := &b.standing
	s.checking.Lock()
	defer s.checking.Unlock()
	if trouble, known := s.recent(time.Now()); known {
		return trouble
	}
	for _, bucket := range b.cfg.Role.vital() {
		err := probe(ctx, b.nc, b.js, bucket)
		if err == nil {
			continue
		}
		if errors.Is(ctx.Err(), context.Canceled) { // whoever asked has gone
			return fmt.Errorf("checking NATS: %w", context.Cause(ctx))
		}
		if missing(err) && b.cfg.Role == RoleProducer && b.Restore(ctx) == nil {
			err = probe(ctx, b.nc, b.js, bucket)
		}
		if err == nil {
			continue
		}
		b.failed(ctx, "checking that writes are confirmed", kv.StreamOf(bucket), err)
		return Trouble(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.confirmed = time.Now()
	clear(s.refused)
	s.settleLocked(b.cfg.Log)
	return nil
}

// vital are the buckets that a role writes to in every job.
func (r Role) vital() []string {
	if r == RoleWorker {
		return []string{job.BucketRecords, job.BucketEvaluation}
	}
	return []string{job.BucketRecords, job.BucketRounds}
}

// TryWrite says why NATS would confirm no write of a role to the buckets that it
// cannot do without, nil if it would: as Check does.
func TryWrite(ctx context.Context, nc *nats.Conn, role Role) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("jobstream: %w", err)
	}
	for _, bucket := range role.vital() {
		if err := probe(ctx, nc, js, bucket); err != nil {
			return Trouble(err)
		}
	}
	return nil
}

// probe writes the one value that says only that a write is confirmed.
func probe(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, bucket string) error {
	before := nc.LastError()
	err := publishBriefly(ctx, js, kv.Subject(bucket, job.ProbeKey))
	if missing(err) { // whether it is gone, the server says when it is asked
		if _, looked := js.Stream(ctx, kv.StreamOf(bucket)); looked != nil {
			err = looked
		}
	}
	if err != nil {
		err = unconfirmed(ctx, js, kv.StreamOf(bucket), forbidden(nc, before, err))
		return fmt.Errorf("writing to bucket %s: %w", bucket, err)
	}
	return nil
}

// publishBriefly leaves a third of the time for a look at the stream.
func publishBriefly(ctx context.Context, js jetstream.JetStream, subject string) error {
	if deadline, bounded := ctx.Deadline(); bounded {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)*2/3)
		defer cancel()
	}
	_, err := js.Publish(ctx, subject, []byte("{}"), jetstream.WithRetryAttempts(1))
	return err //nolint:wrapcheck // probe says of what
}

// lookTime is how long a look at a stream may take that has not confirmed a write.
const lookTime = time.Second

// unconfirmed is err, or what a look at the stream says of a write that was not
// answered. A stream that is gone: the library sends a write again that nobody takes,
// and may not be done before the time is up. A stream that is there and answers
// refuses: nats-server says nothing more to who writes to one whose disk has failed a
// write.
func unconfirmed(ctx context.Context, js jetstream.JetStream, stream string, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) || Refusal(err) != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	switch _, looked := js.Stream(ctx, stream); {
	case missing(looked):
		return looked //nolint:wrapcheck // the caller names the operation
	case looked != nil:
		return err
	}
	return &RefusedError{
		CodeUnconfirmed, "its disk is full, or has failed a write: " + freeDisk,
		fmt.Errorf("stream %s answers, and confirms no write: %w", stream, err),
	}
}

// forbidden is err, or the server's refusal that came meanwhile: what a user may not
// publish is never answered, and the refusal comes by another way.
func forbidden(nc *nats.Conn, before, err error) error {
	last := nc.LastError()
	old := last == nil || last == before //nolint:errorlint // it is the same one, or another
	if old || !errors.Is(last, nats.ErrPermissionViolation) || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w (%w)", last, err)
}
