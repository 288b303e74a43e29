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

// day is the unit of everything that is kept for a while.
const day = 24 * time.Hour

// scoresKept bounds the bucket of token scores: some 250,000 pull requests of 2 kB,
// which is more than 10,000 miners have in 45 days. A cache must not take the room of
// rounds.
const scoresKept = 512 << 20

// declaration is a declared stream, with what each role does to it. The roles' rights
// follow from it (roles.go).
type declaration struct {
	jetstream.StreamConfig

	uses map[Role]use
}

// use is what a role does to a stream.
type use uint8

const (
	// looks is to look the stream up, and read single keys or messages handed out.
	looks use = 1 << iota
	// reads is to read whatever it likes.
	reads
	// writes is to publish to it.
	writes
)

// does says whether a role does so. A producer looks at and reads all.
func (d declaration) does(r Role, what use) bool {
	return r == RoleProducer && what&(looks|reads) != 0 || d.uses[r]&what != 0
}

// declared are the streams and the buckets' streams, each declared once. Of the rounds a
// worker reads single keys alone (direct).
func declared() []declaration {
	all := looks | reads
	return []declaration{
		{jobs(), map[Role]use{RoleProducer: writes, RoleWorker: looks, RoleViewer: all}},
		{
			stream(job.StreamDead, "jobs that failed for good", job.SubjectDead, job.DeadKept),
			map[Role]use{RoleProducer: writes, RoleWorker: looks | writes, RoleViewer: all},
		},
		// In the account that owns the jobs no import is needed: the server
		// publishes the advisory there.
		{stream(job.StreamAdvisory, "the server's word that a job's deliveries are used up", job.SubjectAdvisory, 30*day), nil},
		// Workers find its consumer when there is a warm-up: what is not there keeps nobody
		// from a round.
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
	}
}

// scores is the cache of token scores. The rules look back 30 days unless a registry says
// otherwise, so what is 45 days old has left every usual window; the rest is scored anew.
func scores() jetstream.StreamConfig {
	s := bucket(job.BucketScores, "token scores by content")
	s.MaxAge = 45 * day
	s.MaxBytes, s.Discard = scoresKept, jetstream.DiscardOld
	return s
}

func identities() jetstream.StreamConfig {
	s := bucket(job.BucketIdentities, "whose GitHub account each miner's token is")
	s.MaxAge = job.IdentityKept
	return s
}

// jobs is the work queue: it keeps each message until it is acknowledged. It has
// no limit of age, size or number: a limit would drop jobs.
func jobs() jetstream.StreamConfig {
	s := stream(job.StreamJobs, "one message per miner to be evaluated", job.SubjectJobs, 0)
	s.Retention, s.Discard = jetstream.WorkQueuePolicy, jetstream.DiscardNew
	// How long message ids are remembered: as long as a producer may be
	// away and still publish a round again. The memory is of the messages
	// in the stream once the server restarts, so the record has the last
	// word on a second message.
	s.Duplicates = day
	return s
}

// warm holds the miners of a warm-up, until they are acknowledged, it ends, or they are
// of no use to anybody.
func warm() jetstream.StreamConfig {
	s := stream(job.StreamWarm, "one message per miner whose pull requests are fetched ahead of a round", job.SubjectWarm, job.MaxWarmUp)
	s.Retention = jetstream.WorkQueuePolicy
	return s
}

// rounds is the bucket of rounds. A worker may read a round's manifest and nothing else
// in it: so it asks by the one request whose subject names the key, which a replica may
// answer. What it reads so is written once, or is looked at again (egresses). All others
// ask the leader.
func rounds() jetstream.StreamConfig {
	s := bucket(job.BucketRounds, "manifest and outcomes of each round")
	s.AllowDirect = true
	return s
}

// stream is what all streams have in common. Reads go to the leader (AllowDirect is
// off): a replica may lag, and decisions rest on what is read.
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

// bucket is a key-value bucket, as the client library wants its stream. One value
// per key is kept: records and evaluations are replaced under a fence, not followed
// back.
func bucket(name, description string) jetstream.StreamConfig {
	s := stream(kv.StreamOf(name), description, kv.Subject(name, ">"), 0)
	s.MaxMsgsPerSubject, s.Duplicates = 1, 2*time.Minute
	// Without rollups, whoever may write a key cannot remove others.
	s.Discard, s.DenyDelete = jetstream.DiscardNew, true
	return s
}

// declare makes everything that is declared true. It may be run twice.
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

// declareMissing declares what is not there, or does not take its messages any more.
// It leaves all else as it is: another process may have started with other settings
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

// bind looks everything up: the handles that everything else works with. They go
// by names, so they stay good when a stream is declared again.
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
	if l.workers, err = l.jobs.Consumer(ctx, job.Consumer); err != nil {
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

// declareStream creates a stream or mends it. Two processes may do so at once:
// whoever comes second finds it there and compares.
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

// overlaid is what Open makes of an existing stream, and what Inspect compares it
// with: the declaration, with what is an operator's business as it is: the number of
// copies unless it is chosen, their placement, compression and metadata.
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

// naming says what an error is about; nil stays nil.
func naming(kind, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", kind, name, err)
}

// unchangeable says which settings the server would not change; nil stays nil.
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
