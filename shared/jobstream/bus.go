package jobstream

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
	"mirrorfleet/shared/signing"
)

// Config is a process's settings for the streams. A zero field leaves an existing stream as
// it is, and takes the default for a new one. So a worker that is started without settings
// does not undo the producer's.
type Config struct {
	// Role decides what Open does with missing streams. A producer declares them. A worker
	// waits until a producer has declared them. A viewer gets ErrUndeclared. Default:
	// RoleProducer.
	Role Role
	// Replicas is the number of copies of every stream and bucket, 1 to 5. An even number
	// tolerates no more failures than the odd one below it. Default for new ones: 1.
	Replicas int
	// AckWait is the lease: the server hands a job to another worker after this time without
	// a sign of life. Default: 30 s.
	AckWait time.Duration
	// MaxDeliver is how often a message is delivered at most. Hand-backs by draining workers
	// and lost leases count too, so it is far above job.MaxFailures: it allows 4 failures
	// and 16 restarts or deaths. Default: 20.
	MaxDeliver int
	// MaxAckPending is how many messages of the whole fleet may be delivered and not
	// acknowledged at once. Messages that wait for the delay of a nak count too. At the
	// limit the server delivers nothing. Default: 4096.
	MaxAckPending int
	// Wait is how long Open waits for a JetStream that is not ready: the server is away, has
	// no leader, or its cluster has too few servers for the copies. Default: until the
	// context ends.
	Wait time.Duration
	// Timeout bounds one try of one operation. Default: 5 s.
	Timeout time.Duration
	// RetryWait is the pause between tries. Default: 250 ms.
	RetryWait time.Duration
	// Keys sign the values that producers write about rounds, and verify them when they are
	// read. Default: nothing is signed, and nothing is verified.
	Keys signing.Keys
	// Log receives outages and damaged messages. Default: slog.Default().
	Log *slog.Logger
}

// Defaults of the consumer, for when it does not exist yet.
const (
	DefaultAckWait       = 30 * time.Second
	DefaultMaxDeliver    = 20
	DefaultMaxAckPending = 4096
)

// withDefaults sets the defaults that do not depend on the server. The other fields stay
// zero: declare fills them only for a stream that does not exist yet.
func (c Config) withDefaults() Config {
	c.Role = cmp.Or(c.Role, RoleProducer)
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	c.RetryWait = cmp.Or(c.RetryWait, 250*time.Millisecond)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

//nolint:staticcheck // each error begins with its field's name
func (c Config) validate() error {
	switch {
	case c.Replicas < 0 || c.Replicas > 5:
		return fmt.Errorf("Replicas is %d, want 1 to 5, or 0 to keep what exists", c.Replicas)
	case c.AckWait < 0 || c.AckWait > 0 && c.AckWait < 100*time.Millisecond:
		return fmt.Errorf("AckWait is %s, want at least 100ms, or 0 to keep what exists", c.AckWait)
	case c.MaxDeliver != 0 && c.MaxDeliver < 2:
		return fmt.Errorf("MaxDeliver is %d, want at least 2, or 0 to keep what exists", c.MaxDeliver)
	case c.MaxAckPending < 0:
		return fmt.Errorf("MaxAckPending is %d, want at least 1, or 0 to keep what exists", c.MaxAckPending)
	case c.Wait < 0:
		return fmt.Errorf("Wait is %s, want 0 or more", c.Wait)
	case c.Timeout < 0:
		return fmt.Errorf("Timeout is %s, want more than 0", c.Timeout)
	case c.RetryWait < 0:
		return fmt.Errorf("RetryWait is %s, want more than 0", c.RetryWait)
	}
	return nil
}

// Bus is one process's access to the streams and buckets, divided into parts. It is safe for
// concurrent use. Its only goroutines serve watches, and end with their contexts. The caller
// owns the connection.
type Bus struct {
	*link

	Queue       Queue
	Letters     Letters
	Records     Records
	Evaluations Evaluations
	Rounds      Rounds
	Outcomes    Outcomes
	Holders     Holders
	Schedule    Schedule
	Steering    Steering
	Egresses    Egresses
	Miners      Miners
	WarmUps     WarmUps
	Presence    Presence
}

// The parts of a bus.
type (
	// Queue is the stream of jobs, and the server's advisories of used-up deliveries.
	Queue struct{ *link }
	// Letters are the dead letters: the stream of jobs that failed for good.
	Letters struct{ *link }
	// Records are the states of jobs.
	Records struct{ *link }
	// Evaluations are the results of workers, each under the key of its claim.
	Evaluations struct{ *link }
	// Rounds are the inputs of rounds: manifests, replays, snapshots and maintainers.
	Rounds struct{ *link }
	// Outcomes are the results of rounds, by revision.
	Outcomes struct{ *link }
	// Holders are the producers that run a round, or the schedule.
	Holders struct{ *link }
	// Schedule is when rounds are due, and when the last ones were concluded.
	Schedule struct{ *link }
	// Steering is what operators have ordered of the schedule and of the round that runs.
	Steering struct{ *link }
	// Egresses is the declaration of the addresses from which the fleet sends.
	Egresses struct{ *link }
	// Miners are the values that outlive rounds: each miner's last good evaluation, and the
	// GitHub account of its token.
	Miners struct{ *link }
	// Presence is the signs of life of worker processes.
	Presence struct{ *link }
	// WarmUps are the warm-ups ahead of rounds: the state of the last one, and the stream of
	// its miners.
	WarmUps struct{ *link }
)

// link is what the parts share: the connection, its state, and the handles of streams,
// buckets and consumers.
type link struct {
	cfg     Config
	nc      *nats.Conn
	js      jetstream.JetStream
	values  kv.Link
	jobs    jetstream.Stream
	dead    jetstream.Stream
	workers jetstream.Consumer
	streams map[string]jetstream.Stream
	buckets map[string]*kv.Bucket
	ackWait time.Duration // in force on the server; cfg's may differ
	// consumer is the workers' consumer as this process knew it last. If it is deleted, it
	// is created again from this.
	consumer  atomic.Pointer[jetstream.ConsumerConfig]
	restoring sync.Mutex
	bound     atomic.Bool // Open has succeeded: a stream that is missing now has been deleted
	standing  standing
	untold    atomic.Bool // the servers do not report their limits
	egresses  lastEgresses
	// damagedIdentities are those that the log has named.
	damagedIdentities told
}

// Open makes the streams, buckets and consumers ready. A producer creates them or brings
// them up to date; the other roles find them. Open waits for a server that is away, and for
// a cluster that is still forming, until ctx ends or cfg.Wait is over. A worker then also
// waits for a producer, until ctx ends. A server that is too old is a *VersionError.
func Open(ctx context.Context, nc *nats.Conn, cfg Config) (*Bus, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("jobstream: %w", err)
	}
	if err := checkVersion(nc); err != nil {
		return nil, fmt.Errorf("jobstream: %w", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("jobstream: %w", err)
	}
	leader, err := nc.JetStream()
	if err != nil {
		return nil, fmt.Errorf("jobstream: %w", err)
	}
	l := &link{
		cfg:      cfg,
		nc:       nc,
		js:       insistent{js, cfg.Timeout},
		standing: standing{refused: map[string]bool{}},
		streams:  map[string]jetstream.Stream{},
		buckets:  map[string]*kv.Bucket{},
	}
	l.values = kv.Link{
		NC:      nc,
		JS:      js,
		Leader:  leader,
		Retry:   l.retryWrite,
		Timeout: cfg.Timeout,
		Signing: cfg.Keys,
		Log:     cfg.Log,
	}
	if err := kv.CheckPayload(nc); err != nil {
		return nil, fmt.Errorf("jobstream: %w", err)
	}
	if err := l.open(ctx); err != nil {
		return nil, fmt.Errorf("jobstream: %w", err)
	}
	l.bound.Store(true)
	return &Bus{
		link:        l,
		Queue:       Queue{l},
		Letters:     Letters{l},
		Records:     Records{l},
		Evaluations: Evaluations{l},
		Rounds:      Rounds{l},
		Outcomes:    Outcomes{l},
		Holders:     Holders{l},
		Schedule:    Schedule{l},
		Steering:    Steering{l},
		Egresses:    Egresses{l},
		Miners:      Miners{l},
		WarmUps:     WarmUps{l},
		Presence:    Presence{l},
	}, nil
}

// Signs says whether this process signs what it writes about rounds.
func (b *Bus) Signs() bool { return b.cfg.Keys.Signs() }

// Verifies says whether this process verifies what it reads about rounds.
func (b *Bus) Verifies() bool { return b.cfg.Keys.Verifies() }

// AckWait is the lease that is in force on the server.
func (b *Bus) AckWait() time.Duration { return b.ackWait }

// Bucket gives a declared bucket to another adapter, such as the cache of token scores; nil
// if there is none of that name.
func (b *Bus) Bucket(name string) jetstream.KeyValue {
	if bucket := b.buckets[name]; bucket != nil {
		return bucket.KV
	}
	return nil
}

// The buckets by what they hold; Open has filled the map.
func (l *link) rounds() *kv.Bucket      { return l.buckets[job.BucketRounds] }
func (l *link) records() *kv.Bucket     { return l.buckets[job.BucketRecords] }
func (l *link) evaluations() *kv.Bucket { return l.buckets[job.BucketEvaluation] }
func (l *link) miners() *kv.Bucket      { return l.buckets[job.BucketMiners] }
func (l *link) identities() *kv.Bucket  { return l.buckets[job.BucketIdentities] }
