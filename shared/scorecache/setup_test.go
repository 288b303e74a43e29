package scorecache_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scorecache"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test: it is what a hanging test costs.
const patience = time.Minute

// bundle is a server with the product's own bucket on it.
type bundle struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // the test's own, with its patience
	servers *jobstreamtest.Servers
	nc      *nats.Conn // the last process'
	bucket  jetstream.KeyValue
	log     telemetrytest.Log
}

func setup(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	b := &bundle{t: t, ctx: ctx, servers: jobstreamtest.Start(t)}
	b.bucket = b.process()
	return b
}

// process is the bucket over a connection of its own, as another process has it.
func (b *bundle) process() jetstream.KeyValue {
	b.t.Helper()
	var bus *jobstream.Bus
	bus, b.nc = jobstreamtest.Open(b.t, b.servers.NATSURL(), jobstream.Config{})
	return bus.Bucket(job.BucketScores)
}

// cache is a cache over a connection of its own, with a scorer's name unless
// one is given.
func (b *bundle) cache(change ...func(*scorecache.Config)) *scorecache.Cache {
	b.t.Helper()
	cfg := scorecache.Config{Bucket: b.process(), Scorer: "1-grammars", Timeout: patience, Log: slog.New(slog.NewTextHandler(&b.log, nil))}
	for _, c := range change {
		c(&cfg)
	}
	c, err := scorecache.New(cfg)
	b.must(err)
	return c
}

func (b *bundle) look(c *scorecache.Cache, k scorecache.Key) *scorecache.Entry {
	b.t.Helper()
	found, err := c.Look(b.ctx, k)
	b.must(err)
	return found.Entry
}

func (b *bundle) must(err error) { b.t.Helper(); must.Do(b.t, err) }

func (b *bundle) until(what string, holds func() bool) {
	b.t.Helper()
	must.Until(b.ctx, b.t, what, holds)
}

// key is the key of a pull request; cached ones have the scorer set.
func key() scorecache.Key {
	return scorecache.Key{Repository: "a/b", Number: 7, Head: "h1", Base: "m1", Weights: "w1"}
}

func stored(k scorecache.Key) scorecache.Key {
	k.Scorer = "1-grammars"
	return k
}

// entry is figures that a careless encoding would change.
func entry() *scorecache.Entry {
	return &scorecache.Entry{
		Tokens: &tokens.Figures{
			Files: []tokens.FileFigures{{
				Filename: "ünïcode <&>\u2028.go", Method: tokens.MethodTreeDiff, Category: tokens.CategorySource, Score: 0.1 + 0.2,
				Nodes: 3, Lines: 9, Breakdown: &tokens.Breakdown{StructuralAddedCount: 3, StructuralAddedScore: 5e-324, LeafAddedScore: 1.0 / 3},
			}, {Filename: "logo.png", Method: tokens.MethodSkippedBinary, Category: tokens.CategoryNonCode}},
			TotalScore: 0.1 + 0.2, TokenScore: 1e21, SourceTokenScore: 2.0 / 3, LeafScore: 1e-7, TotalNodesScored: 3,
		},
		Malformed: []job.Malformed{{Item: "file 3", Error: "filename: want a text"}},
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	return string(must.Get(json.Marshal(v))(t))
}
