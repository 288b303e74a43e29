package round

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// lookBack is how many concluded rounds are looked at for the last complete
// one: a day of them, at one in two hours.
const lookBack = 12

// Last is when rounds were last concluded, by whomever; zero for never, or too
// long ago to look for.
type Last struct {
	Concluded time.Time
	// Complete is the last one that lacked nothing.
	Complete time.Time
}

// LastOf reads it from what the streams keep.
func LastOf(ctx context.Context, bus *jobstream.Bus) (last Last, err error) {
	rounds, err := bus.Concluded(ctx)
	if err != nil {
		return last, fmt.Errorf("listing the concluded rounds: %w", err)
	}
	for _, name := range slices.Backward(rounds[max(0, len(rounds)-lookBack):]) {
		latest, err := Latest(ctx, bus, name)
		if err != nil {
			return last, err
		}
		at, err := bus.ConcludedAt(ctx, name, latest.Revision)
		if err != nil {
			return last, fmt.Errorf("when round %s was concluded: %w", name, err)
		}
		if last.Concluded.IsZero() {
			last.Concluded = at
		}
		if latest.Complete {
			last.Complete = at
			return last, nil
		}
	}
	return last, nil
}

// TellLast tells the metrics when rounds were last concluded, so that a producer
// that starts does not look as if there never had been one.
func TellLast(ctx context.Context, bus *jobstream.Bus) error {
	last, err := LastOf(ctx, bus)
	if err != nil {
		return err
	}
	if !last.Concluded.IsZero() {
		telemetry.RoundConcluded(ctx, last.Concluded)
	}
	if !last.Complete.IsZero() {
		telemetry.RoundSucceeded(ctx, last.Complete)
	}
	return nil
}
