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

// ErrDeclared says that another producer runs, and has declared other egresses.
var ErrDeclared = errors.New("the fleet's egresses are declared otherwise")

// Setting is what a producer is told of the fleet's egresses.
type Setting struct {
	Names []string
	// Said is false for the default, which yields to any declaration that has this
	// producer's egress: a round that is run by hand while serve restarts does not
	// take the fleet's other egresses away.
	Said bool
}

// Declare has the streams say which egresses the fleet has; workers of others
// then hand their jobs back. It is for a producer that starts, before it
// publishes anything.
//
// The first one that runs wins: while another producer holds a round or the
// schedule, what is declared stays. Whoever was told otherwise gets ErrDeclared.
// While none does, this producer's setting replaces what was declared, which is
// logged with both. A default changes nothing that it can work under.
func Declare(ctx context.Context, cfg Config, s Setting) error {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return err
	}
	mine := job.Egresses{Names: slices.Compact(slices.Sorted(slices.Values(s.Names))), By: cfg.Name, At: time.Now().UTC()}
	for {
		known, revision, err := cfg.Bus.Egresses.Stored(ctx)
		if damage, damaged := errors.AsType[*jobstream.ValueError](err); damaged {
			cfg.Log.WarnContext(ctx, "the declared egresses cannot be read and are declared anew", "egresses", mine.Names, "error", damage)
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
			continue // somebody was faster: look again
		}
		if err != nil {
			return fmt.Errorf("declaring the fleet's egresses: %w", err)
		}
		if len(known.Names) > 0 {
			cfg.Log.WarnContext(ctx, "the fleet's egresses are others now: workers of those that are gone hand their jobs back and end",
				"egresses", mine.Names, "before", known.Names, "declared_by", known.By, "declared_at", known.At)
		}
		return nil
	}
}

// free is nil if what is declared can be replaced: no other producer runs.
func (c Config) free(ctx context.Context, known, mine job.Egresses) error {
	other, err := c.running(ctx)
	if err != nil || other.Name == "" {
		return err
	}
	return fmt.Errorf("%w: they are %s, and producer %s runs (%s); this one would declare %s: "+
		"give it the same --egresses and one of them as --egress, or stop the others first",
		ErrDeclared, known, other.Name, other.Round, strings.Join(mine.Names, ", "))
}

// running waits until a producer gives a sign of life, or until all that hold
// something have been silent for their time; then its result names nobody.
func (c Config) running(ctx context.Context) (jobstream.Hold, error) {
	var (
		seen   = map[string]uint64{}
		silent time.Duration
		began  = time.Now()
	)
	for first := true; ; first = false {
		now, err := c.Bus.Holders.List(ctx)
		if err != nil {
			return jobstream.Hold{}, fmt.Errorf("looking for other producers: %w", err)
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
			return jobstream.Hold{}, nil
		}
		if first {
			c.Log.InfoContext(ctx, "other egresses are declared: looking whether the producer that holds a round still runs",
				"for", silent)
		}
		if err := pause.For(ctx, leadership.LookInterval(silent)); err != nil {
			return jobstream.Hold{}, err
		}
	}
}

// admitted is nil while this producer's egress is one of the fleet's: it sends
// the look-ups of maintainers. It is asked when a round is held, so that nobody
// who looks for a producer that runs misses this one.
func (r *Runner) admitted(ctx context.Context) error {
	declared, _, err := r.cfg.Bus.Egresses.Load(ctx)
	if err != nil {
		return fmt.Errorf("reading the fleet's egresses: %w", err)
	}
	return declared.Admit(r.cfg.Egress)
}
