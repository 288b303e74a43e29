package scorecache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Config is what a Cache works with.
type Config struct {
	// Bucket holds the values. Required.
	Bucket jetstream.KeyValue
	// Scorer identifies what computes the figures: anything that computes them
	// otherwise must have another. Required.
	Scorer string
	// ClaimFor is how long a claim counts without a sign of life: what a
	// process that died costs the others. Default 15 s, at least 30 ms.
	ClaimFor time.Duration
	// Timeout is how long one operation of the bucket may take. Default 2 s.
	Timeout time.Duration
	// RetryWait is the pause between tries while the connection is down.
	// Default 250 ms.
	RetryWait time.Duration
	// Log hears of outages and of the first damaged value. Default
	// slog.Default().
	Log *slog.Logger
}

//nolint:staticcheck // each error begins with its field's name
func (c Config) filled() (Config, error) {
	if c.ClaimFor == 0 {
		c.ClaimFor = 15 * time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Second
	}
	if c.RetryWait == 0 {
		c.RetryWait = 250 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	switch {
	case c.Bucket == nil:
		return c, errors.New("Bucket is required")
	case c.Scorer == "":
		return c, errors.New("Scorer is empty: want what identifies the scorer")
	case c.ClaimFor < 30*time.Millisecond:
		return c, fmt.Errorf("ClaimFor is %s, want at least 30ms", c.ClaimFor)
	case c.Timeout < 0 || c.RetryWait < 0:
		return c, fmt.Errorf("Timeout is %s and RetryWait %s, want more than 0", c.Timeout, c.RetryWait)
	}
	return c, nil
}

// Cache is one process' view of the bucket. It is safe for concurrent use and
// owns no goroutine beyond its calls.
type Cache struct {
	cfg   Config
	out   atomic.Bool // an outage has been logged
	stats counts

	mu sync.Mutex
	// busy has the keys that this process fetches or waits for, each with a
	// channel that closes when it does no more.
	busy map[string]chan struct{}
}

// counts are the counters behind Stats.
type counts struct {
	hits, misses, shared, kept, damaged, trouble atomic.Int64
}

// Stats counts since the cache was made.
type Stats struct {
	Hits, Misses int64 // look-ups
	Shared       int64 // fetches that another brought meanwhile
	Kept         int64 // entries stored
	Damaged      int64 // values that could not be read and counted as absent
	Trouble      int64 // operations of the bucket that failed
}

// New checks cfg; it starts nothing.
func New(cfg Config) (*Cache, error) {
	cfg, err := cfg.filled()
	if err != nil {
		return nil, fmt.Errorf("scorecache: %w", err)
	}
	return &Cache{cfg: cfg, busy: map[string]chan struct{}{}}, nil
}

// Stats tells what happened so far.
func (c *Cache) Stats() Stats {
	return Stats{
		Hits: c.stats.hits.Load(), Misses: c.stats.misses.Load(), Shared: c.stats.shared.Load(),
		Kept: c.stats.kept.Load(), Damaged: c.stats.damaged.Load(), Trouble: c.stats.trouble.Load(),
	}
}

// Seen is what a look found under a key; Once goes on from it.
type Seen struct {
	key Key
	id  string
	// entry is the value; without one, the key is claimed until an instant
	// (zero: it is not) and to be replaced at a revision (0: it is not there).
	entry    *Entry
	until    time.Time
	revision uint64
	// blind says that the bucket could not be asked.
	blind bool
}

// Entry is what was found, nil for nothing.
func (s Seen) Entry() *Entry { return s.entry }

// Look looks a pull request up; the key's scorer is the cache's. An error
// means that the context has ended.
func (c *Cache) Look(ctx context.Context, k Key) (Seen, error) {
	k.Scorer = c.cfg.Scorer
	seen, err := c.look(ctx, k)
	switch {
	case err != nil:
		return seen, err
	case seen.entry != nil:
		c.stats.hits.Add(1)
	default:
		c.stats.misses.Add(1)
	}
	return seen, nil
}

func (c *Cache) look(ctx context.Context, k Key) (Seen, error) {
	s := Seen{key: k, id: k.id()}
	if !k.Known() {
		s.blind = true
		return s, nil
	}
	var entry jetstream.KeyValueEntry
	err := c.try(ctx, func(ctx context.Context) (err error) {
		entry, err = c.cfg.Bucket.Get(ctx, s.id)
		return err //nolint:wrapcheck // told apart below
	})
	switch {
	case err == nil:
		return c.read(ctx, s, entry), nil
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return s, nil
	case ctx.Err() != nil:
		return s, fmt.Errorf("looking up the score of %s#%d: %w", k.Repository, k.Number, context.Cause(ctx))
	}
	c.trouble(ctx, "looking up a score", err)
	s.blind = true
	return s, nil
}

// read is what an entry of the bucket holds. What cannot be read is to be
// overwritten.
func (c *Cache) read(ctx context.Context, s Seen, entry jetstream.KeyValueEntry) Seen {
	s.entry, s.until, s.revision = nil, time.Time{}, entry.Revision()
	if entry.Operation() != jetstream.KeyValuePut {
		return s
	}
	var err error
	if s.entry, s.until, err = decode(s.key, entry.Value()); err == nil {
		return s
	}
	log := c.cfg.Log.DebugContext
	if c.stats.damaged.Add(1) == 1 { // after a change of version there are as many as values
		log = c.cfg.Log.WarnContext
	}
	log(ctx, "a cached score cannot be read: it counts as absent, and so do others like it",
		"repository", s.key.Repository, "number", s.key.Number, "key", s.id, "error", err)
	return s
}

// keep stores what a fetch brought, whatever the key holds: the content is the
// same whoever writes it.
func (c *Cache) keep(ctx context.Context, k Key, e Entry) (kept bool) {
	if !k.Known() || !e.keepable() {
		return false
	}
	data, err := encodeEntry(k, e)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
		defer cancel()
		_, err = c.cfg.Bucket.Put(ctx, k.id(), data)
	}
	switch {
	case err == nil:
		c.stats.kept.Add(1)
		c.recovered(ctx)
		return true
	case errors.Is(err, errTooLarge), errors.Is(err, nats.ErrMaxPayload):
		c.cfg.Log.DebugContext(ctx, "a score is not kept", "repository", k.Repository, "number", k.Number, "error", err)
	default:
		c.trouble(ctx, "keeping a score", err)
	}
	return false
}
