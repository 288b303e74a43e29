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

// Config is what a process may choose about the streams. Zero means: leave
// what exists as it is, and take the default for what does not exist yet. So
// a worker started without settings does not undo the producer's.
type Config struct {
	// Role is what the process is to NATS. A producer declares the streams. A worker
	// waits until one has, and a viewer finds them or ErrUndeclared. Default:
	// RoleProducer.
	Role Role
	// Replicas is the number of copies of every stream and bucket, 1 to 5,
	// odd ones being of use. Default for new ones: 1.
	Replicas int
	// AckWait is the lease: how long the server waits for a sign of life
	// before it hands the job to another. Default: 30 s.
	AckWait time.Duration
	// MaxDeliver is how often a message is handed out at all. Hand-backs by
	// draining workers and lost leases use it up too, so it is far above
	// job.MaxFailures: 4 failures and 16 restarts or deaths. Default: 20.
	MaxDeliver int
	// MaxAckPending is how many messages may be out at once in the fleet.
	// Those that wait for a nak's delay count too; when it is full, nothing
	// is handed out. Default: 4096.
	MaxAckPending int
	// Wait is how long Open waits for a JetStream that is not ready: away,
	// without a leader, or a cluster with too few servers for the copies.
	// Default: until its context ends.
	Wait time.Duration
	// Timeout is how long one try of one operation may take. Default: 5 s.
	Timeout time.Duration
	// RetryWait is the pause between tries. Default: 250 ms.
	RetryWait time.Duration
	// Keys sign what producers write of rounds, and verify what is read of them.
	// Default: nothing is signed, and nothing is verified.
	Keys signing.Keys
	// Log hears of outages and of damaged messages. Default: slog.Default().
	Log *slog.Logger
}

// Defaults of the consumer, for when it does not exist yet.
const (
	DefaultAckWait       = 30 * time.Second
	DefaultMaxDeliver    = 20
	DefaultMaxAckPending = 4096
)

// filled sets what has a default here. The rest stays zero until declare knows
// whether it exists already.
//
//nolint:staticcheck // each error begins with its field's name
func (c Config) filled() (Config, error) {
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.RetryWait == 0 {
		c.RetryWait = 250 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Role = cmp.Or(c.Role, RoleProducer)
	switch {
	case c.Replicas < 0 || c.Replicas > 5:
		return c, fmt.Errorf("Replicas is %d, want 1 to 5, or 0 to keep what exists", c.Replicas)
	case c.AckWait < 0 || c.AckWait > 0 && c.AckWait < 100*time.Millisecond:
		return c, fmt.Errorf("AckWait is %s, want at least 100ms, or 0 to keep what exists", c.AckWait)
	case c.MaxDeliver != 0 && c.MaxDeliver < 2:
		return c, fmt.Errorf("MaxDeliver is %d, want at least 2, or 0 to keep what exists", c.MaxDeliver)
	case c.MaxAckPending < 0:
		return c, fmt.Errorf("MaxAckPending is %d, want at least 1, or 0 to keep what exists", c.MaxAckPending)
	case c.Wait < 0:
		return c, fmt.Errorf("Wait is %s, want 0 or more", c.Wait)
	case c.Timeout < 0:
		return c, fmt.Errorf("Timeout is %s, want more than 0", c.Timeout)
	case c.RetryWait < 0:
		return c, fmt.Errorf("RetryWait is %s, want more than 0", c.RetryWait)
	}
	return c, nil
}

// Bus is one process's access to the streams and buckets, each by its part. It is safe for
// concurrent use. It has goroutines only for watches, until their contexts end. The caller
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
	Egresses    Egresses
	Miners      Miners
	WarmUps     WarmUps
}

// The parts of a bus.
type (
	// Queue is the stream of jobs, with the word that a job's deliveries are used up.
	Queue struct{ *link }
	// Letters are the dead letters: the stream of jobs that failed for good.
	Letters struct{ *link }
	// Records are the states of jobs.
	Records struct{ *link }
	// Evaluations are what workers concluded, each under the key of its claim.
	Evaluations struct{ *link }
	// Rounds are what rounds are planned with and begin with: manifests, replays,
	// snapshots and maintainers.
	Rounds struct{ *link }
	// Outcomes are what rounds ended with, by revision.
	Outcomes struct{ *link }
	// Holders are the producers that run a round, or the schedule.
	Holders struct{ *link }
	// Schedule is when rounds are due, and were concluded.
	Schedule struct{ *link }
	// Egresses is the declaration of the addresses from which the fleet sends.
	Egresses struct{ *link }
	// Miners are what is kept of a miner from round to round: its last good evaluation,
	// and whose account its token was.
	Miners struct{ *link }
	// WarmUps are what is fetched ahead of rounds: how the last one stands, and the
	// stream of its miners.
	WarmUps struct{ *link }
)

// link is what the parts share: the connection, how it does, and what is found by it.
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
	ackWait time.Duration // as the server has it, whatever cfg says
	// consumer is the workers' consumer as this process has last known it.
	consumer  atomic.Pointer[jetstream.ConsumerConfig]
	restoring sync.Mutex
	bound     atomic.Bool // Open has succeeded: what is missing now was there
	standing  standing
	untold    atomic.Bool // the servers do not tell their limits
	egresses  lastEgresses
}

// Open creates every stream, bucket and consumer or brings it up to date, or finds them,
// as the role wants. It waits for a server that is away, and for a cluster that is still
// forming, until ctx ends or cfg.Wait is over; a worker then waits for a producer, too,
// until ctx ends. A server that is too old is a *VersionError.
func Open(ctx context.Context, nc *nats.Conn, cfg Config) (*Bus, error) {
	cfg, err := cfg.filled()
	if err != nil {
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
		js:       js,
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
		Egresses:    Egresses{l},
		Miners:      Miners{l},
		WarmUps:     WarmUps{l},
	}, nil
}

// Signs says whether what is written of rounds is signed.
func (b *Bus) Signs() bool { return b.cfg.Keys.Signs() }

// Verifies says whether what is read of rounds is verified.
func (b *Bus) Verifies() bool { return b.cfg.Keys.Verifies() }

// AckWait is the lease that is in force on the server.
func (b *Bus) AckWait() time.Duration { return b.ackWait }

// Bucket gives a declared bucket to another adapter, such as the cache of
// token scores: nil if there is none of that name.
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
