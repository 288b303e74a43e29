package ratelimit_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// TestEndCoolDownResumes every process at the normal pace, long before the cool-down's own
// end; a hold beside it stays.
func TestEndCoolDownResumes(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		d := s.operator(t)
		here, there := s.limiter(t, quick()), s.limiter(t, quick())
		permit(t, here)
		permit(t, there)
		if _, err := d.EndCoolDown(t.Context()); !errors.Is(err, ratelimit.ErrNotCooling) {
			t.Errorf("without a cool-down: %v, want ErrNotCooling", err)
		}
		coolDown(t, here, 5*time.Minute)
		must.Get(d.Hold(t.Context(), time.Hour, ratelimit.Note{}))(t)
		if got := must.Get(d.EndCoolDown(t.Context()))(t); got.CoolDown != 0 || got.Hold <= 0 || got.CoolDowns != 1 {
			t.Errorf("after the end State is %+v, want the hold alone, and the cool-down counted", got)
		}
		must.Get(d.Release(t.Context()))(t)
		coolDown(t, there, 5*time.Minute)
		var waiting sync.WaitGroup
		for _, l := range []*sender{here, there} {
			refused := l.Stats().Refused
			waiting.Go(func() { permit(t, l) })
			await(t, "it is told to ask again later", func() bool { return l.Stats().Refused > refused })
		}
		must.Get(d.EndCoolDown(t.Context()))(t)
		waiting.Wait()                                     // or the test's own time is over
		saturate(t, []*sender{here, there}, 60, func() {}) // no herd afterwards
	})
}

// TestAHoldHasANote of who holds and why: that of the hold that ends last, until it is
// released.
func TestAHoldHasANote(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		log, cfg := &telemetrytest.Log{}, quick()
		cfg.Log = log.Logger()
		d, l := s.operator(t), s.limiter(t, cfg)
		permit(t, l)
		first, second := ratelimit.Note{By: "ann@ops-1", Why: "the mirror moves"}, ratelimit.Note{By: "bob@ops-2"}
		for _, c := range []struct {
			length time.Duration
			note   ratelimit.Note
			want   ratelimit.Note
			logged int // holds that were heard of, once it is given
		}{{time.Hour, first, first, 1}, {time.Minute, second, first, 1}, {2 * time.Hour, second, second, 2}} {
			if got := must.Get(d.Hold(t.Context(), c.length, c.note))(t); got.Note != c.want {
				t.Errorf("held for %s by %+v: %+v, want %+v", c.length, c.note, got.Note, c.want)
			}
			must.Until(t.Context(), t, "the hold is logged", func() bool { return log.Count("the egress is held by hand") == c.logged })
		}
		if got := must.Get(d.Release(t.Context()))(t); got.Note != (ratelimit.Note{}) {
			t.Errorf("released: %+v, want no note", got.Note)
		}
		must.Until(t.Context(), t, "the end is logged", func() bool { return log.Count("was ended by hand") == 1 })
		if held := log.Count("the egress is held by hand"); held != 2 || !strings.Contains(log.String(), "ann@ops-1") || !strings.Contains(log.String(), "the mirror moves") {
			t.Errorf("the log tells %d times of a hold, want each that lengthens it, with who and why:\n%s", held, log)
		}
		hostile := ratelimit.Note{By: "a\x1b[2Jb\n" + strings.Repeat("x", 1000), Why: strings.Repeat("ü", 1<<16) + "\xff"}
		got := must.Get(d.Hold(t.Context(), time.Hour, hostile))(t).Note
		if len([]rune(got.By)) > bounded.MaxOrderText || len([]rune(got.Why)) > bounded.MaxOrderText || strings.ContainsAny(got.By+got.Why, "\x1b\n") || !utf8.ValidString(got.By+got.Why) ||
			!strings.HasPrefix(got.By, "a [2Jb x") {
			t.Errorf("a hostile note is %.200q, want it cut and in one line", got)
		}
		must.Do(t, patient(t, s).HSet(t.Context(), "limit:{"+ratelimit.DefaultEgress+"}", "hold_note", "no JSON \x1b[2J").Err())
		if got := state(t, l).Note; got.Why != "no JSON [2J" {
			t.Errorf("what is no note is shown as %q, want its text", got)
		}
	})
}
