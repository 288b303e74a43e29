package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/redistest"
)

// operator stops the default egress by hand. Its calls wait for a busy machine.
func (s *server) operator(tb testing.TB) *ratelimit.Operator {
	tb.Helper()
	d := must.Get(ratelimit.NewOperator(ratelimit.DefaultEgress, patient(tb, s), time.Minute))(tb)
	return d
}

// TestHoldStopsTheEgress for all processes, for as long as the longest requested hold.
// Then permits come at the normal pace.
func TestHoldStopsTheEgress(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		d := s.operator(t)
		here := s.limiter(t, quick())
		there := s.limiter(t, quick())
		permit(t, here)
		permit(t, there)
		began := time.Now()
		for _, length := range []time.Duration{2 * time.Second, 3 * time.Second, 2 * time.Second} {
			must.Get(d.Hold(t.Context(), length, ratelimit.Note{}))(t)
		}
		if got := state(t, here); got.Hold <= 0 || got.CoolDown != 0 || got.NextIn < got.Hold || got.CoolDowns != 0 {
			t.Errorf("during a hold State is %+v, want Hold and NextIn to show it, and no cool-down", got)
		}
		var both sync.WaitGroup
		for _, l := range []*sender{here, there} {
			both.Go(func() {
				permit(t, l)
				if waited := time.Since(began); waited < 3*time.Second {
					t.Errorf("a permit came %v into a hold of 3s", waited)
				}
			})
		}
		both.Wait()
		saturate(t, []*sender{here, there}, 60, func() {}) // no herd afterwards
	})
}

// TestReleaseResumes an egress that is held, and reports one that is not.
func TestReleaseResumes(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		d, l := s.operator(t), s.limiter(t, quick())
		served := make(chan struct{}, 2)
		var waiters sync.WaitGroup
		defer waiters.Wait()
		for range 2 {
			waiters.Go(func() { permit(t, l); served <- struct{}{} })
		}
		await(t, "a reservation", func() bool { return state(t, l).Granted > 0 })
		held := must.Get(d.Hold(t.Context(), time.Hour, ratelimit.Note{}))(t)
		if held.Hold < 59*time.Minute {
			t.Errorf("held for %v, want an hour", held.Hold)
		}
		// The permit in hand is void, and no other is given.
		granted, refused := state(t, l).Granted, l.Stats().Refused
		await(t, "a refusal", func() bool { return l.Stats().Refused > refused })
		if got := state(t, l).Granted; got != granted {
			t.Errorf("%d slots were granted under the hold, want none", got-granted)
		}
		must.Get(d.Release(t.Context()))(t)
		<-served
		<-served
		if _, err := d.Release(t.Context()); !errors.Is(err, ratelimit.ErrNotHeld) {
			t.Errorf("a second Release: %v, want ErrNotHeld", err)
		}
	})
}

// TestHoldOutlivesAnUnknownState: an operator's hold stays, even if the record's other
// fields are not trusted.
func TestHoldOutlivesAnUnknownState(t *testing.T) {
	t.Parallel()
	s := process(t)
	d := s.operator(t)
	l := s.limiter(t, quick())
	rdb := patient(t, s)
	permit(t, l)
	must.Get(d.Hold(t.Context(), time.Hour, ratelimit.Note{}))(t)
	must.Do(t, rdb.HSet(t.Context(), ratelimit.Key("default"), "run", "another").Err())
	refused := l.Stats().Refused
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() { defer close(gone); _, _ = l.Permit(ctx) }()
	await(t, "a refusal", func() bool { return l.Stats().Refused > refused })
	wantRestarts(t, l, 2)
	if got := state(t, l).Hold; got < 59*time.Minute {
		t.Errorf("after a restart the hold runs for %v more, want an hour", got)
	}
	cancel()
	<-gone
}

func TestHoldIsChecked(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	d := s.operator(t)
	for _, length := range []time.Duration{-time.Second, 0, time.Millisecond, 25 * time.Hour} {
		if _, err := d.Hold(t.Context(), length, ratelimit.Note{}); err == nil || !strings.Contains(err.Error(), "want 1s to 24h") {
			t.Errorf("Hold(%v): %v, want an error that tells the bounds", length, err)
		}
	}
	if _, err := d.Hold(t.Context(), time.Minute, ratelimit.Note{}); !errors.Is(err, ratelimit.ErrNoBucket) {
		t.Errorf("Hold without a bucket: %v, want ErrNoBucket", err)
	}
	if _, err := d.Release(t.Context()); !errors.Is(err, ratelimit.ErrNoBucket) {
		t.Errorf("Release without a bucket: %v, want ErrNoBucket", err)
	}
	if got, err := d.State(t.Context()); err != nil || got.Known {
		t.Errorf("a look at no bucket left %+v, %v, want none", got, err)
	}
	if _, err := ratelimit.NewOperator("{x}", s.client(t), time.Second); err == nil || !strings.Contains(err.Error(), `"{x}"`) {
		t.Errorf("NewOperator of {x}: %v, want an error that names it", err)
	}
	permit(t, s.limiter(t, quick()))
}

// TestBucketsAreAllThatThereAre: all buckets are listed, whichever nodes of a cluster
// hold them, and other keys are left out. Once only the node that was asked listed its
// own.
func TestBucketsAreAllThatThereAre(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			rdb := patient(t, s)
			if got, err := ratelimit.Buckets(t.Context(), rdb, time.Minute); err != nil || len(got) != 0 {
				t.Errorf("before anybody asked: %v, %v, want none", got, err)
			}
			var want []string
			for i := range 9 { // enough for each of three nodes to have some
				cfg := quick()
				cfg.Egress = fmt.Sprintf("e%d", i)
				permit(t, s.limiter(t, cfg))
				want = append(want, cfg.Egress)
			}
			must.Do(t, rdb.Set(t.Context(), "limit:{no egress}", "x", 0).Err())
			states, err := ratelimit.Buckets(t.Context(), rdb, time.Minute)
			var got []string
			for _, state := range states {
				if got = append(got, state.Egress); !state.InUse() || state.Granted < 1 {
					t.Errorf("%+v, want it used", state)
				}
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("the buckets are %v, %v, want %v", got, err, want)
			}
		})
	}
}

// TestBucketsKeepTheirTimeout against a silent server, whatever the client's own timeout
// is. The list of names once had no bound.
func TestBucketsKeepTheirTimeout(t *testing.T) {
	t.Parallel()
	relay := nettest.NewRelay(t, process(t).url)
	rdb := must.Get(ratelimit.NewClient("redis://"+relay.Address, time.Hour))(t)
	defer rdb.Close()
	must.Get(ratelimit.Buckets(t.Context(), rdb, time.Minute))(t)
	relay.Silence()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	began := time.Now()
	if _, err := ratelimit.Buckets(ctx, rdb, 100*time.Millisecond); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("Buckets of a silent server: %v after %v, want an error at the timeout of 100ms", err, time.Since(began))
	}
}

// TestABucketIsForgotten a day after its last slot, or after it began without one.
func TestABucketIsForgotten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state ratelimit.State
		want  bool
	}{
		{ratelimit.State{Granted: 1, LastGrant: 24*time.Hour - 1, Age: 48 * time.Hour}, true},
		{ratelimit.State{Granted: 1, LastGrant: 24 * time.Hour, Age: 48 * time.Hour}, false},
		{ratelimit.State{Granted: 1, LastGrant: -time.Second}, true},
		{ratelimit.State{Age: 24*time.Hour - 1}, true},
		{ratelimit.State{Age: 24 * time.Hour}, false},
	} {
		if got := c.state.InUse(); got != c.want {
			t.Errorf("%+v is in use: %v, want %v", c.state, got, c.want)
		}
	}
}

// TestFlowing blocks exactly while the first in line waits, however long.
func TestFlowing(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	d, l := s.operator(t), s.limiter(t, quick())
	if err := l.Flowing(t.Context(), 0); err != nil {
		t.Errorf("Flowing while nobody waits: %v", err)
	}
	permit(t, l)
	must.Get(d.Hold(t.Context(), time.Hour, ratelimit.Note{}))(t)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() { defer close(gone); _, _ = l.Permit(ctx) }()
	await(t, "one waits", func() bool { return l.Stats().Waiting == 1 && !l.Stats().TurnSince.IsZero() })
	if err := l.Flowing(t.Context(), time.Hour); err != nil {
		t.Errorf("Flowing with patience: %v", err)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := l.Flowing(ended, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Flowing while one waits: %v, want it to block until its context ends", err)
	}
	flows := make(chan error, 1)
	go func() { flows <- l.Flowing(t.Context(), 0) }()
	cancel()
	<-gone
	if err := <-flows; err != nil {
		t.Errorf("Flowing when the one who waited is gone: %v", err)
	}
}

// An order that Redis refuses is not in force. The error does not say that this is
// unknown.
func TestARefusedOrderIsKnown(t *testing.T) {
	t.Parallel()
	run := redistest.Start(t)
	s := newServer(t, run.URL())
	d := s.operator(t)
	permit(t, s.limiter(t, quick()))
	must.Do(t, run.Client(t).Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err())
	_, err := d.Hold(t.Context(), time.Minute, ratelimit.Note{})
	if refused := ratelimit.Refusal(err); refused == nil || strings.Contains(err.Error(), "not known") {
		t.Errorf("got %v, want the refusal alone", err)
	}
}
