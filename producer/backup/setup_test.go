package backup_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"mirrorfleet/producer/audit"
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

func TestMain(m *testing.M) {
	code := m.Run()
	if err := cluster.Clean(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// patience bounds every wait of a test; nothing is measured against it.
const patience = 3 * time.Minute

// settings is what deploy/nats ships.
var settings = filepath.Join("..", "..", "deploy", "nats", "settings.conf")

var asOf = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// fleet is real servers with the shipped settings, and one process of each role.
type fleet struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // the test's own, with its patience
	servers *cluster.Cluster
	url     func(user string) string
	bus     *jobstream.Bus // the producer's
}

// servers starts one server or three, on which nothing is.
func servers(t *testing.T, nodes int) *fleet {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("the test lost its patience"))
	t.Cleanup(cancel)
	f := &fleet{t: t, ctx: ctx}
	f.servers = cluster.Start(ctx, t, cluster.Config{Settings: settings, Nodes: nodes})
	f.url = f.servers.URL
	return f
}

// connect is a connection as the commands have it.
func (f *fleet) connect(user string) *nats.Conn {
	f.t.Helper()
	nc := must.Get(jobstream.Connect(f.ctx, f.url(user), "test", jobstream.ConnectConfig{
		Log: jobstreamtest.Quiet(), Options: []nats.Option{nats.NoReconnect()},
	}))(f.t)
	f.t.Cleanup(nc.Close)
	return nc
}

// open declares what a fleet has.
func (f *fleet) open() *fleet {
	f.t.Helper()
	f.bus = f.openAs(cluster.Producer)
	return f
}

func (f *fleet) openAs(user string) *jobstream.Bus {
	f.t.Helper()
	bus, _ := jobstreamtest.Open(f.t, f.url(user), jobstream.Config{Role: jobstream.Role(user), AckWait: time.Second})
	return bus
}

// open grants everything: the limit is not what is tested.
type open struct{}

func (open) Permit(context.Context) (time.Time, error)     { return time.Now().Add(time.Hour), nil }
func (open) CoolDown(context.Context, time.Duration) error { return nil }

// runner is a producer over a mirror that knows no maintainers.
func (f *fleet) runner() *round.Runner {
	f.t.Helper()
	nothing := httptest.NewServer(http.NotFoundHandler())
	f.t.Cleanup(nothing.Close)
	client := must.Get(mirror.New(mirror.Config{BaseURL: nothing.URL, Meter: open{}, Log: jobstreamtest.Quiet()}))(f.t)
	f.t.Cleanup(client.Close)
	return must.Get(round.New(round.Config{
		Bus: f.bus, Mirror: client, Takeover: time.Second, Reconcile: 200 * time.Millisecond, Log: jobstreamtest.Quiet(),
	}))(f.t)
}

// work runs a worker until the test ends.
func (f *fleet) work(handler lease.Handler) {
	f.t.Helper()
	r := must.Get(lease.New(lease.Config{
		Worker: "w1", Bus: f.openAs(cluster.Worker), Handler: handler, Slots: 16, Grace: time.Millisecond,
		FetchWait: 50 * time.Millisecond, Delays: []time.Duration{time.Millisecond}, Log: jobstreamtest.Quiet(),
	}))(f.t)
	ctx, cancel := context.WithCancel(context.WithoutCancel(f.ctx))
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	f.t.Cleanup(func() {
		cancel()
		<-ended // the servers may be gone by then
	})
}

// evaluated is what the test's workers find of a miner, the same every time: in
// the round "dead" miner 2 fails for good until it is replayed.
func evaluated(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
	if j.Round == "r-dead" && j.UID == 2 && j.Replay == 0 {
		return job.Evaluation{}, job.WithClass(job.Permanent, errors.New("the mirror refused"))
	}
	return job.Evaluation{Evaluation: scoring.Evaluation{
		UID: j.UID, Hotkey: j.Hotkey, GitHubID: j.GitHubID,
		Merged: []scoring.ScoredPullRequest{{
			Repository: "a/b", Number: j.UID, State: scoring.Merged, Scored: true, BaseScore: float64(10 + j.UID),
			IssueMultiplier: 1, TimeDecayMultiplier: 1, ReviewQualityMultiplier: 1, LabelMultiplier: 1,
		}},
	}}, nil
}

// gated evaluates as evaluated does; jobs of one round wait for a token each.
func gated(name string, tokens <-chan struct{}) lease.Handler {
	return func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		if j.Round == name {
			select {
			case <-tokens:
			case <-ctx.Done():
				return job.Evaluation{}, context.Cause(ctx)
			}
		}
		return evaluated(ctx, j, a)
	}
}

// inEachState leaves a round that is concluded, one with a dead letter and a replay
// that was broken off, and one that was planned and not published.
func (f *fleet) inEachState() {
	f.t.Helper()
	f.concluded(manifest("r-concluded", 3))
	f.concluded(manifest("r-dead", 3))
	must.Do(f.t, f.bus.Rounds.CreateReplay(f.ctx, job.Replay{Round: "r-dead", Number: 1, UIDs: []int{2}, By: "killed", At: asOf}))
	must.Do(f.t, f.bus.Rounds.CreateManifest(f.ctx, manifest("r-planned", 3)))
}

// allow lets so many jobs end.
func allow(tokens chan<- struct{}, n int) {
	for range n {
		tokens <- struct{}{}
	}
}

// manifest plans a round of so many miners.
func manifest(name string, miners int) job.Manifest {
	m := job.Manifest{
		Round: name, AsOf: asOf, PlannedAt: asOf, Registry: []byte(`{"a/b": {"emission_share": 0.5}}`),
		Languages: []byte(`{}`), Tokens: []byte(`{}`), Mirror: "http://mirror.test",
	}
	for uid := 1; uid <= miners; uid++ {
		m.Miners = append(m.Miners, input.Miner{UID: uid, Hotkey: fmt.Sprintf("h%d", uid), GitHubID: fmt.Sprint(1000 + uid), Token: input.TokenValid})
	}
	return m
}

// start runs a round until it ends or the test does.
func (f *fleet) start(m job.Manifest) <-chan outcome.Result {
	f.t.Helper()
	out, ended := make(chan outcome.Result, 1), make(chan struct{})
	ctx, cancel := context.WithCancel(f.ctx)
	runner := f.runner()
	go func() {
		defer close(ended)
		result, err := runner.Start(ctx, m)
		if err == nil {
			out <- result
		} else if ctx.Err() == nil {
			f.t.Errorf("round %s: %v", m.Round, err)
		}
	}()
	f.t.Cleanup(func() { cancel(); <-ended })
	return out
}

// concluded runs a round to its end.
func (f *fleet) concluded(m job.Manifest) outcome.Result {
	f.t.Helper()
	return must.Receive(f.ctx, f.t, f.start(m), "the outcome of "+m.Round)
}

// resumed goes on with a round, and wants its audit to be clean afterwards.
func (f *fleet) resumed(name string) outcome.Result {
	f.t.Helper()
	result := must.Get(f.runner().Resume(f.ctx, name))(f.t)
	f.audited(name)
	return result
}

func (f *fleet) audited(name string) {
	f.t.Helper()
	a := audit.Of(must.Get(f.bus.Inventory(f.ctx, name))(f.t))
	if !a.Holds() || a.Outstanding > 0 {
		f.t.Errorf("round %s: %s: %v", name, a, a.Discrepancies)
	}
}

// done counts the jobs of a round that are done.
func (f *fleet) done(name string) (n int) {
	f.t.Helper()
	for _, r := range must.Get(f.bus.Records.List(f.ctx, name))(f.t) {
		if r.Phase == job.Done {
			n++
		}
	}
	return n
}
