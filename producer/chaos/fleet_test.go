package chaos_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// The limit here: wide enough for a round in seconds, narrow enough to be
// reached.
const (
	limit  = 400
	window = 10 * time.Second
)

// fleet is everything that runs a round.
type fleet struct {
	dir      string
	cluster  *cluster.Cluster
	nats     []server
	redis    *process
	mirror   *process
	workers  []*process
	producer *process
	wires    []*wire

	mirrorURL string
	bus       *jobstream.Bus
	nc        *nats.Conn
}

const workers = 3

// startFleet starts the servers and the workers; faults are the mirror's.
func startFleet(ctx context.Context, t *testing.T, faults string) *fleet {
	t.Helper()
	f := &fleet{dir: t.TempDir()}
	f.startNATS(ctx, t)
	var redisAddress string
	f.redis, redisAddress = startRedis(t, f.dir)
	f.bus, f.nc = openBus(ctx, t, f.cluster.URL(cluster.Producer))
	f.startMirror(ctx, t, faults)

	toRedis := newWire(t, "wire to redis", redisAddress)
	f.wires = append(f.wires, toRedis)
	args := []string{
		"--redis", "redis://" + toRedis.Address, "--mirror", f.mirrorURL,
		"--limit-requests", fmt.Sprint(limit), "--limit-window", window.String(), "--limit-horizon", "1s", "--connect-timeout", "2m",
	}
	for i := range workers {
		name := fmt.Sprintf("worker-%d", i+1)
		own := []string{fleettest.Path(t, "worker"), "--name", name, "--slots", "3", "--children", "1"}
		w := newProcess(t, f.dir, name, append(own, args...)...)
		w.env = []string{"MIRRORFLEET_NATS=" + f.disturbedURL(cluster.Worker)}
		must.Do(t, w.start())
		f.workers = append(f.workers, w)
	}
	f.producer = newProcess(t, f.dir, "producer", "")
	own := []string{"run", "--json", "--takeover", "2s"}
	f.producer.make = f.produce(fleettest.Path(t, "producer"), append(own, args...)) //nolint:contextcheck // it is run again and again, also after ctx
	t.Cleanup(func() { f.showLogs(t) })
	return f
}

// produce makes the producer's command: a round's start, or its resumption
// when there is one.
func (f *fleet) produce(command string, args []string) func() *exec.Cmd {
	world := filepath.Join(f.dir, "world")
	fresh := []string{
		"--miners", filepath.Join(world, "miners.json"), "--registry", filepath.Join(world, "master_repositories.json"),
		"--as-of", "2026-08-01T12:00:00Z",
	}
	return func() *exec.Cmd {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		more := fresh
		if rounds, err := f.bus.Rounds.List(ctx); err == nil && len(rounds) > 0 {
			more = []string{"--resume", rounds[0]}
		}
		cmd := exec.Command(command, append(args, more...)...)
		cmd.Env = append(os.Environ(), "MIRRORFLEET_NATS="+f.disturbedURL(cluster.Producer))
		return cmd
	}
}

// startMirror serves the demo world. Its faults are such that a request is
// worth another try.
func (f *fleet) startMirror(ctx context.Context, t *testing.T, faults string) {
	t.Helper()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(nettest.FreePort(t)))
	f.mirror = newProcess(t, f.dir, "mirrorsim", fleettest.Path(t, "mirrorsim"), "--world", "demo", "--addr", address,
		"--write", filepath.Join(f.dir, "world"), "--limit", fmt.Sprint(limit), "--window", window.String(),
		"--fault", faults, "--latency", "uniform:5ms,60ms", "--stall", "2s")
	must.Do(t, os.MkdirAll(filepath.Join(f.dir, "world"), 0o750))
	must.Do(t, f.mirror.start())
	f.mirrorURL = "http://" + address
	if !until(ctx, func() bool { _, err := fleettest.Stats(ctx, f.mirrorURL); return err == nil }) {
		t.Fatal("the simulated mirror does not answer")
	}
}

// queued is how many messages the work queue holds.
func (f *fleet) queued(ctx context.Context) (int, error) {
	js, err := f.nc.JetStream(nats.Context(ctx))
	if err != nil {
		return 0, err
	}
	info, err := js.StreamInfo(job.StreamJobs)
	if err != nil {
		return 0, err
	}
	return int(info.State.Msgs), nil
}

// showLogs prints the end of every process's log when the test has failed.
func (f *fleet) showLogs(t *testing.T) {
	t.Helper()
	if !t.Failed() {
		return
	}
	for _, p := range append([]*process{f.producer, f.redis, f.mirror}, f.workers...) {
		data, err := os.ReadFile(p.log.Name())
		const maximum = 4000
		t.Logf("%s (%v): …%s", p.name, err, data[max(0, len(data)-maximum):])
	}
}
