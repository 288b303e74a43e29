package main_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
)

// redisServer is a real redis-server that keeps nothing, on one port.
type redisServer struct {
	port int
	run  *exec.Cmd
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("this test needs redis-server, install it with: apt-get install -y redis-server")
	}
	listener := must.Get((&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"))(t)
	r := &redisServer{port: listener.Addr().(*net.TCPAddr).Port}
	listener.Close()
	r.start(t)
	t.Cleanup(r.kill)
	return r
}

func (r *redisServer) url() string { return fmt.Sprintf("redis://127.0.0.1:%d", r.port) }

// start returns once the server says that it is ready.
func (r *redisServer) start(t *testing.T) {
	t.Helper()
	r.run = exec.CommandContext(context.WithoutCancel(t.Context()), "redis-server", "--port", strconv.Itoa(r.port),
		"--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	out := must.Get(r.run.StdoutPipe())(t)
	must.Do(t, r.run.Start())
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			return
		}
	}
	t.Fatalf("redis-server does not start on port %d", r.port)
}

func (r *redisServer) kill() {
	if r.run != nil {
		_ = r.run.Process.Kill()
		_ = r.run.Wait()
		r.run = nil
	}
}

// until looks again and again at what other processes do.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !happened() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func demo(t *testing.T) *mirrorsim.World {
	t.Helper()
	world := must.Get(mirrorsim.Demo())(t)
	return world
}

// soundWorld serves a world in which nothing fails by itself, with the miners from
// one place of the demo world's to another.
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

// leased opens streams whose leases are short; worker processes take the lease
// that they find.
func leased(t *testing.T, lease time.Duration) (address string, bus *jobstream.Bus) {
	t.Helper()
	address = startLocal(t, t.TempDir()).NATSURL()
	bus, _ = openBus(t, address, jobstream.Config{AckWait: lease})
	return address, bus
}

// Redis is killed under working jobs, stays away for three leases, and comes back
// empty. Nothing is sent meanwhile, no job is handed out a second time, none
// fails, and the work goes on.
func TestRedisGoesAwayUnderWork(t *testing.T) {
	t.Parallel()
	const lease = 2 * time.Second
	const horizon = time.Second
	redis := startRedis(t)
	nats, bus := leased(t, lease)
	sim, inputs := sound(t)
	common := []string{"--nats", nats, "--redis", redis.url(), "--mirror", sim.URL, "--limit-horizon", horizon.String()}
	stops := []func(){work(t, "first", nil, common...).stop, work(t, "second", nil, common...).stop}
	round := begin(t, "producer", append(append([]string{"run", "--json"}, inputs...), common...)...)

	until(t, "jobs send requests", func() bool { return sim.Stats().Requests > 10 })
	redis.kill()
	away := time.Now()
	// What has its permit by now is sent within the horizon and the jitter.
	until(t, "permits in hand are used", func() bool { return time.Since(away) > 2*horizon })
	before := sim.Stats().Requests
	until(t, "three leases have passed", func() bool { return time.Since(away) > 3*lease })
	if got := sim.Stats().Requests; got != before {
		t.Errorf("%d requests were sent without Redis, want none", got-before)
	}
	back := time.Now()
	redis.start(t)
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
	watch := must.Get(bus.WatchRecords(ctx, round))(t)
	var all []job.Record
	for record := range watch {
		if all = append(all, record); len(all) == n {
			break
		}
	}
	return all
}
