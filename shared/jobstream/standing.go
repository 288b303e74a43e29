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

// fresh is how long the last write stands for the state of NATS. Check answers from that
// write meanwhile, so frequent requests to a health page do not cause frequent writes.
const fresh = 2 * time.Second

// standing is how NATS has treated this process lately: the results of its last writes, and
// what the log has been told.
type standing struct {
	mu sync.Mutex
	// told is the trouble that was logged last; nil while there is none.
	told error
	// refused are the streams that refused their last write.
	refused map[string]bool
	// confirmed is the time of the last confirmed write. at is the time of the last failed
	// one, and trouble its error.
	confirmed, at time.Time
	trouble       error

	// lost is the time since which nothing can be sent; zero while there is a connection.
	lost time.Time

	checking sync.Mutex // one check at a time
}

// reconnecting is longer than the client's pause between two tries to connect
// (ReconnectWait, 250 ms).
const reconnecting = time.Second

// failed records an operation that failed. stream is the stream that it wrote to, "" for a
// read. It logs the first failure in a row, and each change of the failure's code.
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
			return // the loss is logged already; the next attempt to connect shows whether the server refuses
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
		l.cfg.Log.WarnContext(ctx, "NATS refuses requests", "doing", what, "code", code, "error", trouble)
	}
}

// worked records an operation that succeeded, and logs the first success after trouble. A
// stream's refusal ends only when that stream confirms a write: a success elsewhere says
// nothing about it.
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

// settleLocked ends the trouble when the last stream has stopped refusing writes.
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
		message = "NATS accepts requests again"
	}
	log.Info(message)
	s.told = nil
}

// recent is the state of NATS by the last write; known is false if that is older than fresh.
func (s *standing) recent(now time.Time) (trouble error, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble != nil {
		return s.trouble, now.Sub(s.at) < fresh
	}
	return nil, len(s.refused) == 0 && now.Sub(s.confirmed) < fresh
}

// Standing is the trouble with NATS that this process knows of; nil if there is none. It
// sends nothing.
func (b *Bus) Standing() error {
	if !b.nc.IsConnected() {
		return notConnected(b.nc.LastError())
	}
	s := &b.standing
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told
}

// Check says why work cannot go on for NATS' sake; nil if NATS confirms this process's
// writes. If there was no write within the last two seconds, Check makes one: a small value
// under one key (job.ProbeKey) of each bucket that the role needs for every job. The key
// belongs to no round, and each value replaces the last. A viewer may not write, so for it
// Check reads.
func (b *Bus) Check(ctx context.Context) error {
	if !b.nc.IsConnected() {
		trouble := notConnected(b.nc.LastError())
		if Code(trouble) != "" { // otherwise the loss is logged already
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
		if errors.Is(ctx.Err(), context.Canceled) { // the caller no longer waits: this is no fault of NATS
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

// vital are the buckets without which a role cannot work.
func (r Role) vital() []string {
	if r == RoleWorker {
		return []string{job.BucketRecords, job.BucketEvaluation}
	}
	return []string{job.BucketRecords, job.BucketRounds}
}

// TryWrite makes the writes of Check over a connection of its own, and says why NATS would
// not confirm them; nil if it does.
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

// probe writes the value of job.ProbeKey, which shows only that writes are confirmed.
func probe(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, bucket string) error {
	before := nc.LastError()
	err := publishBriefly(ctx, js, kv.Subject(bucket, job.ProbeKey))
	if missing(err) { // nobody took it: ask the server whether the stream is gone
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

// publishBriefly publishes within two thirds of the time that is left. The rest is for
// unconfirmed, which looks at the stream if no answer comes.
func publishBriefly(ctx context.Context, js jetstream.JetStream, subject string) error {
	if deadline, bounded := ctx.Deadline(); bounded {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)*2/3)
		defer cancel()
	}
	_, err := js.Publish(ctx, subject, []byte("{}"), jetstream.WithRetryAttempts(1))
	return err //nolint:wrapcheck // probe names the bucket
}

// lookTime bounds the look at a stream that has not confirmed a write.
const lookTime = time.Second

// unconfirmed replaces the time-out of a write by its cause, if a look at the stream shows
// one. If the stream is gone, the library repeats the write until its time is up, because
// nobody takes it. If the stream is there and answers, its disk has failed a write:
// nats-server then leaves writes to that stream unanswered.
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

// forbidden replaces the time-out of a write by the server's refusal, if one came meanwhile.
// The server never answers a publish that the user may not make. It reports the refusal on
// the connection instead, where the client keeps it as the last error.
func forbidden(nc *nats.Conn, before, err error) error {
	last := nc.LastError()
	old := last == nil || last == before //nolint:errorlint // identity is meant: a later refusal is another value
	if old || !errors.Is(last, nats.ErrPermissionViolation) || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w (%w)", last, err)
}
