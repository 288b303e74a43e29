package telemetry

import (
	"log/slog"
	"sync"
	"time"
)

// seldom logs failed exports at most once in a period: a collector that is
// away for a day must not fill the log.
type seldom struct {
	log    *slog.Logger
	period time.Duration
	scrub  func(string) string

	mu      sync.Mutex
	last    time.Time
	skipped int
}

func newSeldom(log *slog.Logger, period time.Duration, scrub func(string) string) *seldom {
	return &seldom{log: log, period: period, scrub: scrub}
}

func (s *seldom) handle(err error) { s.handleAt(time.Now(), err) }

func (s *seldom) handleAt(now time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && now.Sub(s.last) < s.period {
		s.skipped++
		return
	}
	s.log.Warn("traces or metrics are not being exported", "error", s.scrub(err.Error()), "more_since_last", s.skipped)
	s.last, s.skipped = now, 0
}
