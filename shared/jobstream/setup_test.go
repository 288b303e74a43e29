package jobstream_test

import (
	"bytes"
	"context"
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
	"mirrorfleet/shared/must"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test: it is what a hanging test costs, not
// what is measured.
const patience = time.Minute

var asOf = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// bundle is a server of its own with a bus on it.
type bundle struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // the test's own, with its patience
	dir     string
	servers *local.Servers
	nc      *nats.Conn
	js      jetstream.JetStream
	bus     *jobstream.Bus
	log     *logbook
}

func setup(t *testing.T, cfg jobstream.Config) *bundle {
	t.Helper()
	b := bare(t)
	b.open(cfg)
	return b
}

// bare is a bundle whose server has no streams yet.
func bare(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	b := &bundle{t: t, ctx: ctx, dir: t.TempDir(), log: newLogbook()}
	b.start("")
	b.nc = b.connect(b.servers.NATSURL())
	js := must.Get(jetstream.New(b.nc))(t)
	b.js = js
	return b
}

func (b *bundle) start(address string) {
	b.t.Helper()
	b.servers = must.Get(local.Start(b.ctx, local.Config{Dir: b.dir, NATS: address, Log: slog.New(slog.DiscardHandler)}))(b.t)
	b.t.Cleanup(func() { b.servers.Close() })
}

// restart stops the server and starts it on the same files and port.
func (b *bundle) restart() {
	b.t.Helper()
	address := strings.TrimPrefix(b.servers.NATSURL(), "nats://")
	b.stop()
	b.start(address)
}

func (b *bundle) stop() {
	b.t.Helper()
	must.Do(b.t, b.servers.Close())
}

func (b *bundle) connect(address string) *nats.Conn {
	b.t.Helper()
	nc := must.Get(jobstream.Connect(b.ctx, address, "test", jobstream.ConnectConfig{Log: b.log.logger()}))(b.t)
	b.t.Cleanup(nc.Close)
	return nc
}

func (b *bundle) open(cfg jobstream.Config) {
	b.t.Helper()
	if cfg.Log == nil {
		cfg.Log = b.log.logger()
	}
	b.bus = must.Get(jobstream.Open(b.ctx, b.nc, cfg))(b.t)
}

func (b *bundle) publish(jobs ...job.Job) {
	b.t.Helper()
	for _, j := range jobs {
		must.Do(b.t, b.bus.PublishJob(b.ctx, j))
	}
}

// next fetches until there is a delivery.
func (b *bundle) next() *jobstream.Delivery {
	b.t.Helper()
	for {
		got, err := b.bus.Fetch(b.ctx, 1, time.Second)
		if err != nil && !jobstream.Away(err) || b.ctx.Err() != nil {
			b.t.Fatalf("no delivery: %v", err)
		}
		if len(got) > 0 {
			return got[0]
		}
	}
}

// messages is how many jobs the stream holds.
func (b *bundle) messages() uint64 {
	b.t.Helper()
	stream := must.Get(b.js.Stream(b.ctx, job.StreamJobs))(b.t)
	return stream.CachedInfo().State.Msgs
}

func aJob(uid int) job.Job {
	return job.Job{Round: "r1", UID: uid, Hotkey: "5F", GitHubID: "42", AsOf: asOf}
}

// logbook keeps what was logged and lets a test wait for a word of it.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newLogbook() *logbook { return &logbook{more: make(chan struct{}, 1)} }

func (l *logbook) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logbook) await(ctx context.Context, t *testing.T, word string) {
	t.Helper()
	for !strings.Contains(l.String(), word) {
		select {
		case <-l.more:
		case <-ctx.Done():
			t.Fatalf("never logged %q; logged:\n%s", word, l)
		}
	}
}
