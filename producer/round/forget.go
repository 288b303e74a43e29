package round

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Forget removes the rounds that have expired (see Expired), each while it is
// held: a replay that somebody runs of one is let end, whatever else this
// producer may take at once (Config.Alone, Config.Follows). One that cannot be
// had soon is left for the next time. It returns the names of those removed.
func Forget(ctx context.Context, cfg Config, keep time.Duration, now time.Time) ([]string, error) {
	cfg, err := cfg.filled()
	if err != nil {
		return nil, err
	}
	cfg.Alone, cfg.Follows = false, ""
	turn, _, err := cfg.Bus.Turn(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking at the last turn: %w", err)
	}
	kept := Kept{Turn: turn.Round}
	for _, list := range []struct {
		into *[]string
		read func(context.Context) ([]string, error)
	}{{&kept.Known, cfg.Bus.Known}, {&kept.Planned, cfg.Bus.Rounds}, {&kept.Concluded, cfg.Bus.Concluded}} {
		if *list.into, err = list.read(ctx); err != nil {
			return nil, fmt.Errorf("listing the rounds: %w", err)
		}
	}
	var gone []string
	for _, name := range Expired(kept, keep, now) {
		bounded, cancel := context.WithTimeout(ctx, 2*cfg.Hold)
		err := cfg.holding(bounded, name, func(ctx context.Context, _ string) error { return cfg.Bus.Forget(ctx, name) })
		late := bounded.Err() != nil
		cancel()
		switch {
		case err == nil:
			gone = append(gone, name)
		case ctx.Err() != nil || !late && !errors.Is(err, ErrTakenOver):
			return gone, fmt.Errorf("forgetting round %s: %w", name, err)
		}
	}
	return gone, nil
}
