package web_test

import (
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/roundtest"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/listen"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/ratelimit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// token is ann's, for orders. It must come out nowhere.
const token = roundtest.Token

// asOf is the tests' round's instant, and now an hour later.
var asOf, now = roundtest.AsOf, roundtest.Now

// bundle is an API over real NATS and Redis, with what a round needs.
type bundle struct {
	*roundtest.Fleet

	url string
}

// servers opens NATS and Redis, without an API.
func servers(t *testing.T) *bundle {
	t.Helper()
	return &bundle{Fleet: roundtest.Start(t)}
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
	clock, log := func() time.Time { return now }, slog.New(slog.NewTextHandler(&b.Log, nil))
	return settings{
		Config: web.Config{
			Bus: b.Bus, Hub: view.NewHub(t.Context(), b.Bus, jobstreamtest.Quiet()), Limit: b.Limiter.State, Guard: roundtest.Guard(t, ""), Now: clock,
			Log: log, Timeout: 30 * time.Second,
			Buckets: b.Buckets,
		},
		orders: steering.Config{
			Bus: b.Bus, Replay: b.Runner(t).Replay, Cancel: b.Runner(t).FollowCancel, Now: clock, Log: log,
			Egress: func(name string) (*ratelimit.Operator, error) {
				return ratelimit.NewOperator(name, b.Redis, time.Second)
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

// withADeadMiner serves the API over a concluded round of the schedule in which the mirror
// answered 404 to the job of miner 2.
func withADeadMiner(t *testing.T) (*bundle, outcome.Result) {
	t.Helper()
	b := setup(t)
	return b, b.Incomplete(t, now)
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
	if strings.Contains(a.body, token) || strings.Contains(b.Log.String(), token) {
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
