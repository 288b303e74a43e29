package mirror

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// backoff is the pause after the nth failed try, from 1; random is in [0, 1).
// Full jitter: clients that failed together do not come back together.
func (c Config) backoff(n int, random float64) time.Duration {
	most := c.MaxBackoff
	if n < 16 { // beyond it the doubling would only overflow
		most = min(most, c.Backoff<<(n-1))
	}
	return time.Duration(random * float64(most))
}

// retryAfter reads a Retry-After: seconds, or an HTTP date. Anything else, and
// the past, is none.
func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		// A day bounds what a broken header can say; the limiter has a cap of
		// its own, well below.
		const day = 24 * time.Hour
		d := day
		if seconds < day.Seconds() {
			d = time.Duration(seconds * float64(time.Second))
		}
		return d, d > 0
	}
	at, err := http.ParseTime(value)
	if err != nil || !at.After(now) {
		return 0, false
	}
	return at.Sub(now), true
}
