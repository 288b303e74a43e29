package steering

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// RefusedError says why an order cannot be followed as things stand, and what to do.
type RefusedError struct {
	Why string
	// kind is the reason of the refusal, if callers must tell it from others; it may be nil.
	kind error
}

func (e *RefusedError) Error() string { return e.Why }

func (e *RefusedError) Unwrap() error { return e.kind }

func refused(format string, args ...any) error {
	return &RefusedError{Why: fmt.Sprintf(format, args...)}
}

// ErrAlready says that an order changes nothing: it was given twice, or there was nothing to
// end.
var ErrAlready = errors.New("it is so already")

// Pause pauses the schedule. A running round continues.
func Pause(ctx context.Context, bus *jobstream.Bus, stop job.Stop) (view.Steered, error) {
	_, changed, err := bus.Steering.Change(ctx, func(s job.Steer) (job.Steer, bool) { return s.PauseSchedule(stop) })
	if err != nil {
		return view.Steered{}, fmt.Errorf("pausing the schedule: %w", err)
	}
	return steered(ctx, bus, view.Steered{Order: view.SteerPause, Changed: changed})
}

// Resume resumes the schedule.
func Resume(ctx context.Context, bus *jobstream.Bus) (view.Steered, error) {
	_, changed, err := bus.Steering.Change(ctx, job.Steer.ResumeSchedule)
	if err != nil {
		return view.Steered{}, fmt.Errorf("resuming the schedule: %w", err)
	}
	return steered(ctx, bus, view.Steered{Order: view.SteerResume, Changed: changed})
}

// Now orders the next turn to begin at once. It is refused while the schedule is paused, and
// while a round runs.
func Now(ctx context.Context, bus *jobstream.Bus, order job.Order) (view.Steered, error) {
	turn, _, err := round.LastTurn(ctx, bus)
	if err != nil {
		return view.Steered{}, err
	}
	open, err := view.UnderWay(ctx, bus, time.Now())
	if err != nil {
		return view.Steered{}, fmt.Errorf("looking for rounds that run: %w", err)
	}
	for i := range open {
		if open[i].State == view.Running || open[i].Round == turn.Round && open[i].State == view.Stopped {
			return view.Steered{}, refused("round %s runs: a turn begins when it has ended; producer rounds shows how far it is", open[i].Round)
		}
	}
	order.After = turn.Round
	steer, changed, err := bus.Steering.Change(ctx, func(s job.Steer) (job.Steer, bool) { return s.OrderTurn(order) })
	switch {
	case err != nil:
		return view.Steered{}, fmt.Errorf("ordering a turn: %w", err)
	case steer.Schedule != nil:
		return view.Steered{}, refused("the schedule is paused %s; producer resume ends the pause", steer.Schedule.Text())
	}
	return steered(ctx, bus, view.Steered{Order: view.SteerNow, Changed: changed})
}

// PauseRound pauses a round; name is "" for the only one that runs. No job is handed out
// when it returns. It is refused while another round that runs is paused: that pause would
// end with this one.
func PauseRound(ctx context.Context, bus *jobstream.Bus, name string, stop job.Stop) (view.Steered, error) {
	open, err := view.UnderWay(ctx, bus, time.Now())
	if err != nil {
		return view.Steered{}, fmt.Errorf("looking for rounds that run: %w", err)
	}
	round, err := chosen(open, name)
	if err != nil {
		return view.Steered{}, err
	}
	name = round.Round
	other := ""
	steer, changed, err := bus.Steering.Change(ctx, func(s job.Steer) (job.Steer, bool) {
		other = ""
		if s.Round != nil && s.Round.Round != name && slices.ContainsFunc(open, is(s.Round.Round)) {
			other = s.Round.Round
			return s, false
		}
		return s.PauseRound(job.RoundStop{Round: name, Stop: stop})
	})
	if other != "" {
		return view.Steered{}, refused("round %s is paused, which holds back the jobs of all rounds; "+
			"producer resume --round ends that pause", other)
	}
	if err == nil { // also if it was paused before: that process may have died before this step
		err = bus.Steering.Follow(ctx, steer)
	}
	if err != nil {
		return view.Steered{}, fmt.Errorf("pausing round %s: %w", name, err)
	}
	did := view.Steered{Order: view.SteerPauseRound, Changed: changed, Round: name}
	// A replay has no deadline.
	if m, err := bus.Rounds.Manifest(ctx, name); err == nil && round.State != view.Replaying && !m.OverdueAt.IsZero() {
		at := m.OverdueAt.UTC()
		did.OverdueAt = &at
	}
	return steered(ctx, bus, did)
}

// chosen is the round that an order names among those that run, or the only one.
func chosen(open []view.Summary, name string) (view.Summary, error) {
	if at := slices.IndexFunc(open, is(name)); at >= 0 {
		return open[at], nil
	}
	names := make([]string, len(open))
	for i := range open {
		names[i] = open[i].Round
	}
	switch list := strings.Join(names, ", "); {
	case name == "" && len(open) == 1:
		return open[0], nil
	case len(open) == 0:
		return view.Summary{}, refused("no round runs: there is nothing to pause or to resume")
	case name == "":
		return view.Summary{}, refused("%d rounds have jobs to hand out: name the one that is meant, of %s", len(open), list)
	default:
		return view.Summary{}, refused("round %q does not run: those that run are %s", name, list)
	}
}

// is recognizes a round by its name.
func is(name string) func(view.Summary) bool {
	return func(s view.Summary) bool { return s.Round == name }
}

// ResumeRound resumes a round; name is "" for the one that is paused. When it returns, jobs
// are handed out.
func ResumeRound(ctx context.Context, bus *jobstream.Bus, name string) (view.Steered, error) {
	other := ""
	steer, changed, err := bus.Steering.Change(ctx, func(s job.Steer) (job.Steer, bool) {
		other = ""
		if s.Round != nil && name != "" && s.Round.Round != name {
			other = s.Round.Round
		}
		if s.Round == nil || other != "" {
			return s, false
		}
		name = s.Round.Round
		return s.ResumeRound(name)
	})
	if other != "" {
		return view.Steered{}, refused("round %q is not paused: round %s is", name, other)
	}
	if err == nil { // also if it was resumed before: that process may have died before this step
		err = bus.Steering.Follow(ctx, steer)
	}
	if err != nil {
		return view.Steered{}, fmt.Errorf("resuming the round: %w", err)
	}
	return steered(ctx, bus, view.Steered{Order: view.SteerResumeRound, Changed: changed, Round: name})
}

// unreadError is an order that was given, after which the schedule could not be read.
type unreadError struct{ err error }

func (e *unreadError) Error() string {
	return "the order is given, but how the schedule stands cannot be read: " + e.err.Error()
}

func (e *unreadError) Unwrap() error { return e.err }

// Given says of the error of an order that the order was given all the same: only how the
// schedule stands after it could not be read.
func Given(err error) bool {
	_, is := errors.AsType[*unreadError](err)
	return is
}

// steered adds how the schedule stands after an order.
func steered(ctx context.Context, bus *jobstream.Bus, did view.Steered) (view.Steered, error) {
	stands, err := view.ScheduleOf(ctx, bus, time.Now())
	if err != nil {
		return did, &unreadError{err}
	}
	did.Schedule = stands
	return did, nil
}
