package main_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit/redistest"
)

// until polls the state of other processes until it is as wanted.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	must.Until(ctx, t, what, happened)
}

func demo(t *testing.T) *mirrorsim.World {
	t.Helper()
	world := must.Get(mirrorsim.Demo())(t)
	return world
}

// soundWorld serves a world without failures of its own. Its miners are a range of the
// demo world's.
func soundWorld(t *testing.T, from, to int) (*mirrorsim.World, *mirrorsim.Server) {
	t.Helper()
	world := demo(t)
	world.Fails, world.Miners = nil, world.Miners[from:to]
	server := must.Get(mirrorsim.Start(t.Context(), mirrorsim.Config{World: world, Limit: 50, Window: 10 * time.Second}))(t)
	t.Cleanup(func() { _ = server.Close() })
	return world, server
}

// sound serves a world of four miners, and writes its inputs.
func sound(t *testing.T) (server *mirrorsim.Server, inputs []string) {
	t.Helper()
	world, server := soundWorld(t, 0, 4)
	miners, registry, err := world.Write(t.TempDir())
	must.Do(t, err)
	return server, []string{"--as-of", world.AsOf.Format(time.RFC3339Nano), "--miners", miners, "--registry", registry}
}

// leased opens streams with short leases. Worker processes take the lease that is in
// force.
func leased(t *testing.T, lease time.Duration) (address string, bus *jobstream.Bus) {
	t.Helper()
	address = jobstreamtest.Start(t).NATSURL()
	bus, _ = jobstreamtest.Open(t, address, jobstream.Config{AckWait: lease})
	return address, bus
}

// Redis is killed under working jobs, stays away for three leases, and comes back empty.
// Meanwhile nothing is sent, no job is delivered a second time and none fails. Then the
// work continues.
func TestRedisGoesAwayUnderWork(t *testing.T) {
	t.Parallel()
	const lease = 2 * time.Second
	const horizon = time.Second
	redis := redistest.Start(t)
	nats, bus := leased(t, lease)
	sim, inputs := sound(t)
	common := []string{"--nats", nats, "--redis", redis.URL(), "--mirror", sim.URL, "--limit-horizon", horizon.String()}
	stops := []func(){work(t, "first", nil, common...).stop, work(t, "second", nil, common...).stop}
	round := begin(t, "producer", append(append([]string{"run", "--json"}, inputs...), common...)...)

	until(t, "jobs send requests", func() bool { return sim.Stats().Requests > 10 })
	redis.Kill()
	away := time.Now()
	// A request that already has its permit is sent within the horizon and the jitter.
	until(t, "permits in hand are used", func() bool { return time.Since(away) > 2*horizon })
	before := sim.Stats().Requests
	until(t, "three leases have passed", func() bool { return time.Since(away) > 3*lease })
	if got := sim.Stats().Requests; got != before {
		t.Errorf("%d requests were sent without Redis, want none", got-before)
	}
	back := time.Now()
	redis.Restart(t)
	until(t, "the work goes on", func() bool { return sim.Stats().Requests > before })
	t.Logf("the first request %v after the return of Redis, %v of it the pause of an empty bucket", time.Since(back), horizon)

	got := decode(t, round.end(t))
	for _, stop := range stops {
		stop()
	}
	if !got.Complete || got.Planned < 3 || got.Done != got.Planned || got.Retries != 0 {
		t.Errorf("complete %v, planned %d, done %d, repeated %d; want a few, all done at the first attempt", got.Complete, got.Planned, got.Done, got.Retries)
	}
	for _, record := range records(t, bus, got.Round, got.Planned) {
		if record.Failures != 0 || record.Deliveries != 1 {
			t.Errorf("miner %d: %d failures, %d deliveries, want none and 1", record.UID, record.Failures, record.Deliveries)
		}
	}
	if worst := sim.Stats().Worst; worst.Fixed > 50 || worst.Sliding > 50 || worst.TwoWindow > 50 {
		t.Errorf("worst ten seconds %+v, want at most 50", worst)
	}
}

func records(t *testing.T, bus *jobstream.Bus, round string, n int) []job.Record {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch := must.Get(bus.Records.Watch(ctx, round))(t)
	var all []job.Record
	for record := range watch {
		if all = append(all, record); len(all) == n {
			break
		}
	}
	return all
}

// A local round whose directory is removed ends with an error that says so. NATS once
// kept confirming writes that were nowhere.
func TestALocalRoundWithoutItsDirectory(t *testing.T) {
	t.Parallel()
	sim, inputs := sound(t)
	state := filepath.Join(t.TempDir(), "state")
	round := begin(t, "producer", append([]string{"run", "--local", "--workers", "1", "--state", state, "--mirror", sim.URL}, inputs...)...)
	until(t, "jobs send requests", func() bool { return sim.Stats().Requests > 10 })
	must.Do(t, os.RemoveAll(state))
	got := round.end(t)
	if got.code != 1 || !strings.Contains(got.stderr, local.ErrRemoved.Error()) || !strings.Contains(got.stderr, state) {
		t.Errorf("exit %d, want 1 and that %s was removed\n%s", got.code, state, got.stderr)
	}
}
