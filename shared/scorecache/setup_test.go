package scorecache_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/scorecache"
	"mirrorfleet/shared/scoring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test: it is what a hanging test costs.
const patience = time.Minute

// bundle is a server with the product's own bucket on it.
type bundle struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // the test's own, with its patience
	dir     string
	servers *local.Servers
	nc      *nats.Conn // the last process'
	js      jetstream.JetStream
	bucket  jetstream.KeyValue
	log     logbook
}

func setup(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	b := &bundle{t: t, ctx: ctx, dir: t.TempDir()}
	b.start("")
	b.bucket = b.process()
	return b
}

func (b *bundle) start(address string) {
	b.t.Helper()
	var err error
	b.servers, err = local.Start(b.ctx, local.Config{Dir: b.dir, NATS: address, Log: slog.New(slog.DiscardHandler)})
	b.must(err)
	b.t.Cleanup(func() { b.servers.Close() })
}

// process is the bucket over a connection of its own, as another process has it.
func (b *bundle) process() jetstream.KeyValue {
	b.t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	nc, err := jobstream.Connect(b.ctx, b.servers.NATSURL(), "test", jobstream.ConnectConfig{Log: quiet})
	b.must(err)
	b.t.Cleanup(nc.Close)
	b.nc = nc
	bus, err := jobstream.Open(b.ctx, nc, jobstream.Config{Log: quiet})
	b.must(err)
	b.js, err = jetstream.New(nc)
	b.must(err)
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
	return found
}

// once fetches what is not there; fetched says whether the fetch ran.
func (b *bundle) once(c *scorecache.Cache, k scorecache.Key, e *scorecache.Entry) (got *scorecache.Entry, fetched bool) {
	b.t.Helper()
	got, err := c.Once(b.ctx, k, func(context.Context) (scorecache.Key, *scorecache.Entry, error) {
		fetched = true
		return k, e, nil
	})
	b.must(err)
	return got, fetched
}

func (b *bundle) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// until polls a fact of the server's, which tells nobody of it.
func (b *bundle) until(what string, holds func() bool) {
	b.t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-b.ctx.Done():
			b.t.Fatalf("never: %s", what)
		}
	}
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
		Tokens: &scoring.TokenFigures{
			Files: []scoring.FileFigures{{
				Filename: "ünïcode <&>\u2028.go", Method: scoring.MethodTreeDiff, Category: scoring.CategorySource, Score: 0.1 + 0.2,
				Nodes: 3, Lines: 9, Breakdown: &scoring.Breakdown{StructuralAddedCount: 3, StructuralAddedScore: 5e-324, LeafAddedScore: 1.0 / 3},
			}, {Filename: "logo.png", Method: scoring.MethodSkippedBinary, Category: scoring.CategoryNonCode}},
			TotalScore: 0.1 + 0.2, TokenScore: 1e21, SourceTokenScore: 2.0 / 3, LeafScore: 1e-7, TotalNodesScored: 3,
		},
		Malformed: []job.Malformed{{Item: "file 3", Error: "filename: want a text"}},
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// logbook keeps what was logged.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) count(word string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), word)
}
