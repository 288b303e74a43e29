package ratelimit_test

import (
	"context"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
)

// TestAStopVoidsWhatOthersHold: a cool-down that one process hears of, or a hold by hand,
// voids the other processes' reservations at once, not only their next ones.
func TestAStopVoidsWhatOthersHold(t *testing.T) {
	t.Parallel()
	const stop = 5 * time.Second
	cfg := quick()
	cfg.Horizon = 3 * time.Second // time enough to stop it, on a busy machine as well
	stops := map[string]func(*testing.T, *server) error{
		"cool-down": func(t *testing.T, s *server) error {
			t.Helper()
			return s.patientLimiter(t, cfg).CoolDown(t.Context(), stop)
		},
		"hold": func(t *testing.T, s *server) error {
			t.Helper()
			_, err := s.operator(t).Hold(t.Context(), stop, ratelimit.Note{})
			return err
		},
	}
	for name, start := range servers {
		for kind, end := range stops {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				s := start(t)
				l := s.patientLimiter(t, cfg)
				s.awaitListener(t)
				wantVoided(t, l, stop, func() error { return end(t, s) })
			})
		}
	}
}

// wantVoided stops an egress for the given time while its first reservation is held. It
// wants the permit after the stop, by another reservation.
func wantVoided(t *testing.T, l *sender, stop time.Duration, begin func() error) {
	t.Helper()
	got := make(chan struct{})
	go func() {
		defer close(got)
		permit(t, l)
	}()
	// The first slot of a bucket lies a horizon ahead. Its reservation is held meanwhile.
	await(t, "a reservation", func() bool { return state(t, l).Granted == 1 })
	began := time.Now()
	must.Do(t, begin())
	<-got
	if waited := time.Since(began); waited < stop {
		t.Errorf("a permit came %v into a stop of %v", waited, stop)
	}
	if stats := l.Stats(); stats.Void+stats.Late == 0 {
		t.Errorf("no reservation was thrown away: %+v", stats)
	}
}

// TestAReleaseIsHeard by the processes that were told to ask again later. A stop does not
// wake them.
func TestAReleaseIsHeard(t *testing.T) {
	t.Parallel()
	onEach(t, servers, func(t *testing.T, s *server) {
		d, l := s.operator(t), s.limiter(t, quick())
		s.awaitListener(t)
		permit(t, l)
		must.Get(d.Hold(t.Context(), time.Hour, ratelimit.Note{}))(t)
		rested := make(chan error, 1)
		go func() { rested <- ratelimit.Rest(context.WithoutCancel(t.Context()), l.Limiter, time.Hour) }()
		must.Get(d.Hold(t.Context(), 2*time.Hour, ratelimit.Note{}))(t)
		select {
		case <-rested:
			t.Error("a hold woke a process that waits")
		default:
		}
		// The notice of a release may come before the other goroutine listens.
		await(t, "the release", func() bool {
			if _, err := d.Hold(t.Context(), time.Hour, ratelimit.Note{}); err != nil {
				t.Error(err)
			}
			if _, err := d.Release(t.Context()); err != nil {
				t.Error(err)
			}
			select {
			case err := <-rested:
				if err != nil {
					t.Errorf("resting: %v", err)
				}
				return true
			default:
				return false
			}
		})
	})
}
