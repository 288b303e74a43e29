package telemetry

import (
	"log/slog"
	"time"
)

// Seldom returns what logs export errors at most once in a period.
func Seldom(log *slog.Logger, period time.Duration) func(time.Time, error) {
	return newSeldom(log, period, Scrub).handleAt
}
