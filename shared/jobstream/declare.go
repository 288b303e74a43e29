package jobstream

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
)

// day is the unit of all retention times.
const day = 24 * time.Hour

// scoresKept bounds the bucket of token scores, so that the cache cannot fill the storage
// that rounds need. It holds some 250,000 pull requests of 2 kB: more than 10,000 miners
// open in 45 days.
const scoresKept = 512 << 20

// declaration is a declared stream, and how each role uses it. The permissions that TryRole
// expects follow from it (roles.go).
type declaration struct {
	jetstream.StreamConfig

	uses map[Role]use
}

// use is how a role uses a stream.
type use uint8

const (
	// looks: the role looks the stream up, and reads single keys, or messages that a
	// consumer delivers.
	looks use = 1 << iota
	// reads: the role reads any message by its sequence or its subject.
	reads
	// writes: the role publishes to the stream.
	writes
)

// does says whether a role uses the stream so. A producer looks at and reads every stream.
func (d declaration) does(r Role, what use) bool {
	return r == RoleProducer && what&(looks|reads) != 0 || d.uses[r]&what != 0
}

// declared lists the streams, those of buckets included. A worker's permission for the
// bucket of rounds covers single keys only (direct).
func declared() []declaration {
	all := looks | reads
	return []declaration{
		{jobs(), map[Role]use{RoleProducer: writes, RoleWorker: looks, RoleViewer: all}},
		{
			stream(job.StreamDead, "jobs that failed for good", job.SubjectDead, job.DeadKept),
			map[Role]use{RoleProducer: writes, RoleWorker: looks | writes, RoleViewer: all},
		},
		// The server publishes advisories in the account that owns the jobs, so no import is
		// needed.
		{stream(job.StreamAdvisory, "the server's word that a job's deliveries are used up", job.SubjectAdvisory, 30*day), nil},
		// Workers look this stream up when there is a warm-up: if it is missing, rounds
		// still work.
		{warm(), map[Role]use{RoleProducer: writes}},
		{rounds(), map[Role]use{RoleProducer: writes, RoleWorker: looks, RoleViewer: all}},
		{
			bucket(job.BucketRecords, "the state of each job"),
			map[Role]use{RoleProducer: writes, RoleWorker: all | writes, RoleViewer: all},
		},
		{
			bucket(job.BucketEvaluation, "what workers concluded, compressed"),
			map[Role]use{RoleWorker: looks | writes, RoleViewer: all},
		},
		{
			bucket(job.BucketMiners, "each miner's last good evaluation"),
			map[Role]use{RoleProducer: writes, RoleViewer: all},
		},
		{scores(), map[Role]use{RoleWorker: all | writes}},
		{identities(), map[Role]use{RoleProducer: writes}},
		// Workers and viewers do not look this stream up when they start: while no producer
		// of this version has declared it, all else works. A worker writes the keys of
		// workers alone; those of producers are among producersNeeds.
		{signs(), map[Role]use{RoleWorker: writes, RoleViewer: reads}},
	}
}

// scores is the cache of token scores. The rules look back 30 days unless a registry says
// otherwise, so a pull request of 45 days ago has left every usual window. With a longer
// window, old pull requests are scored again.
func scores() jetstream.StreamConfig {
	s := bucket(job.BucketScores, "token scores by content")
	s.MaxAge = 45 * day
	s.MaxBytes, s.Discard = scoresKept, jetstream.DiscardOld
	return s
}

func identities() jetstream.StreamConfig {
	s := bucket(job.BucketIdentities, "the GitHub account of each miner's token")
	s.MaxAge = job.IdentityKept
	return s
}

// signs are the last signs of life of worker and producer processes, one key each. A process
// that restarts again and again has a new key each time, so the number is bounded.
func signs() jetstream.StreamConfig {
	s := bucket(job.BucketWorkers, "the last sign of life of each worker and producer process")
	s.MaxAge = job.WorkerKept
	s.MaxMsgs, s.Discard = workersKept, jetstream.DiscardOld
	return s
}

// workersKept is how many processes of the last day are kept. A large fleet has 64.
const workersKept = 1000

// jobs is the work queue: it keeps each message until it is acknowledged. It has no limit of
// age, size or number, because a limit would drop jobs.
func jobs() jetstream.StreamConfig {
	s := stream(job.StreamJobs, "one message per miner to be evaluated", job.SubjectJobs, 0)
	s.Retention, s.Discard = jetstream.WorkQueuePolicy, jetstream.DiscardNew
	// How long the server remembers message ids: a producer may be away for a day and still
	// publish its round again without duplicates. A restarted server remembers only the ids
	// of messages that are still in the stream, so the job's record decides about a second
	// message.
	s.Duplicates = day
	return s
}

// warm holds the miners of a warm-up until they are acknowledged, the warm-up ends, or they
// are too old to be useful.
func warm() jetstream.StreamConfig {
	s := stream(job.StreamWarm, "one message per miner whose pull requests are fetched ahead of a round", job.SubjectWarm, job.MaxWarmUp)
	s.Retention = jetstream.WorkQueuePolicy
	return s
}

// rounds is the bucket of rounds. A worker may read a round's manifest and few other keys,
// so it uses direct reads: their subject names the key, and permissions can be granted by
// it. Any replica may answer a direct read. That is safe, because these values are either
// written once or read again (egresses). All other roles ask the leader.
func rounds() jetstream.StreamConfig {
	s := bucket(job.BucketRounds, "manifest and outcomes of each round")
	s.AllowDirect = true
	return s
}

// stream is the configuration that all streams share. AllowDirect is off, so that reads go
// to the leader: a replica may lag, and decisions depend on what is read.
func stream(name, description, subject string, kept time.Duration) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              name,
		Description:       description,
		Subjects:          []string{subject},
		Storage:           jetstream.FileStorage,
		MaxAge:            kept,
		Duplicates:        time.Hour,
		MaxConsumers:      -1,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgsPerSubject: -1,
		MaxMsgSize:        -1,
	}
}

// bucket is a key-value bucket, configured as the client library expects. It keeps one value
// per key: nothing reads the history of records and evaluations.
func bucket(name, description string) jetstream.StreamConfig {
	s := stream(kv.StreamOf(name), description, kv.Subject(name, ">"), 0)
	s.MaxMsgsPerSubject, s.Duplicates = 1, 2*time.Minute
	// Rollups are off: with them, a user who may write one key could remove others.
	s.Discard, s.DenyDelete = jetstream.DiscardNew, true
	return s
}

// declare creates everything that is declared, or brings it up to date. It may run twice.
func (l *link) declare(ctx context.Context) error {
	for _, want := range declared() {
		if err := l.declareStream(ctx, want.StreamConfig); err != nil {
			return err
		}
	}
	for _, want := range consumers() {
		if err := l.declareConsumer(ctx, want); err != nil {
			return err
		}
	}
	return l.bind(ctx)
}

// declareMissing declares streams that are missing, or do not accept their messages any
// more. It leaves all others unchanged: another process may have started with other settings
// meanwhile.
func (l *link) declareMissing(ctx context.Context) error {
	for _, want := range declared() {
		s, err := l.js.Stream(ctx, want.Name)
		if err == nil && slices.Equal(s.CachedInfo().Config.Subjects, want.Subjects) {
			continue
		}
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return naming("stream", want.Name, err)
		}
		if err := l.declareStream(ctx, want.StreamConfig); err != nil {
			return err
		}
	}
	for _, want := range consumers() {
		_, err := l.js.Consumer(ctx, want.stream, want.config.Durable)
		if err == nil {
			continue
		}
		if !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return naming("consumer", want.config.Durable, err)
		}
		if err := l.declareConsumer(ctx, want); err != nil {
			return err
		}
	}
	return nil
}

// bind looks up the handles of all streams and buckets. Handles go by names, so they stay
// valid when a stream is declared again.
func (l *link) bind(ctx context.Context) (err error) {
	for _, s := range declared() {
		if !s.does(l.cfg.Role, looks) {
			continue
		}
		if l.streams[s.Name], err = l.js.Stream(ctx, s.Name); err != nil {
			return naming("stream", s.Name, err)
		}
		name, is := kv.BucketOf(s.Name)
		if !is {
			continue
		}
		if l.buckets[name], err = l.bucket(ctx, name); err != nil {
			return naming("bucket", name, err)
		}
	}
	l.jobs, l.dead = l.streams[job.StreamJobs], l.streams[job.StreamDead]
	if l.workers, err = l.js.Consumer(ctx, job.StreamJobs, job.Consumer); err != nil {
		return naming("consumer", job.Consumer, err)
	}
	config := l.workers.CachedInfo().Config
	l.consumer.Store(&config)
	l.ackWait = config.AckWait
	return nil
}

// bucket looks a bucket up, whose stream is known. The largest values are those of
// rounds. A worker may ask for single keys of rounds alone, and any replica answers that.
func (l *link) bucket(ctx context.Context, name string) (*kv.Bucket, error) {
	found, err := l.js.KeyValue(ctx, name)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller names the bucket
	}
	b := &kv.Bucket{
		Link:     &l.values,
		Name:     name,
		KV:       found,
		Stream:   l.streams[kv.StreamOf(name)],
		MaxBytes: kv.MaxMinerValue,
	}
	if name == job.BucketRounds {
		b.MaxBytes, b.AtLeader = kv.MaxRoundValue, l.cfg.Role != RoleWorker
	}
	return b, nil
}

// declareStream creates a stream, or changes it to its declaration. Two processes may do so
// at once: the second finds the stream, and compares it.
func (l *link) declareStream(ctx context.Context, want jetstream.StreamConfig) error {
	existing, err := l.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		want.Replicas = max(l.cfg.Replicas, 1)
		_, err = l.js.CreateStream(ctx, want)
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			l.created(ctx, "stream", want.Name, err)
			return naming("stream", want.Name, err)
		}
		existing, err = l.js.Stream(ctx, want.Name) // another process was first
	}
	if err != nil {
		return naming("stream", want.Name, err)
	}
	have := existing.CachedInfo().Config
	next, err := l.cfg.overlaid(have, want)
	if err != nil || reflect.DeepEqual(have, next) {
		return err
	}
	_, err = l.js.UpdateStream(ctx, next)
	return unchangeable("stream", want.Name, drifted(have, next), err)
}

// overlaid is the configuration to which Open changes an existing stream, and with which
// Inspect compares it. It is the declaration, except for an operator's own choices:
// placement, compression, metadata, and the number of copies unless cfg sets it.
func (c Config) overlaid(have, want jetstream.StreamConfig) (jetstream.StreamConfig, error) {
	if have.Storage != want.Storage {
		return have, &MismatchError{
			Stream:  want.Name,
			Setting: "storage",
			Have:    have.Storage,
			Want:    want.Storage,
		}
	}
	if have.Retention != want.Retention {
		return have, &MismatchError{
			Stream:  want.Name,
			Setting: "retention",
			Have:    have.Retention,
			Want:    want.Retention,
		}
	}
	next := want
	next.Replicas = have.Replicas
	next.Placement = have.Placement
	next.Compression = have.Compression
	next.Metadata, next.FirstSeq = have.Metadata, have.FirstSeq
	if c.Replicas > 0 {
		next.Replicas = c.Replicas
	}
	return next, nil
}

// naming adds the kind and the name to an error; nil stays nil.
func naming(kind, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", kind, name, err)
}

// unchangeable names the settings that the server refused to change; nil stays nil.
func unchangeable(kind, name string, drift []Drift, err error) error {
	if err == nil {
		return nil
	}
	if passing(err) {
		return naming(kind, name, err)
	}
	settings := make([]string, len(drift))
	for i, d := range drift {
		settings[i] = d.String()
	}
	return fmt.Errorf("%s %s cannot be brought to its declaration (%s): %w", kind, name, strings.Join(settings, "; "), err)
}
