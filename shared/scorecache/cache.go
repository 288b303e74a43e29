package scorecache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	// Timeout is how long one operation of the bucket may take. Default 2 s.
	Timeout time.Duration
	// RetryWait is the pause between tries while the connection is down.
	// Default 250 ms.
	RetryWait time.Duration
	// Log hears of outages and of the first damaged value. Default
	// slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Timeout = cmp.Or(c.Timeout, 2*time.Second)
	c.RetryWait = cmp.Or(c.RetryWait, 250*time.Millisecond)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

//nolint:staticcheck // each error begins with its field's name
func (c Config) validate() error {
	switch {
	case c.Bucket == nil:
		return errors.New("Bucket is required")
	case c.Scorer == "":
		return errors.New("Scorer is empty: want what identifies the scorer")
	case c.Timeout < 0 || c.RetryWait < 0:
		return fmt.Errorf("Timeout is %s and RetryWait %s, want more than 0", c.Timeout, c.RetryWait)
	}
	return nil
}

// Cache is one process' view of the bucket. It is safe for concurrent use and
// owns no goroutine.
type Cache struct {
	cfg     Config
	out     atomic.Bool // an outage has been logged
	damaged atomic.Bool // a damaged value has been logged
}

// New checks cfg; it starts nothing.
func New(cfg Config) (*Cache, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("scorecache: %w", err)
	}
	return &Cache{cfg: cfg}, nil
}

// Look looks a pull request up; the key's scorer is the cache's. It finds nothing
// where nothing is, where it cannot be read, and where the bucket cannot be
// asked. An error means that the context has ended.
func (c *Cache) Look(ctx context.Context, k Key) (Found, error) {
	k.Scorer = c.cfg.Scorer
	if !k.Known() {
		return Found{}, nil
	}
	var stored jetstream.KeyValueEntry
	err := c.try(ctx, func(ctx context.Context) (err error) {
		stored, err = c.cfg.Bucket.Get(ctx, k.id())
		return err //nolint:wrapcheck // told apart below
	})
	switch {
	case err == nil:
		found := c.read(ctx, k, stored.Value())
		found.revision = stored.Revision()
		return found, nil
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return Found{}, nil
	case ctx.Err() != nil:
		return Found{}, fmt.Errorf("looking up the score of %s#%d: %w", k.Repository, k.Number, context.Cause(ctx))
	}
	c.trouble(ctx, "looking up a score", err)
	return Found{}, nil
}

// read is a value of the bucket. One that cannot be read is as good as none, and
// is overwritten by the next.
func (c *Cache) read(ctx context.Context, k Key, stored []byte) Found {
	found, err := decode(k, stored)
	if err == nil {
		return found
	}
	log := c.cfg.Log.DebugContext
	if c.damaged.CompareAndSwap(false, true) { // after a change of version there are as many as values
		log = c.cfg.Log.WarnContext
	}
	log(ctx, "a cached score cannot be read: it counts as absent, and so do others like it",
		"repository", k.Repository, "number", k.Number, "key", k.id(), "error", err)
	return Found{}
}

// Keep stores the scores of an answer that has settled, under the commits that
// the answer itself names, whatever the key holds: the content is the same
// from every writer. It stores them even if ctx has ended meanwhile.
func (c *Cache) Keep(ctx context.Context, k Key, e Entry) {
	if !e.keepable() {
		return
	}
	c.put(ctx, k, Found{Entry: &e}, func(ctx context.Context, id string, data []byte) error {
		_, err := c.cfg.Bucket.Put(ctx, id, data)
		return err //nolint:wrapcheck // told apart by put
	})
}

// Remember stores a sighting of an answer that has not settled yet, in place of
// what a look has found. Whatever was stored since that look stays: it may be an
// entry.
func (c *Cache) Remember(ctx context.Context, k Key, found Found, s Sighting) {
	c.put(ctx, k, Found{Sighting: &s}, func(ctx context.Context, id string, data []byte) error {
		_, err := c.cfg.Bucket.Update(ctx, id, data, found.revision)
		if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			return nil
		}
		return err //nolint:wrapcheck // told apart by put
	})
}

// put stores the value of a key, by one operation of the bucket.
func (c *Cache) put(ctx context.Context, k Key, what Found, store func(ctx context.Context, id string, data []byte) error) {
	ctx = context.WithoutCancel(ctx)
	k.Scorer = c.cfg.Scorer
	if !k.Known() {
		return
	}
	data, err := encode(k, what)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
		defer cancel()
		err = store(ctx, k.id(), data)
	}
	switch {
	case err == nil:
		c.recovered(ctx)
	case errors.Is(err, errTooLarge), errors.Is(err, nats.ErrMaxPayload):
		c.cfg.Log.DebugContext(ctx, "a score is not kept", "repository", k.Repository, "number", k.Number, "error", err)
	default:
		c.trouble(ctx, "keeping a score", err)
	}
}
