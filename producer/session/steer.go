package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mirrorfleet/producer/leadership"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/schedule"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/health"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// Steer reads what operators have ordered. Orders that the streams have lost are restored
// from what this process read of them while it has led: a pause must not end because a
// value is gone.
func (v *served) Steer(ctx context.Context) (job.Steer, error) {
	steer, restored, err := v.recent.orders.Read(ctx)
	if restored {
		v.session.cfg.Log.WarnContext(ctx, "what operators have ordered was gone or unreadable: restored as far as it is known",
			"paused", steer.Schedule != nil)
	}
	return steer, err
}

// Announce says when the next turn is due. Only displays read it, so an error is logged.
func (v *served) Announce(ctx context.Context, turn time.Time) {
	if err := v.config.Bus.Schedule.SetNext(ctx, turn); err != nil && ctx.Err() == nil {
		v.session.cfg.Log.WarnContext(ctx, "what shows the schedule does not know its next turn", "due", turn, "error", err)
	}
}

// observeSchedule shows the schedule's pause in /readyz, and what is paused in the metrics. A producer whose
// schedule is paused is ready: its API ends the pause.
func (s *Session) observeSchedule(keeper *schedule.Keeper) {
	s.cfg.Observability.Set("schedule", func(context.Context) error {
		if stop := keeper.Paused(); stop != nil {
			return health.Note("paused " + stop.Text())
		}
		return nil
	})
	s.observePaused()
}

// observePaused counts in the metrics since when the schedule and the round that runs are
// paused.
func (s *Session) observePaused() {
	unobserve := telemetry.ObservePaused(func(ctx context.Context) (of map[string]time.Time, err error) {
		steer, _, err := s.fleet.Bus.Steering.Load(ctx)
		of = map[string]time.Time{telemetry.PausedSchedule: {}, telemetry.PausedRound: {}}
		if steer.Schedule != nil {
			of[telemetry.PausedSchedule] = steer.Schedule.At
		}
		if steer.Round != nil {
			of[telemetry.PausedRound] = steer.Round.At
		}
		return of, err
	})
	s.onClose(func() error { unobserve(); return nil })
}

// ServeOnce opens the servers, serves the API, and begins one round of the schedule at once;
// it returns when the round has ended. While another producer leads the schedule it begins
// none and is wrong usage: two rounds of one schedule must not run beside each other.
func (s *Session) ServeOnce(ctx context.Context, cfg ServeConfig) (result outcome.Result, err error) {
	served, keeper, err := s.startServing(ctx, cfg)
	if err != nil {
		return result, err
	}
	err = s.attended(ctx, func(ctx context.Context) error {
		leader := served.config.Leadership()
		ctx, refuse := context.WithCancelCause(ctx)
		defer refuse(nil)
		leader.StandingBy = served.refuseBeside(ctx, refuse)
		err := leadership.Lead(ctx, leader, job.Schedule, func(ctx context.Context, follows string) error {
			leading := *served
			leading.config.Predecessor = follows
			leading.recent.orders = jobstream.Orders{Steering: leading.config.Bus.Steering}
			if begun := leading.recent.begun; begun != "" { // the lead was lost in the middle of it, and is regained
				return leading.Resume(ctx, begun)
			}
			return keeper.Once(ctx, &leading)
		})
		if err != nil {
			return fmt.Errorf("serving one round: %w", err)
		}
		return nil
	})
	if errors.Is(err, schedule.ErrPaused) {
		return result, command.Usage("%w; producer resume ends the pause", err)
	}
	if other, is := errors.AsType[*activeError](err); is && other.round == "" {
		return result, command.UsageError{Err: other}
	}
	return served.recent.result, usageOfEgress(err)
}

// activeError says that another producer leads the schedule. round is the round that it has
// taken over from this one; "" if this one has begun none.
type activeError struct{ producer, round string }

func (e *activeError) Error() string {
	if e.round != "" {
		return fmt.Sprintf("producer %s has taken over the schedule, and round %s with it: producer show %s shows what comes of it",
			e.producer, e.round, e.round)
	}
	return fmt.Sprintf("producer %s is active and begins the rounds of the schedule: this one begins none beside it; "+
		"producer now has that one begin a turn at once", e.producer)
}

// refuseBeside returns what is called while another producer's hold on the schedule is
// looked at. A second sign of life shows that the producer lives. One that has died shows
// none, and is followed after its time.
func (v *served) refuseBeside(ctx context.Context, refuse context.CancelCauseFunc) func(string) {
	first := uint64(0)
	return func(string) {
		holder, revision, err := v.config.Bus.Holders.Load(ctx, job.Schedule)
		switch {
		case err != nil || holder.Released:
		case first == 0:
			first = revision
		case revision != first:
			producer, _, _ := strings.Cut(holder.Name, "/")
			refuse(&activeError{producer, v.recent.begun})
		}
	}
}
