package round

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nuid"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// ErrHoldLost says that a producer no longer knows that it holds the round: none of its
// signs of life was confirmed in time, or another hold has replaced its own. Whether
// another producer runs the round, only the stored hold tells.
var ErrHoldLost = errors.New("the hold of this producer is lost")

// hold is this producer's hold on a round. Only work is at stake: what must
// happen once is held by compare-and-set and create-once wherever it happens.
type hold struct {
	bus      *jobstream.Bus
	round    string
	me       job.Holder
	revision uint64
	beats    sync.WaitGroup
	quit     context.CancelFunc
}

// holding runs work as the one producer of the round. While another runs it,
// it stands by; if this one loses the round in the middle, it stands by again.
// Work must go on from whatever it finds.
func (r *Runner) holding(ctx context.Context, round string, work func(context.Context) (Result, error)) (result Result, err error) {
	err = r.cfg.holding(ctx, round, func(ctx context.Context, _ string) (err error) {
		if err = r.admitted(ctx); err == nil {
			result, err = work(ctx)
		}
		return err
	})
	return result, err
}

// Lead runs work as the one producer of those that serve the schedule, as a
// round is held by one: others stand by. Work is told the name of the producer
// that it follows, if that one went without a word: what else it held is free
// (Config.Follows). Of the config it takes what holds need; no mirror.
func Lead(ctx context.Context, cfg Config, work func(ctx context.Context, follows string) error) error {
	cfg, err := cfg.filled()
	if err != nil {
		return err
	}
	return cfg.holding(ctx, job.Schedule, func(ctx context.Context, former string) error {
		follows, _, _ := strings.Cut(former, "/")
		return work(ctx, follows)
	})
}

// holding is for a round or the schedule; work gets the name of a former holder
// that has not released it, "" if there was none.
func (c Config) holding(ctx context.Context, round string, work func(ctx context.Context, former string) error) error {
	// A name of its own for each hold: what this process does beside it is
	// somebody else's, and what it held before an outage is its own.
	name := fmt.Sprintf("%s/%.6s", c.Name, nuid.Next()[16:])
	for again := false; ; again = true {
		held, other, err := c.acquire(ctx, round, name)
		if err != nil {
			return fmt.Errorf("round %s: %w", round, err)
		}
		if text := taken(what(round), other, name, again); text != "" {
			c.Log.WarnContext(ctx, text, "round", round, "producer", other.Name)
		}
		working, lose := context.WithCancelCause(ctx)
		held.keep(working, lose)
		err = work(working, former(other))
		why := context.Cause(working)
		lose(nil)
		held.release(ctx)
		if err == nil || !errors.Is(why, ErrHoldLost) {
			return err
		}
		c.Log.WarnContext(ctx, "this producer's hold on "+what(round)+" is lost: it stops its work, and looks who holds "+what(round),
			"round", round, "error", why)
	}
}

// taken is what a producer logs when it has got its hold, by what it knows of the one
// before; "" the first time, if nobody held it.
func taken(what string, other job.Holder, me string, again bool) string {
	switch {
	case again && other.Name == me:
		return "nobody else has held " + what + " meanwhile: this producer resumes its work"
	case other.Name != "" && !other.Released:
		return what + " is taken over: its producer died, or was silent for its time"
	case again:
		return what + " is free again: this producer resumes its work"
	}
	return ""
}

// what is held, in words.
func what(round string) string {
	if round == job.Schedule {
		return "the schedule"
	}
	return "the round"
}

// unknownHolder stands for whoever holds a round whose holder cannot be read.
const unknownHolder = "unknown: what it has written cannot be read"

// holder is who holds a round. What cannot be read may be of somebody who lives: it
// has its time, as anybody.
func (c Config) holder(ctx context.Context, round string) (job.Holder, uint64, error) {
	other, revision, err := c.Bus.Holders.Load(ctx, round)
	if jobstream.Damaged(err) {
		other, err = job.Holder{Name: unknownHolder, For: c.Hold}, nil
	}
	return other, revision, err
}

// standingBy is what a producer logs when it finds another one's hold. Whether that
// producer is alive shows within the time of its hold.
func standingBy(round string) string {
	return "standing by: another producer holds " + what(round) + ", which is taken over when that one stays silent for its time"
}

// acquire waits until the round is free and takes it, and returns whose hold was there
// before.
func (c Config) acquire(ctx context.Context, round, name string) (_ *hold, before job.Holder, err error) {
	me := job.Holder{Name: name, For: c.Hold, Since: time.Now().UTC()}
	ticker := time.NewTicker(max(c.Hold/lookEvery, time.Millisecond))
	defer ticker.Stop()
	var seen standing
	for {
		other, revision, err := c.holder(ctx, round)
		if err != nil {
			return nil, other, err
		}
		now := time.Now()
		followed := c.Follows != "" && strings.HasPrefix(other.Name, c.Follows+"/")
		if c.Alone || followed || other.Name == name || seen.free(other, revision, now) {
			revision, err = c.Bus.Holders.Set(ctx, round, me, revision)
			if err == nil {
				crash.At(crash.RoundHeld)
				return &hold{bus: c.Bus, round: round, me: me, revision: revision}, other, nil
			}
			if !errors.Is(err, jobstream.ErrConflict) {
				return nil, other, err
			}
			continue // somebody was faster
		}
		if seen.note(other, revision, now) {
			c.Log.WarnContext(ctx, standingBy(round), "round", round, "producer", other.Name, "silence", other.For)
		}
		c.Seen(Sight{StandsBy: other.Name})
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, other, context.Cause(ctx) //nolint:wrapcheck // the caller's own
		}
	}
}

// former names a holder that went without a word; "" if it did not, or is unknown.
func former(h job.Holder) string {
	if h.Released || h.Name == unknownHolder {
		return ""
	}
	return h.Name
}

// standing is what a producer that stands by has seen. It counts the time
// since the last sign of life by its own clock: clocks of two machines differ.
type standing struct {
	name     string
	revision uint64
	since    time.Time
}

// free says whether nobody runs the round: nobody ever has, whoever did has
// ended, or has been silent for its time.
func (s *standing) free(h job.Holder, revision uint64, now time.Time) bool {
	return revision == 0 || h.Released || revision == s.revision && now.Sub(s.since) >= h.For
}

// note remembers a sign of life; true for a holder not seen before.
func (s *standing) note(h job.Holder, revision uint64, now time.Time) bool {
	if s.revision == revision {
		return false
	}
	another := s.name != h.Name
	*s = standing{h.Name, revision, now}
	return another
}

// A holder writes itself anew five times in its time, and gives up at three
// quarters of it; who stands by looks twenty times.
const (
	beatEvery = 5
	lookEvery = 20
)

// keep writes signs of life until ctx ends, and ends the work with ErrHoldLost when one
// is not confirmed in time, or another hold is in its place.
func (h *hold) keep(ctx context.Context, lose context.CancelCauseFunc) {
	ctx, h.quit = context.WithCancel(ctx)
	h.beats.Go(func() {
		ticker := time.NewTicker(h.me.For / beatEvery)
		defer ticker.Stop()
		confirmed := time.Now()
		for {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			h.me.Beat++
			sent := time.Now()
			bounded, cancel := context.WithDeadline(ctx, confirmed.Add(h.me.For*3/4))
			revision, err := h.bus.Holders.Set(bounded, h.round, h.me, h.revision)
			cancel()
			switch {
			case err == nil:
				h.revision, confirmed = revision, sent
			case ctx.Err() != nil:
				return
			case errors.Is(err, jobstream.ErrConflict):
				lose(fmt.Errorf("%w: another one is in its place: %w", ErrHoldLost, err))
				return
			default:
				silent := time.Since(confirmed).Round(time.Millisecond)
				lose(fmt.Errorf("%w: NATS has confirmed no sign of life of this producer for %s: %w", ErrHoldLost, silent, err))
				return
			}
		}
	})
}

// release ends the signs of life and says so. If it cannot, whoever stands by
// waits a little longer.
func (h *hold) release(ctx context.Context) {
	h.quit()
	h.beats.Wait()
	h.me.Released = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.me.For)
	defer cancel()
	_, err := h.bus.Holders.Set(ctx, h.round, h.me, h.revision)
	if errors.Is(err, jobstream.ErrConflict) { // the last sign of life may have been written, its answer not awaited
		holder, revision, readErr := h.bus.Holders.Load(ctx, h.round)
		if readErr == nil && holder.Name == h.me.Name {
			_, err = h.bus.Holders.Set(ctx, h.round, h.me, revision)
		}
	}
	if err == nil {
		crash.At(crash.RoundReleased)
	}
}
