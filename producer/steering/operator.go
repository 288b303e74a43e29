package steering

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/ratelimit"
)

// Replayer runs failed miners of a concluded round again, as round.Runner does.
type Replayer func(ctx context.Context, round string, s outcome.Selection) (outcome.Result, outcome.Replayed, error)

// Canceller waits until an order to cancel is carried out, or carries it out, as
// round.Runner.FollowCancel does.
type Canceller func(ctx context.Context, c round.Cancelled) error

// Config is what an Operator works with. All but Now and Log is required.
type Config struct {
	Bus *jobstream.Bus
	// Replay runs a replay. It must end when its context does.
	Replay Replayer
	// Cancel follows an order to cancel. It must end when its context does.
	Cancel Canceller
	// Egress opens the bucket of an egress for orders.
	Egress func(name string) (*ratelimit.Operator, error)
	// Now is the clock of orders. Default: time.Now.
	Now func() time.Time
	// Log gets every order. Default: slog.Default().
	Log *slog.Logger
}

// Operator carries out the orders that come over HTTP, from the API and the dashboard alike.
type Operator struct {
	cfg     Config
	replays *replays
	cancels *cancels
}

// NewOperator returns an Operator. What it has begun ends with ctx, or by Close.
func NewOperator(ctx context.Context, cfg Config) (*Operator, error) {
	if cfg.Bus == nil || cfg.Replay == nil || cfg.Cancel == nil || cfg.Egress == nil {
		return nil, errors.New("steering: Bus, Replay, Cancel and Egress are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	return &Operator{
		cfg:     cfg,
		replays: newReplays(ctx, cfg),
		cancels: newCancels(ctx, cfg),
	}, nil
}

// Close ends the replays under way and what follows orders, and waits for both. Orders that
// come later are refused.
func (o *Operator) Close() {
	o.replays.close()
	o.cancels.close()
}

// Giver is who gives an order, and why.
type Giver struct {
	// Name is that of the token, and From the address that the order came from.
	Name, From string
	// By is who gives it, in their own words; "" for Name. It is shown with the order.
	By     string
	Reason string
}

func (g Giver) by() string { return cmp.Or(g.By, g.Name) }

func (o *Operator) stop(g Giver) job.Stop {
	return job.Stop{By: g.by(), At: o.cfg.Now().UTC(), Reason: g.Reason}
}

// loggedError is an error that the log of orders has already.
type loggedError struct{ error }

func (e loggedError) Unwrap() error { return e.error }

// Logged says whether an error of an Operator is in the log already.
func Logged(err error) bool {
	_, is := errors.AsType[loggedError](err)
	return is
}

// log writes the one line that every order has, and returns the order's error. Who has which
// token, and what was ordered from where, is known by these lines alone.
func (o *Operator) log(ctx context.Context, order string, g Giver, err error, what ...any) error {
	what = append([]any{"order", order, "token", g.Name, "from", g.From, "by", g.by(), "reason", g.Reason}, what...)
	if err != nil {
		o.cfg.Log.WarnContext(ctx, "an operator's order was not followed", append(what, "error", err)...)
		return loggedError{err}
	}
	o.cfg.Log.InfoContext(ctx, "an operator gave an order", what...)
	return nil
}

// steered logs an order to the schedule or to a round. One that was given is logged as that,
// whatever could not be read afterwards.
func (o *Operator) steered(ctx context.Context, order string, g Giver, did view.Steered, err error) (view.Steered, error) {
	if Given(err) {
		_ = o.log(ctx, order, g, nil, "round", did.Round, "changed", did.Changed)
		return did, err
	}
	return did, o.log(ctx, order, g, err, "round", did.Round, "changed", did.Changed)
}

// Pause pauses the schedule.
func (o *Operator) Pause(ctx context.Context, g Giver) (view.Steered, error) {
	did, err := Pause(ctx, o.cfg.Bus, o.stop(g))
	return o.steered(ctx, view.SteerPause, g, did, err)
}

// Resume resumes the schedule.
func (o *Operator) Resume(ctx context.Context, g Giver) (view.Steered, error) {
	did, err := Resume(ctx, o.cfg.Bus)
	return o.steered(ctx, view.SteerResume, g, did, err)
}

// Now orders the next turn to begin at once.
func (o *Operator) Now(ctx context.Context, g Giver) (view.Steered, error) {
	did, err := Now(ctx, o.cfg.Bus, job.Order{By: g.by(), At: o.cfg.Now().UTC()})
	return o.steered(ctx, view.SteerNow, g, did, err)
}

// PauseRound pauses a round; name is "" for the only one that runs.
func (o *Operator) PauseRound(ctx context.Context, g Giver, name string) (view.Steered, error) {
	did, err := PauseRound(ctx, o.cfg.Bus, name, o.stop(g))
	did.Round = cmp.Or(did.Round, name)
	return o.steered(ctx, view.SteerPauseRound, g, did, err)
}

// ResumeRound resumes a round; name is "" for the one that is paused.
func (o *Operator) ResumeRound(ctx context.Context, g Giver, name string) (view.Steered, error) {
	did, err := ResumeRound(ctx, o.cfg.Bus, name)
	did.Round = cmp.Or(did.Round, name)
	return o.steered(ctx, view.SteerResumeRound, g, did, err)
}

// Cancel stores an order to end a round, or some of its jobs; no uids are the whole round.
// The producer that runs the round carries the order out. If there is none, this process
// does, after Cancel has returned.
func (o *Operator) Cancel(ctx context.Context, g Giver, name string, uids []int) (view.Cancel, error) {
	ordered, err := o.orderCancel(ctx, g, name, uids)
	if err != nil {
		return view.Cancel{}, o.log(ctx, "cancel", g, err, "round", name, "uids", uids)
	}
	_ = o.log(ctx, "cancel", g, nil, "round", ordered.Round, "uids", ordered.UIDs, "whole", ordered.Order.Whole())
	return view.CancelOf(ctx, o.cfg.Bus, ordered, o.cfg.Now())
}

func (o *Operator) orderCancel(ctx context.Context, g Giver, name string, uids []int) (round.Cancelled, error) {
	follow, err := o.cancels.reserve()
	if err != nil {
		return round.Cancelled{}, err
	}
	ordered, err := view.OrderCancel(ctx, o.cfg.Bus, name, job.CancelOrder{
		UIDs:   uids,
		By:     g.by(),
		At:     o.cfg.Now().UTC(),
		Reason: g.Reason,
	})
	follow(ordered, err == nil)
	return ordered, err
}

// Replay begins to run the selected miners of a concluded round again, and returns what it
// will run. A dry run only says so: it is no order.
func (o *Operator) Replay(ctx context.Context, g Giver, name string, s outcome.Selection, dryRun bool) (view.Replay, error) {
	order := "replay"
	if s.Rescore {
		order = "rescore"
	}
	chosen, err := o.choose(ctx, name, s, dryRun)
	if dryRun {
		return chosen, err
	}
	uids := s.UIDs
	if err == nil {
		uids = nil
		for _, m := range chosen.Chosen {
			uids = append(uids, m.UID)
		}
		err = o.replays.start(chosen.Round, s)
	}
	return chosen, o.log(ctx, order, g, err, "round", cmp.Or(chosen.Round, name), "uids", uids)
}

func (o *Operator) choose(ctx context.Context, name string, s outcome.Selection, dryRun bool) (view.Replay, error) {
	at, err := view.Locate(ctx, o.cfg.Bus, name, 0)
	if err != nil {
		return view.Replay{}, err
	}
	return view.ReplayOf(ctx, o.cfg.Bus, at, s, dryRun)
}

// Replayed returns the last replay of a round; nil if this process has run none.
func (o *Operator) Replayed(name string) *Replayed { return o.replays.last(name) }
