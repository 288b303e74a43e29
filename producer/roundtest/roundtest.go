// Package roundtest runs rounds in the process, over real NATS and Redis, for the tests of
// what serves them: the API and the dashboard.
package roundtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/producer/access"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/shared/telemetry/telemetrytest"
	"mirrorfleet/worker/lease"
)

// Token is ann's, for orders. It must appear nowhere.
const Token = "PLANTED-0123456789-ann"

// Hostile is a text from outside with markup, a direction mark and a formula in it.
const Hostile = "=cmd<script>alert(1)</script>\u202e\"' onload=x&amp;"

// AsOf is the instant of the rounds, and Now an hour later.
//
//nolint:gochecknoglobals // instants are no constants
var (
	AsOf = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	Now  = AsOf.Add(time.Hour)
)

// Fleet is what a round needs, in the process.
type Fleet struct {
	Bus     *jobstream.Bus
	Limiter *ratelimit.Limiter
	Redis   redis.UniversalClient
	Client  *mirror.Client
	Mirror  string // its address
	NATS    string // its address
	// Log is for what the caller begins.
	Log telemetrytest.Log
	// Stop ends NATS, and Redis with it.
	Stop func()
	// Sick is a miner whose job fails for good; 0 for none.
	Sick atomic.Int64
	// Text is in every text from outside: in titles, names and errors.
	Text string
	// Evaluate makes the evaluations; nil for Evaluated.
	Evaluate func(job.Job) job.Evaluation
}

// Start starts NATS, Redis and a mirror that knows only the maintainers of repositories. They
// stop when the test ends.
func Start(tb testing.TB) *Fleet {
	tb.Helper()
	quiet := jobstreamtest.Quiet()
	started := jobstreamtest.Start(tb)
	f := &Fleet{Stop: started.Stop, NATS: started.NATSURL()}
	f.Bus, _ = jobstreamtest.Open(tb, started.NATSURL(), jobstream.Config{})
	f.Redis = must.Get(ratelimit.NewClient(started.RedisURL(), time.Second))(tb)
	tb.Cleanup(func() { must.Check(tb, f.Redis.Close()) })
	// A limit that is never reached: the limiter has tests of its own.
	f.Limiter = must.Get(ratelimit.New(ratelimit.Config{Limit: 1_000_000, Horizon: 10 * time.Millisecond, Log: quiet}, f.Redis))(tb)
	tb.Cleanup(func() { must.Check(tb, f.Limiter.Close()) })
	maintainers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"repo_full_name":"a/b","generated_at":"2026-06-01T00:00:00Z","maintainers":[]}`)
	}))
	tb.Cleanup(maintainers.Close)
	f.Mirror = maintainers.URL
	f.Client = must.Get(mirror.New(mirror.Config{BaseURL: f.Mirror, Meter: f.Limiter, Log: quiet}))(tb)
	tb.Cleanup(f.Client.Close)
	return f
}

// Hub follows rounds until the test's end.
func (f *Fleet) Hub(tb testing.TB) *view.Hub {
	tb.Helper()
	hub := view.NewHub(context.WithoutCancel(tb.Context()), f.Bus, jobstreamtest.Quiet())
	tb.Cleanup(hub.Close)
	return hub
}

// Buckets reads the buckets of all egresses.
func (f *Fleet) Buckets(ctx context.Context) ([]ratelimit.State, error) {
	return ratelimit.Buckets(ctx, f.Redis, time.Second)
}

// Guard takes ann's orders; read is the token for reading, "" lets anybody read.
func Guard(tb testing.TB, read string) *access.Guard {
	tb.Helper()
	return must.Get(access.New(access.Config{Orders: []access.Token{{Name: "ann", Secret: Token}}, Read: read}))(tb)
}

// Orders returns what carries out an operator's orders: a runner of its own, and the clock of
// the tests.
func (f *Fleet) Orders(tb testing.TB) steering.Config {
	tb.Helper()
	return steering.Config{
		Bus:    f.Bus,
		Replay: f.Runner(tb).Replay,
		Cancel: f.Runner(tb).FollowCancel,
		Egress: func(name string) (*ratelimit.Operator, error) {
			return ratelimit.NewOperator(name, f.Redis, time.Second)
		},
		Now: func() time.Time { return Now },
		Log: f.Logger(),
	}
}

// Logger logs to Log.
func (f *Fleet) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(&f.Log, nil)) }

// Runner runs rounds.
func (f *Fleet) Runner(tb testing.TB) *round.Runner {
	tb.Helper()
	return must.Get(round.New(round.Config{
		Bus:       f.Bus,
		Mirror:    f.Client,
		Reconcile: 200 * time.Millisecond,
		Takeover:  5 * time.Second,
		Log:       jobstreamtest.Quiet(),
	}))(tb)
}

// Work runs a worker until the test's end.
func (f *Fleet) Work(tb testing.TB) {
	tb.Helper()
	worker := must.Get(lease.New(lease.Config{
		Worker:    "w1",
		Bus:       f.Bus,
		Slots:     4,
		Grace:     time.Millisecond,
		FetchWait: 50 * time.Millisecond,
		Delays:    []time.Duration{time.Millisecond},
		Log:       jobstreamtest.Quiet(),
		Handler: func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
			if int64(j.UID) == f.Sick.Load() {
				return job.Evaluation{}, job.WithClass(job.Permanent, errors.New(strings.TrimSpace("the mirror answered 404 "+f.Text)))
			}
			if f.Evaluate != nil {
				return f.Evaluate(j), nil
			}
			return Evaluated(j, f.Text), nil
		},
	}))(tb)
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	over := make(chan error, 1)
	go func() { over <- worker.Run(ctx) }()
	tb.Cleanup(func() { stop(); must.Check(tb, <-over) })
}

// Plan is a round of two miners with jobs, one that a rule fails, the recycle uid and the
// treasury.
func (f *Fleet) Plan(tb testing.TB, planned time.Time) job.Manifest {
	tb.Helper()
	return f.PlanOf(tb, planned, `[{"uid": 0, "hotkey": "h0", "github_id": "100"},
			{"uid": 1, "hotkey": "h1", "github_id": "101"}, {"uid": 2, "hotkey": "h2", "github_id": "102"},
			{"uid": 3, "hotkey": "h3", "github_id": "103", "token": "none"},
			{"uid": 111, "hotkey": "h111", "github_id": "211", "token": "none"}]`)
}

// PlanOf is a round of other miners.
func (f *Fleet) PlanOf(tb testing.TB, planned time.Time, miners string) job.Manifest {
	tb.Helper()
	languages, weights := tokens.DefaultWeights()
	return must.Get(round.Plan(round.NewID(planned, [3]byte{1, 2, 3}), round.Inputs{
		Miners: round.File{Name: "miners.json", Data: []byte(miners)},
		Registry: round.File{Name: "registry.json", Data: []byte(`{"A/B": {"emission_share": 0.8, "maintainer_cut": 0.25,
			"issue_discovery_share": 0, "eligibility": {"min_valid_merged_prs": 1}}}`)},
		Languages:  round.File{Name: "languages", Data: languages},
		Tokens:     round.File{Name: "tokens", Data: weights},
		Mirror:     f.Mirror,
		AsOf:       AsOf,
		Unloadable: []string{"csharp"},
	}, planned))(tb)
}

// Concluded is a round of the schedule that was really run.
func (f *Fleet) Concluded(tb testing.TB, planned time.Time) outcome.Result {
	tb.Helper()
	m := f.Plan(tb, planned)
	m.Due = planned
	return f.Run(tb, m)
}

// Incomplete is such a round, in which the job of miner 2 has failed.
func (f *Fleet) Incomplete(tb testing.TB, planned time.Time) outcome.Result {
	tb.Helper()
	f.Work(tb)
	f.Sick.Store(2)
	return f.Concluded(tb, planned)
}

// Replaying lets a producer seem to run miner 2 of a concluded round again, since an instant.
func (f *Fleet) Replaying(tb testing.TB, name string, since time.Time) {
	tb.Helper()
	_, revision, err := f.Bus.Holders.Load(tb.Context(), name)
	must.Do(tb, err)
	holder := job.Holder{Name: "replays/1", For: 1000 * time.Hour, Since: since}
	must.Get(f.Bus.Holders.Set(tb.Context(), name, holder, revision))(tb)
	record, at, err := f.Bus.Records.Load(tb.Context(), name, 2)
	must.Do(tb, err)
	must.Get(f.Bus.Records.Update(tb.Context(), must.Get(record.Replanned(1, "t2"))(tb), at))(tb)
}

// Run runs a round.
func (f *Fleet) Run(tb testing.TB, m job.Manifest) outcome.Result {
	tb.Helper()
	return must.Get(f.Runner(tb).Start(Deadline(tb), m))(tb)
}

// Deadline ends what takes longer than two minutes.
func Deadline(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(tb.Context()), 2*time.Minute, errors.New("it did not end"))
	tb.Cleanup(cancel)
	return ctx
}
