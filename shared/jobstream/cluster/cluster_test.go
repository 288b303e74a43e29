package cluster_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/worker/lease"
)

// TestShippedConfigurations: the server itself finds nothing wrong with them,
// and would find it: a copy with a misspelt setting is refused.
func TestShippedConfigurations(t *testing.T) {
	t.Parallel()
	binary := must.Get(cluster.Binary(t.Context()))(t)
	check := func(path string) (string, error) {
		cmd := exec.CommandContext(t.Context(), binary, "-t", "-c", path)
		cmd.Env = append(os.Environ(), cluster.Environment(t.TempDir())...)
		cmd.Env = append(cmd.Env, "NATS_NAME=nats-1", "NATS_ROUTE_PASSWORD=test-only")
		for i := range 3 {
			cmd.Env = append(cmd.Env, fmt.Sprintf("NATS_ROUTE_%d=nats://route:test-only@nats-%d:6222", i+1, i+1))
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	folder := filepath.Dir(settings)
	for _, name := range []string{"single.conf", "cluster.conf"} {
		if out, err := check(filepath.Join(folder, name)); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	spoilt := t.TempDir()
	for _, name := range []string{"single.conf", "settings.conf"} {
		data := must.Get(os.ReadFile(filepath.Join(folder, name)))(t)
		data = []byte(strings.ReplaceAll(string(data), "sync_interval", "sink_interval"))
		must.Do(t, os.WriteFile(filepath.Join(spoilt, name), data, 0o600))
	}
	if out, err := check(filepath.Join(spoilt, "single.conf")); err == nil {
		t.Errorf("a misspelt setting is accepted: %s", out)
	}
}

// open is a meter that grants everything: the limit is not what is tested.
type open struct{}

func (open) Permit(context.Context) (time.Time, error)     { return time.Now().Add(time.Hour), nil }
func (open) CoolDown(context.Context, time.Duration) error { return nil }

// TestARoundOutlivesTheLossOfAnyNode kills the node that leads the jobs, then
// each other one, in the middle of a round, and brings it back: the round goes
// on while the node is away, and every job is done once.
func TestARoundOutlivesTheLossOfAnyNode(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const jobs, step = 40, 5
	bus := b.open(b.nc, 3)
	tokens, ran := make(chan struct{}, jobs), make(chan int, 10*jobs)
	b.work("w1", b.as(jobstream.RoleWorker), 0, func(ctx context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
		select {
		case <-tokens:
			ran <- j.UID
			return job.Evaluation{Evaluation: scoring.Evaluation{UID: j.UID, Hotkey: j.Hotkey, GitHubID: j.GitHubID}}, nil
		case <-ctx.Done():
			return job.Evaluation{}, context.Cause(ctx)
		}
	})
	ending := b.round(bus, jobs)
	done := 0
	forward := func(when string) {
		for range step {
			tokens <- struct{}{}
		}
		done += step
		b.until(fmt.Sprintf("%d jobs are done %s", done, when), func() bool { return b.done(bus) >= done })
	}
	forward("with all nodes")
	for _, n := range b.leaderFirst() {
		b.cluster.Kill(n)
		forward(fmt.Sprintf("without node %d", n))
		b.must(b.cluster.Restart(n))
		b.must(b.cluster.Healthy(b.ctx))
	}
	for done < jobs {
		forward("with all nodes again")
	}
	select {
	case result := <-ending:
		if result.Done != jobs || result.Failed != 0 || result.Retries != 0 {
			t.Errorf("done %d, failed %d, retries %d, want %d done and nothing else", result.Done, result.Failed, result.Retries, jobs)
		}
	case <-b.ctx.Done():
		t.Fatal("the round did not end")
	}
	if n := len(ran); n != jobs {
		t.Errorf("%d evaluations for %d jobs", n, jobs)
	}
}

// leaderFirst are all nodes, the jobs' leader first.
func (b *bundle) leaderFirst() []int {
	b.t.Helper()
	first := b.leader()
	return []int{first, (first + 1) % 3, (first + 2) % 3}
}

// work runs a worker until the test ends; wait is how long one pull of it takes, 0 for
// the usual time.
func (b *bundle) work(name string, bus *jobstream.Bus, wait time.Duration, handler lease.Handler) {
	b.t.Helper()
	r, err := lease.New(lease.Config{Worker: name, Bus: bus, Handler: handler, Slots: 4, Grace: time.Millisecond, FetchWait: wait, Log: jobstreamtest.Quiet()})
	b.must(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.ctx))
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		must.Check(b.t, <-ended)
	})
}

// round starts a round of so many miners.
func (b *bundle) round(bus *jobstream.Bus, miners int) <-chan outcome.Result {
	b.t.Helper()
	m := job.Manifest{
		Round: "r1", AsOf: asOf, PlannedAt: asOf, Registry: []byte(`{"a/b": {"emission_share": 0.5}}`), Languages: []byte(`{}`), Tokens: []byte(`{}`),
	}
	for uid := 1; uid <= miners; uid++ {
		m.Miners = append(m.Miners, input.Miner{UID: uid, Hotkey: fmt.Sprintf("h%d", uid), GitHubID: fmt.Sprint(1000 + uid), Token: input.TokenValid})
	}
	nothing := httptest.NewServer(http.NotFoundHandler())
	b.t.Cleanup(nothing.Close)
	m.Mirror = nothing.URL
	client, err := mirror.New(mirror.Config{BaseURL: nothing.URL, Meter: open{}})
	b.must(err)
	b.t.Cleanup(client.Close)
	r, err := round.New(round.Config{Bus: bus, Mirror: client})
	b.must(err)
	out := make(chan outcome.Result, 1)
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(b.ctx)
	go func() {
		defer close(ended)
		result, err := r.Start(ctx, m)
		if err != nil {
			b.t.Error(err)
			return
		}
		out <- result
	}()
	b.t.Cleanup(func() { cancel(); <-ended })
	return out
}

func (b *bundle) done(bus *jobstream.Bus) int {
	b.t.Helper()
	records, err := bus.Records.List(b.ctx, "r1")
	b.must(err)
	n := 0
	for _, r := range records {
		if r.Phase == job.Done {
			n++
		}
	}
	return n
}

// TestReplicasAreRaised: streams and buckets that were made with one copy get
// three, and what they held outlives the node that had it.
func TestReplicasAreRaised(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bus := b.open(b.nc, 1)
	b.must(bus.Queue.Publish(b.ctx, job.Job{Round: "r1", UID: 1, Hotkey: "h", GitHubID: "1", AsOf: asOf}))
	_, err := bus.Records.Plan(b.ctx, job.Plan("r1", 1, ""))
	b.must(err)
	holder := b.leader()
	bus = b.open(b.nc, 3)
	names := []string{job.StreamJobs, job.StreamDead, job.StreamAdvisory}
	for _, bucket := range []string{job.BucketRounds, job.BucketRecords, job.BucketEvaluation, job.BucketMiners, job.BucketScores, job.BucketIdentities} {
		names = append(names, "KV_"+bucket)
	}
	for _, name := range names {
		b.until(name+" has three copies that have caught up", func() bool { return b.copies(name) == 3 })
	}
	b.until("the workers' consumer has three copies that have caught up", b.consumerCopied)
	b.must(b.cluster.Healthy(b.ctx)) // as docs/scale.md tells operators to wait
	b.cluster.Kill(holder)
	if r, _, err := bus.Records.Load(b.ctx, "r1", 1); err != nil || r.UID != 1 {
		t.Errorf("the record reads as %+v, %v", r, err)
	}
	worker := b.as(jobstream.RoleWorker)
	b.until("the job is handed out", func() bool {
		got, err := worker.Queue.Fetch(b.ctx, 1, time.Second)
		if err != nil && !jobstream.Away(err) {
			t.Fatal(err)
		}
		return len(got) == 1
	})
}

// copies is how many copies of a stream are up to date; 0 if nobody says.
func (b *bundle) copies(stream string) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Second)
	defer cancel()
	s, err := b.js.Stream(ctx, stream)
	if err != nil || s.CachedInfo().Cluster == nil || s.CachedInfo().Config.Replicas != 3 {
		return 0
	}
	return 1 + current(s.CachedInfo().Cluster) // and the leader
}

// consumerCopied says whether the state of the deliveries has all its copies.
func (b *bundle) consumerCopied() bool {
	ctx, cancel := context.WithTimeout(b.ctx, time.Second)
	defer cancel()
	c, err := b.js.Consumer(ctx, job.StreamJobs, job.Consumer)
	return err == nil && c.CachedInfo().Cluster != nil && current(c.CachedInfo().Cluster) == 2
}

// current counts the followers that have caught up.
func current(c *jetstream.ClusterInfo) int {
	n := 0
	for _, peer := range c.Replicas {
		if peer.Current && !peer.Offline {
			n++
		}
	}
	return n
}
