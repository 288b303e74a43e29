package round

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"mirrorfleet/producer/leadership"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/telemetry"
)

// Config is what a Runner works with. The Runner closes nothing of it.
type Config struct {
	// Bus is required.
	Bus *jobstream.Bus
	// Mirror looks up maintainers; New requires it, Declare and Forget do not.
	Mirror *mirror.Client
	// Egress is the egress that Mirror sends under. A round runs only while it is
	// declared. Default: "", which is admitted while no egress is declared.
	Egress string
	// Name identifies this producer to others. Default: leadership.NewName().
	Name string
	// Takeover, SoleProducer and Predecessor say when a round is taken over from another
	// producer. They are those of leadership.Config.
	Takeover     time.Duration
	SoleProducer bool
	Predecessor  string
	// Reconcile is the time between two comparisons of outstanding jobs with the queue, at
	// least 1 ms. Default: 15 s.
	Reconcile time.Duration
	// AllIssues bounds, in bytes, the mirror's one answer on all issues, which a round
	// asks for when it is started. Default: it does not, and workers ask for each
	// miner's.
	AllIssues int64
	// MaintainerGrace is how long an overdue round still waits for look-ups of
	// maintainers. Default: 1 min.
	MaintainerGrace time.Duration
	// Identify asks GitHub about miners of unknown identity, and returns the entries of
	// those that are known now. Nil: GitHub is not asked, and miners that were chosen only
	// for their identity are not replayed.
	Identify func(context.Context, []input.Miner) ([]input.Miner, error)
	// Progress is called with each change, from one goroutine; may be nil.
	Progress func(Progress)
	// Seen is called with what the producer observes of the round apart from its records,
	// about twice a second and never from two goroutines at once; may be nil.
	Seen func(Sight)
	// Traced is called with the id of the round's trace once there is one; may be nil.
	Traced func(id string)
	// Log default: slog.Default().
	Log *slog.Logger

	// waits says that this producer waits for another one to carry out an order, and does so
	// itself only if nobody else does.
	waits bool
}

// Runner runs rounds. Several may run at the same time.
type Runner struct {
	cfg   Config
	roots *roots
}

// New returns a Runner. The errors name the field that is missing or out of range.
func New(cfg Config) (*Runner, error) {
	if cfg.Mirror == nil {
		return nil, errors.New("round: Mirror is required")
	}
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Runner{cfg: cfg, roots: &roots{}}, nil
}

func (cfg Config) withDefaults() Config {
	cfg.Takeover = cmp.Or(cfg.Takeover, leadership.DefaultTakeover)
	cfg.Reconcile = cmp.Or(cfg.Reconcile, 15*time.Second)
	cfg.MaintainerGrace = cmp.Or(cfg.MaintainerGrace, time.Minute)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Progress == nil {
		cfg.Progress = func(Progress) {}
	}
	if cfg.Seen == nil {
		cfg.Seen = func(Sight) {}
	}
	if cfg.Traced == nil {
		cfg.Traced = func(string) {}
	}
	if cfg.Name == "" {
		cfg.Name = leadership.NewName()
	}
	return cfg
}

func (cfg Config) validate() error {
	if cfg.Bus == nil {
		return errors.New("round: Bus is required")
	}
	if cfg.Takeover < leadership.MinTakeover {
		return fmt.Errorf("round: Takeover is %s, want at least %s", cfg.Takeover, leadership.MinTakeover)
	}
	if cfg.Reconcile < time.Millisecond {
		return fmt.Errorf("round: Reconcile is %s, want at least 1ms", cfg.Reconcile)
	}
	return nil
}

// Leadership returns the part of the Config that package leadership needs.
func (cfg Config) Leadership() leadership.Config {
	seen := cfg.Seen
	if seen == nil {
		seen = func(Sight) {}
	}
	return leadership.Config{
		Bus:          cfg.Bus,
		Name:         cfg.Name,
		Takeover:     cfg.Takeover,
		SoleProducer: cfg.SoleProducer,
		Predecessor:  cfg.Predecessor,
		Quiet:        cfg.waits,
		StandingBy:   func(leader string) { seen(Sight{StandsBy: leader}) },
		Log:          cfg.Log,
	}
}

// Start stores a round's manifest and then runs the round. A round of that name must not
// exist.
func (r *Runner) Start(ctx context.Context, m job.Manifest) (outcome.Result, error) {
	ctx, m.Trace = telemetry.NewRound(ctx)
	m, err := r.withIssues(ctx, m)
	if err != nil {
		return outcome.Result{}, err
	}
	if err := r.cfg.Bus.Rounds.CreateManifest(ctx, m); err != nil {
		return outcome.Result{}, fmt.Errorf("writing the manifest of round %s: %w", m.Round, err)
	}
	crash.At(crash.ManifestWritten)
	return r.goOn(ctx, m.Round, known{stored: m})
}

// Resume resumes a round that any producer has planned, or an interrupted replay of it. If
// the round is concluded, it returns the outcome as it is; an outcome that cannot be read is
// made again. While another producer runs the round, this one stands by. The error is
// ErrLost if the manifest is gone.
func (r *Runner) Resume(ctx context.Context, round string) (outcome.Result, error) {
	if _, err := r.manifest(ctx, round, known{}); err != nil { // before it is led: no key is written for a misspelt name
		return outcome.Result{}, err
	}
	return r.goOn(ctx, round, known{})
}

// holding runs work as the only producer of the round (leadership.Lead). It may be called
// again after the lead was lost, so work must continue from whatever it finds.
func (r *Runner) holding(
	ctx context.Context, round string, work func(context.Context) (outcome.Result, error),
) (result outcome.Result, err error) {
	err = leadership.Lead(ctx, r.cfg.Leadership(), round, func(ctx context.Context, _ string) (err error) {
		if err = r.admitted(ctx); err == nil {
			result, err = work(ctx)
		}
		return err
	})
	return result, err
}

// goOn brings a round to its end from any state. It reads the manifest once the round is
// held, because the round may have been removed while this producer stood by. A manifest
// that this producer has read before, and that is gone since, is restored.
func (r *Runner) goOn(ctx context.Context, round string, m known) (outcome.Result, error) {
	return r.holding(ctx, round, func(ctx context.Context) (_ outcome.Result, err error) {
		if m, err = r.manifest(ctx, round, m); err != nil {
			return outcome.Result{}, err
		}
		latest, err := r.settled(ctx, m)
		if err == nil && latest.Revision == 0 {
			return r.run(ctx, m, job.Replay{})
		}
		return latest, err
	})
}

// settled returns the round's latest outcome; its Revision is 0 if the round is not
// concluded. Before that, it makes an unreadable outcome again and finishes an interrupted
// replay.
func (r *Runner) settled(ctx context.Context, m known) (outcome.Result, error) {
	latest, err := outcome.Latest(ctx, r.cfg.Bus, m.Round)
	if jobstream.Damaged(err) {
		r.cfg.Log.WarnContext(ctx, "an outcome cannot be read: making it again", "round", m.Round, "revision", latest.Revision, "error", err)
		latest, err = r.concludeAnew(ctx, m, latest.Revision)
	}
	if err != nil || latest.Revision == 0 {
		return latest, err
	}
	broken, err := r.cfg.Bus.Rounds.Replay(ctx, m.Round, latest.Revision)
	switch {
	case errors.Is(err, jobstream.ErrNotFound):
		return latest, nil
	case err != nil:
		return outcome.Result{}, fmt.Errorf("reading replay %d of round %s: %w", latest.Revision, m.Round, err)
	}
	r.cfg.Log.WarnContext(ctx, "a replay was interrupted: resuming it", "round", m.Round, "replay", broken.Number,
		"by", broken.By, "uids", broken.UIDs, "damage", broken.Damage)
	return r.run(ctx, m, broken)
}

// concludeAnew makes a revision again whose outcome cannot be read. Everything that it was
// made of is still stored: manifest, plan of the replay, evaluations and maintainers.
func (r *Runner) concludeAnew(ctx context.Context, m known, revision int) (outcome.Result, error) {
	replay := job.Replay{Round: m.Round, Number: revision - 1}
	if replay.Number > 0 {
		planned, err := r.cfg.Bus.Rounds.Replay(ctx, m.Round, replay.Number)
		if err != nil && !errors.Is(err, jobstream.ErrNotFound) {
			return outcome.Result{}, fmt.Errorf("reading replay %d of round %s: %w", replay.Number, m.Round, err)
		}
		if err == nil {
			replay = planned
		}
	}
	if !slices.Contains(m.past.mended, outcome.Mended{UID: -1, What: string(lostOutcome)}) { // once, even if the lead is lost and regained
		m.past.mended = append(m.past.mended, r.tell(ctx, m.Round, -1, string(lostOutcome)))
	}
	return r.run(ctx, m, replay)
}

// run publishes the jobs of a round or of a replay (Number 0 is the round itself), waits
// for all of them, and concludes. However it ends, it leaves no gauge behind that shows a
// round in work.
func (r *Runner) run(ctx context.Context, m known, replay job.Replay) (result outcome.Result, err error) {
	ctx, span := telemetry.StartRound(ctx, m.Round, m.Trace)
	began := time.Now()
	defer func() {
		r.roots.stop(m.Round)
		r.leave(ctx, m.Round, err)
		measured(ctx, began, result, err)
		telemetry.End(span, err)
	}()
	if id := telemetry.TraceID(ctx); span.IsRecording() {
		r.cfg.Traced(id)
	}
	r.endWarmUp(ctx)
	w, err := r.newWork(m, replay)
	if err != nil {
		return outcome.Result{}, err
	}
	if result, err = w.run(ctx); err != nil {
		return outcome.Result{}, fmt.Errorf("round %s: %w", m.Round, err)
	}
	m.past.mended = nil // the outcome has the list
	r.note(ctx, result)
	r.liftOwn(ctx, m.Round)
	return result, nil
}

// endWarmUp ends the warm-up that there may be. If it cannot, workers end it when they see
// the round's jobs.
func (r *Runner) endWarmUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, warmUpEnd)
	defer cancel()
	if _, err := r.cfg.Bus.WarmUps.End(ctx, "", job.WarmUpRound, time.Now()); err != nil {
		r.cfg.Log.InfoContext(ctx, "whether a warm-up runs is not known: workers end it when they see the round's jobs", "error", err)
	}
}

// warmUpEnd is how long a round waits for the end of a warm-up, at most.
const warmUpEnd = 2 * time.Second

// run brings the work to its outcome. When every job has ended, it reads again what the
// outcome is made of. While anything is missing or unreadable, that is repaired, and the
// jobs are waited for once more.
func (w *work) run(ctx context.Context) (outcome.Result, error) {
	if err := w.snapshot(ctx); err != nil {
		return outcome.Result{}, err
	}
	if w.replay.Number == 0 {
		crash.At(crash.SnapshotStored)
	}
	for {
		if err := w.settleAll(ctx); err != nil {
			return outcome.Result{}, err
		}
		found, whole, err := w.verify(ctx)
		if err != nil {
			return outcome.Result{}, fmt.Errorf("reading what the outcome is made of: %w", err)
		}
		if whole {
			return w.conclude(ctx, found)
		}
	}
}

// settleAll publishes the jobs and waits until each has ended. Collector, leases, deadline,
// orders to cancel and advisories run beside the publisher, because the first jobs end before the last ones
// are published. The collector ends the others. Their error does not count if every job
// has ended all the same.
func (w *work) settleAll(ctx context.Context) error {
	w.tryToObey(ctx) // before a worker is given what was cancelled while no producer was there
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	seen := newTally(w.jobs)
	group.Go(func() error {
		defer cancel() // nothing is outstanding: the others may stop
		return w.collect(ctx, seen)
	})
	group.Go(func() (err error) {
		if err := w.publish(ctx, w.m.Round, w.jobs); err != nil {
			return err
		}
		w.keepWhole(ctx)
		return nil
	})
	var lapsed []outcome.Mended
	group.Go(func() (err error) {
		lapsed, err = w.keepLeases(ctx, w.m.Round, w.jobs)
		return err
	})
	if !w.overdueAt.IsZero() {
		group.Go(func() error { return w.declareOverdue(ctx) })
	}
	group.Go(func() error { w.followOrders(ctx); return nil })
	group.Go(func() error {
		err := w.cfg.Bus.Queue.ConsumeExhausted(ctx, w.exhausted)
		if ctx.Err() == nil {
			return fmt.Errorf("reading the advisories of exhausted deliveries: %w", err)
		}
		return nil // it runs until the others are done
	})
	err := group.Wait()
	w.m.past.mended = append(w.m.past.mended, lapsed...)
	if seen.ended() {
		return nil
	}
	return fmt.Errorf("waiting for the jobs: %w", cmp.Or(err, context.Cause(ctx)))
}
