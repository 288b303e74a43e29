package round

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mirrorfleet/producer/leadership"
	"mirrorfleet/shared/jobstream"
)

// Forget removes the rounds that have expired (see Expired), and returns their names. It
// leads each round while it removes it, so that a replay is not removed under another
// producer's feet; SoleProducer and Predecessor do not count here, because in this process
// the API may be replaying the round. A round that cannot be had within two takeover times
// is left for the next call.
func Forget(ctx context.Context, cfg Config, keep time.Duration, now time.Time) ([]string, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.SoleProducer, cfg.Predecessor = false, ""
	kept, err := whatIsKept(ctx, cfg.Bus)
	if err != nil {
		return nil, err
	}
	var gone []string
	for _, name := range Expired(kept, keep, now) {
		bounded, cancel := context.WithTimeout(ctx, 2*cfg.Takeover)
		err := leadership.Lead(bounded, cfg.Leadership(), name, func(ctx context.Context, _ string) error {
			return cfg.Bus.Rounds.Forget(ctx, name)
		})
		late := bounded.Err() != nil
		cancel()
		switch {
		case err == nil:
			gone = append(gone, name)
		case ctx.Err() != nil || !late && !errors.Is(err, leadership.ErrLost):
			return gone, fmt.Errorf("forgetting round %s: %w", name, err)
		}
	}
	return gone, nil
}

// whatIsKept lists the rounds that the streams have. A round without outcome whose manifest
// is gone or unreadable does not count as planned, because nobody can resume it. Its
// manifest is read to find out: Rounds.List may still name one that was deleted by hand.
func whatIsKept(ctx context.Context, bus *jobstream.Bus) (kept Kept, err error) {
	turn, _, err := LastTurn(ctx, bus)
	if err != nil {
		return kept, err
	}
	kept.Turn = turn.Round
	var planned []string
	for _, list := range []struct {
		into *[]string
		read func(context.Context) ([]string, error)
	}{{&kept.Known, bus.Rounds.Left}, {&planned, bus.Rounds.List}, {&kept.Concluded, bus.Rounds.Concluded}} {
		if *list.into, err = list.read(ctx); err != nil {
			return kept, fmt.Errorf("listing the rounds: %w", err)
		}
	}
	for _, name := range planned {
		if !slices.Contains(kept.Concluded, name) {
			if _, err := bus.Rounds.Manifest(ctx, name); jobstream.Damaged(err) || errors.Is(err, jobstream.ErrNotFound) {
				continue
			}
		}
		kept.Planned = append(kept.Planned, name)
	}
	return kept, nil
}
