package dashboard_test

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
	"go.uber.org/goleak"

	"mirrorfleet/producer/access"
	"mirrorfleet/producer/dashboard"
	"mirrorfleet/producer/doctor"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
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

// token is ann's, for orders. It must come out nowhere.
const token = "PLANTED-0123456789-ann"

// hostile is a text from outside that markup, a direction mark and a formula are planted in.
const hostile = "=cmd<script>alert(1)</script>\u202e\"' onload=x&amp;"

// asOf is the tests' round's instant, and now an hour later.
var (
	asOf = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	now  = asOf.Add(time.Hour)
)

// bundle is a dashboard over real NATS and Redis, with what a round needs.
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

// servers opens NATS and Redis, without a dashboard.
func servers(tb testing.TB) *bundle {
	tb.Helper()
	quiet := jobstreamtest.Quiet()
	started := jobstreamtest.Start(tb)
	b := &bundle{stopNATS: started.Stop, nats: started.NATSURL()}
	b.bus, _ = jobstreamtest.Open(tb, started.NATSURL(), jobstream.Config{})
	b.redis = must.Get(ratelimit.NewClient(started.RedisURL(), time.Second))(tb)
	tb.Cleanup(func() { must.Check(tb, b.redis.Close()) })
	// A limit out of the way: what it holds is the limiter's own to test.
	b.limiter = must.Get(ratelimit.New(ratelimit.Config{Limit: 1_000_000, Horizon: 10 * time.Millisecond, Log: quiet}, b.redis))(tb)
	tb.Cleanup(func() { must.Check(tb, b.limiter.Close()) })
	maintainers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"repo_full_name":"a/b","generated_at":"2026-06-01T00:00:00Z","maintainers":[]}`)
	}))
	tb.Cleanup(maintainers.Close)
	b.mirror = maintainers.URL
	b.client = must.Get(mirror.New(mirror.Config{BaseURL: b.mirror, Meter: b.limiter, Log: quiet}))(tb)
	tb.Cleanup(b.client.Close)
	return b
}

// setup serves the dashboard over all that, with ann's token and the clock of the tests.
func setup(tb testing.TB, changes ...func(*dashboard.Config)) *bundle {
	tb.Helper()
	b := servers(tb)
	b.serve(tb, changes...)
	return b
}

func (b *bundle) serve(tb testing.TB, changes ...func(*dashboard.Config)) {
	tb.Helper()
	cfg := dashboard.Config{
		Bus:   b.bus,
		Guard: guardOf(tb, ""),
		Hub:   hubOf(tb, b.bus),
		Buckets: func(ctx context.Context) ([]ratelimit.State, error) {
			return ratelimit.Buckets(ctx, b.redis, time.Second)
		},
		Operator: b.operator(tb),
		Doctor:   func(context.Context) (doctor.Diagnosis, error) { return doctor.Diagnosis{}, nil },
		Now:      func() time.Time { return now },
		Timeout:  30 * time.Second,
		Log:      slog.New(slog.NewTextHandler(&b.log, nil)),
	}
	for _, change := range changes {
		change(&cfg)
	}
	d := must.Get(dashboard.New(cfg))(tb)
	server := httptest.NewServer(d)
	tb.Cleanup(func() { d.Close(); server.Close() })
	b.url = server.URL
}

// hubOf follows rounds until the test's end.
func hubOf(tb testing.TB, bus *jobstream.Bus) *view.Hub {
	tb.Helper()
	hub := view.NewHub(context.WithoutCancel(tb.Context()), bus, slog.New(slog.DiscardHandler))
	tb.Cleanup(hub.Close)
	return hub
}

// operator carries out orders by a runner of its own.
func (b *bundle) operator(tb testing.TB) *steering.Operator {
	tb.Helper()
	o := must.Get(steering.NewOperator(tb.Context(), steering.Config{
		Bus:    b.bus,
		Replay: b.runner(tb).Replay,
		Cancel: b.runner(tb).FollowCancel,
		Egress: func(name string) (*ratelimit.Operator, error) {
			return ratelimit.NewOperator(name, b.redis, time.Second)
		},
		Now: func() time.Time { return now },
		Log: slog.New(slog.NewTextHandler(&b.log, nil)),
	}))(tb)
	tb.Cleanup(o.Close)
	return o
}

// guardOf takes ann's orders; read is the token for reading, "" lets anybody read.
func guardOf(tb testing.TB, read string) *access.Guard {
	tb.Helper()
	return must.Get(access.New(access.Config{Orders: []access.Token{{Name: "ann", Secret: token}}, Read: read}))(tb)
}

func (b *bundle) runner(tb testing.TB) *round.Runner {
	tb.Helper()
	return must.Get(round.New(round.Config{
		Bus:       b.bus,
		Mirror:    b.client,
		Reconcile: 200 * time.Millisecond,
		Takeover:  5 * time.Second,
		Log:       jobstreamtest.Quiet(),
	}))(tb)
}

// work runs a worker whose evaluations have one merged pull request each.
func (b *bundle) work(tb testing.TB) {
	tb.Helper()
	worker := must.Get(lease.New(lease.Config{
		Worker: "w1", Bus: b.bus, Slots: 4, Grace: time.Millisecond, FetchWait: 50 * time.Millisecond, Delays: []time.Duration{time.Millisecond},
		Log: slog.New(slog.DiscardHandler),
		Handler: func(_ context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
			if int64(j.UID) == b.sick.Load() {
				return job.Evaluation{}, job.WithClass(job.Permanent, errors.New("the mirror answered 404 "+hostile))
			}
			if b.evaluate != nil {
				return b.evaluate(j), nil
			}
			return evaluated(j), nil
		},
	}))(tb)
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	over := make(chan error, 1)
	go func() { over <- worker.Run(ctx) }()
	tb.Cleanup(func() { stop(); must.Check(tb, <-over) })
}

// evaluated is an evaluation with a merged pull request whose texts are hostile.
func evaluated(j job.Job) job.Evaluation {
	merged := asOf.Add(-24 * time.Hour)
	return job.Evaluation{
		Version: job.Version, Round: j.Round, UID: j.UID,
		Evaluation: scoring.Evaluation{
			UID: j.UID, Hotkey: j.Hotkey, GitHubID: j.GitHubID,
			Merged: []scoring.ScoredPullRequest{{
				Repository: "a/b", Number: j.UID, Title: "Title " + hostile, State: scoring.Merged, Scored: true, BaseScore: float64(10 * j.UID),
				IssueMultiplier: 1, TimeDecayMultiplier: 1, ReviewQualityMultiplier: 1, LabelMultiplier: 1,
				CreatedAt: asOf.Add(-47 * time.Hour), MergedAt: merged, MaintainerChangesRequestedCount: 1,
				Listed: &scoring.Listed{
					AuthorLogin: fmt.Sprintf("login%d", j.UID), MergedByLogin: hostile, HeadSHA: "head", BaseSHA: "base",
					Additions: 5, Deletions: 2, Commits: 3,
					Issues: []scoring.ListedIssue{{
						Number: 7, Title: "Issue " + hostile, State: scoring.Closed, StateReason: scoring.Completed, AuthorID: new("9"),
						AuthorAssociation: "NONE", ClosedAt: merged, UpdatedAt: merged,
					}},
				},
				Tokens: &tokens.Figures{Files: []tokens.FileFigures{{
					Filename: hostile + ".go", Method: tokens.MethodTreeDiff, Category: tokens.CategorySource,
					Change: tokens.Change{Status: "renamed", PreviousFilename: "old.go", Additions: 5, Deletions: 2, Changes: 7},
				}}},
			}},
		},
	}
}

// plan is a round of two miners with jobs, one that a rule fails, the recycle uid and the
// treasury.
func (b *bundle) plan(tb testing.TB, planned time.Time) job.Manifest {
	tb.Helper()
	return b.planOf(tb, planned, `[{"uid": 0, "hotkey": "h0", "github_id": "100"},
			{"uid": 1, "hotkey": "h1", "github_id": "101"}, {"uid": 2, "hotkey": "h2", "github_id": "102"},
			{"uid": 3, "hotkey": "h3", "github_id": "103", "token": "none"},
			{"uid": 111, "hotkey": "h111", "github_id": "211", "token": "none"}]`)
}

// planOf is a round of other miners.
func (b *bundle) planOf(tb testing.TB, planned time.Time, miners string) job.Manifest {
	tb.Helper()
	languages, weights := tokens.DefaultWeights()
	return must.Get(round.Plan(round.NewID(planned, [3]byte{1, 2, 3}), round.Inputs{
		Miners: round.File{Name: "miners.json", Data: []byte(miners)},
		Registry: round.File{Name: "registry.json", Data: []byte(`{"A/B": {"emission_share": 0.8, "maintainer_cut": 0.25,
			"issue_discovery_share": 0, "eligibility": {"min_valid_merged_prs": 1}}}`)},
		Languages: round.File{Name: "languages", Data: languages}, Tokens: round.File{Name: "tokens", Data: weights},
		Mirror: b.mirror, AsOf: asOf, Unloadable: []string{"csharp"},
	}, planned))(tb)
}

// concluded is a round of the schedule that was really run.
func (b *bundle) concluded(t *testing.T, planned time.Time) outcome.Result {
	t.Helper()
	m := b.plan(t, planned)
	m.Due = planned
	ctx, cancel := context.WithTimeoutCause(t.Context(), 60*time.Second, errors.New("it did not end"))
	t.Cleanup(cancel)
	return must.Get(b.runner(t).Start(ctx, m))(t)
}

// get asks for a page, and holds what is true of every page.
func (b *bundle) get(t *testing.T, path string, headers ...string) nettest.Answer {
	t.Helper()
	return b.ask(t, http.MethodGet, path, "", headers...)
}

func (b *bundle) ask(t *testing.T, method, path, body string, headers ...string) nettest.Answer {
	t.Helper()
	headers = append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)
	a := nettest.Ask(t, method, b.url+path, body, headers...)
	if strings.Contains(a.Body, token) || strings.Contains(b.log.String(), token) {
		t.Errorf("%s %s: the token is in the page or in the log", method, path)
	}
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		return a
	}
	if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("%s %s: the content-security policy is %q", method, path, policy)
	}
	checkHostile(t, path, a.Body)
	return a
}

// noFollow asks for a page without going where it leads.
func (b *bundle) noFollow(t *testing.T, path string) *http.Response {
	t.Helper()
	return b.submit(t, http.MethodGet, path, "")
}

// submit sends a request, a POST as a form does, without going where the answer leads.
func (b *bundle) submit(t *testing.T, method, path, form string, headers ...string) *http.Response {
	t.Helper()
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true},
	}
	request := must.Get(http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(form)))(t)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	must.Do(t, err)
	must.Check(t, response.Body.Close())
	return response
}

// checkHostile holds that no text from outside is markup, and that each one with a direction
// mark is isolated, or stands in an attribute, in the title or in a control.
func checkHostile(t *testing.T, path, body string) {
	t.Helper()
	if strings.Contains(body, "<script>") || strings.Contains(body, "' onload") {
		t.Errorf("%s: markup from outside is in the page", path)
	}
	for at := range body {
		if !strings.HasPrefix(body[at:], "\u202e") {
			continue
		}
		before := body[:at]
		within := func(open, end string) bool { return strings.LastIndex(before, open) > strings.LastIndex(before, end) }
		if !within("<bdi", "</bdi") && !within("<", ">") && !within("<title", "</title") && !within("<textarea", "</textarea") {
			t.Errorf("%s: a text from outside is not isolated: …%.80s", path, before[max(0, at-80):])
		}
	}
}

// has holds the status of a page, and that it has texts.
func has(t *testing.T, a nettest.Answer, status int, texts ...string) {
	t.Helper()
	if a.Status != status {
		t.Errorf("%s: %d, want %d", a.Request.URL, a.Status, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.Body, text) {
			t.Errorf("%s: no %q in %.9000s", a.Request.URL, text, a.Body)
		}
	}
}
