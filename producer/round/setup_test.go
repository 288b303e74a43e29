package round_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/lease"
)

// TestMain runs the tests, or a process that one of them needs.
func TestMain(m *testing.M) {
	for env, process := range map[string]func(string) error{workerEnv: workAsProcess, producerEnv: produceAsProcess} {
		addresses := os.Getenv(env)
		if addresses == "" {
			continue
		}
		if err := process(addresses); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// bundle is a producer's surroundings: real NATS, a limiter on Redis, and a
// mirror that knows maintainers.
type bundle struct {
	bus    *jobstream.Bus
	js     jetstream.JetStream
	nats   string
	redis  string
	client *mirror.Client
	url    string
	// maintainers answers the look-ups; the status is 200 unless set.
	status    atomic.Int64
	malformed atomic.Bool                   // one more maintainer, who cannot be read
	hang      atomic.Pointer[chan struct{}] // no answer: it gets a word of each request
	lookUps   atomic.Int64
	progress  atomic.Pointer[round.Progress]
}

func setup(tb testing.TB, cfg jobstream.Config) *bundle {
	tb.Helper()
	return setupOn(tb, jobstreamtest.Start(tb), cfg)
}

func setupOn(tb testing.TB, servers *jobstreamtest.Servers, cfg jobstream.Config) *bundle {
	tb.Helper()
	b := &bundle{nats: servers.NATSURL(), redis: servers.RedisURL()}
	var nc *nats.Conn
	b.bus, nc = jobstreamtest.Open(tb, b.nats, cfg)
	var err error
	b.js, err = jetstream.New(nc)
	must.Do(tb, err)
	rdb, err := ratelimit.NewClient(b.redis, time.Second)
	must.Do(tb, err)
	tb.Cleanup(func() { must.Check(tb, rdb.Close()) })
	// The limit is too wide to matter: the limiter has tests of its own.
	limiter, err := ratelimit.New(ratelimit.Config{Limit: 1_000_000, Horizon: 10 * time.Millisecond, Log: jobstreamtest.Quiet()}, rdb)
	must.Do(tb, err)
	tb.Cleanup(func() { must.Check(tb, limiter.Close()) })
	server := httptest.NewServer(http.HandlerFunc(b.answer))
	tb.Cleanup(server.Close)
	b.url = server.URL
	b.client, err = mirror.New(mirror.Config{
		BaseURL: server.URL, Meter: limiter, Backoff: time.Millisecond, MaxBackoff: time.Millisecond, Log: jobstreamtest.Quiet(),
	})
	must.Do(tb, err)
	tb.Cleanup(b.client.Close)
	return b
}

// answer knows one maintainer, miner 2, for every repository.
func (b *bundle) answer(w http.ResponseWriter, r *http.Request) {
	b.lookUps.Add(1)
	if asked := b.hang.Load(); asked != nil {
		hangs(r, *asked)
		return
	}
	if status := int(b.status.Load()); status != 0 {
		http.Error(w, `{"message":"no"}`, status)
		return
	}
	more := ""
	if b.malformed.Load() {
		more = `,{"login":"x"}`
	}
	repository := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/api/v1/repos/"), "/maintainers")
	fmt.Fprintf(w, `{"repo_full_name":%q,"generated_at":"2026-06-01T00:00:00Z","maintainers":[`+
		`{"github_id":"102","login":"m","association":"OWNER"}%s]}`, repository, more)
}

// runner is a producer of its own, which looks more often than in production.
func (b *bundle) runner(tb testing.TB, changes ...func(*round.Config)) *round.Runner {
	tb.Helper()
	cfg := round.Config{
		Bus: b.bus, Mirror: b.client, Progress: func(p round.Progress) { b.progress.Store(&p) },
		Reconcile: 200 * time.Millisecond, Takeover: 5 * time.Second,
	}
	for _, change := range changes {
		change(&cfg)
	}
	r, err := round.New(cfg)
	must.Do(tb, err)
	return r
}

// work runs a worker with the given handler until the test ends.
func (b *bundle) work(tb testing.TB, handler lease.Handler, changes ...func(*lease.Config)) {
	tb.Helper()
	cfg := lease.Config{
		Worker: "w1", Bus: b.bus, Handler: handler, Slots: 4, Grace: time.Millisecond, FetchWait: 50 * time.Millisecond,
		Delays: []time.Duration{time.Millisecond}, Log: slog.New(slog.DiscardHandler),
	}
	for _, change := range changes {
		change(&cfg)
	}
	runner, err := lease.New(cfg)
	must.Do(tb, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	tb.Cleanup(func() { stop(); must.Check(tb, <-ended) })
}

// plan is a round of the given miners over one repository with a maintainers' cut.
func (b *bundle) plan(tb testing.TB, miners ...input.Miner) job.Manifest {
	tb.Helper()
	data, err := json.Marshal(miners)
	must.Do(tb, err)
	languages, tokens := tokens.DefaultWeights()
	m, err := round.Plan(round.NewID(time.Now(), [3]byte{1, 2, 3}), round.Inputs{
		Miners: round.File{Name: "miners.json", Data: data},
		Registry: round.File{Name: "registry.json", Data: []byte(`{"A/B": {"emission_share": 0.8, "maintainer_cut": 0.25,
			"issue_discovery_share": 0, "eligibility": {"min_valid_merged_prs": 1}}}`)},
		Languages: round.File{Name: "languages", Data: languages}, Tokens: round.File{Name: "tokens", Data: tokens},
		Mirror: b.url, AsOf: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), Unloadable: []string{"csharp"},
	}, time.Now())
	must.Do(tb, err)
	return m
}

// four are the recycle uid, two miners with jobs, and one that fails a rule.
func four() []input.Miner {
	return []input.Miner{
		{UID: 0, Hotkey: "h0", GitHubID: "100"},
		{UID: 1, Hotkey: "h1", GitHubID: "101"},
		{UID: 2, Hotkey: "h2", GitHubID: "102"},
		{UID: 3, Hotkey: "h3", GitHubID: "103", Token: input.TokenNone},
	}
}

// evaluated is an evaluation with one merged pull request of the given score.
func evaluated(j job.Job, base float64) job.Evaluation {
	return job.Evaluation{
		Version: job.Version, Round: j.Round, UID: j.UID,
		Evaluation: scoring.Evaluation{
			UID: j.UID, Hotkey: j.Hotkey, GitHubID: j.GitHubID,
			Merged: []scoring.ScoredPullRequest{{
				Repository: "a/b", Number: j.UID, State: scoring.Merged, Scored: true, BaseScore: base,
				IssueMultiplier: 1, TimeDecayMultiplier: 1, ReviewQualityMultiplier: 1, LabelMultiplier: 1,
			}},
		},
	}
}

func deadline(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeoutCause(tb.Context(), 3*time.Minute, errors.New("the round did not end"))
	tb.Cleanup(cancel)
	return ctx
}
