package mirror

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"
)

// Meter grants the right to send one request now. It is an interface because
// adapters do not import each other; the limiter of the fleet is one.
type Meter interface {
	// Permit blocks until a request may be sent, which must happen by useBy.
	Permit(ctx context.Context) (useBy time.Time, err error)
	// CoolDown stops the whole egress for a time.
	CoolDown(ctx context.Context, d time.Duration) error
}

// Config describes the client.
type Config struct {
	// BaseURL is the mirror's, such as https://mirror.gittensor.io. Required.
	BaseURL string
	// Meter grants permits. Required: nothing is sent unmetered.
	Meter Meter
	// PoolSize is the most connections, and the most requests under way.
	// Default 8.
	PoolSize int
	// Timeout bounds one try, from the permit to the last byte. Default 30 s,
	// as the validator's.
	Timeout time.Duration
	// Backoff is the longest pause after the first failed try; it doubles with
	// each further one up to MaxBackoff, and each pause is drawn from between 0
	// and that (full jitter). Defaults 1 s and 8 s.
	Backoff, MaxBackoff time.Duration
	// Throttled is the cool-down after a 429 without a Retry-After: the
	// mirror's own mitigation period. Default 10 s.
	Throttled time.Duration
	// MaxList and MaxFiles cap an answer in bytes: one page of a list, the files
	// of one pull request. Defaults 32 MiB and 96 MiB: a large files answer has
	// tens of MB.
	MaxList, MaxFiles int64
	// MaxPages caps the pages of one list, 200 items each. Default 50.
	MaxPages int
	// BreakAfter is how many requests in a row must fail, all their tries, to
	// open the breaker, and BreakFor how long it then stays open. A success in
	// between starts the count anew, so one miner whose list always fails does
	// not stop the others. Defaults 8 and 10 s.
	BreakAfter uint32
	BreakFor   time.Duration
	// Log hears of cool-downs and of the breaker. Default slog.Default().
	Log *slog.Logger
}

// tries is how often a request is sent at most: the validator's own number.
const tries = 3

func (c Config) filled() (Config, *url.URL, error) {
	set(&c.PoolSize, 8)
	set(&c.Timeout, 30*time.Second)
	set(&c.Backoff, time.Second)
	set(&c.MaxBackoff, 8*time.Second)
	set(&c.Throttled, 10*time.Second)
	set(&c.MaxList, 32<<20)
	set(&c.MaxFiles, 96<<20)
	set(&c.MaxPages, 50)
	set(&c.BreakAfter, 8)
	set(&c.BreakFor, 10*time.Second)
	set(&c.Log, slog.Default())
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return c, nil, fmt.Errorf("BaseURL is not a URL such as https://mirror.gittensor.io: %q", redacted(c.BaseURL))
	}
	switch {
	case base.User != nil:
		return c, nil, fmt.Errorf("BaseURL %q has credentials, the mirror takes none", base.Redacted())
	case c.Meter == nil:
		return c, nil, fmt.Errorf("Meter is nil, want the limiter of the egress")
	case c.PoolSize < 1:
		return c, nil, fmt.Errorf("PoolSize is %d, want at least 1", c.PoolSize)
	case c.MaxPages < 1:
		return c, nil, fmt.Errorf("MaxPages is %d, want at least 1", c.MaxPages)
	case c.MaxList < 1 || c.MaxFiles < 1:
		return c, nil, fmt.Errorf("MaxList is %d and MaxFiles %d, want at least one byte", c.MaxList, c.MaxFiles)
	}
	for name, d := range map[string]time.Duration{
		"Timeout": c.Timeout, "Backoff": c.Backoff, "MaxBackoff": c.MaxBackoff, "Throttled": c.Throttled, "BreakFor": c.BreakFor,
	} {
		if d < 0 {
			return c, nil, fmt.Errorf("%s is %s, want more than 0", name, d)
		}
	}
	return c, base, nil
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// redacted drops what may be a password from a URL that cannot be parsed.
func redacted(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable)"
	}
	return u.Redacted()
}
