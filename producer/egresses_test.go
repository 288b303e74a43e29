package main_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/producer/leadership"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// TestTwoNamesOfOneAddress: two workers at one address under two egress names had a
// bucket each, and together went over the limit. Now the worker with the undeclared name
// ends, and the other does its jobs.
func TestTwoNamesOfOneAddress(t *testing.T) {
	t.Parallel()
	servers := jobstreamtest.Start(t)
	world := fleettest.Simulate(t, "--world", "case:"+settledCase,
		"--limit", "12", "--window", "2s", "--mitigation", "1s", "--case-fault", "400")
	common := []string{
		"--nats", servers.NATSURL(), "--redis", servers.RedisURL(), "--mirror", world.URL,
		"--limit-requests", "12", "--limit-window", "2s", "--limit-horizon", "1s",
	}
	declare(t, servers.NATSURL())
	declared := work(t, "declared", nil, append(common, "--egress", "eu-1", "--slots", "1")...)
	said := watch("taking jobs")
	other := beginWatched(t, said, "worker", append(common, "--name", "other", "--egress", "eu-2")...)
	<-said.seen

	e := run(t, "producer", append([]string{
		"run", "--json", "--egress", "eu-1", "--miners", world.Miners, "--registry", world.Registry, "--as-of", world.AsOf,
	}, common...)...)
	declared.stop()
	if o := decode(t, e); o.Planned == 0 || o.Done != o.Planned || o.Retries != 0 {
		t.Errorf("planned %d, done %d, retries %d, want all done without one\n%s", o.Planned, o.Done, o.Retries, e.stderr)
	}
	if saw := must.Get(fleettest.Stats(t.Context(), world.URL))(t); saw.OverLimit != 0 || saw.Requests < 24 || max(saw.Worst.Fixed, saw.Worst.Sliding) > 12 || saw.Worst.TwoWindow > 12 {
		t.Errorf("of %d requests %d were over the limit, the worst windows %+v; want none over 12, of more than two windows hold",
			saw.Requests, saw.OverLimit, saw.Worst)
	}
	_ = other.Process.Signal(os.Interrupt) // which finds nobody, unless the worker goes on
	end := other.end(t)
	if end.code != 2 {
		t.Errorf("the other worker: exit %d, want 2\n%s", end.code, end.stderr)
	}
	for _, want := range []string{"eu-2", "which are eu-1 (declared by producer ", "--egresses eu-1,eu-2"} {
		if !strings.Contains(end.stderr, want) {
			t.Errorf("the other worker: %q is not in %s", want, end.stderr)
		}
	}
	bus, _ := jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{})
	records, err := bus.Records.List(t.Context(), decode(t, e).Round)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Claim.Worker != "declared" || r.Failures != 0 {
			t.Errorf("miner %d was done by %s after %d failures, want it done by the other worker after none", r.UID, r.Claim.Worker, r.Failures)
		}
	}
}

// TestAnUndeclaredProducerIsRefused: a producer sends requests too. So it is refused
// before it publishes anything or makes the streams.
func TestAnUndeclaredProducerIsRefused(t *testing.T) {
	t.Parallel()
	servers := jobstreamtest.Start(t)
	common := []string{"--nats", servers.NATSURL(), "--redis", servers.RedisURL()}
	state := filepath.Join(t.TempDir(), "state")
	for name, args := range map[string][]string{
		"run":          append([]string{"run", "--miners", "m.json", "--registry", "r.json"}, common...),
		"run --local":  {"run", "--local", "--state", state},
		"serve":        append([]string{"serve", "--tokens", "t.json", "--metagraph", "m.json", "--registry", "r.json"}, common...),
		"replay":       append([]string{"replay", "latest"}, common...),
		"replay local": {"replay", "latest", "--local", "--state", state},
		"doctor":       append([]string{"doctor"}, common...),
	} {
		for what, c := range map[string]struct {
			args []string
			want []string
		}{
			"another": {[]string{"--egress", "eu-3", "--egresses", "eu-1,eu-2"}, []string{"--egress eu-3", "--egresses eu-1,eu-2"}},
			"no name": {[]string{"--egress", "eu-1", "--egresses", "eu-1,{x}"}, []string{"--egresses", `"{x}"`, "letters"}},
			"empty":   {[]string{"--egress", ""}, []string{"--egress", "has no name"}},
			"a gap":   {[]string{"--egress", "eu-1", "--egresses", "eu-1,,eu-2"}, []string{"--egresses eu-1,,eu-2", "has no name"}},
		} {
			e := run(t, "producer", append(args, c.args...)...)
			if e.code != 2 || e.stdout != "" {
				t.Errorf("%s, %s: exit %d, want 2 and nothing on standard output\n%s", name, what, e.code, e.stdout)
			}
			for _, want := range c.want {
				if !strings.Contains(e.stderr, want) {
					t.Errorf("%s, %s: %q is not in %s", name, what, want, e.stderr)
				}
			}
		}
	}
	js, err := jetstream.New(connect(t, servers.NATSURL()))
	if err != nil {
		t.Fatal(err)
	}
	if account, err := js.AccountInfo(t.Context()); err != nil || account.Streams != 0 {
		t.Errorf("%d streams were made, %v, want none", account.Streams, err)
	}
}

func connect(t *testing.T, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// TestServeEndsWhenItsEgressIsDeclaredNoLonger: serve once tried again for ever, and
// blamed the streams.
func TestServeEndsWhenItsEgressIsDeclaredNoLonger(t *testing.T) {
	t.Parallel()
	servers := jobstreamtest.Start(t)
	bus, _ := jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{})
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		write(t, path, content)
		return path
	}
	s := serve(t, nil, "--nats", servers.NATSURL(), "--redis", servers.RedisURL(), "--mirror", "http://127.0.0.1:1",
		"--tokens", file("tokens.json", `[]`), "--metagraph", file("metagraph.json", `{"0": "h0"}`),
		"--registry", file("registry.json", `{"a/b": {"emission_share": 0.5}}`), "--every", "1s", "--limit-horizon", "1s",
		"--egress", "eu-1")
	concluded(t, bus, 1)
	_, revision, err := bus.Egresses.Load(t.Context())
	must.Do(t, err)
	must.Do(t, bus.Egresses.Set(t.Context(), job.Egresses{Names: []string{"eu-2"}, By: "another"}, revision))
	until(t, "it says why it cannot go on", s.says("egress not declared: eu-1"))
	overdue := time.AfterFunc(time.Minute, func() { _ = s.Process.Kill() })
	_ = s.Wait()
	overdue.Stop()
	if code := s.ProcessState.ExitCode(); code != 2 || !strings.Contains(s.log.String(), "which are eu-2 (declared by producer another") {
		t.Errorf("exit %d, want 2 and the egresses named\n%s", code, s.log)
	}
}

// TestALaterProducerDoesNotChangeTheEgresses: while a producer leads the schedule, one
// with other egresses is refused, and the error names both sets. One that only names its
// own, declared egress runs beside it.
func TestALaterProducerDoesNotChangeTheEgresses(t *testing.T) {
	t.Parallel()
	servers := jobstreamtest.Start(t)
	world := fleettest.Simulate(t, "--world", "case:"+settledCase, "--limit", "0")
	bus, _ := jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{})
	leader := round.Config{Bus: bus, Name: "leader", Takeover: time.Second, Egress: "eu-1", Log: slog.New(slog.DiscardHandler)}
	if err := round.Declare(t.Context(), leader, round.Setting{Names: []string{"eu-1", "eu-2"}, Said: true}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	leads, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- leadership.Lead(ctx, leader.Leadership(), job.Schedule, func(ctx context.Context, _ string) error { close(leads); <-ctx.Done(); return nil })
	}()
	t.Cleanup(func() { stop(); <-ended })
	<-leads
	common := []string{
		"--nats", servers.NATSURL(), "--redis", servers.RedisURL(), "--mirror", world.URL,
		"--limit-requests", "1000", "--limit-window", "1s", "--limit-horizon", "100ms",
	}
	args := append([]string{"run", "--json", "--miners", world.Miners, "--registry", world.Registry, "--as-of", world.AsOf}, common...)
	for name, given := range map[string][]string{
		"another egress": {"--egress", "eu-3"}, "more": {"--egress", "eu-1", "--egresses", "eu-1,eu-2,eu-3"},
	} {
		e := run(t, "producer", append(args, given...)...)
		if e.code != 2 || !strings.Contains(e.stderr, "eu-1, eu-2 (declared by producer leader") || !strings.Contains(e.stderr, "eu-3") {
			t.Errorf("%s: exit %d, want 2 and both named\n%s", name, e.code, e.stderr)
		}
	}
	second := work(t, "eu-2", nil, append(common, "--egress", "eu-2")...)
	if o := decode(t, run(t, "producer", append(args, "--egress", "eu-1")...)); o.Planned == 0 || o.Done != o.Planned {
		t.Errorf("planned %d, done %d, want all done by the worker of the other egress", o.Planned, o.Done)
	}
	second.stop()
}
