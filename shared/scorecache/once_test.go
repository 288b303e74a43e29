package scorecache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scorecache"
)

func patient(c *scorecache.Config) { c.ClaimFor = time.Hour }

// Eight goroutines of one process, then two processes, the second of which is
// seen to wait: one fetch each time.
func TestOneFetchForAll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	here, there := b.cache(patient), b.cache(patient)
	var fetches atomic.Int64
	var group errgroup.Group
	began, finish := make(chan struct{}), make(chan struct{})
	take := func(c *scorecache.Cache) error {
		seen, err := c.Look(b.ctx, key())
		if err != nil {
			return err
		}
		got, err := c.Once(b.ctx, seen, func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
			if fetches.Add(1) == 1 {
				close(began)
			}
			<-finish
			return key(), entry(), nil
		})
		if err == nil && got != nil && asJSON(t, got) != asJSON(t, entry()) {
			err = fmt.Errorf("got %s", asJSON(t, got))
		}
		return err
	}
	for range 8 {
		group.Go(func() error { return take(here) })
	}
	<-began
	for range 3 {
		group.Go(func() error { return take(there) })
	}
	b.until("the other process waits", func() bool { return b.watchers() > 0 })
	close(finish)
	b.must(group.Wait())
	if n := fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want one for all", n)
	}
	if s := there.Stats(); s.Shared != 3 || s.Kept != 0 {
		t.Errorf("the other process: %+v, want all three shared", s)
	}
	b.until("no watch is left", func() bool { return b.watchers() == 0 })
}

// A fetch that fails, or whose answer may not be kept, frees whoever waits.
func TestAFetchThatBringsNothingFreesTheOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	failure := errors.New("the mirror fails")
	for name, first := range map[string]error{"a failure": failure, "an answer not to be kept": nil} {
		here, there := b.cache(patient), b.cache(patient)
		k := key()
		k.Head = name
		began, finish := make(chan struct{}), make(chan struct{})
		var group errgroup.Group
		group.Go(func() error {
			_, err := here.Once(b.ctx, b.look(here, k), func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
				close(began)
				<-finish
				return scorecache.Key{}, nil, first
			})
			if !errors.Is(err, first) {
				return fmt.Errorf("got %w, want the fetch's own", err)
			}
			return nil
		})
		<-began
		fetched := false
		group.Go(func() error {
			seen, err := there.Look(b.ctx, k)
			if err != nil {
				return err
			}
			_, err = there.Once(b.ctx, seen, func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
				fetched = true
				return k, entry(), nil
			})
			return err
		})
		b.until("the other process waits", func() bool { return b.watchers() > 0 })
		close(finish)
		b.must(group.Wait())
		if !fetched || b.look(here, k).Entry() == nil {
			t.Errorf("%s: fetched by the other %v, want it there", name, fetched)
		}
	}
}

// A process that dies leaves its claim; so does one whose clock is a year
// ahead. Neither holds anybody up for long, nor does one that has run out.
func TestALeftClaimIsTakenOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache(func(cfg *scorecache.Config) { cfg.ClaimFor = 100 * time.Millisecond })
	for name, until := range map[string]time.Time{
		"left a moment ago":  time.Now().Add(50 * time.Millisecond),
		"by a clock ahead":   time.Now().AddDate(1, 0, 0),
		"run out long since": time.Now().Add(-time.Hour),
	} {
		k := key()
		k.Head = name
		claim, err := scorecache.EncodeClaim(until)
		b.must(err)
		_, err = b.bucket.Put(b.ctx, stored(k).ID(), claim)
		b.must(err)
		if _, fetched := b.once(c, k, entry()); !fetched {
			t.Errorf("%s: not taken over", name)
		}
		if b.look(c, k).Entry() == nil {
			t.Errorf("%s: nothing is kept", name)
		}
	}
	if s := c.Stats(); s.Damaged != 0 || s.Trouble != 0 {
		t.Errorf("stats %+v, want no trouble over it", s)
	}
}

// A value that ages away while somebody waits, or was never there: absent.
func TestAKeyThatVanishesIsFetched(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache(patient)
	claim, err := scorecache.EncodeClaim(time.Now().Add(time.Hour))
	b.must(err)
	_, err = b.bucket.Put(b.ctx, stored(key()).ID(), claim)
	b.must(err)
	seen := b.look(c, key())
	stream, err := b.js.Stream(b.ctx, "KV_"+job.BucketScores)
	b.must(err)
	b.must(stream.Purge(b.ctx)) // as the bucket's age limit does, without a marker
	fetched := false
	_, err = c.Once(b.ctx, seen, func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
		fetched = true
		return key(), entry(), nil
	})
	b.must(err)
	if !fetched || b.look(c, key()).Entry() == nil {
		t.Errorf("fetched %v, want it there", fetched)
	}
}

// While a fetch runs, its claim is prolonged: longer than it would count by
// itself.
func TestAClaimIsProlonged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache(func(cfg *scorecache.Config) { cfg.ClaimFor = 60 * time.Millisecond })
	_, err := c.Once(b.ctx, b.look(c, key()), func(ctx context.Context) (scorecache.Key, *scorecache.Entry, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		watcher, err := b.bucket.Watch(ctx, stored(key()).ID())
		if err != nil {
			return key(), nil, err
		}
		var last time.Time
		for range 4 {
			update := <-watcher.Updates()
			for update == nil {
				update = <-watcher.Updates()
			}
			_, until, err := scorecache.Decode(stored(key()), update.Value())
			if err != nil || !until.After(last) {
				t.Errorf("claimed until %s after %s, %v: not prolonged", until, last, err)
			}
			last = until
		}
		return key(), entry(), watcher.Stop()
	})
	b.must(err)
	if b.look(c, key()).Entry() == nil {
		t.Error("nothing is kept")
	}
}

// Two processes that need the same pull requests in opposite orders, each with
// one place for files: nobody waits for ever, and each is fetched once.
func TestNobodyWaitsForEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const pulls = 12
	var mu sync.Mutex
	fetches := map[int]int{}
	var group errgroup.Group
	for process := range 2 {
		c, place := b.cache(patient), make(chan struct{}, 1)
		for range 2 { // jobs
			var one errgroup.Group
			one.SetLimit(3)
			group.Go(func() error {
				for i := range pulls {
					n := i
					if process == 1 {
						n = pulls - 1 - i
					}
					one.Go(func() error {
						k := key()
						k.Number = n
						seen, err := c.Look(b.ctx, k)
						if err != nil || seen.Entry() != nil {
							return err
						}
						_, err = c.Once(b.ctx, seen, func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
							place <- struct{}{}
							defer func() { <-place }()
							mu.Lock()
							defer mu.Unlock()
							fetches[n]++
							return k, entry(), nil
						})
						return err
					})
				}
				return one.Wait()
			})
		}
	}
	b.must(group.Wait())
	for n := range pulls {
		if fetches[n] != 1 {
			t.Errorf("pull request %d was fetched %d times, want once", n, fetches[n])
		}
	}
}

func TestAWaiterEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := setup(t)
	here, there := b.cache(patient), b.cache(patient)
	lost := errors.New("lease lost")
	//nolint:contextcheck // the waiters have contexts of their own, not the fetch's
	_, err := here.Once(b.ctx, b.look(here, key()), func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
		for name, c := range map[string]*scorecache.Cache{"in the process": here, "in another": there} {
			ctx, cancel := context.WithCancelCause(b.ctx)
			seen := b.look(c, key())
			var group errgroup.Group
			group.Go(func() error {
				_, err := c.Once(ctx, seen, func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
					return key(), nil, errors.New("it was fetched twice")
				})
				return err
			})
			if c == there {
				b.until("it waits", func() bool { return b.watchers() > 0 })
			}
			cancel(lost)
			if err := group.Wait(); !errors.Is(err, lost) || !strings.Contains(err.Error(), "a/b#7") {
				t.Errorf("%s: got %v, want the context's cause and the pull request's name", name, err)
			}
		}
		return key(), entry(), nil
	})
	b.must(err)
}

// What was fetched when the job had ended is kept all the same.
func TestAnEndedJobsFetchIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache()
	ctx, cancel := context.WithCancel(b.ctx)
	_, err := c.Once(ctx, b.look(c, key()), func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
		cancel()
		return key(), entry(), nil
	})
	b.must(err)
	if b.look(c, key()).Entry() == nil {
		t.Error("it was thrown away")
	}
	if _, err := c.Look(ctx, key()); !errors.Is(err, context.Canceled) {
		t.Errorf("a look with an ended context: got %v, want context.Canceled", err)
	}
}

// A bucket that is gone costs nobody a job: everything is fetched, and one line
// says so.
func TestTroubleIsNoFailure(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache()
	b.must(b.js.DeleteKeyValue(b.ctx, job.BucketScores))
	for range 3 {
		if _, fetched := b.once(c, key(), entry()); !fetched {
			t.Error("not fetched")
		}
	}
	if n := b.log.count("does not answer"); n != 1 || c.Stats().Trouble < 3 {
		t.Errorf("logged %d times, %+v; want one line, and all of it counted", n, c.Stats())
	}
}

// While the connection is down a look waits: what is there need not be fetched.
func TestALookOutlastsAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache(func(cfg *scorecache.Config) { cfg.RetryWait = 10 * time.Millisecond })
	b.once(c, key(), entry())
	address := strings.TrimPrefix(b.servers.NATSURL(), "nats://")
	b.must(b.servers.Close())
	b.until("the connection is down", func() bool { return !b.nc.IsConnected() })
	var group errgroup.Group
	found := false
	group.Go(func() error {
		seen, err := c.Look(b.ctx, key())
		found = seen.Entry() != nil
		return err
	})
	b.until("it waits", func() bool { return b.log.count("does not answer") == 1 })
	b.start(address)
	b.must(group.Wait())
	if !found {
		t.Error("the look did not wait for the connection")
	}
	b.until("it says so", func() bool { return b.log.count("answers again") == 1 })
}
