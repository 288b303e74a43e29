package soak_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/ratelimit/redistest"
)

// long says whether this is make soak.
func long() bool { return os.Getenv("MIRRORFLEET_SOAK") != "" }

func TestMain(m *testing.M) { fleettest.Main(m, fleettest.Build{}) }

// TestNothingExceedsTheLimit: 0 over the limit, whatever happens.
//
//nolint:tparallel // the long runs come one after another: each is to have the machine
func TestNothingExceedsTheLimit(t *testing.T) {
	t.Parallel()
	if long() {
		for workers, horizon := range map[int]time.Duration{
			1: 2 * time.Second, // one that lives for seconds would spend them waiting for a bucket that starts
			8: 10 * time.Second, 64: 10 * time.Second,
		} {
			t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
				newFleet(t, workers, 10*time.Second, horizon).suffer(t, 2*time.Minute)
			})
		}
		return
	}
	// The mirror's limit with everything but the jitter five times as fast, so
	// that half a minute has many windows.
	newFleet(t, 8, 2*time.Second, 2*time.Second).suffer(t, 24*time.Second)
}

// TestTheMirrorSees: workers that share an IP and no bucket exceed the limit, and
// the mirror tells. Otherwise the test above would hold nothing. Their egresses
// are declared, as an operator might by mistake: no worker runs without.
func TestTheMirrorSees(t *testing.T) {
	t.Parallel()
	egresses := []string{"of-its-own-0", "of-its-own-1", "of-its-own-2"}
	f := newFleet(t, 0, 2*time.Second, 2*time.Second, "--egress", egresses[0], "--egresses", strings.Join(egresses, ","))
	for _, egress := range egresses {
		f.hire(t, "--egress", egress)
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for f.seen(t).OverLimit == 0 {
		for _, w := range f.workers {
			select {
			case <-w.ended:
				t.Fatalf("a worker has ended: %v\n%s", w.ProcessState, w.lastLines())
			default:
			}
		}
		select {
		case <-ticker.C:
		case <-t.Context().Done():
			t.Fatal("three buckets of one IP stayed within its limit")
		}
	}
}

// fleet is a whole installation.
type fleet struct {
	window  time.Duration
	horizon time.Duration
	mirror  fleettest.Mirror
	redis   *redistest.Server
	toRedis *nettest.Relay
	toNATS  *nettest.Relay
	workers []*process
	others  sync.WaitGroup // who lives beside the acts
	began   time.Time
}

func newFleet(t *testing.T, workers int, window, horizon time.Duration, producer ...string) *fleet {
	t.Helper()
	servers := jobstreamtest.Start(t)
	f := &fleet{window: window, horizon: horizon, mirror: simulate(t, window), redis: redistest.Start(t)}
	f.toRedis = nettest.NewRelay(t, f.redis.Address)
	f.toNATS = nettest.NewRelay(t, servers.NATSURL())
	t.Cleanup(func() { f.dismiss() })
	for range workers {
		f.hire(t)
	}
	f.rounds(t, producer...)
	f.began = time.Now()
	return f
}

// seen is what the mirror counted: exactly, over all phases.
func (f *fleet) seen(t *testing.T) mirrorsim.Stats {
	t.Helper()
	return must.Get(fleettest.Stats(t.Context(), f.mirror.URL))(t)
}

// common are the flags of worker and producer.
func (f *fleet) common() []string {
	return []string{
		"--nats", f.toNATS.URL(), "--redis", "redis://" + f.toRedis.Address, "--mirror", f.mirror.URL,
		"--limit-window", f.window.String(), "--limit-horizon", f.horizon.String(),
	}
}

// hire starts a worker.
func (f *fleet) hire(t *testing.T, args ...string) {
	t.Helper()
	f.workers = append(f.workers, begin(t, "worker", append(append(f.common(), "--children", "1", "--exit-with-stdin"), args...)...))
}

func (f *fleet) dismiss() {
	for _, w := range f.workers {
		w.kill()
	}
	f.workers = nil
}

// rounds runs one round after another until the test ends. args are the
// producer's beside the common ones.
func (f *fleet) rounds(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			p := begin(t, "producer", append([]string{ //nolint:contextcheck // it is ended below
				"run", "--json", "--miners", f.mirror.Miners, "--registry", f.mirror.Registry, "--as-of", f.mirror.AsOf,
			}, append(f.common(), args...)...)...)
			select {
			case <-p.ended:
				t.Logf("a round has ended: %v", p.ProcessState)
			case <-ctx.Done():
				p.kill()
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// suffer plays for length and wants the mirror to have seen nothing.
func (f *fleet) suffer(t *testing.T, length time.Duration) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given, err := strconv.ParseUint(os.Getenv("MIRRORFLEET_SOAK_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("%d workers for %v, seed %d (MIRRORFLEET_SOAK_SEED=%d plays it again)", len(f.workers), length, seed, seed)
	random := rand.New(rand.NewPCG(seed, 2))
	for _, s := range append(play(seed, length), scene{at: length}) {
		f.until(t, s.at)
		if s.act != "" {
			f.perform(t, s.act, random)
		}
	}
	f.others.Wait()
	got := f.seen(t)
	t.Logf("the mirror saw %d requests, %.1f %% of its limit, worst window %+v, %d over", got.Requests, 100*got.LimitUsed, got.Worst, got.OverLimit)
	const limit = 50
	if got.OverLimit != 0 || got.Worst.Fixed > limit || got.Worst.Sliding > limit || got.Worst.TwoWindow > limit {
		t.Errorf("%d over the limit, worst window %+v; want 0, and at most %d by every count", got.OverLimit, got.Worst, limit)
	}
	if minimum := int(length/f.window) * limit / 10; got.Requests < minimum {
		t.Errorf("%d requests, want at least %d: the fleet stood still, so nothing was tested\n%s",
			got.Requests, minimum, f.workers[0].lastLines())
	}
}

// until waits for a moment of the play.
func (f *fleet) until(t *testing.T, at time.Duration) {
	t.Helper()
	timer := time.NewTimer(time.Until(f.began.Add(at)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		t.Fatal("the test ended before the play")
	}
}

// perform lets one thing happen.
func (f *fleet) perform(t *testing.T, a act, random *rand.Rand) {
	t.Helper()
	t.Logf("%6.2fs %s (%d requests so far)", time.Since(f.began).Seconds(), a, f.seen(t).Requests)
	switch a {
	case killWorker:
		// The youngest are spared: one that is killed before it can have sent
		// anything shows nothing.
		if i := random.IntN(len(f.workers)); time.Since(f.workers[i].since) > 4*time.Second {
			f.workers[i].kill()
			f.workers = append(f.workers[:i], f.workers[i+1:]...)
			f.hire(t)
		} else {
			t.Log("        which has only begun, and is spared")
		}
	case stopWorker:
		f.stop(t, f.workers[random.IntN(len(f.workers))])
	case killRedis:
		f.redis.Kill()
	case startRedis:
		f.redis.Restart(t)
	case slowRedis:
		f.toRedis.Delay(0, 120*time.Millisecond) // there and back, up to longer than a call may take
	case steadyRedis:
		f.toRedis.Delay(0, 0)
	case cutRedis:
		f.toRedis.Cut()
	case mendRedis:
		f.toRedis.Mend()
	case slowNATS:
		f.toNATS.Delay(50*time.Millisecond, 350*time.Millisecond)
	case steadyNATS:
		f.toNATS.Delay(0, 0)
	case cutNATS:
		f.toNATS.Cut()
	case mendNATS:
		f.toNATS.Mend()
	}
}

// stop stops a worker for 3 s, unless it is killed meanwhile.
func (f *fleet) stop(t *testing.T, w *process) {
	t.Helper()
	w.signal(t, syscall.SIGSTOP)
	f.others.Go(func() {
		timer := time.NewTimer(3 * time.Second)
		defer timer.Stop()
		select {
		case <-timer.C:
			_ = w.Process.Signal(syscall.SIGCONT) // it may have been killed just now
		case <-w.ended:
		}
	})
}
