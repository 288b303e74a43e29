package signs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nuid"

	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/pause"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/telemetry"
)

// Config is the configuration of a Writer.
type Config struct {
	// Worker says who the process is: Name, Build, Host, Egress and Slots. Required.
	Worker job.Worker
	// Bus is where the signs are stored. Required.
	Bus *jobstream.Bus
	// Limiter is the process's own. Required.
	Limiter *ratelimit.Limiter
	// Addresses are the public addresses that the process sends from. Default: none are known.
	Addresses func() []netip.Addr
	// Every is the time between two signs. Default: job.WorkerSignEvery.
	Every time.Duration
	// Log receives the first of several failures. Default: slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Every = cmp.Or(c.Every, job.WorkerSignEvery)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

//nolint:staticcheck // each error begins with its field's name
func (c Config) validate() error {
	switch {
	case c.Worker.Name == "":
		return errors.New("Worker has no name, want that of the records")
	case c.Bus == nil || c.Limiter == nil:
		return errors.New("Bus and Limiter are required")
	case c.Every < 0:
		return fmt.Errorf("Every is %s, want more than 0", c.Every)
	}
	return nil
}

// Writer shows one worker process. It is safe for concurrent use.
type Writer struct {
	cfg Config
	// process is the key: another one after each start, so that a process that died stays
	// visible beside its successor of the same name.
	process string

	mu   sync.Mutex
	jobs []*entry // in the order in which they began

	// The rest belongs to Run, and to Leave after it.
	spent  meter
	failed bool // the last sign was dropped
}

// entry is one job that the process has.
type entry struct {
	job.WorkerJob

	board    doing.Board
	requests *atomic.Int64
}

// New checks cfg and returns a Writer for one Run. It stores nothing yet.
func New(cfg Config) (*Writer, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("signs: %w", err)
	}
	return &Writer{cfg: cfg, process: nuid.Next()}, nil
}

// Begin adds a job to the signs, or a miner of a warm-up. requests counts those that it makes.
// What is done under the context that Begin returns shows with the job (package doing).
func (w *Writer) Begin(ctx context.Context, j job.WorkerJob, requests *atomic.Int64) (under context.Context, end func()) {
	j.Since = time.Now().UTC()
	one := &entry{WorkerJob: j, requests: requests}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs = append(w.jobs, one)
	return doing.With(ctx, &one.board), func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.jobs = slices.DeleteFunc(w.jobs, func(other *entry) bool { return other == one })
	}
}

// Run shows signs until ctx ends, the first one at once.
func (w *Writer) Run(ctx context.Context) {
	w.cfg.Worker.Started = time.Now().UTC()
	for ctx.Err() == nil {
		w.show(ctx, "")
		_ = pause.For(ctx, w.cfg.Every)
	}
}

// Leave shows the process's last word. Call it when Run has returned and the jobs have ended.
func (w *Writer) Leave(ctx context.Context, word string) { w.show(ctx, word) }

// show makes and stores one sign.
func (w *Writer) show(ctx context.Context, left string) {
	err := w.cfg.Bus.Presence.Show(ctx, w.process, w.sign(ctx, left))
	if ctx.Err() != nil {
		return // the process leaves, which is no failure
	}
	telemetry.SignShown(ctx, err == nil)
	switch {
	case err != nil && !w.failed:
		w.cfg.Log.WarnContext(ctx, "signs of life are dropped: producer workers does not show this process as it is", "error", err)
	case err == nil && w.failed:
		w.cfg.Log.InfoContext(ctx, "signs of life are stored again")
	}
	w.failed = err != nil
}

// sign is what the process shows now.
func (w *Writer) sign(ctx context.Context, left string) job.Worker {
	sign := w.cfg.Worker
	sign.Left = left
	sign.Limit = w.limit(ctx)
	if w.cfg.Addresses != nil {
		sign.Addresses = w.cfg.Addresses()
	}
	now := time.Now()
	sign.At = now.UTC()
	sign.Jobs = w.list(now)
	w.spent.take(now, w.cfg.Limiter.Stats().Granted)
	sign.Permits, sign.Of = w.spent.lastMinute()
	sign.Share = share(sign.Permits, sign.Of, sign.Limit)
	return sign
}

func (w *Writer) list(now time.Time) []job.WorkerJob {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]job.WorkerJob, 0, len(w.jobs))
	for _, one := range w.jobs {
		j := one.WorkerJob
		j.Doing = one.board.State(now)
		j.Requests = int(one.requests.Load())
		list = append(list, j)
	}
	return list
}

// limit reads the bucket, which takes one call to Redis.
func (w *Writer) limit(ctx context.Context) (l job.WorkerLimit) {
	state, err := w.cfg.Limiter.State(ctx)
	if trouble := cmp.Or(w.cfg.Limiter.Stats().Trouble, ratelimit.Trouble(err)); trouble != nil {
		l.Trouble = trouble.Error()
	}
	if err != nil {
		return l
	}
	l.Known = state.Known
	l.Granted = state.Granted
	l.Rate = state.Rate
	l.Limit, l.Window = state.Limit, state.Window
	l.CoolDown, l.Hold = state.CoolDown, state.Hold
	return l
}
