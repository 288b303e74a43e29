package scorecache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/scorecache"
)

// Whoever waits for a key gets it when it is left, or leaves when its context
// ends; neither changes anything for whoever has it, or for other keys.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var turns scorecache.Turns
		leave, err := turns.Take(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		other, err := turns.Take(t.Context(), "b")
		if err != nil {
			t.Fatal(err)
		}
		defer other()
		lost := errors.New("lease lost")
		short, cancel := context.WithTimeoutCause(t.Context(), time.Second, lost)
		defer cancel()
		var at, most atomic.Int64
		results := make(chan error, 4)
		for i, ctx := range []context.Context{t.Context(), short, t.Context(), t.Context()} {
			go func() {
				leave, err := turns.Take(ctx, "a")
				if err == nil {
					most.Store(max(most.Load(), at.Add(1)))
					<-time.After(time.Second) // it fetches
					at.Add(-1)
					leave()
				}
				if (ctx == short) != errors.Is(err, lost) {
					err = fmt.Errorf("waiter %d: got %w", i, err)
				} else {
					err = nil
				}
				results <- err
			}()
		}
		synctest.Wait()
		if at.Load() != 0 {
			t.Error("a key that is taken was given away")
		}
		began := time.Now()
		if err := <-results; err != nil || time.Since(began) != time.Second {
			t.Errorf("the first to end after %s: %v; want the one whose context ended, after a second", time.Since(began), err)
		}
		leave()
		for range 3 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took != 4*time.Second || most.Load() != 1 {
			t.Errorf("three waiters took %s, up to %d at once; want one after the other, a second each", took, most.Load())
		}
	})
}

// Eight jobs of one process that looked when nothing was there: the first one
// fetches, those that wait have what it brought, and so has one that comes when
// it is over.
func TestOneFetchForAll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache()
	var fetches, shared atomic.Int64
	began, finish := make(chan struct{}), make(chan struct{})
	take := func() error {
		got, err := c.Once(b.ctx, key(), func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
			if fetches.Add(1) == 1 {
				close(began)
			}
			<-finish
			return key(), entry(), nil
		})
		if got != nil {
			shared.Add(1)
			if asJSON(t, got) != asJSON(t, entry()) {
				return fmt.Errorf("got %s", asJSON(t, got))
			}
		}
		return err
	}
	if b.look(c, key()) != nil {
		t.Fatal("it is there already")
	}
	var group errgroup.Group
	for range 8 {
		group.Go(take)
	}
	<-began
	close(finish)
	b.must(group.Wait())
	b.must(take())
	if fetches.Load() != 1 || shared.Load() != 8 {
		t.Errorf("%d fetches, %d jobs had another's; want 1 and 8", fetches.Load(), shared.Load())
	}
}

// A fetch that fails, or whose answer may not be kept, is its own job's: the
// job that waited for it fetches the pull request itself.
func TestAFetchThatBringsNothingIsMadeByTheNext(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache()
	for name, first := range map[string]error{"a failure": errors.New("the mirror fails"), "an answer not to be kept": nil} {
		k := key()
		k.Head = name
		began, finish := make(chan struct{}), make(chan struct{})
		var group errgroup.Group
		group.Go(func() error {
			_, err := c.Once(b.ctx, k, func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
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
			_, err := c.Once(b.ctx, k, func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
				fetched = true
				return k, entry(), nil
			})
			return err
		})
		close(finish)
		b.must(group.Wait())
		if !fetched || b.look(c, k) == nil {
			t.Errorf("%s: fetched by the other %v, want it there", name, fetched)
		}
	}
}

// A job that waits for another's fetch ends with its lease, and the fetch goes on.
func TestAWaiterEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache()
	//nolint:contextcheck // the waiter has a context of its own, not the fetch's
	_, err := c.Once(b.ctx, key(), func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
		lost := errors.New("lease lost")
		ctx, cancel := context.WithCancelCause(b.ctx)
		cancel(lost)
		_, err := c.Once(ctx, key(), func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
			return key(), nil, errors.New("it was fetched twice")
		})
		if !errors.Is(err, lost) || !strings.Contains(err.Error(), "a/b#7") {
			t.Errorf("got %v, want the context's cause and the pull request's name", err)
		}
		return key(), entry(), nil
	})
	b.must(err)
	if b.look(c, key()) == nil {
		t.Error("nothing is kept")
	}
}

// What was fetched when the job had ended is kept all the same.
func TestAnEndedJobsFetchIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache()
	ctx, cancel := context.WithCancel(b.ctx)
	_, err := c.Once(ctx, key(), func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
		cancel()
		return key(), entry(), nil
	})
	b.must(err)
	if b.look(c, key()) == nil {
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
	_, js := jobstreamtest.Connect(t, b.servers.NATSURL(), nil)
	b.must(js.DeleteKeyValue(b.ctx, job.BucketScores))
	for range 3 {
		if _, fetched := b.once(c, key(), entry()); !fetched {
			t.Error("not fetched")
		}
	}
	if n := b.log.Count("does not answer"); n != 1 {
		t.Errorf("logged %d times, want one line", n)
	}
}

// While the connection is down a look waits: what is there need not be fetched.
func TestALookOutlastsAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.cache(func(cfg *scorecache.Config) { cfg.RetryWait = 10 * time.Millisecond })
	b.once(c, key(), entry())
	b.servers.Stop()
	b.until("the connection is down", func() bool { return !b.nc.IsConnected() })
	var group errgroup.Group
	found := false
	group.Go(func() error {
		entry, err := c.Look(b.ctx, key())
		found = entry != nil
		return err
	})
	b.until("it waits", func() bool { return b.log.Count("does not answer") == 1 })
	b.servers.Again()
	b.must(group.Wait())
	if !found {
		t.Error("the look did not wait for the connection")
	}
	b.until("it says so", func() bool { return b.log.Count("answers again") == 1 })
}
