package web_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
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
	"go.uber.org/goleak"

	"mirrorfleet/producer/access"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/listen"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/shared/telemetry/telemetrytest"
	"mirrorfleet/worker/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// token must come out nowhere.
const token = "PLANTED-0123456789-api-token"

// asOf is the tests' round's instant, and now an hour later.
var (
	asOf = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	now  = asOf.Add(time.Hour)
)

// bundle is an API over real NATS and Redis, with what a round needs.
type bundle struct {
	bus     *jobstream.Bus
	limiter *ratelimit.Limiter
	redis   redis.UniversalClient
	client  *mirror.Client
	mirror  string
	log     telemetrytest.Log
	// sick is a miner whose job fails for good; 0 for none.
	sick atomic.Int64
	// evaluate makes the evaluations; nil for evaluated.
	evaluate func(job.Job) job.Evaluation
	url      string
	nats     string
	// stopNATS ends NATS, and Redis with it.
	stopNATS func()
}

// servers opens NATS and Redis, without an API.
func servers(t *testing.T) *bundle {
	t.Helper()
	quiet := jobstreamtest.Quiet()
	started := jobstreamtest.Start(t)
	b := &bundle{stopNATS: started.Stop, nats: started.NATSURL()}
	b.bus, _ = jobstreamtest.Open(t, started.NATSURL(), jobstream.Config{})
	rdb := must.Get(ratelimit.NewClient(started.RedisURL(), time.Second))(t)
	t.Cleanup(func() { must.Check(t, rdb.Close()) })
	b.redis = rdb
	// A limit out of the way: what it holds is the limiter's own to test.
	b.limiter = must.Get(ratelimit.New(ratelimit.Config{Limit: 1_000_000, Horizon: 10 * time.Millisecond, Log: quiet}, rdb))(t)
	t.Cleanup(func() { must.Check(t, b.limiter.Close()) })
	maintainers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"repo_full_name":"a/b","generated_at":"2026-06-01T00:00:00Z","maintainers":[]}`)
	}))
	t.Cleanup(maintainers.Close)
	b.mirror = maintainers.URL
	b.client = must.Get(mirror.New(mirror.Config{BaseURL: b.mirror, Meter: b.limiter, Log: quiet}))(t)
	t.Cleanup(b.client.Close)
	return b
}

// setup serves the API over all that.
func setup(t *testing.T, changes ...func(*settings)) *bundle {
	t.Helper()
	b := servers(t)
	b.serve(t, changes...)
	return b
}

// settings are those of an API, of the orders that it gives, and how it is served.
type settings struct {
	web.Config

	orders steering.Config
	tls    *tls.Config
}

// config is what the API works with, with a token and the clock of the tests.
func (b *bundle) config(t *testing.T) settings {
	t.Helper()
	clock, log := func() time.Time { return now }, slog.New(slog.NewTextHandler(&b.log, nil))
	return settings{
		Config: web.Config{
			Bus: b.bus, Hub: view.NewHub(t.Context(), b.bus, jobstreamtest.Quiet()), Limit: b.limiter.State, Guard: guard(t, ""), Now: clock,
			Log: log, Timeout: 30 * time.Second,
			Buckets: func(ctx context.Context) ([]ratelimit.State, error) {
				return ratelimit.Buckets(ctx, b.redis, time.Second)
			},
		},
		orders: steering.Config{
			Bus: b.bus, Replay: b.runner(t).Replay, Cancel: b.runner(t).FollowCancel, Now: clock, Log: log,
			Egress: func(name string) (*ratelimit.Operator, error) {
				return ratelimit.NewOperator(name, b.redis, time.Second)
			},
		},
	}
}

// open is the API. What it has begun ends with the test.
func (s *settings) open(t *testing.T) *web.API {
	t.Helper()
	s.Operator = must.Get(steering.NewOperator(t.Context(), s.orders))(t)
	t.Cleanup(s.Operator.Close)
	t.Cleanup(s.Hub.Close) // before the server, which has its cleanup later
	return must.Get(web.New(s.Config))(t)
}

// served is an API at an address.
type served struct {
	*listen.Server

	cfg settings
}

func (s *served) Close() error {
	s.cfg.Hub.Close()
	err := s.Server.Close()
	s.cfg.Operator.Close()
	return err
}

// serve starts the API.
func (b *bundle) serve(t *testing.T, changes ...func(*settings)) *served {
	t.Helper()
	cfg := b.config(t)
	for _, change := range changes {
		change(&cfg)
	}
	api := cfg.open(t)
	s := &served{cfg: cfg}
	s.Server = must.Get(listen.Start(t.Context(), listen.Config{
		Addr: "127.0.0.1:0", Handler: api, Connections: 2 * view.MaxViewers, Grace: time.Second, TLS: cfg.tls, Log: cfg.Log,
	}))(t)
	t.Cleanup(func() { must.Check(t, s.Close()) })
	b.url = "http://" + s.Addr()
	return s
}

// guard has the tests' token for orders, and a token for reading; "" lets anybody read.
func guard(t *testing.T, read string) *access.Guard {
	t.Helper()
	return must.Get(access.New(access.Config{Orders: []access.Token{{Name: "ann", Secret: token}}, Read: read}))(t)
}

func (b *bundle) runner(t *testing.T) *round.Runner {
	t.Helper()
	r := must.Get(round.New(round.Config{Bus: b.bus, Mirror: b.client, Reconcile: 200 * time.Millisecond, Takeover: 5 * time.Second}))(t)
	return r
}

// work runs a worker whose evaluations have one merged pull request each.
func (b *bundle) work(t *testing.T) {
	t.Helper()
	worker := must.Get(lease.New(lease.Config{
		Worker: "w1", Bus: b.bus, Slots: 4, Grace: time.Millisecond, FetchWait: 50 * time.Millisecond, Delays: []time.Duration{time.Millisecond},
		Log: slog.New(slog.DiscardHandler),
		Handler: func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
			if int64(j.UID) == b.sick.Load() {
				return job.Evaluation{}, job.WithClass(job.Permanent, errors.New("the mirror answered 404"))
			}
			if b.evaluate != nil {
				return b.evaluate(j), nil
			}
			return evaluated(j), nil
		},
	}))(t)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	over := make(chan error, 1)
	go func() { over <- worker.Run(ctx) }()
	t.Cleanup(func() { stop(); must.Check(t, <-over) })
}

func evaluated(j job.Job) job.Evaluation {
	merged := asOf.Add(-24 * time.Hour)
	return job.Evaluation{
		Version: job.Version, Round: j.Round, UID: j.UID,
		Evaluation: scoring.Evaluation{
			UID: j.UID, Hotkey: j.Hotkey, GitHubID: j.GitHubID,
			Merged: []scoring.ScoredPullRequest{{
				Repository: "a/b", Number: j.UID, State: scoring.Merged, Scored: true, BaseScore: float64(10 * j.UID),
				IssueMultiplier: 1, TimeDecayMultiplier: 1, ReviewQualityMultiplier: 1, LabelMultiplier: 1,
				CreatedAt: asOf.Add(-46*time.Hour + -57*time.Minute + -56*time.Second - 876544*time.Microsecond), MergedAt: merged,
				MaintainerChangesRequestedCount: 1,
				Listed: &scoring.Listed{
					AuthorLogin: fmt.Sprintf("login%d", j.UID), MergedByLogin: "merger", Body: new("Closes #7"), HeadSHA: "head", BaseSHA: "base",
					Additions: 5, Deletions: 2, Commits: 3,
					Issues: []scoring.ListedIssue{{
						Number: 7, Title: "It leaks", State: scoring.Closed, StateReason: scoring.Completed, AuthorID: new("9"),
						AuthorAssociation: "NONE", ClosedAt: merged, UpdatedAt: merged,
					}},
				},
				Tokens: &tokens.Figures{Files: []tokens.FileFigures{{
					Filename: "new.go", Method: tokens.MethodTreeDiff, Category: tokens.CategorySource,
					Change: tokens.Change{Status: "renamed", PreviousFilename: "old.go", Additions: 5, Deletions: 2, Changes: 7},
				}}},
			}},
		},
	}
}

// plan is a round of two miners with jobs, one that a rule fails, the recycle
// uid and the treasury.
func (b *bundle) plan(t *testing.T, planned time.Time) job.Manifest {
	t.Helper()
	languages, tokens := tokens.DefaultWeights()
	m := must.Get(round.Plan(round.NewID(planned, [3]byte{1, 2, 3}), round.Inputs{
		Miners: round.File{Name: "miners.json", Data: []byte(`[{"uid": 0, "hotkey": "h0", "github_id": "100"},
			{"uid": 1, "hotkey": "h1", "github_id": "101"}, {"uid": 2, "hotkey": "h2", "github_id": "102"},
			{"uid": 3, "hotkey": "h3", "github_id": "103", "token": "none"},
			{"uid": 111, "hotkey": "h111", "github_id": "211", "token": "none"}]`)},
		Registry: round.File{Name: "registry.json", Data: []byte(`{"A/B": {"emission_share": 0.8, "maintainer_cut": 0.25,
			"issue_discovery_share": 0, "eligibility": {"min_valid_merged_prs": 1}}}`)},
		Languages: round.File{Name: "languages", Data: languages}, Tokens: round.File{Name: "tokens", Data: tokens},
		Mirror: b.mirror, AsOf: asOf, Unloadable: []string{"csharp"},
	}, planned))(t)
	return m
}

// concluded is a round of the schedule that was really run.
func (b *bundle) concluded(t *testing.T, planned time.Time) outcome.Result {
	t.Helper()
	m := b.plan(t, planned)
	m.Due = planned
	return b.run(t, m)
}

// withADeadMiner serves the API over a concluded round of the schedule in which the mirror
// answered 404 to the job of miner 2.
func withADeadMiner(t *testing.T) (*bundle, outcome.Result) {
	t.Helper()
	b := setup(t)
	b.work(t)
	b.sick.Store(2)
	return b, b.concluded(t, now)
}

func (b *bundle) run(t *testing.T, m job.Manifest) outcome.Result {
	t.Helper()
	return must.Get(b.runner(t).Start(deadline(t), m))(t)
}

// said is what the API answered.
type said struct {
	status int
	header http.Header
	body   string
}

// into decodes a body.
func into[T any](t *testing.T, a said) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%v in %.300s", err, a.body)
	}
	return v
}

// ask asks the API, and holds that its answer is as the description says.
func (b *bundle) ask(t *testing.T, method, path, body string, headers ...string) said {
	t.Helper()
	answer := nettest.Ask(t, method, b.url+path, body, headers...)
	a := said{answer.Status, answer.Header, answer.Body}
	if err := webtest.Answered(answer.Request, a.status, a.header, a.body); err != nil {
		t.Errorf("%s %s: %d is not as described: %v", method, path, a.status, err)
	}
	checkProblem(t, a)
	if strings.Contains(a.body, token) || strings.Contains(b.log.String(), token) {
		t.Errorf("%s %s: the token is in the answer or in the log", method, path)
	}
	return a
}

// checkProblem holds that what is refused is a problem document whose type is
// listed and whose status is the answer's.
func checkProblem(t *testing.T, a said) {
	t.Helper()
	if a.status < 400 || a.body == "" {
		return
	}
	var p struct {
		Type   string `json:"type"`
		Status int    `json:"status"`
	}
	known := false
	err := json.Unmarshal([]byte(a.body), &p)
	for _, name := range web.Problems() {
		known = known || p.Type == "/api/v1/problems/"+name
	}
	if err != nil || !known || p.Status != a.status || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("status %d, type %q: %s, want a problem document", a.status, a.header.Get("Content-Type"), a.body)
	}
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 60*time.Second, errors.New("it did not end"))
	t.Cleanup(cancel)
	return ctx
}
