package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// The signals that tests send to processes.
const (
	sigTerm = syscall.SIGTERM
	sigStop = syscall.SIGSTOP
	sigCont = syscall.SIGCONT
)

// patience bounds every wait of a test. Nothing is measured against it.
const patience = 3 * time.Minute

// The tests kill and stop the command as it ships. The packages' own tests run with the
// race detector.
func TestMain(m *testing.M) { fleettest.Main(m, fleettest.Build{}) }

// bundle is all that a worker needs: NATS, Redis, a simulated mirror behind a front that
// counts requests by miner, and a producer in this process.
type bundle struct {
	t        testing.TB
	ctx      context.Context //nolint:containedctx // the test's own, with its patience
	natsURL  string
	redisURL string
	bus      *jobstream.Bus
	js       jetstream.JetStream
	sim      *mirrorsim.Server
	front    *front
	manifest job.Manifest
	lease    time.Duration
}

func setup(tb testing.TB, world *mirrorsim.World, lease time.Duration) *bundle {
	tb.Helper()
	ctx, cancel := context.WithTimeoutCause(tb.Context(), patience, errors.New("the test's patience is over"))
	tb.Cleanup(cancel)
	b := &bundle{t: tb, ctx: ctx, lease: lease}
	servers := jobstreamtest.Start(tb)
	b.natsURL, b.redisURL = servers.NATSURL(), servers.RedisURL()
	var err error
	b.sim, err = mirrorsim.Start(ctx, mirrorsim.Config{World: world})
	b.must(err)
	tb.Cleanup(func() { _ = b.sim.Close() })
	b.front = newFront(tb, b.sim.URL)
	b.connect()
	b.plan(world)
	return b
}

func (b *bundle) must(err error) { b.t.Helper(); must.Do(b.t, err) }

// connect opens the producer's and the test's own bus.
func (b *bundle) connect() {
	b.t.Helper()
	var nc *nats.Conn
	b.bus, nc = jobstreamtest.Open(b.t, b.natsURL, jobstream.Config{AckWait: b.lease})
	b.js = must.Get(jetstream.New(nc))(b.t)
}

// plan makes the manifest of a round named r1 over a world.
func (b *bundle) plan(world *mirrorsim.World) {
	b.t.Helper()
	miners, err := json.Marshal(world.Miners)
	b.must(err)
	languages, tokens := tokens.DefaultWeights()
	b.manifest, err = round.Plan("r1", round.Inputs{
		Miners: round.File{Name: "miners", Data: miners}, Registry: round.File{Name: "registry", Data: world.Registry},
		Languages: round.File{Name: "languages", Data: languages}, Tokens: round.File{Name: "tokens", Data: tokens},
		Mirror: b.front.URL, AsOf: world.AsOf,
	}, world.AsOf)
	b.must(err)
}

// concluded is the result of a round.
type concluded struct {
	result outcome.Result
	err    error
}

// start has a producer in this process run the round, with a limit of its own. The result
// comes through the channel.
func (b *bundle) start(changes ...func(*round.Config)) <-chan concluded {
	b.t.Helper()
	rdb := must.Get(ratelimit.NewClient(b.redisURL, time.Second))(b.t)
	b.t.Cleanup(func() { _ = rdb.Close() })
	limiter := must.Get(ratelimit.New(ratelimit.Config{Egress: "producer", Limit: 1_000_000, Horizon: 10 * time.Millisecond}, rdb))(b.t)
	b.t.Cleanup(func() { _ = limiter.Close() })
	client := must.Get(mirror.New(mirror.Config{BaseURL: b.front.URL, Meter: limiter}))(b.t)
	b.t.Cleanup(client.Close)
	cfg := round.Config{Bus: b.bus, Mirror: client}
	for _, change := range changes {
		change(&cfg)
	}
	r := must.Get(round.New(cfg))(b.t)
	out := make(chan concluded, 1)
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(b.ctx)
	go func() {
		defer close(ended)
		result, err := r.Start(ctx, b.manifest)
		out <- concluded{result, err}
	}()
	b.t.Cleanup(func() { cancel(); <-ended })
	return out
}

// result waits for the end of the round.
func (b *bundle) result(from <-chan concluded) outcome.Result {
	b.t.Helper()
	select {
	case c := <-from:
		b.must(c.err)
		return c.result
	case <-b.ctx.Done():
		b.t.Fatalf("the round did not end: %v; records %s", context.Cause(b.ctx), b.recordsText())
		return outcome.Result{}
	}
}

// process is a running worker process.
type process struct {
	*exec.Cmd

	name  string
	log   *telemetrytest.Log
	ready chan struct{}
	done  chan struct{} // closed when it has ended
}

// work starts a worker, and returns before it is ready. Its arguments come after the
// usual ones and take precedence.
func (b *bundle) work(name string, env []string, args ...string) *process {
	b.t.Helper()
	common := []string{
		"--name", name, "--nats", b.natsURL, "--redis", b.redisURL, "--mirror", b.front.URL, "--slots", "1", "--children", "1",
		"--limit-requests", "1000000", "--limit-horizon", "100ms", "--retry-delays", "10ms", "--log-level", "debug",
	}
	args, servers := fleettest.Arguments(append(common, args...))
	p := &process{
		Cmd: exec.Command(fleettest.Path(b.t, "worker"), args...), name: name,
		log: &telemetrytest.Log{}, ready: make(chan struct{}), done: make(chan struct{}),
	}
	p.Env = append(append(os.Environ(), "MIRRORFLEET_GRAMMARS="+fleettest.Grammars()), append(servers, env...)...)
	p.Stdout, p.Stderr = &told{word: "taking jobs", tell: p.ready}, p.log
	p.WaitDelay = 10 * time.Second
	b.must(p.Start())
	go func() {
		defer close(p.done)
		_ = p.Wait() // how it ended is in ProcessState
	}()
	b.t.Cleanup(func() {
		_ = p.Process.Signal(sigCont) // a stopped one too
		_ = p.Process.Kill()
		<-p.done
	})
	return p
}

// begin starts a worker and waits until it takes jobs.
func (b *bundle) begin(name string, args ...string) *process {
	b.t.Helper()
	p := b.work(name, nil, args...)
	select {
	case <-p.ready:
	case <-p.done:
		b.t.Fatalf("%s ended: %v\n%s", name, p.ProcessState, p.log)
	case <-b.ctx.Done():
		b.t.Fatalf("%s is not ready\n%s", name, p.log)
	}
	return p
}

func (b *bundle) signal(p *process, s syscall.Signal) {
	b.t.Helper()
	if err := p.Process.Signal(s); err != nil {
		b.t.Fatalf("%s: %v", p.name, err)
	}
}

// ended waits for a process's end.
func (b *bundle) ended(p *process) {
	b.t.Helper()
	select {
	case <-p.done:
	case <-b.ctx.Done():
		b.t.Fatalf("%s did not end\n%s", p.name, p.log)
	}
}

// drained stops a worker and wants a clean end.
func (b *bundle) drained(p *process) {
	b.t.Helper()
	b.signal(p, sigTerm)
	b.ended(p)
	if code := p.ProcessState.ExitCode(); code != 0 {
		b.t.Errorf("%s: exit %d, want 0\n%s", p.name, code, p.log)
	}
}

// killed says whether a process ended by SIGKILL.
func (p *process) killed() bool {
	status, ok := p.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// until looks at every tick until the condition holds.
func (b *bundle) until(what string, holds func() bool) {
	b.t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-b.ctx.Done():
			b.t.Fatalf("never: %s; records %s", what, b.recordsText())
		}
	}
}

// messages is the number of jobs in the stream.
func (b *bundle) messages() int {
	b.t.Helper()
	return int(jobstreamtest.Messages(b.ctx, b.t, b.js))
}

// record reads a miner's record.
func (b *bundle) record(uid int) job.Record {
	b.t.Helper()
	return jobstreamtest.Record(b.ctx, b.t, b.bus, "r1", uid)
}

func (b *bundle) records() []job.Record {
	b.t.Helper()
	all, err := b.bus.Records.List(b.ctx, "r1")
	b.must(err)
	return all
}

// recordsText prints the records for the message of a failure.
func (b *bundle) recordsText() string {
	all, err := b.bus.Records.List(b.t.Context(), "r1")
	return fmt.Sprintf("%+v %v", all, err)
}

// logs waits until a process has logged a text.
func (b *bundle) logs(p *process, word string) {
	b.t.Helper()
	p.log.Await(b.ctx, b.t, word)
}

// told is a writer that signals when a text has passed.
type told struct {
	word string
	tell chan struct{}
	text string
	once sync.Once
}

func (w *told) Write(p []byte) (int, error) {
	if w.text += string(p); strings.Contains(w.text, w.word) {
		w.once.Do(func() { close(w.tell) })
	}
	return len(p), nil
}
