package leadership

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nuid"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// ErrLost says that a producer no longer knows that it holds the round: none of its
// signs of life was confirmed in time, or another hold has replaced its own. Whether
// another producer runs the round, only the stored hold tells.
var ErrLost = errors.New("the hold of this producer is lost")

// Lead runs work as the one producer of a round, or of the schedule (job.Schedule).
// While another leads it, this one stands by; if this one is replaced in the middle,
// its work ends, it stands by again, and work begins anew: it must go on from whatever
// it finds. Work is told the name of the producer that it follows, if that one went
// without a word: what else it held is free (Config.Predecessor).
func Lead(ctx context.Context, cfg Config, round string, work func(ctx context.Context, predecessor string) error) error {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return err
	}
	// A name of its own for each hold: what this process does beside it is
	// somebody else's, and what it held before an outage is its own.
	name := fmt.Sprintf("%s/%.6s", cfg.Name, nuid.Next()[16:])
	for again := false; ; again = true {
		held, other, err := cfg.acquire(ctx, round, name)
		if err != nil {
			return fmt.Errorf("round %s: %w", round, err)
		}
		if text := taken(what(round), other, name, again); text != "" {
			cfg.Log.WarnContext(ctx, text, "round", round, "producer", other.Name)
		}
		working, lose := context.WithCancelCause(ctx)
		held.keep(working, lose)
		err = work(working, predecessor(other))
		why := context.Cause(working)
		lose(nil)
		held.release(ctx)
		if err == nil || !errors.Is(why, ErrLost) {
			return err
		}
		cfg.Log.WarnContext(ctx, "this producer's hold on "+what(round)+" is lost: it stops its work and stands by for "+what(round),
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

// unknownHolder is the name of a holder that cannot be read.
const unknownHolder = "unknown: what it has written cannot be read"

// holder is who holds a round. What cannot be read may be of somebody who lives: it
// has its time, as anybody.
func (c Config) holder(ctx context.Context, round string) (job.Holder, uint64, error) {
	other, revision, err := c.Bus.Holders.Load(ctx, round)
	if jobstream.Damaged(err) {
		other, err = job.Holder{Name: unknownHolder, For: c.Takeover}, nil
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
	me := job.Holder{Name: name, For: c.Takeover, Since: time.Now().UTC()}
	ticker := time.NewTicker(LookInterval(c.Takeover))
	defer ticker.Stop()
	var seen standing
	for {
		other, revision, err := c.holder(ctx, round)
		if err != nil {
			return nil, other, err
		}
		now := time.Now()
		followed := c.Predecessor != "" && strings.HasPrefix(other.Name, c.Predecessor+"/")
		if c.SoleProducer || followed || other.Name == name || seen.free(other, revision, now) {
			revision, err = c.Bus.Holders.Set(ctx, round, me, revision)
			if err == nil {
				crash.At(crash.RoundHeld)
				return &hold{
					bus:      c.Bus,
					round:    round,
					me:       me,
					revision: revision,
				}, other, nil
			}
			if !errors.Is(err, jobstream.ErrConflict) {
				return nil, other, err
			}
			continue // somebody was faster
		}
		if seen.note(other, revision, now) && !c.Quiet {
			c.Log.WarnContext(ctx, standingBy(round), "round", round, "producer", other.Name, "silence", other.For)
		}
		c.StandingBy(other.Name)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, other, context.Cause(ctx) //nolint:wrapcheck // the caller's own
		}
	}
}

// predecessor names the producer whose hold was there and went without a word; "" if
// it did not, or is unknown.
func predecessor(h job.Holder) string {
	if h.Released || h.Name == unknownHolder {
		return ""
	}
	name, _, _ := strings.Cut(h.Name, "/")
	return name
}

// standing is what a producer that stands by has seen. It counts the time
// since the last sign of life by its own clock: clocks of two machines differ.
type standing struct {
	name     string
	revision uint64
	since    time.Time
}

// free says whether no producer runs the round: none ever has, or the last one has
// released it or has been silent for its takeover time.
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
