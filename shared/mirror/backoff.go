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
	longest := c.MaxBackoff
	if n < 16 { // beyond it the doubling would only overflow
		longest = min(longest, c.Backoff<<(n-1))
	}
	return time.Duration(random * float64(longest))
}

// retryAfter reads a Retry-After: whole seconds, or an HTTP date. Anything
// else, zero and the past are none.
func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	// A day bounds what a broken header can say; the limiter has a cap of its
	// own, well below.
	const longest = 24 * time.Hour
	value := strings.TrimSpace(header.Get("Retry-After"))
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.Atoi(value)
		if err != nil || seconds > int(longest/time.Second) { // it overflows
			return longest, true
		}
		return time.Duration(seconds) * time.Second, seconds > 0
	}
	at, err := http.ParseTime(value)
	if err != nil || !at.After(now) {
		return 0, false
	}
	return min(at.Sub(now), longest), true
}
