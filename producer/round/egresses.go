package round

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mirrorfleet/producer/leadership"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/pause"
)

// ErrDeclared says that another producer is running and has declared other egresses.
var ErrDeclared = errors.New("the fleet's egresses are declared otherwise")

// Setting is what a producer's flags say of the fleet's egresses.
type Setting struct {
	Names []string
	// Said is false for the default, this producer's own egress alone. A default yields to
	// any declaration that contains this egress: a round that is run by hand while serve
	// restarts must not take the fleet's other egresses away.
	Said bool
}

// Declare stores which egresses the fleet has. Workers of any other egress then hand
// their jobs back. A producer calls it when it starts, before it publishes anything.
//
// The producer that runs first wins: while another one holds a round or the schedule, its
// declaration stays, and a producer with another setting gets ErrDeclared. If none does,
// this producer's setting replaces the declaration, and the log has both. Two producers
// that declare at the same instant are told apart by compare-and-set: the slower one looks
// again.
func Declare(ctx context.Context, cfg Config, s Setting) error {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return err
	}
	mine := job.Egresses{Names: slices.Compact(slices.Sorted(slices.Values(s.Names))), By: cfg.Name, At: time.Now().UTC()}
	for {
		known, revision, err := cfg.Bus.Egresses.Stored(ctx)
		if damage, damaged := errors.AsType[*jobstream.ValueError](err); damaged {
			cfg.Log.WarnContext(ctx, "the declared egresses cannot be read: declaring them again", "egresses", mine.Names, "error", damage)
		} else if err != nil {
			return fmt.Errorf("reading the fleet's egresses: %w", err)
		}
		if slices.Equal(known.Names, mine.Names) {
			return nil
		}
		if !s.Said && slices.Contains(known.Names, cfg.Egress) {
			cfg.Log.InfoContext(ctx, "the fleet's egresses stay as they are declared",
				"egresses", known.Names, "declared_by", known.By, "declared_at", known.At)
			return nil
		}
		if len(known.Names) > 0 && !cfg.SoleProducer {
			if err := cfg.free(ctx, known, mine); err != nil {
				return err
			}
		}
		err = cfg.Bus.Egresses.Set(ctx, mine, revision)
		if errors.Is(err, jobstream.ErrConflict) {
			continue // another producer was faster: look again
		}
		if err != nil {
			return fmt.Errorf("declaring the fleet's egresses: %w", err)
		}
		if len(known.Names) > 0 {
			cfg.Log.WarnContext(ctx, "the fleet's egresses have changed: workers of removed ones hand their jobs back and exit",
				"egresses", mine.Names, "before", known.Names, "declared_by", known.By, "declared_at", known.At)
		}
		return nil
	}
}

// free returns nil if the declaration may be replaced, because no other producer runs.
func (c Config) free(ctx context.Context, known, mine job.Egresses) error {
	other, err := c.running(ctx)
	if err != nil || other.Name == "" {
		return err
	}
	return fmt.Errorf("%w: they are %s, and producer %s is running (%s); this one would declare %s: "+
		"give it the same --egresses and one of them as --egress, or stop the other producers first",
		ErrDeclared, known, other.Name, other.Round, strings.Join(mine.Names, ", "))
}

// running waits until a producer gives a sign of life, or until every producer that leads
// something has been silent for its own takeover time; the result then names none. A sign
// of life is a new revision, not a stored instant: clocks of two machines are not
// compared.
func (c Config) running(ctx context.Context) (jobstream.Leadership, error) {
	var (
		seen   = map[string]uint64{}
		silent time.Duration
		began  = time.Now()
	)
	for first := true; ; first = false {
		now, err := c.Bus.Holders.List(ctx)
		if err != nil {
			return jobstream.Leadership{}, fmt.Errorf("looking for other producers: %w", err)
		}
		for _, h := range now {
			switch {
			case h.Released:
			case first:
				seen[h.Round], silent = h.Revision, max(silent, h.For)
			case seen[h.Round] != h.Revision:
				return h, nil
			}
		}
		if time.Since(began) >= silent {
			return jobstream.Leadership{}, nil
		}
		if first {
			c.Log.InfoContext(ctx, "other egresses are declared: waiting to see whether the producer that leads a round still runs",
				"for", silent)
		}
		if err := pause.For(ctx, leadership.LookInterval(silent)); err != nil {
			return jobstream.Leadership{}, err
		}
	}
}

// admitted returns nil while this producer's egress is declared: the producer sends the
// look-ups of maintainers under it. The check comes after the round is held, so that a
// producer that declares other egresses in between either finds this one running, or is
// found here.
func (r *Runner) admitted(ctx context.Context) error {
	declared, _, err := r.cfg.Bus.Egresses.Load(ctx)
	if err != nil {
		return fmt.Errorf("reading the fleet's egresses: %w", err)
	}
	return declared.Admit(r.cfg.Egress)
}
