package evaluate_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scorecache"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/evaluate"
	"mirrorfleet/worker/tokenscore"
)

// childEnv makes the test binary a token-scoring child; parseEnv is the child's
// ParseTimeout.
const (
	childEnv = "MIRRORFLEET_TEST_CHILD"
	parseEnv = "MIRRORFLEET_TEST_PARSE_TIMEOUT"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	timeout, err := time.ParseDuration(cmp.Or(os.Getenv(parseEnv), "0s"))
	if err == nil {
		err = tokenscore.Serve(context.Background(), os.Stdin, os.Stdout, tokenscore.ChildConfig{Grammars: fleettest.Grammars(), ParseTimeout: timeout})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var quiet = slog.New(slog.DiscardHandler)

// asOf is the instant of every round here.
var asOf = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// free is a limit out of the way that counts. A permit takes a moment, as it
// does from a limiter, so that those who wait at once can be counted.
type free struct {
	mu              sync.Mutex
	permits         int
	waiting, atOnce int
	// before is called with the number of a permit that is asked for; may be nil.
	before func(permit int)
}

// taken is how many permits were asked for.
func (f *free) taken() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.permits
}

func (f *free) Permit(context.Context) (time.Time, error) {
	f.mu.Lock()
	f.permits++
	f.waiting++
	f.atOnce = max(f.atOnce, f.waiting)
	number := f.permits
	f.mu.Unlock()
	if f.before != nil {
		f.before(number)
	}
	<-time.After(time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting--
	return time.Now().Add(time.Hour), nil
}

func (f *free) CoolDown(context.Context, time.Duration) error { return nil }

// bundle is a worker's surroundings: real NATS, a mirror over HTTP, and the
// real parser in child processes.
type bundle struct {
	evaluator *evaluate.Evaluator
	client    *mirror.Client
	server    *mirrorsim.Server
	world     *mirrorsim.World
	nats      string
	bus       *jobstream.Bus
	scorer    *tokenscore.Pool
	scores    *scorecache.Cache
	meter     *free
}

// setup serves a world and plans round "r1" over it.
func setup(t *testing.T, world *mirrorsim.World, configure ...func(*evaluate.Config)) *bundle {
	t.Helper()
	b := &bundle{nats: jobstreamtest.Start(t).NATSURL(), scorer: newScorer(t, 0)}
	b.serve(t, world)
	b.connect(t, b.scorer.Version(), configure...)
	b.plan(t, "r1")
	return b
}

// serve is a mirror of its own.
func (b *bundle) serve(t *testing.T, world *mirrorsim.World) {
	t.Helper()
	b.world = world
	b.server = must.Get(mirrorsim.Start(t.Context(), mirrorsim.Config{World: world}))(t)
	t.Cleanup(func() { must.Check(t, b.server.Close()) })
}

// connect is a worker on the bundle's servers.
func (b *bundle) connect(t *testing.T, scorer string, configure ...func(*evaluate.Config)) {
	t.Helper()
	b.bus, _ = jobstreamtest.Open(t, b.nats, jobstream.Config{})
	b.scores = must.Get(scorecache.New(scorecache.Config{
		Bucket: b.bus.Bucket(job.BucketScores), Scorer: scorer, Log: quiet,
		Timeout: time.Minute, // no machine is so busy
	}))(t)
	b.meter = &free{}
	b.client = must.Get(mirror.New(mirror.Config{
		BaseURL: b.server.URL, Meter: b.meter, Backoff: time.Millisecond, MaxBackoff: time.Millisecond,
		BreakAfter: 1000, Log: quiet,
	}))(t)
	t.Cleanup(b.client.Close)
	cfg := evaluate.Config{Bus: b.bus, Mirror: b.client, MirrorURL: b.server.URL, Scorer: b.scorer, Scores: b.scores}
	for _, change := range configure {
		change(&cfg)
	}
	b.evaluator = must.Get(evaluate.New(cfg))(t)
}

// plan plans a round over the bundle's world.
func (b *bundle) plan(t *testing.T, round string, change ...func(*job.Manifest)) {
	t.Helper()
	languages, tokens := tokens.DefaultWeights()
	m := job.Manifest{
		Version: job.Version, Round: round, AsOf: asOf, Mirror: b.server.URL, Registry: b.world.Registry,
		Languages: languages, Tokens: tokens, Unloadable: []string{"csharp"},
	}
	for _, c := range change {
		c(&m)
	}
	must.Do(t, b.bus.Rounds.CreateManifest(t.Context(), m))
}

// newScorer is the real parser; a budget of 0 is the default one. The environment
// is its children's.
func newScorer(t *testing.T, budget time.Duration, env ...string) *tokenscore.Pool {
	t.Helper()
	self := must.Get(os.Executable())(t)
	scorer := must.Get(tokenscore.New(t.Context(), tokenscore.Config{
		Command:  slices.Concat([]string{"env", childEnv + "=1", "MIRRORFLEET_GRAMMARS=" + fleettest.Grammars()}, env, []string{self}),
		Children: 1, Grammars: fleettest.Grammars(),
		Budget: budget, Log: quiet,
	}))(t)
	t.Cleanup(func() { must.Check(t, scorer.Close()) })
	return scorer
}

// one is the job of miner 7 in round r1.
func one() job.Job {
	return job.Job{Version: job.Version, Round: "r1", UID: 7, Hotkey: "h7", GitHubID: "107", AsOf: asOf}
}

// world is miner 7 with the given number of merged pull requests in a/b, each
// a new Go file with as many functions as its number.
func world(pulls int) *mirrorsim.World {
	w := mirrorsim.NewWorld("test", asOf)
	w.Registry = []byte(`{"a/b": {"emission_share": 0.5}}`)
	for n := 1; n <= pulls; n++ {
		created := asOf.Add(-time.Duration(n) * time.Hour)
		merged, main := created.Add(time.Minute), "main"
		w.AddPull("107", mirrorsim.Pull{
			RepoFullName: "A/B", Number: n, Title: "one", State: "MERGED", AuthorGitHubID: "107", AuthorLogin: "seven",
			CreatedAt: created, MergedAt: &merged, BaseRef: &main, DefaultBranch: &main, ScoringDataStored: true, Additions: n,
		})
		w.AddFiles(files(n))
	}
	return w
}

func files(number int) mirrorsim.Files {
	text := "package p\n"
	for i := range number {
		text += fmt.Sprintf("\nfunc f%d(x int) int { return x + %d }\n", i, i)
	}
	return mirrorsim.Files{
		RepoFullName: "a/b", Number: number, ScoringDataStored: true,
		Files: []mirrorsim.File{{Filename: "p.go", Status: "added", Additions: number, Changes: number, HeadContent: &text}},
	}
}
