package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scorecache"
	"mirrorfleet/shared/telemetry"
	"mirrorfleet/worker/evaluate"
	"mirrorfleet/worker/lease"
	"mirrorfleet/worker/signs"
	"mirrorfleet/worker/tokenscore"
	"mirrorfleet/worker/tokenscore/sandbox"
	"mirrorfleet/worker/warm"
)

// run is the worker: everything is opened in order, used until a signal comes,
// and closed in the opposite order.
func run(ctx context.Context, c *cli.Command) (err error) {
	if c.String("nats") == "" || c.String("redis") == "" {
		return command.Usage("--nats and --redis are required")
	}
	name := c.String("name")
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	log = log.With("worker", name)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	observability, err := fleet.Observe(ctx, c, "worker", name, log, "grammars")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, observability.Close()) }()
	if c.Bool("exit-with-stdin") {
		go untilEnd(os.Stdin, stop) // ends with the process: nothing else reads standard input
	}
	return work(ctx, c, name, observability, log)
}

// work opens what a worker needs in order, and takes jobs until the context ends. The scorer
// comes first: a worker that cannot parse must end before it joins the fleet, because it would
// take jobs and fail them all.
func work(ctx context.Context, c *cli.Command, name string, observability *fleet.Observability, log *slog.Logger) (err error) {
	scorer, err := newScorer(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, scorer.Close()) }()
	observability.Set("grammars", scorer.Usable)
	f, err := openFleet(ctx, c, name, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	observability.Follow(f)
	client, err := f.Mirror(c.String("mirror")) //nolint:contextcheck // its breaker is nobody's request
	if err != nil {
		return err
	}
	defer client.Close()
	shown, err := newSigns(c, f, log)
	if err != nil {
		return err
	}
	runner, aside, err := newRunners(c, f, client, scorer, shown, log)
	if err != nil {
		return err
	}
	// Closed in this order: warm-ups, the last sign of life, the mirror's client, the servers.
	// So whatever still runs finds open what it uses.
	leave := showSigns(ctx, shown)
	defer func() { leave(err) }()
	defer startAside(ctx, aside)()
	command.Hurry(ctx, runner.StopNow)
	if err := ready(os.Stdout, name); err != nil {
		log.WarnContext(ctx, "nobody hears that this worker is ready", "error", err)
	}
	telemetry.WorkersChanged(ctx, 1)
	defer telemetry.WorkersChanged(context.WithoutCancel(ctx), -1)
	log.InfoContext(ctx, "taking jobs", "slots", c.Int("slots"), "mirror", c.String("mirror"), "egress", c.String("egress"))
	return mendable(runner.Run(ctx))
}

// newRunners make what takes the jobs, and what works on warm-ups while there are none.
func newRunners(
	c *cli.Command, f *fleet.Fleet, client *mirror.Client, scorer *tokenscore.Pool, shown *signs.Writer, log *slog.Logger,
) (*lease.Runner, *warm.Runner, error) {
	evaluator, err := newEvaluator(c, f, client, scorer, log)
	if err != nil {
		return nil, nil, err
	}
	aside, err := newWarmer(c, f, client, evaluator, shown, log)
	if err != nil {
		return nil, nil, err
	}
	runner, err := newRunner(c, f, log, handler(evaluator, aside, shown), stalled(client))
	return runner, aside, err
}

func openFleet(ctx context.Context, c *cli.Command, name string, log *slog.Logger) (*fleet.Fleet, error) {
	cfg := fleet.FromFlags(c, name, log)
	cfg.Process = "worker " + name
	cfg.Worker = true // it declares no streams, and waits for a producer that does
	return fleet.Open(ctx, cfg)
}

// mendable makes wrong usage of a worker that was started for other jobs than
// there are. One whose files were replaced only has to be started again.
func mendable(err error) error {
	if errors.Is(err, lease.ErrUnfit) && !errors.Is(err, tokenscore.ErrReplaced) {
		return command.UsageError{Err: err}
	}
	return err
}

// newEvaluator makes what evaluates a miner, with the fleet's score cache. The scorer's
// version is a part of the cache's keys: scores by another parser are never read.
func newEvaluator(
	c *cli.Command, f *fleet.Fleet, client *mirror.Client, scorer *tokenscore.Pool, log *slog.Logger,
) (*evaluate.Evaluator, error) {
	scores, err := scorecache.New(scorecache.Config{
		Bucket: f.Bus.Bucket(job.BucketScores), Scorer: scorer.Version(), Log: log,
	})
	if err != nil {
		return nil, err
	}
	return evaluate.New(evaluate.Config{
		Bus:         f.Bus,
		Mirror:      client,
		MirrorURL:   c.String("mirror"),
		Egress:      c.String("egress"),
		Scorer:      scorer,
		Scores:      scores,
		MinerBudget: c.Duration("miner-budget"),
	})
}

// newRunner makes what takes the jobs, as the flags say.
func newRunner(c *cli.Command, f *fleet.Fleet, log *slog.Logger, h lease.Handler, stalled func() *job.Stall) (*lease.Runner, error) {
	waits, err := delays(c.String("retry-delays"))
	if err != nil {
		return nil, command.Usage("--retry-delays: %w", err)
	}
	return lease.New(lease.Config{
		Worker:  c.String("name"),
		Slots:   c.Int("slots"),
		Grace:   c.Duration("grace"),
		Delays:  waits,
		Bus:     f.Bus,
		Log:     log,
		Handler: h,
		Gate:    gate(f.Limiter, patience, log),
		Stalled: stalled,
	})
}

// stalled is why jobs stand still: the mirror does not answer this process.
func stalled(client *mirror.Client) func() *job.Stall {
	return func() *job.Stall {
		why, left := client.Away()
		if why == "" {
			return nil
		}
		return &job.Stall{Why: why, For: left}
	}
}

// handler lets the evaluator work under the lease, with nothing beside it, and shows what it
// does.
func handler(e *evaluate.Evaluator, aside *warm.Runner, shown *signs.Writer) lease.Handler {
	return func(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
		defer aside.Yield()() // before the first request: a warm-up must not compete with a job
		ctx, end := shown.Begin(ctx, job.WorkerJob{Round: j.Round, UID: j.UID}, a.Requests)
		defer end()
		evaluation, err := e.Evaluate(mirror.WithCounter(ctx, a.Requests), j, a)
		// Another mirror, an egress that no producer has declared, or files that were replaced
		// are this process's fault: the job counts no failure and goes to another worker, and
		// this one ends.
		if errors.Is(err, evaluate.ErrMirror) || errors.Is(err, job.ErrUndeclared) || errors.Is(err, tokenscore.ErrReplaced) {
			err = fmt.Errorf("%w: %w", lease.ErrUnfit, err)
		}
		return evaluation, err
	}
}

func newScorer(ctx context.Context, c *cli.Command) (*tokenscore.Pool, error) {
	cfg, err := scorerConfig(c)
	if err != nil {
		return nil, err
	}
	cfg.Children = c.Int("children")
	scorer, err := tokenscore.New(ctx, cfg)
	if err != nil {
		return nil, command.UsageError{Err: err}
	}
	return scorer, nil
}

// scorerConfig is what the flags say of token scoring.
func scorerConfig(c *cli.Command) (tokenscore.Config, error) {
	self, err := os.Executable()
	if err != nil {
		return tokenscore.Config{}, fmt.Errorf("finding the token-scoring child's command: %w", err)
	}
	grammars, mode := c.String("grammars"), c.String("sandbox")
	return tokenscore.Config{
		Command:  []string{self, "score", "--grammars", grammars, "--sandbox", mode},
		Grammars: grammars, Sandbox: sandbox.Mode(mode),
	}, nil
}

// ready tells the process that started this one that it takes jobs. A producer with --local
// waits for this line.
func ready(w io.Writer, name string) error {
	err := json.NewEncoder(w).Encode(map[string]string{"worker": name, "state": "taking jobs"})
	if err != nil {
		return fmt.Errorf("saying that the worker is ready: %w", err)
	}
	return nil
}

// untilEnd calls stop when r ends: a pipe ends with the process at its other end, however
// that process dies.
func untilEnd(r io.Reader, stop func()) {
	if _, err := io.Copy(io.Discard, r); err != nil {
		slog.Debug("standard input", "error", err)
	}
	stop()
}
